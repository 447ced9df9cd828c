// The end of traffic workers: their Job and all that it owns.
import { Unreachable } from '../../errors.ts';
import { until } from '../../poll.ts';
import { type Cluster, Refused } from './cluster.ts';
import type { Leftover } from './ground.ts';
import { selectorOf } from './mapping.ts';
import { expiresAt, OURS, RUN } from './own.ts';
import { COMPONENT } from './worker-job.ts';

/** A Job of ours, and nobody else's of the same name. */
export type JobAt = { readonly namespace: string; readonly name: string; readonly uid: string; readonly runId: string };

const GONE = { forMs: 60_000, everyMs: 250 };

/** Selects the pods of a run's workers. */
export const crewOf = (runId: string): string => selectorOf({ ...COMPONENT, [RUN]: runId });

/** Whether what was asked for is not there. */
const absent = async (asking: Promise<unknown>): Promise<boolean> => {
  try {
    await asking;
    return false;
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return true;
    throw error;
  }
};

/** Deletes the Job and waits until its pods and its ConfigMap are gone too; throws Unreachable when they stay. */
export const removeJob = async ({ core, batch }: Cluster, job: JobAt): Promise<void> => {
  const { namespace, name, uid, runId } = job;
  const says = `end of job ${namespace}/${name}`;
  const body = { propagationPolicy: 'Background', preconditions: { uid } };
  await until(says, () => absent(batch.deleteNamespacedJob({ namespace, name, body })), GONE);
  const left = async (): Promise<true> => {
    const { items } = await core.listNamespacedPod({ namespace, labelSelector: crewOf(runId) });
    if (items.length > 0) throw new Unreachable(`${items.length} of its pods are still there`);
    if (!(await absent(core.readNamespacedConfigMap({ namespace, name }))))
      throw new Unreachable('its ConfigMap is still there');
    return true;
  };
  await until(says, left, GONE);
};

/** Traffic workers that any run has left in these namespaces; those of a run that lives are among them. */
export const jobLeftovers = async (cluster: Cluster, namespaces: readonly string[]): Promise<Leftover[]> => {
  const labelSelector = `${OURS},${selectorOf(COMPONENT)}`;
  const found = await Promise.all(
    namespaces.map((namespace) => cluster.batch.listNamespacedJob({ namespace, labelSelector })),
  );
  return found.flatMap(({ items }) =>
    items.map(({ metadata }) => {
      const runId = metadata!.labels![RUN]!;
      const job = { namespace: metadata!.namespace!, name: metadata!.name!, uid: metadata!.uid!, runId };
      const expires = expiresAt(metadata!.labels);
      const says = `traffic workers of run ${runId} (job ${job.namespace}/${job.name}${expires ? `, expires ${expires}` : ''})`;
      return { says, runId, undo: () => removeJob(cluster, job) };
    }),
  );
};
