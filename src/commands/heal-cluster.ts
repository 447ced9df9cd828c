// `firedrill heal --target kubernetes`: undoes what runs have left in a cluster, from any machine.
import { Usage } from '../errors.ts';
import { openCluster } from '../targets/kubernetes/client.ts';
import { healCluster } from '../targets/kubernetes/heal.ts';
import type { HealArguments } from './heal.ts';

/** In a cluster everything of ours is found by its labels: neither the run's files nor its machine are needed. */
export const healThere = async ({ kubeconfig, context, allow, force }: HealArguments): Promise<number> => {
  if (allow.length === 0)
    throw new Usage('say which namespaces to heal: firedrill heal --target kubernetes --allow NAMESPACE');
  const say = (line: string): void => void process.stdout.write(`${line}\n`);
  await using cluster = await openCluster({
    audit: () => undefined,
    ...(kubeconfig ? { kubeconfig } : {}),
    ...(context ? { context } : {}),
  });
  const undone = await healCluster({ cluster, namespaces: allow, allow, force, say });
  if (undone === 0) say('nothing to heal');
  return 0;
};
