// What a cluster allows and has, asked without changing anything: reviews of permissions, dry runs, and reads.
import { PatchStrategy, setHeaderOptions } from '@kubernetes/client-node';
import { oneLine } from '../../errors.ts';
import type { FaultSpec, NetworkPolicy, PodKill } from '../../faults/fault.ts';
import { placeOf } from '../../faults/place.ts';
import { type Said, said } from '../../said.ts';
import { iso, SECOND, systemClock } from '../../time.ts';
import { containerOf, type What } from './agents.ts';
import type { Cluster } from './cluster.ts';
import { mustBeThere } from './discovery.ts';
import type { FoundPod, Images } from './ground.ts';
import { mayKill } from './kill.ts';
import { atMost } from './limit.ts';
import type { Mapping } from './mapping.ts';
import { nameOf, type Owner } from './own.ts';
import { cutOf } from './policies.ts';
import { mustStandAlone } from './policy-conflict.ts';
import { networkPolicy } from './policy-rules.ts';
import type { Permission } from './rbac.ts';

/** The first version with ephemeral containers that need no gate; NetworkPolicies and Indexed Jobs are older. */
const OLDEST_MINOR = 25;
const AT_ONCE = 4;

/** The server's version: providers write a minor such as `34+`. */
export const version = (cluster: Cluster): Promise<Said> =>
  said('cluster', async () => {
    const { major, minor, gitVersion } = await cluster.version.getCode();
    const where = `Kubernetes ${major}.${minor} (${gitVersion}) at ${cluster.server}, context ${cluster.context} of ${cluster.source}`;
    if (Number(major) === 1 && Number.parseInt(minor, 10) < OLDEST_MINOR)
      throw new Error(`${where}: firedrill needs 1.${OLDEST_MINOR} or newer, for ephemeral containers`);
    return where;
  });

/** One SelfSubjectAccessReview for each verb; a line for each namespace where all is allowed, one for each refusal. */
export const rights = async (cluster: Cluster, permissions: readonly Permission[]): Promise<Said[]> => {
  const limited = atMost(AT_ONCE);
  const asked = permissions.flatMap((one) => one.verbs.map((verb) => ({ ...one, verb })));
  const answers = await Promise.all(
    asked.map((one) => limited(async () => ({ ...one, refused: await refusal(cluster, one) }))),
  );
  const namespaces = [...new Set(permissions.map(({ namespace }) => namespace))];
  return namespaces.flatMap((namespace): Said[] => {
    const there = answers.filter((one) => one.namespace === namespace);
    const refused = there.filter((one) => one.refused !== null);
    if (refused.length === 0)
      return [{ is: 'ok', name: 'permissions', says: `namespace ${namespace}: all ${there.length} that are needed` }];
    return refused.map((one) => ({
      is: 'bad',
      name: 'permissions',
      says: `namespace ${namespace}: may not ${one.verb} ${one.resource} (${one.why})${one.refused}; firedrill rbac prints the Role`,
    }));
  });
};

type Asked = Permission & { readonly verb: string };

/** Null when it is allowed, else what the server says of it, which is often nothing. */
const refusal = async (
  cluster: Cluster,
  { namespace, apiGroup, resource, names, verb }: Asked,
): Promise<string | null> => {
  const [plural, subresource] = resource.split('/');
  const resourceAttributes = {
    namespace,
    verb,
    group: apiGroup,
    resource: plural!,
    ...(subresource ? { subresource } : {}),
    ...(names ? { name: names[0]! } : {}),
  };
  try {
    const { status } = await cluster.authorization.createSelfSubjectAccessReview({
      body: { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectAccessReview', spec: { resourceAttributes } },
    });
    return status?.allowed ? null : status?.evaluationError ? `: ${oneLine(status.evaluationError)}` : '';
  } catch (error) {
    return `: ${oneLine(error)}`;
  }
};

/** Each component: its pods, and what keeps it from being drilled as others are. Pure. */
export const components = (
  mapping: Mapping,
  pods: readonly FoundPod[],
  services: ReadonlySet<string>,
  guessed: (component: string) => boolean,
): Said[] =>
  mapping.components.map((component): Said => {
    const { name, namespace, service, port } = component;
    const own = pods.filter((pod) => pod.service === name);
    const ready = own.filter((pod) => pod.ready).length;
    const says = `${own.length === 1 ? '1 pod' : `${own.length} pods`}, ${ready} ready, port ${port}`;
    try {
      mustBeThere({ ...mapping, components: [component] }, pods, guessed);
    } catch (error) {
      return { is: 'bad', name, says: oneLine(error) };
    }
    if (ready < own.length) return { is: 'bad', name, says: `${says}: not the steady state that a drill begins with` };
    const limits = [
      ...(services.has(`${namespace}/${service}`) ? [] : [`no Service ${service}: calls by its name are not told`]),
      ...(own.some((pod) => pod.hostNetwork) ? ['on its node’s network: neither cut off, delayed nor captured'] : []),
      ...(own.some((pod) => pod.owner === null) ? ['a pod without an owner: not killed'] : []),
    ];
    return { is: limits.length === 0 ? 'ok' : 'unknown', name, says: [says, ...limits].join('; ') };
  });

/** Nothing is made with it: dry runs are validated, admitted and forgotten. */
const nobody = (): Owner => ({ runId: 'dry-run', expires: systemClock.now() + 60n * SECOND });

/** A dry run of the ephemeral containers in one pod of each namespace: what admission (PodSecurity) refuses, it says now. */
export const agents = async (
  cluster: Cluster,
  pods: readonly FoundPod[],
  images: Images,
  wanted: { readonly capture: boolean; readonly delay: boolean },
): Promise<Said[]> => {
  const kinds: What[] = [
    { command: 'stay', order: order(), captures: wanted.capture },
    ...(wanted.delay ? [{ command: 'delay' as const, order: order(), captures: false }] : []),
  ];
  const one = new Map(pods.filter((pod) => !pod.hostNetwork).map((pod) => [pod.namespace, pod]));
  return Promise.all([...one.values()].flatMap((pod) => kinds.map((what) => admitted(cluster, pod, images, what))));
};

const order = (): What['order'] => ({ run: nobody().runId, until: iso(nobody().expires) });

const admitted = (cluster: Cluster, { namespace, name }: FoundPod, images: Images, what: What): Promise<Said> =>
  said('agents', async () => {
    const container = containerOf({ images }, nameOf(what.command, what.order.run), what);
    const rightsOf = container.securityContext?.capabilities?.add?.join(' and ') || 'no rights';
    await cluster.core
      .patchNamespacedPodEphemeralcontainers(
        { namespace, name, body: { spec: { ephemeralContainers: [container] } }, dryRun: 'All' },
        setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch),
      )
      .catch((error: unknown) => {
        throw new Error(
          `namespace ${namespace} takes no ephemeral container with ${rightsOf}: ${oneLine(error)}${cure(error, namespace)}`,
        );
      });
    return `namespace ${namespace} takes an ephemeral container with ${rightsOf} (dry run)`;
  });

