// Who is behind an address or a pod's name, from what the API server tells about pods and Services.
import type { V1Pod, V1Service } from '@kubernetes/client-node';
import type { Identity } from '../../lab/flow-observer-wire.ts';

export type KnownPod = {
  readonly namespace: string;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The component, by the labels that say it by convention, else by who made it, else by its own name. */
  readonly service: string;
};

export type Directory = {
  /** A pod as it is now, or as it last was; says whether `addresses` has changed. Pods on the node's own network have none. */
  pod(pod: V1Pod): boolean;
  service(service: V1Service): void;
  describe(ip: string): Identity | null;
  /** The pod with this UID, or null when it is not known yet. */
  byUid(uid: string): KnownPod | null;
  /** Addresses of pods, those that are gone included, for as long as nobody else has them. */
  addresses(): readonly string[];
};

/** As many of each are remembered; of those that are gone, the longest known make room. */
const REMEMBERED = 10_000;
const NAME_LABELS = ['app.kubernetes.io/name', 'app', 'k8s-app'];

export const createDirectory = (): Directory => {
  const pods = new Map<string, KnownPod>();
  const byAddress = new Map<string, Identity>();
  const services = new Map<string, Identity>();
  return {
    pod: (pod) => {
      const known = knownPod(pod);
      remember(pods, pod.metadata?.uid ?? known.name, known);
      const came = addressesOf(pod).filter((ip) => byAddress.get(ip)?.pod !== known.name);
      for (const ip of came) remember(byAddress, ip, identityOf(pod, known));
      return came.length > 0;
    },
    service: ({ metadata, spec }) => {
      const { name = '', namespace = '' } = metadata ?? {};
      const identity: Identity = { service: name, pod: null, labels: {}, namespace };
      for (const ip of spec?.clusterIPs ?? []) if (ip !== 'None') remember(services, ip, identity);
    },
    describe: (ip) => byAddress.get(ip) ?? services.get(ip) ?? null,
    byUid: (uid) => pods.get(uid) ?? null,
    addresses: () => [...byAddress.keys()],
  };
};

const remember = <T>(all: Map<string, T>, key: string, value: T): void => {
  all.delete(key);
  all.set(key, value);
  if (all.size > REMEMBERED) all.delete(all.keys().next().value!);
};

const addressesOf = ({ spec, status }: V1Pod): string[] =>
  spec?.hostNetwork ? [] : (status?.podIPs ?? []).flatMap(({ ip }) => (ip ? [ip] : []));

const knownPod = (pod: V1Pod): KnownPod => {
  const { namespace = '', name = '', labels = {} } = pod.metadata ?? {};
  const said = NAME_LABELS.map((label) => labels[label]).find(Boolean);
  return { namespace, name, labels, service: said ?? workloadOf(pod)?.name ?? name };
};

const identityOf = (pod: V1Pod, { namespace, name, labels }: KnownPod): Identity => ({
  service: null,
  pod: name,
  labels: { 'io.kubernetes.pod.namespace': namespace, ...labels },
  namespace,
  workload: workloadOf(pod),
});

/** A ReplicaSet that a Deployment made is named after it and the hash of its template, which its pods have as a label. */
const workloadOf = ({ metadata }: V1Pod): { readonly name: string; readonly kind: string } | null => {
  const owner = metadata?.ownerReferences?.find(({ controller }) => controller);
  if (!owner) return null;
  const hash = metadata?.labels?.['pod-template-hash'];
  return owner.kind === 'ReplicaSet' && hash && owner.name.endsWith(`-${hash}`)
    ? { name: owner.name.slice(0, -hash.length - 1), kind: 'Deployment' }
    : { name: owner.name, kind: owner.kind };
};
