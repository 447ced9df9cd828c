// Ends pods: exactly the ones meant, and no more than their owners' budgets for disruptions allow.
import type { V1PodDisruptionBudget } from '@kubernetes/client-node';
import { Unreachable } from '../../errors.ts';
import { type Cluster, Refused } from './cluster.ts';
import type { FoundPod, Ground } from './ground.ts';
import { mustBeAllowed } from './own.ts';
import { matches } from './selector.ts';

/**
 * Deletes the pod with exactly this uid. SIGTERM leaves it its own grace period. SIGKILL means a grace period of 0: the pod's
 * object is gone at once; the kubelet sends its process SIGTERM all the same, and SIGKILL about two seconds later. A
 * StatefulSet's pod gets a grace period of a second, which its process feels no different, because its successor has the same
 * name and may start only when the kubelet has seen it end: two of one identity could ruin its data.
 * Throws Usage when its namespace may not be touched; Unreachable when that pod is no more, naming who is in its place, or
 * when nobody would replace it; Refused when the server says no.
 */
export const kill = async (
  { cluster, allowed, pods }: Pick<Ground, 'cluster' | 'allowed' | 'pods'>,
  uid: string,
  how: 'SIGKILL' | 'SIGTERM',
): Promise<void> => {
  const all = await pods();
  const pod = all.find((one) => one.uid === uid);
  if (!pod)
    throw new Unreachable(`pod with uid ${uid} is no more; there are: ${all.map(inWords).join(', ') || 'none'}`);
  mustBeAllowed(pod.namespace, allowed);
  mustBeReplaced(pod);
  const { namespace, name } = pod;
  const grace = how === 'SIGKILL' ? { gracePeriodSeconds: owned(pod, 'StatefulSet') ? 1 : 0 } : {};
  await cluster.core
    .deleteNamespacedPod({ namespace, name, body: { preconditions: { uid }, ...grace } })
    .catch((error: unknown) => explain(cluster, pod, error));
};

const inWords = ({ namespace, name, uid }: FoundPod): string => `${namespace}/${name} (uid ${uid})`;

const owned = ({ owner }: FoundPod, kind: string): boolean => owner?.startsWith(`${kind}/`) === true;

const mustBeReplaced = (pod: FoundPod): void => {
  if (pod.owner === null)
    throw new Unreachable(`pod ${inWords(pod)} has no owner: nobody would replace it, so that it is not killed`);
  if (owned(pod, 'Node'))
    throw new Unreachable(`pod ${inWords(pod)} is a static pod of its node: deleting it would end nothing`);
};

/** 404 and 409 say that the pod was gone, or replaced under its name, when the request came. */
const explain = async ({ core }: Cluster, pod: FoundPod, error: unknown): Promise<never> => {
  if (!(error instanceof Refused) || (error.status !== 404 && error.status !== 409)) throw error;
  const { namespace, name } = pod;
  const now = await core.readNamespacedPod({ namespace, name }).catch(() => null);
  const place = now ? `pod ${namespace}/${name} (uid ${now.metadata?.uid}) is in its place` : 'nobody has its name now';
  throw new Unreachable(`pod ${inWords(pod)} was gone before it was killed; ${place}`);
};

/**
 * Whether these pods may go at the same time. Throws Unreachable for one that nobody would replace, and, unless budgets are
 * overridden, when more of them would go than a PodDisruptionBudget (policy/v1) allows, naming it; a budget whose status is
 * older than its spec allows none, as for an eviction. Refused when budgets may not be listed.
 */
export const mayKill = async (
  { cluster }: Pick<Ground, 'cluster'>,
  pods: readonly FoundPod[],
  overrideBudgets: boolean,
): Promise<void> => {
  for (const pod of pods) mustBeReplaced(pod);
  if (overrideBudgets) return;
  for (const namespace of new Set(pods.map((pod) => pod.namespace))) {
    const { items } = await cluster.policy.listNamespacedPodDisruptionBudget({ namespace });
    const there = pods.filter((pod) => pod.namespace === namespace);
    for (const budget of items) mustAfford(budget, there);
  }
};

const mustAfford = (budget: V1PodDisruptionBudget, pods: readonly FoundPod[]): void => {
  const selector = budget.spec?.selector;
  const hit = selector ? pods.filter((pod) => matches(selector, pod.labels)) : [];
  const allowed = allowance(budget);
  if (hit.length <= allowed) return;
  const name = `PodDisruptionBudget ${budget.metadata?.namespace}/${budget.metadata?.name}`;
  throw new Unreachable(
    `${name} allows ${allowed} disruptions now and ${hit.length} pods would be killed (${hit.map((pod) => pod.name).join(', ')}); kill fewer, or say --override-budgets`,
  );
};

const allowance = ({ metadata, status }: V1PodDisruptionBudget): number =>
  (status?.observedGeneration ?? 0) < (metadata?.generation ?? 0) ? 0 : (status?.disruptionsAllowed ?? 0);
