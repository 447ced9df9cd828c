// An API server that keeps objects: creates, reads, lists by the existence of a label, deletes with a precondition on the uid.
import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type { FoundPod, Ground } from '../../../src/targets/kubernetes/ground.ts';
import type { Mapping } from '../../../src/targets/kubernetes/mapping.ts';
import { failure, json, type Opened, opened, type Request } from './mock-api.ts';

export type Stored = {
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly labels?: Record<string, string>;
    readonly [more: string]: unknown;
  };
  readonly spec?: unknown;
  readonly status?: unknown;
};

export type Quirks = {
  /** What the server makes of an object before it keeps it. */
  readonly keeps?: (sent: Stored) => Stored;
  /** Whether Cilium's policies are served. */
  readonly cilium?: boolean;
  /** Takes over the answer when it returns true. */
  readonly instead?: (request: Request, response: ServerResponse) => boolean;
};

export type Store = Opened & {
  /** By `namespace/plural/name`. */
  readonly objects: Map<string, Stored>;
  /** Puts an object there that somebody else has made. */
  put(plural: string, object: Stored): void;
};

const CILIUM = '/apis/cilium.io/v2';

export const storing = async (quirks: Quirks = {}): Promise<Store> => {
  const objects = new Map<string, Stored>();
  const keep = (path: string, object: Stored): Stored => {
    const uid = object.metadata.uid ?? randomUUID();
    const kept = { ...(quirks.keeps?.(object) ?? object), metadata: { ...object.metadata, uid } };
    objects.set(path, kept);
    return kept;
  };
  const http = (request: Request, response: ServerResponse): void => {
    if (quirks.instead?.(request, response)) return;
    const { status, body } = answer(request, objects, keep, quirks.cilium === true);
    json(response, status, body);
  };
  const it = await opened({ http });
  return {
    ...it,
    objects,
    put: (plural, object) => void keep(`${object.metadata.namespace}/${plural}/${object.metadata.name}`, object),
  };
};

type Answer = { readonly status: number; readonly body: unknown };

const ok = (body: unknown, status = 200): Answer => ({ status, body });
const no = (status: number, message: string): Answer => ok(JSON.parse(failure(status, message).body), status);

const answer = (
  { method, url, body }: Request,
  objects: Store['objects'],
  keep: (path: string, object: Stored) => Stored,
  cilium: boolean,
): Answer => {
  if (url.pathname === CILIUM && cilium)
    return ok({ kind: 'APIResourceList', resources: [{ name: 'ciliumnetworkpolicies' }] });
  const [, namespace, plural, name] = /\/namespaces\/([^/]+)\/([^/]+)(?:\/([^/]+))?$/.exec(url.pathname) ?? [];
  if (!namespace || (url.pathname.startsWith(CILIUM) && !cilium)) return no(404, 'not found');
  const folder = `${namespace}/${plural}/`;
  const sent = body ? JSON.parse(body) : null;
  if (method === 'POST') {
    const path = `${folder}${sent.metadata.name}`;
    return objects.has(path) ? no(409, 'already exists') : ok(keep(path, sent), 201);
  }
  if (name === undefined) {
    const label = url.searchParams.get('labelSelector');
    const inside = [...objects].filter(([path]) => path.startsWith(folder)).map(([, one]) => one);
    return ok({ kind: 'List', metadata: {}, items: inside.filter((one) => !label || one.metadata.labels?.[label]) });
  }
  const there = objects.get(`${folder}${name}`);
  if (!there) return no(404, `${plural} "${name}" not found`);
  if (method !== 'DELETE') return ok(there);
  const uid = sent?.preconditions?.uid;
  if (uid && uid !== there.metadata.uid) return no(409, 'the UID in the precondition does not match');
  objects.delete(`${folder}${name}`);
  return ok(there);
};

export const podOf = (service: string, more: Partial<FoundPod> = {}): FoundPod => ({
  name: `${service}-1`,
  uid: `uid-${service}`,
  service,
  ip: `198.18.64.${service.length}`,
  port: 8080,
  ready: true,
  namespace: 'shop',
  labels: { app: service },
  node: 'n1',
  owner: `ReplicaSet/${service}`,
  hostNetwork: false,
  restarts: 0,
  ...more,
});

const components = ['web', 'orders', 'billing'];
export const mapping: Mapping = {
  platform: 'shop',
  entry: 'web',
  components: components.map((name) => ({ name, namespace: 'shop', labels: { app: name }, service: name, port: 8080 })),
  namespaces: ['shop'],
  observability: ['monitoring'],
  backends: {},
  entryUrl: null,
};

export const groundOn = (
  { cluster }: Opened,
  pods: readonly FoundPod[] = components.map((one) => podOf(one)),
  more: Partial<Ground> = {},
): Ground => ({
  cluster,
  mapping,
  owner: { runId: 'r1', expires: 1_800_000_000_000_000_000n },
  allowed: ['shop'],
  images: { firedrill: 'firedrill', agent: 'agent' },
  spared: [{ namespace: 'monitoring', labels: 'all' }],
  pods: async () => pods,
  behind: async () => [],
  ...more,
});
