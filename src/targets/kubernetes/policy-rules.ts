// The objects that cut an edge or isolate a component. Kubernetes' own policies only add: there is no deny, so that a cut is
// an isolation with everybody else allowed again. Cilium's can deny. Pure.
import type { V1LabelSelector, V1NetworkPolicy, V1NetworkPolicyPeer } from '@kubernetes/client-node';
import { iso } from '../../time.ts';
import type { Spared } from './ground.ts';
import type { Component } from './mapping.ts';
import { labels, nameOf, type Owner } from './own.ts';
import { within } from './policy-allows.ts';

/** An edge's two ends, or a component by itself and whom it may still talk with. */
export type Cut =
  | {
      readonly kind: 'edge';
      readonly from: Component;
      readonly to: Component;
      /** Whether addresses outside of the cluster can be allowed again without letting `from` in: see `apart`. */
      readonly outside: boolean;
    }
  | { readonly kind: 'component'; readonly to: Component; readonly spared: readonly Spared[] };

/** Which kind of object does it. */
export type Enforcer = 'NetworkPolicy' | 'CiliumNetworkPolicy';

/** A Cilium policy as its API server takes it: `cilium.io/v2`. */
export type CiliumPolicy = {
  readonly apiVersion: 'cilium.io/v2';
  readonly kind: 'CiliumNetworkPolicy';
  readonly metadata: NonNullable<V1NetworkPolicy['metadata']>;
  readonly spec: Readonly<Record<string, unknown>>;
};

/** Every namespace has its name as this label. */
export const NAMESPACE = 'kubernetes.io/metadata.name';
/** The same in Cilium's selectors, which see a pod's namespace among its labels. */
const CILIUM_NAMESPACE = 'k8s:io.kubernetes.pod.namespace';
const DNS = 53;
/** Where clusters have their pods: RFC 1918 and the shared space of RFC 6598. */
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10'];

/**
 * Whether pods with these addresses are told from the outside by address alone, now and when others take their place:
 * all of them, and so the ranges that theirs come from, are private, while the outside is everything public.
 */
export const apart = (ips: readonly string[]): boolean =>
  ips.length > 0 && ips.every((ip) => PRIVATE.some((range) => within(range, ip)));

type Requirement = { readonly key: string; readonly operator: 'In' | 'NotIn'; readonly values: string[] };
/** Pods of the namespaces meant (null: of all) whose labels meet every requirement. */
type Some = {
  readonly namespaces: Omit<Requirement, 'key'> | null;
  readonly pods: readonly Requirement[];
};

/**
 * Everyone in the cluster but these, as the union of what is returned: all other namespaces, and in theirs the pods that
 * lack at least one label of each. (Not to have two labels is to lack the one or to lack the other: one entry for each.)
 */
const everyoneBut = (these: readonly Spared[]): Some[] => {
  const namespaces = [...new Set(these.map(({ namespace }) => namespace))];
  if (namespaces.length === 0) return [{ namespaces: null, pods: [] }];
  const neighbours = namespaces.flatMap((namespace) =>
    lackingEach(these.filter((one) => one.namespace === namespace)).map((pods) => ({
      namespaces: { operator: 'In' as const, values: [namespace] },
      pods,
    })),
  );
  return [{ namespaces: { operator: 'NotIn', values: namespaces }, pods: [] }, ...neighbours];
};

const lackingEach = (these: readonly Spared[]): Requirement[][] =>
  these.reduce<Requirement[][]>(
    (ways, { labels: theirs }) => leanest(ways.flatMap((way) => lacking(theirs).map((one) => [...way, one]))),
    [[]],
  );

const lacking = (theirs: Spared['labels']): Requirement[] =>
  theirs === 'all' ? [] : Object.entries(theirs).map(([key, value]) => ({ key, operator: 'NotIn', values: [value] }));

/** Without repetitions, and without ways that another, less demanding one covers: else many labels make very many ways. */
const leanest = (ways: readonly Requirement[][]): Requirement[][] => {
  const word = ({ key, values }: Requirement): string => `${key}=${values[0]}`;
  const sets = ways.map((way) => new Map(way.map((one) => [word(one), one])));
  const covered = (set: Map<string, Requirement>, at: number): boolean =>
    sets.some(
      (other, i) =>
        i !== at &&
        (other.size < set.size || (other.size === set.size && i < at)) &&
        [...other.keys()].every((key) => set.has(key)),
    );
  return sets.filter((set, at) => !covered(set, at)).map((set) => [...set.values()]);
};

// ---- Kubernetes' own ------------------------------------------------------------------------------------------

const selector = (requirements: readonly Requirement[]): V1LabelSelector =>
  requirements.length === 0 ? {} : { matchExpressions: [...requirements] };

const peer = ({ namespaces, pods }: Some): V1NetworkPolicyPeer => ({
  namespaceSelector: selector(namespaces ? [{ key: NAMESPACE, ...namespaces }] : []),
  podSelector: selector(pods),
});

const sparedPeer = ({ namespace, labels: theirs }: Spared): V1NetworkPolicyPeer => ({
  namespaceSelector: { matchLabels: { [NAMESPACE]: namespace } },
  podSelector: theirs === 'all' ? {} : { matchLabels: { ...theirs } },
});

/**
 * The NetworkPolicy (networking.k8s.io/v1, as the typed client wants it: `_from`) that makes the cut.
 * Edge: the callee takes connections from every pod of the cluster but the caller's, and from public addresses where
 * `outside` says so. Component: nothing in or out but the spared, and DNS to anywhere: a cluster's DNS may be a pod, a
 * process of the node or a link-local address.
 */
