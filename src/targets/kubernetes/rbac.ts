// What firedrill must be allowed to do in a cluster, and why: the least Roles for some faults. Pure. The same list is what
// `doctor` asks the API server about, one review a verb.
import type { FaultSpec } from '../../faults/fault.ts';
import { ends, type Ref } from '../../model.ts';
import { LEASE } from './lease.ts';
import { BACKENDS, type Mapping } from './mapping.ts';

/** One rule of a Role in one namespace. `resource` is as RBAC writes it: `pods`, `pods/exec`. */
export type Permission = {
  readonly namespace: string;
  /** '' is the core group. */
  readonly apiGroup: string;
  readonly resource: string;
  readonly verbs: readonly string[];
  /** Only objects of these names; never for `create` and `list`, which RBAC can't bind to a name. */
  readonly names?: readonly string[];
  readonly why: string;
};

export type Wanted = {
  /** Traffic workers inside the cluster; 0: traffic is sent from here. */
  readonly workers: number;
  readonly capture: boolean;
  /** Cilium's own policies in place of Kubernetes' NetworkPolicies. */
  readonly cilium: boolean;
};

type Rule = Omit<Permission, 'namespace'>;
const rule = (apiGroup: string, resource: string, verbs: readonly string[], why: string): Rule => ({
  apiGroup,
  resource,
  verbs,
  why,
});

/** exec and port-forward begin with a GET; from Kubernetes 1.35 on they ask for `create` too (kubernetes/kubernetes#134577). */
const CONNECT = ['get', 'create'] as const;

const FIND = [
  rule('', 'pods', ['list'], 'whose pods are whose, and that a killed one has been replaced'),
  rule('', 'services', ['get', 'list'], "the components' virtual addresses"),
];
const ALONE: readonly Rule[] = [
  rule('coordination.k8s.io', 'leases', ['create'], 'one drill at a time: takes the lease'),
  {
    ...rule(
      'coordination.k8s.io',
      'leases',
      ['get', 'update', 'delete'],
      'renews it, tells whose it is, gives it back',
    ),
    names: [LEASE],
  },
];
const KILL = [
  rule('', 'pods', ['delete'], 'kills a pod, by its uid'),
  rule('policy', 'poddisruptionbudgets', ['list'], 'kills no more than the budgets allow'),
];
const POLICY_VERBS = ['create', 'get', 'list', 'delete'] as const;
const BLOCK = [
  rule('networking.k8s.io', 'networkpolicies', POLICY_VERBS, 'cuts an edge or a component off; others are only read'),
];
const BLOCK_CILIUM = [
  ...BLOCK.map((one) => ({ ...one, verbs: ['list'], why: 'heals what was left before Cilium came' })),
  rule('cilium.io', 'ciliumnetworkpolicies', POLICY_VERBS, 'cuts an edge or a component off; others are only read'),
];
const AGENT = [
  rule('', 'pods', ['get'], 'waits until an ephemeral container runs, or has ended'),
  rule('', 'pods/ephemeralcontainers', ['patch'], 'adds the agent: delays, probes, captures'),
  rule('', 'pods/exec', CONNECT, 'runs a probe or tcpdump in it, and ends a delay'),
];
const REACH = [rule('', 'pods/portforward', CONNECT, 'reaches a port from here, with no way in for anybody else')];
const WORK = [
  rule('batch', 'jobs', ['create', 'get', 'list', 'delete'], 'traffic workers'),
  rule('', 'configmaps', ['create', 'get', 'delete'], 'the plan that the workers follow'),
  rule('', 'pods', ['get'], 'how a worker fares'),
  rule('', 'pods/log', ['get'], "the workers' ledgers"),
];

/** Everything that drills with these faults need, namespace by namespace; each verb on a resource is there once. */
export const permissions = (faults: readonly FaultSpec[], mapping: Mapping, wanted: Wanted): readonly Permission[] => {
  const everywhere = mapping.namespaces;
  const entry = namespaceOf(mapping, mapping.entry);
  const probed = faults.some(({ kind }) => kind === 'latency' || kind === 'networkPolicy');
  const all = [
    ...grant(everywhere, [...FIND, ...ALONE]),
    ...faults.flatMap((fault) => forFault(fault, mapping, wanted)),
    ...(probed || wanted.capture ? grant(everywhere, AGENT) : []),
    ...(wanted.workers > 0 ? grant([entry], WORK) : []),
    ...(mapping.entryUrl === null ? grant([entry], REACH) : []),
    ...grant(observed(mapping), [
      rule('', 'services', ['get', 'list'], "finds the layers' backends"),
      rule('', 'pods', ['list'], 'finds who is behind them, and lets an isolated component still talk with them'),
      ...REACH,
    ]),
  ];
  return once(all);
};

const forFault = (fault: FaultSpec, mapping: Mapping, { cilium }: Wanted): readonly Permission[] => {
  if (fault.kind === 'podKill') return grant(hurt(fault.on, mapping), KILL);
  if (fault.kind === 'networkPolicy') return grant(hurt(fault.on, mapping), cilium ? BLOCK_CILIUM : BLOCK);
  return [];
};

/** A fault acts where the component is; on an edge, where its callee is. */
const hurt = (on: Ref, mapping: Mapping): readonly string[] => [
  namespaceOf(mapping, ends(on)?.to ?? on.replace(/^\w+:/, '')),
];

/** A component that the mapping lacks is refused by the plan; until then its namespace is the first. */
const namespaceOf = ({ components, namespaces }: Mapping, component: string): string =>
  components.find(({ name }) => name === component)?.namespace ?? namespaces[0] ?? 'default';

/** Where backends are looked for; none when the profile gives every one of them as a URL. */
const observed = ({ backends, observability }: Mapping): readonly string[] => {
  const placed = Object.values(backends).flatMap((at) => (typeof at === 'object' ? [at.namespace] : []));
  const looked = BACKENDS.every((name) => backends[name]) ? [] : observability;
  return [...new Set([...placed, ...looked])];
};

const grant = (namespaces: readonly string[], rules: readonly Rule[]): Permission[] =>
  namespaces.flatMap((namespace) => rules.map((one) => ({ namespace, ...one })));

/** Without what an earlier rule of the same namespace grants already. */
const once = (all: readonly Permission[]): readonly Permission[] => {
  const granted = new Set<string>();
  return all.flatMap((one) => {
    const key = (verb: string): string => JSON.stringify([one.namespace, one.apiGroup, one.resource, verb]);
    const verbs = one.verbs.filter((verb) => !granted.has(key(verb)));
    for (const verb of verbs) granted.add(key(verb));
    return verbs.length > 0 ? [{ ...one, verbs }] : [];
  });
};
