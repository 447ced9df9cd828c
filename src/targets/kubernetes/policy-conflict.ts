// Policies add. Beside another NetworkPolicy for the same pods ours would open what that one closes, and could cut nothing of
// what it opens: so there must be none.
import type { V1NetworkPolicy } from '@kubernetes/client-node';
import { Unreachable } from '../../errors.ts';
import type { Cluster } from './cluster.ts';
import type { FoundPod } from './ground.ts';
import { RUN } from './own.ts';
import { allows, type Direction, type PodEnd, selecting } from './policy-allows.ts';
import { type Cut, NAMESPACE } from './policy-rules.ts';
import type { Labels } from './selector.ts';

/** The pods of both ends of a cut; `from` is empty when a component is isolated. */
export type Hit = { readonly from: readonly FoundPod[]; readonly to: readonly FoundPod[] };

/** Throws Unreachable, naming it, when a policy in the callee's namespace already isolates its pods as the cut would. */
export const mustStandAlone = async (cluster: Cluster, cut: Cut, hit: Hit): Promise<void> => {
  const { items } = await cluster.networking.listNamespacedNetworkPolicy({ namespace: cut.to.namespace });
  const directions: Direction[] = cut.kind === 'edge' ? ['Ingress'] : ['Ingress', 'Egress'];
  const others = directions.flatMap((one) => hit.to.flatMap((pod) => selecting(items, one, pod)));
  if (others.length > 0) throw new Unreachable(await refusal(cluster, cut, hit, [...new Set(others)]));
};

const refusal = async (cluster: Cluster, cut: Cut, hit: Hit, others: readonly V1NetworkPolicy[]): Promise<string> => {
  const names = others.map(({ metadata }) => `${metadata?.namespace}/${metadata?.name}`).join(', ');
  const ours = others.find(({ metadata }) => metadata?.labels?.[RUN])?.metadata?.labels?.[RUN];
  const what = `NetworkPolicy ${names} already selects pods of ${cut.to.name}`;
  if (ours) return `${what}, left by run ${ours} of firedrill or in use by it: firedrill heal --target kubernetes`;
  const effect =
    cut.kind === 'edge' && (await letIn(cluster, cut.to.port, hit, others))
      ? `lets ${cut.from.name} in: policies only add, so that one more would cut nothing`
      : 'closes what one more would open: policies only add';
  return `${what} and ${effect}; remove it for the drill, or drill a component that no policy selects`;
};

/** Whether any of the caller's pods may open a connection to the port of any of the callee's. */
const letIn = async (
  cluster: Cluster,
  number: number,
  { from, to }: Hit,
  policies: readonly V1NetworkPolicy[],
): Promise<boolean> => {
  const callers = await Promise.all(from.map((pod) => endOf(cluster, pod)));
  const callees = await Promise.all(to.map((pod) => endOf(cluster, pod)));
  const port = { number, protocol: 'TCP' } as const;
  return callers.some((caller) => callees.some((callee) => allows(policies, caller, callee, port)));
};

/** Named ports are in the pod's spec alone; where that may not be read, a rule for a named port counts as closed. */
const endOf = async (cluster: Cluster, { namespace, name, labels, ip }: FoundPod): Promise<PodEnd> => {
  const pod = await cluster.core.readNamespacedPod({ namespace, name }).catch(() => null);
  const ports = (pod?.spec?.containers ?? []).flatMap(({ ports: declared = [] }) =>
    declared.flatMap((one) =>
      one.name
        ? [{ name: one.name, port: { number: one.containerPort, protocol: (one.protocol ?? 'TCP') as 'TCP' } }]
        : [],
    ),
  );
  return { namespace, namespaceLabels: await labelsOf(cluster, namespace), labels, ip, ports };
};

/** Namespaces may be forbidden to read; their name is a label of every one. */
const labelsOf = async ({ core }: Cluster, namespace: string): Promise<Labels> =>
  core.readNamespace({ name: namespace }).then(
    ({ metadata }) => ({ ...metadata?.labels, [NAMESPACE]: namespace }),
    () => ({ [NAMESPACE]: namespace }),
  );
