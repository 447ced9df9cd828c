// Whom a pod may call: the addresses of each component, kept current by a watch that is told of every change, or in a
// cluster the names of their Services.
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { json } from 'node:stream/consumers';
import { Unreachable } from '../../../errors.ts';
import type { Platform } from '../../../platform.ts';
import { until } from '../../../poll.ts';
import { mapping } from '../../kubernetes/mapping.ts';

/** `host` is an address, or a name that is looked up for each new connection. */
export type Place = { readonly host: string; readonly port: number };

export type Endpoints = {
  /** The next pod of a component, round robin; null when none is known. */
  next(component: string): Place | null;
  /** Whether service discovery has answered at all. */
  known(): boolean;
};

type Answer = {
  readonly version: number;
  readonly components: Readonly<Record<string, readonly { readonly ip: string; readonly port: number }[]>>;
};

/** Longer than service discovery holds a watch that has no news (10 s). */
const WATCH_MS = 15_000;
const PATIENCE_MS = 24 * 3_600_000;

/**
 * Watches until `signal` aborts. `gone` is called with each address that a component no longer has. While discovery is
 * unreachable the last known addresses stay, as they do in a Kubernetes node that lost its API server.
 */
export const watchEndpoints = (url: string, signal: AbortSignal, gone: (place: Place) => void): Endpoints => {
  const places = new Map<string, readonly Place[]>();
  const turns = new Map<string, number>();
  let version = 0;
  const learn = (answer: Answer): void => {
    const before = [...places.values()].flat();
    for (const [component, list] of Object.entries(answer.components))
      places.set(
        component,
        list.map(({ ip, port }) => ({ host: ip, port })),
      );
    version = answer.version;
    const now = new Set([...places.values()].flat().map(key));
    for (const place of before) if (!now.has(key(place))) gone(place);
  };
  const ask = async (): Promise<true> => {
    learn(await get(`${url}/endpoints?since=${version}`, signal));
    return true;
  };
  const watch = async (): Promise<void> => {
    while (!signal.aborted) await until('service discovery', ask, { forMs: PATIENCE_MS, everyMs: 100, signal });
  };
  watch().catch(() => {});
  return {
    known: () => version > 0,
    next: (component) => {
      const list = places.get(component) ?? [];
      const turn = turns.get(component) ?? 0;
      turns.set(component, turn + 1);
      return list[turn % list.length] ?? null;
    },
  };
};

/**
 * Every component at its Service, seen from a pod of `caller`: `order-service` in the same namespace and
 * `order-service.shop` in another. Which pods are behind it is the cluster's business.
 */
export const servicesOf = (platform: Platform, caller: string): Endpoints => {
  const { components } = mapping(platform);
  const home = components.find(({ name }) => name === caller)?.namespace;
  const places = new Map(
    components.map(({ name, service, namespace, port }) => [
      name,
      { host: namespace === home ? service : `${service}.${namespace}`, port },
    ]),
  );
  return { known: () => true, next: (component) => places.get(component) ?? null };
};

/** A place as a map key. */
export const key = ({ host, port }: Place): string => `${host}:${port}`;

const get = async (url: string, stop: AbortSignal): Promise<Answer> => {
  const signal = AbortSignal.any([stop, AbortSignal.timeout(WATCH_MS)]);
  const asking = request(url, { signal }).on('error', () => {});
  const [response] = (await once(asking.end(), 'response')) as [IncomingMessage];
  if (response.statusCode !== 200) throw new Unreachable(`${url}: HTTP ${response.statusCode}`);
  return (await json(response)) as Answer;
};
