// Cuts edges and isolates components in a cluster by network policies, and finds those that a run left.
import type { V1NetworkPolicy } from '@kubernetes/client-node';
import { oneLine, Unreachable, Usage } from '../../errors.ts';
import { until } from '../../poll.ts';
import type { BlockAct } from '../target.ts';
import { type Cluster, Refused } from './cluster.ts';
import type { Act, FoundPod, Ground, Leftover, Spared } from './ground.ts';
import type { Component, Mapping } from './mapping.ts';
import { mustBeAllowed, OURS, RUN } from './own.ts';
import { type Hit, mustStandAlone } from './policy-conflict.ts';
import { apart, type Cut, ciliumPolicy, type Enforcer, networkPolicy } from './policy-rules.ts';

/** A policy of either kind as far as it matters here. */
type Made = Pick<V1NetworkPolicy, 'metadata'> & { readonly spec?: unknown };

/** One kind of policy as the API server offers it. */
type Kind = {
  readonly name: Enforcer;
  list(namespace: string, labelSelector: string): Promise<readonly Made[]>;
  create(namespace: string, policy: Made): Promise<Made>;
  read(namespace: string, name: string): Promise<Made>;
  remove(namespace: string, name: string, uid: string): Promise<unknown>;
};

const GONE = { forMs: 15_000, everyMs: 200 };
const TAKING_BACK = { forMs: 30_000, everyMs: 500 };

/**
 * Cuts an edge or isolates a component until the act is undone, for pods that come up meanwhile, too; with a
 * CiliumNetworkPolicy where Cilium's are served, else with a NetworkPolicy. Says nothing of whether the cluster enforces
 * it: that takes a probe. Throws Usage when the namespace may not be touched or the platform has no such component;
 * Unreachable when a policy can't do it here, and then nothing was made: 'reject'; pods on the host's network; other
 * policies that ours would open or that would undo ours; an API server that kept something else than it was sent.
 */
export const block = async (ground: Ground, act: BlockAct): Promise<Act> => {
  if (act.how === 'reject') throw new Unreachable("NetworkPolicy can only drop; a cluster has no way to 'reject'");
  const pods = await ground.pods();
  const cut = cutOf(ground, act, pods);
  const { namespace } = cut.to;
  mustBeAllowed(namespace, ground.allowed);
  mustBite(cut, pods, ground.mapping);
  const cilium = await ciliumKind(ground.cluster);
  if (!cilium) await mustStandAlone(ground.cluster, cut, hitBy(cut, pods));
  const kind = cilium ?? plainKind(ground.cluster);
  const policy = cilium ? ciliumPolicy(cut, ground.owner) : networkPolicy(cut, ground.owner);
  const made = await make(kind, namespace, policy);
  return { id: `${kind.name} ${namespace}/${made.name}`, undo: () => remove(kind, namespace, made) };
};

/** What the act means by the mapping. Throws Usage when that has no such component. */
export const cutOf = (
  { mapping, spared }: Pick<Ground, 'mapping' | 'spared'>,
  { place }: BlockAct,
  pods: readonly FoundPod[],
): Cut => {
  if ('service' in place)
    return { kind: 'component', to: named(mapping, place.service), spared: spared.filter(isSome) };
  const from = named(mapping, place.from);
  const ips = podsOf(from, pods).map(({ ip }) => ip);
  return { kind: 'edge', from, to: named(mapping, place.to), outside: apart(ips) };
};

/** A Service without a selector has no pods that it could be told by; as a policy's peer it would mean all. */
const isSome = ({ labels }: Spared): boolean => labels === 'all' || Object.keys(labels).length > 0;

const named = ({ platform, components }: Mapping, name: string): Component => {
  const found = components.find((one) => one.name === name);
  if (!found) throw new Usage(`platform ${platform} has no component '${name}'`);
  return found;
};

const podsOf = ({ name }: Component, pods: readonly FoundPod[]): FoundPod[] =>
  pods.filter((one) => one.service === name);

const hitBy = (cut: Cut, pods: readonly FoundPod[]): Hit => ({
  from: cut.kind === 'edge' ? podsOf(cut.from, pods) : [],
  to: podsOf(cut.to, pods),
});

/** Policies select by labels and don't hold for the node's own network: both must mean what the mapping means. */
const mustBite = (cut: Cut, pods: readonly FoundPod[], mapping: Mapping): void => {
  for (const one of cut.kind === 'edge' ? [cut.from, cut.to] : [cut.to]) {
    const own = podsOf(one, pods);
    const stray = pods.find((pod) => pod.service !== one.name && isSelected(one, pod));
    const onHost = own.find(({ hostNetwork }) => hostNetwork);
    if (own.length === 0)
      throw new Unreachable(`${one.name} has no pods in namespace ${one.namespace}: a policy would cut nothing`);
    if (onHost)
      throw new Unreachable(`pod ${onHost.name} of ${one.name} is on its node’s network, for which no policy holds`);
    if (stray)
      throw new Unreachable(
        `the labels of ${one.name} also select pod ${stray.name} of ${stray.service}: give ${one.name} in platform ${mapping.platform} labels that only its own pods have`,
      );
  }
};

const isSelected = ({ namespace, labels }: Component, pod: FoundPod): boolean =>
  pod.namespace === namespace && Object.entries(labels).every(([key, value]) => pod.labels[key] === value);

// ---- Making and taking away -----------------------------------------------------------------------------------

/** What undoing needs to hit the policy that was made and no other of its name. */
type Id = { readonly name: string; readonly uid: string };