const cure = (error: unknown, namespace: string): string =>
  /PodSecurity/.test(oneLine(error))
    ? `; an administrator can allow it: kubectl label namespace ${namespace} pod-security.kubernetes.io/enforce=privileged`
    : '';

/** Groups of APIs that a network plugin brings, readable by everybody, and what becomes of connections that stand. */
const PLUGINS: readonly (readonly [group: string, says: string])[] = [
  ['cilium.io', 'Cilium: enforces policies, on connections that stand too'],
  ['k8s.ovn.org', 'OVN-Kubernetes: enforces policies, on connections that stand too'],
  ['crd.projectcalico.org', 'Calico: enforces policies on new connections; those that stand are spared'],
  ['crd.antrea.io', 'Antrea: enforces policies on new connections; those that stand are spared'],
];

/** The groups of APIs that are served. */
export const groups = async (cluster: Cluster): Promise<readonly string[]> =>
  (await cluster.apis.getAPIVersions()).groups.map(({ name }) => name);

/** Whose network policies these are, by the groups of APIs. Only the drill's own probe proves that they are enforced. */
export const plugin = (served: readonly string[]): Said => {
  const known = PLUGINS.find(([group]) => served.includes(group));
  if (known) return { is: 'ok', name: 'policies', says: known[1] };
  const says =
    'no network plugin is known by its APIs; whether policies are enforced, the drill’s own probe will prove, or say invalid-injection';
  return { is: 'unknown', name: 'policies', says };
};

/** What would keep a fault from being injected: budgets, other policies, admission. Null: nothing can be asked in advance. */
export const fault = (
  cluster: Cluster,
  mapping: Mapping,
  pods: readonly FoundPod[],
  spec: FaultSpec,
): Promise<Said> | null => {
  if (spec.kind === 'podKill') return killing(cluster, pods, spec);
  return spec.kind === 'networkPolicy' ? cutting(cluster, mapping, pods, spec) : null;
};

const killing = (cluster: Cluster, pods: readonly FoundPod[], { on, pods: wanted }: PodKill): Promise<Said> =>
  said('pod kill', async () => {
    const own = pods.filter((pod) => `service:${pod.service}` === on);
    const share = typeof wanted === 'string' ? (wanted === 'all' ? 1 : Number.parseFloat(wanted) / 100) : null;
    const hit = own.slice(0, share === null ? Number(wanted) : Math.ceil(share * own.length));
    await mayKill({ cluster }, hit, false);
    return `${hit.length} of ${own.length} pods of ${on.replace('service:', '')} may go, by their budgets`;
  });

const cutting = (
  cluster: Cluster,
  mapping: Mapping,
  pods: readonly FoundPod[],
  { on, how }: NetworkPolicy,
): Promise<Said> =>
  said('policy', async () => {
    const cut = cutOf({ mapping, spared: [] }, { place: placeOf(on), how, runId: nobody().runId }, pods);
    const of = (name: string): FoundPod[] => pods.filter(({ service }) => service === name);
    await mustStandAlone(cluster, cut, { from: cut.kind === 'edge' ? of(cut.from.name) : [], to: of(cut.to.name) });
    const body = networkPolicy(cut, nobody());
    await cluster.networking.createNamespacedNetworkPolicy({ namespace: cut.to.namespace, body, dryRun: 'All' });
    return `nothing else selects ${cut.to.name}, and namespace ${cut.to.namespace} takes the policy on ${on.replace(/^\w+:/, '')} (dry run)`;
  });
