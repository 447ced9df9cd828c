// What can be known of a cluster without changing it: enough for a plan. Ports of backends are brought to this machine.
import { oneLine, Unreachable } from '../../errors.ts';
import type { Address } from '../../naming.ts';
import { type Platform, topology } from '../../platform.ts';
import { SECOND, systemClock } from '../../time.ts';
import type { Endpoints, Facts } from '../target.ts';
import { type Found, findBackends, schemeOf } from './backends.ts';
import { openCluster } from './client.ts';
import type { Cluster, Forward, Touch } from './cluster.ts';
import { behind, discover, mustBeThere } from './discovery.ts';
import type { FoundPod, Spared } from './ground.ts';
import { BACKENDS, type BackendName, type Mapping, mapping, type ServiceAt } from './mapping.ts';
import { timingOf } from './timing.ts';

/** How Services of the cluster are reached from here. */
export type Via = 'port-forward' | 'service-proxy' | 'direct';

export type SurveyOptions = {
  readonly platform: Platform;
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  /** Backends that the user names: URLs, or `host:port` for Hubble. */
  readonly given: { readonly [K in BackendName]?: string | undefined };
  readonly via: Via;
  readonly audit: (touch: Touch) => void;
  readonly say: (line: string) => void;
};

export type Survey = AsyncDisposable & {
  readonly cluster: Cluster;
  readonly mapping: Mapping;
  readonly facts: Facts;
  readonly backends: Found;
  readonly endpoints: Endpoints;
  readonly spared: readonly Spared[];
  readonly addresses: ReadonlyMap<string, Address>;
  pods(): Promise<readonly FoundPod[]>;
};

/** Throws Usage when the platform is not there as its profile says, Unreachable when the cluster or a backend can't be reached. */
export const survey = async (options: SurveyOptions): Promise<Survey> => {
  const { platform, given, via, say } = options;
  const { kubeconfig, context, audit } = options;
  const cluster = await openCluster({ audit, ...(kubeconfig ? { kubeconfig } : {}), ...(context ? { context } : {}) });
  const opened: AsyncDisposable[] = [cluster];
  const forwards: Forward[] = [];
  const dispose = async (): Promise<void> => {
    for (const one of opened.splice(0).reverse()) await one[Symbol.asyncDispose]();
  };
  try {
    const mapped = mapping(platform);
    const { pods, addresses } = await discover(cluster, mapped);
    const there = await pods();
    mustBeThere(mapped, there, (name) => !platform.kubernetes.components[name]?.labels);
    const backends = await findBackends(cluster, mapped, given, say);
    const reach = async (at: string | ServiceAt | null): Promise<string | null> => {
      if (at === null || typeof at === 'string') return at;
      const reached = await reachable(cluster, at, via);
      opened.push(reached);
      forwards.push(reached);
      return `${reached.host}:${reached.port}`;
    };
    const endpoints = await endpointsOf(platform, mapped, backends, reach);
    const timing = await timingOf(endpoints, platform).catch((error: unknown) => {
      const why = new Set(forwards.flatMap(({ broken }) => broken() ?? []));
      throw why.size > 0 ? new Unreachable(`${[...why].join('; ')}: ${oneLine(error)}`) : error;
    });
    const facts: Facts = {
      target: 'kubernetes',
      platform: platform.name,
      topology: topology(platform),
      pods: there,
      timing,
      lacks: ['freeze', 'reject'],
    };
    const spared = await sparedOf(cluster, mapped, backends, say);
    return {
      cluster,
      mapping: mapped,
      facts,
      backends,
      endpoints,
      spared,
      addresses,
      pods,
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    await dispose();
    throw error;
  }
};

export const reachable = async (cluster: Cluster, at: ServiceAt, via: Via): Promise<Forward> => {
  if (via === 'direct')
    return {
      host: `${at.service}.${at.namespace}`,
      port: at.port,
      broken: () => null,
      [Symbol.asyncDispose]: async () => undefined,
    };
  if (via === 'service-proxy') return cluster.serviceProxy(at);
  return cluster.forward(await inTurn(() => behind(cluster, at)));
};

/** Pods come and go, but not between two connections of the same moment. */
const REMEMBERED = 2n * SECOND;

/** Each of them in turn, as they were last listed. Rejects when there is nobody now. */
const inTurn = async <T>(list: () => Promise<readonly T[]>): Promise<() => Promise<T>> => {
  let all = await list();
  let listed = systemClock.now();
  let turn = 0;
  return async () => {
    if (systemClock.now() - listed > REMEMBERED) {
      all = await list();
      listed = systemClock.now();
    }
    turn += 1;
    return all[turn % all.length]!;
  };
};

type Reach = (at: string | ServiceAt | null) => Promise<string | null>;

const endpointsOf = async (platform: Platform, mapped: Mapping, backends: Found, reach: Reach): Promise<Endpoints> => {
  const entry = mapped.components.find(({ name }) => name === mapped.entry)!;
  const at = mapped.entryUrl ?? { namespace: entry.namespace, service: entry.service, port: entry.port };
  const found = BACKENDS.map(async (one) => [one, url(await reach(backends[one]), schemeOf(platform, one))] as const);
  const endpoints = Object.fromEntries(await Promise.all(found)) as Record<BackendName, string | null>;
  return { ...endpoints, entry: url(await reach(at), 'http://')! };
};

const url = (at: string | null, scheme: string): string | null =>
  at === null || /^https?:/.test(at) || scheme === '' ? at : `${scheme}${at}`;

/** Those who observe: whole namespaces of theirs, and in the platform's own namespaces the pods behind a backend's Service. */
const sparedOf = async (
  cluster: Cluster,
  { namespaces, observability }: Mapping,
  backends: Found,
  say: (line: string) => void,
): Promise<Spared[]> => {
  const services = Object.values(backends).filter((at): at is ServiceAt => typeof at === 'object' && at !== null);
  const foreign = services.map(({ namespace }) => namespace).filter((one) => !namespaces.includes(one));
  const whole: Spared[] = [];
  for (const namespace of new Set([...observability, ...foreign])) {
    // Whoever spares a namespace's pods must know their addresses.
    const refused = await cluster.core.listNamespacedPod({ namespace, limit: 1 }).then(() => null, oneLine);
    if (refused === null) whole.push({ namespace, labels: 'all' });
    else say(`who observes from namespace ${namespace} is not known, and not spared: ${refused}`);
  }
  const inside = services.filter(({ namespace }) => namespaces.includes(namespace));
  const own = inside.map(async ({ namespace, service }): Promise<Spared> => {
    const { spec } = await cluster.core.readNamespacedService({ namespace, name: service });
    return { namespace, labels: spec?.selector ?? {} };
  });
  return [...whole, ...(await Promise.all(own))];
};