const make = async (kind: Kind, namespace: string, policy: Made): Promise<Id> => {
  const name = policy.metadata?.name ?? '';
  const made = await kind.create(namespace, policy).catch((error: unknown) => {
    if (error instanceof Refused) throw error;
    // A request that got no answer may have been carried out.
    return takeBack(kind, namespace, name, error);
  });
  const kept = await kind.read(namespace, name).catch((error: unknown) => takeBack(kind, namespace, name, error));
  if (contains(plain(kept.spec), plain(policy.spec))) return idOf(made);
  const hint =
    kind.name === 'CiliumNetworkPolicy' ? 'it needs Cilium 1.16 or later' : 'something changes it on its way in';
  const why = new Unreachable(`${kind.name} ${namespace}/${name} was not kept as it was sent: ${hint}`);
  return takeBack(kind, namespace, name, why);
};

/** Throws `because` once nothing is left; Unreachable, with what to do, when that can't be seen to. */
const takeBack = async (kind: Kind, namespace: string, name: string, because: unknown): Promise<never> => {
  const gone = async (): Promise<true> => {
    const there = await kind.read(namespace, name).catch(unless(404));
    if (there) await remove(kind, namespace, idOf(there));
    return true;
  };
  const what = `${kind.name} ${namespace}/${name}`;
  await until(`end of ${what}`, gone, TAKING_BACK).catch((error: unknown) => {
    const heal = 'firedrill heal --target kubernetes';
    throw new Unreachable(`${oneLine(because)}; ${what} may be left (${oneLine(error)}): ${heal}`);
  });
  throw because;
};

const idOf = ({ metadata }: Made): Id => ({ name: metadata?.name ?? '', uid: metadata?.uid ?? '' });

/** Deletes the policy with this uid and waits until it is gone; one that is gone, or has a namesake, is undone. */
const remove = async (kind: Kind, namespace: string, { name, uid }: Id): Promise<void> => {
  await kind.remove(namespace, name, uid).catch(unless(404, 409));
  const gone = async (): Promise<true | null> => {
    const there = await kind.read(namespace, name).catch(unless(404));
    return there?.metadata?.uid === uid ? null : true;
  };
  await until(`end of ${kind.name} ${namespace}/${name}`, gone, GONE);
};

const unless =
  (...statuses: readonly number[]) =>
  (error: unknown): undefined => {
    if (!(error instanceof Refused) || !statuses.includes(error.status)) throw error;
  };

/** What it is as JSON: without classes and without fields that are undefined. */
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null));

/** Whether all that was sent is there; a server may add its defaults, but a field that it dropped may be the whole rule. */
const contains = (there: unknown, sent: unknown): boolean => {
  if (Array.isArray(sent))
    return Array.isArray(there) && there.length === sent.length && sent.every((one, i) => contains(there[i], one));
  if (sent === null || typeof sent !== 'object') return there === sent;
  if (there === null || typeof there !== 'object') return false;
  return Object.entries(sent).every(([key, value]) => contains((there as Record<string, unknown>)[key], value));
};

/**
 * The policies that runs of firedrill left in these namespaces, found by their label from any machine. Rejects with Refused
 * when they may not be listed, with Unreachable when the API server does not answer.
 */
export const policyLeftovers = async (cluster: Cluster, namespaces: readonly string[]): Promise<Leftover[]> => {
  const cilium = await ciliumKind(cluster);
  const kinds = [plainKind(cluster), ...(cilium ? [cilium] : [])];
  const found = kinds.flatMap((kind) => namespaces.map((namespace) => leftoversOf(kind, namespace)));
  return (await Promise.all(found)).flat();
};

const leftoversOf = async (kind: Kind, namespace: string): Promise<Leftover[]> =>
  (await kind.list(namespace, OURS)).map((one) => ({
    says: `${kind.name} ${namespace}/${one.metadata?.name}`,
    runId: one.metadata?.labels?.[RUN] ?? '',
    undo: () => remove(kind, namespace, idOf(one)),
  }));

// ---- The two kinds --------------------------------------------------------------------------------------------

const plainKind = ({ networking }: Cluster): Kind => ({
  name: 'NetworkPolicy',
  list: async (namespace, labelSelector) =>
    (await networking.listNamespacedNetworkPolicy({ namespace, labelSelector })).items,
  create: (namespace, body) => networking.createNamespacedNetworkPolicy({ namespace, body: body as V1NetworkPolicy }),
  read: (namespace, name) => networking.readNamespacedNetworkPolicy({ namespace, name }),
  remove: (namespace, name, uid) =>
    networking.deleteNamespacedNetworkPolicy({ namespace, name, body: { preconditions: { uid } } }),
});

const CILIUM = { group: 'cilium.io', version: 'v2' };
const CILIUM_POLICIES = { ...CILIUM, plural: 'ciliumnetworkpolicies' };

/** Null where the API server does not serve Cilium's policies. (Others of the group, as Tetragon's, are not enough.) */
const ciliumKind = async ({ custom }: Cluster): Promise<Kind | null> => {
  const served = await custom.getAPIResources(CILIUM).catch(unless(404));
  if (!served?.resources.some(({ name }) => name === CILIUM_POLICIES.plural)) return null;
  return {
    name: 'CiliumNetworkPolicy',
    list: async (namespace, labelSelector) =>
      (await custom.listNamespacedCustomObject({ ...CILIUM_POLICIES, namespace, labelSelector })).items,
    create: (namespace, body) => custom.createNamespacedCustomObject({ ...CILIUM_POLICIES, namespace, body }),
    read: (namespace, name) => custom.getNamespacedCustomObject({ ...CILIUM_POLICIES, namespace, name }),
    remove: (namespace, name, uid) =>
      custom.deleteNamespacedCustomObject({ ...CILIUM_POLICIES, namespace, name, body: { preconditions: { uid } } }),
  };
};
