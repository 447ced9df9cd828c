// What firedrill must be allowed to do in a cluster, and why: the least Roles for some faults. Pure. The same list is what
// `doctor` asks the API server about, one review a verb.
import type { FaultSpec } from '../../faults/fault.ts';
import { ends, type Ref } from '../../model.ts';
import { LEASE } from './lease.ts';
import { BACKENDS, type Mapping, type ServiceAt } from './mapping.ts';
import type { Via } from './survey.ts';

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
  /** How Services are reached. */
  readonly via: Via;
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
  rule('', 'services', ['list'], "the components' virtual addresses"),
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
  rule('cilium.io', 'ciliumnetworkpolicies', POLICY_VERBS, 'cuts an edge or a component off; others are only read'),
];
const AGENT = [
  rule('', 'pods', ['get'], 'waits until an ephemeral container runs, or has ended'),
  rule('', 'pods/ephemeralcontainers', ['patch'], 'adds the agent: delays, probes, captures'),
  rule('', 'pods/exec', CONNECT, 'runs a probe or tcpdump in it, and ends a delay'),
];
const WORK = [
  rule('batch', 'jobs', ['create', 'list', 'delete'], 'the Job of the traffic workers'),
  rule('', 'configmaps', ['create', 'get'], 'the plan that the workers follow; it goes with the Job'),
  rule('', 'pods', ['get'], 'how a worker fares'),
  rule('', 'pods/exec', CONNECT, 'tells a worker when to start, by its own clock, and reads its ledger'),
];
/** What `firedrill heal` looks for, whatever was drilled; a run does without. */
const HEAL = [
  rule('networking.k8s.io', 'networkpolicies', ['list'], 'heal: a policy that was left'),
  rule('batch', 'jobs', ['list'], 'heal: workers that were left'),
];
const HEAL_CILIUM = [...HEAL, rule('cilium.io', 'ciliumnetworkpolicies', ['list'], 'heal: a policy that was left')];

/** Ways to a Service, and what each asks for beyond the Service's name. */
const REACH: { readonly [V in Via]: (methods: readonly string[]) => readonly Rule[] } = {
  direct: () => [],
  'port-forward': () => [
    rule('', 'services', ['get'], 'which of its ports means which of its pods’'),
    rule('', 'pods', ['list'], 'who is behind it'),
    rule('', 'pods/portforward', CONNECT, 'reaches it from here, with no way in for anybody else'),
  ],
  'service-proxy': (methods) => [rule('', 'services/proxy', methods, 'reaches it from here through the API server')],
};
/** The API server's proxy asks for the verb that the HTTP method means: POST is create, PUT is update. */
const ASK = ['get'];
const USE = ['get', 'create', 'update', 'patch', 'delete'];

/** Everything that drills with these faults need, namespace by namespace; each verb on a resource is there once. */
export const permissions = (faults: readonly FaultSpec[], mapping: Mapping, wanted: Wanted): readonly Permission[] => {
  const { workers, capture, cilium, via } = wanted;
  const entry = namespaceOf(mapping, mapping.entry);
  const probed = faults.some(({ kind }) => kind === 'latency' || kind === 'networkPolicy');
  return once([
    ...grant(mapping.namespaces, [...FIND, ...ALONE]),
    ...faults.flatMap((fault) => forFault(fault, mapping, wanted)),
    ...(probed || capture ? grant(mapping.namespaces, AGENT) : []),
    ...(workers > 0 ? grant([entry], WORK) : []),
    ...(mapping.entryUrl === null ? grant([entry], REACH[via](USE)) : []),
    ...forObservers(faults, mapping, wanted),
    ...grant(mapping.namespaces, cilium ? HEAL_CILIUM : HEAL),
  ]);
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

/** Backends are looked for among the observers, unless the profile names every one of them. */
const forObservers = (faults: readonly FaultSpec[], mapping: Mapping, { capture, via }: Wanted): Permission[] => {
  const { backends, observability, namespaces } = mapping;
  const placed = Object.values(backends).filter((at): at is ServiceAt => typeof at === 'object');
  const looked = BACKENDS.every((name) => backends[name]) ? [] : observability;
  const spared = capture || faults.some(({ kind }) => kind === 'latency');
  const own = placed.filter(({ namespace }) => namespaces.includes(namespace));
  return [
    ...grant(looked, [rule('', 'services', ['list'], "finds the layers' backends")]),
    ...grant(unique([...looked, ...placed.map(({ namespace }) => namespace)]), REACH[via](ASK)),
    ...grant(unique(own.map(({ namespace }) => namespace)), [
      rule('', 'services', ['get'], 'by which labels a backend among the components is spared'),
    ]),
    ...(spared
      ? grant(observability, [rule('', 'pods', ['list'], 'who observes is neither delayed nor captured')])
      : []),
  ];
};

const unique = (names: readonly string[]): string[] => [...new Set(names)];

const grant = (namespaces: readonly string[], rules: readonly Rule[]): Permission[] =>
  namespaces.flatMap((namespace) => rules.map((one) => ({ namespace, ...one })));

/** Namespace by namespace, and without what an earlier rule of the same one grants already. */
const once = (all: readonly Permission[]): readonly Permission[] => {
  const granted = new Set<string>();
  const namespaces = unique(all.map(({ namespace }) => namespace));
  const ordered = namespaces.flatMap((namespace) => all.filter((one) => one.namespace === namespace));
  return ordered.flatMap((one) => {
    const key = (verb: string): string => JSON.stringify([one.namespace, one.apiGroup, one.resource, verb]);
    const verbs = one.verbs.filter((verb) => !granted.has(key(verb)));
    for (const verb of verbs) granted.add(key(verb));
    return verbs.length > 0 ? [{ ...one, verbs }] : [];
  });
};