export const networkPolicy = (cut: Cut, owner: Owner): V1NetworkPolicy => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: metadata(cut, owner, 'NetworkPolicy'),
  spec: {
    podSelector: { matchLabels: { ...cut.to.labels } },
    ...(cut.kind === 'edge' ? edgeSpec(cut) : isolation(cut)),
  },
});

type Spec = Omit<NonNullable<V1NetworkPolicy['spec']>, 'podSelector'>;

const edgeSpec = ({ from, outside }: Cut & { kind: 'edge' }): Spec => ({
  policyTypes: ['Ingress'],
  ingress: [
    {
      _from: [
        ...everyoneBut([from]).map(peer),
        ...(outside ? [{ ipBlock: { cidr: '0.0.0.0/0', except: PRIVATE } }] : []),
      ],
    },
  ],
});

const isolation = ({ spared }: Cut & { kind: 'component' }): Spec => {
  const peers = spared.map(sparedPeer);
  // A rule without peers would be for everybody.
  const some = peers.length > 0;
  const ports = ['UDP', 'TCP'].map((protocol) => ({ protocol, port: DNS }));
  return {
    policyTypes: ['Ingress', 'Egress'],
    ingress: some ? [{ _from: peers }] : [],
    egress: [...(some ? [{ to: peers }] : []), { ports }],
  };
};

// ---- Cilium's -------------------------------------------------------------------------------------------------

const endpoints = ({ namespaces, pods }: Some): V1LabelSelector => ({
  matchExpressions: [
    namespaces ? { key: CILIUM_NAMESPACE, ...namespaces } : { key: CILIUM_NAMESPACE, operator: 'Exists' },
    ...pods,
  ],
});

/**
 * The CiliumNetworkPolicy (cilium.io/v2) that makes the cut by denying, which no other policy undoes. It does not put the
 * pod into default deny (`enableDefaultDeny`, Cilium 1.16 and later), so that nothing else changes for it. The node and
 * other nodes are never denied: the kubelet's probes come from there. Shape: Cilium's documentation on deny policies and
 * layer 3 and 4 rules; not proven on a real Cilium here.
 */
export const ciliumPolicy = (cut: Cut, owner: Owner): CiliumPolicy => ({
  apiVersion: 'cilium.io/v2',
  kind: 'CiliumNetworkPolicy',
  metadata: metadata(cut, owner, 'CiliumNetworkPolicy'),
  spec: {
    endpointSelector: { matchLabels: { ...cut.to.labels } },
    enableDefaultDeny: { ingress: false, egress: false },
    ...(cut.kind === 'edge' ? denyOne(cut.from) : denyAllBut(cut.spared)),
  },
});

const denyOne = ({ namespace, labels: theirs }: Component) => ({
  ingressDeny: [{ fromEndpoints: [{ matchLabels: { [CILIUM_NAMESPACE]: namespace, ...theirs } }] }],
});

const denyAllBut = (spared: readonly Spared[]) => {
  const others = everyoneBut(spared).map(endpoints);
  // Every port but DNS; protocol ANY is TCP, UDP and SCTP.
  const toPorts = [
    {
      ports: [
        { port: '1', endPort: DNS - 1, protocol: 'ANY' },
        { port: String(DNS + 1), endPort: 65535, protocol: 'ANY' },
      ],
    },
  ];
  return {
    ingressDeny: [{ fromEndpoints: others }, { fromEntities: ['world'] }],
    egressDeny: [
      { toEndpoints: others, toPorts },
      { toEntities: ['world'], toPorts },
    ],
  };
};

// ---- In words -------------------------------------------------------------------------------------------------

const metadata = (cut: Cut, { runId, expires }: Owner, kind: Enforcer) => {
  const { namespace } = cut.to;
  const place = cut.kind === 'edge' ? `${cut.from.name}-to-${cut.to.name}` : cut.to.name;
  const name = nameOf(`block-${place}`, runId);
  const remove = `kubectl --namespace ${namespace} delete ${kind.toLowerCase()} ${name}`;
  const says = `A fire drill, over by ${iso(expires)}: ${inWords(cut)}. Also cut: ${also(cut, kind)}. To end it: ${remove}`;
  return { name, namespace, labels: labels({ runId, expires }), annotations: { 'firedrill/says': says } };
};

/** What the cut is for, as a sentence without its full stop. */
export const inWords = (cut: Cut): string =>
  cut.kind === 'edge'
    ? `${cut.to.name} takes no connections from ${cut.from.name}`
    : `${cut.to.name} is isolated in both directions, but for DNS${observers(cut.spared)}`;

const observers = (spared: readonly Spared[]): string => {
  const namespaces = [...new Set(spared.map(({ namespace }) => namespace))];
  return namespaces.length > 0 ? ` and its observers in ${namespaces.join(', ')}` : '';
};

/**
 * Whom else the cut hits, in words for the plan. Never hit: the kubelet's probes, which a pod's own node may always send.
 * Not cut at all: calls that leave the cluster and come back by a public address.
 */
export const also = (cut: Cut, kind: Enforcer = 'NetworkPolicy'): string => {
  if (kind === 'CiliumNetworkPolicy') return cut.kind === 'edge' ? 'nothing else' : WORLD;
  if (cut.kind === 'component') return `${WORLD}; nodes, host-network pods and the API server`;
  const beyond = cut.outside
    ? 'other private addresses and IPv6 ones that are no pod’s'
    : 'every address outside of the cluster';
  return `what comes to ${cut.to.name} from node ports, other nodes, host-network pods and ${beyond}`;
};

const WORLD = 'every address outside of the cluster';
