// One drill at a time in a namespace: a Lease that its run renews, and that says whose it is to whoever finds it taken.
import { V1MicroTime } from '@kubernetes/client-node';
import { oneLine, Unreachable } from '../../errors.ts';
import type { Nanos } from '../../model.ts';
import { during } from '../../poll.ts';
import { type Clock, fromMs, iso, SECOND, systemClock, toMs } from '../../time.ts';
import { type Cluster, Refused } from './cluster.ts';
import { labels, type Owner, RUN } from './own.ts';

export const LEASE = 'firedrill';
const DURATION_S = 30;
const RENEW_MS = 8000;
const FOREVER_MS = 24 * 3_600_000;

export type Held = {
  readonly runId: string;
  readonly holder: string;
  readonly alive: boolean;
  readonly renewed: Nanos;
};

/** Who drills in this namespace, or null. A holder that has not renewed for longer than it said it would is not alive. */
export const held = async (cluster: Cluster, namespace: string, clock: Clock = systemClock): Promise<Held | null> => {
  const lease = await cluster.coordination.readNamespacedLease({ namespace, name: LEASE }).catch(unlessMissing);
  if (!lease) return null;
  const { spec, metadata } = lease;
  const renewed = fromMs(new Date(spec?.renewTime ?? 0).getTime());
  const now = clock.now() + fromMs(cluster.skewMs() ?? 0);
  const alive = now < renewed + BigInt(spec?.leaseDurationSeconds ?? DURATION_S) * SECOND;
  return { runId: metadata?.labels?.[RUN] ?? 'unknown', holder: spec?.holderIdentity ?? 'unknown', alive, renewed };
};

/** Missing is an answer, not an error. */
export const unlessMissing = (error: unknown): null => {
  if (error instanceof Refused && error.status === 404) return null;
  throw error;
};

/** Takes the namespace for this run until disposed. Throws Unreachable with the name of the run that has it. */
export const takeLease = async (
  cluster: Cluster,
  namespace: string,
  owner: Owner,
  holder: string,
  say: (line: string) => void,
): Promise<AsyncDisposable> => {
  const body = {
    metadata: { name: LEASE, labels: labels(owner) },
    spec: {
      holderIdentity: holder,
      leaseDurationSeconds: DURATION_S,
      acquireTime: now(cluster),
      renewTime: now(cluster),
    },
  };
  const taken = await cluster.coordination.createNamespacedLease({ namespace, body }).catch(async (error: unknown) => {
    if (error instanceof Refused && error.status === 409) throw await occupied(cluster, namespace, error);
    throw error;
  });
  const ending = new AbortController();
  const renewing = during(() => renew(cluster, namespace).catch((error: unknown) => say(`lease: ${oneLine(error)}`)), {
    forMs: FOREVER_MS,
    everyMs: RENEW_MS,
    signal: ending.signal,
  });
  return {
    [Symbol.asyncDispose]: async () => {
      ending.abort();
      await renewing.catch(() => undefined);
      await release(cluster, namespace, taken.metadata?.uid);
    },
  };
};

const renew = async (cluster: Cluster, namespace: string): Promise<void> => {
  const lease = await cluster.coordination.readNamespacedLease({ namespace, name: LEASE });
  lease.spec = { ...lease.spec, renewTime: now(cluster) };
  await cluster.coordination.replaceNamespacedLease({ namespace, name: LEASE, body: lease });
};

/** Deletes exactly this lease; another run's, or one that is gone, is left. */
export const release = async (cluster: Cluster, namespace: string, uid: string | undefined): Promise<void> => {
  const body = uid ? { preconditions: { uid } } : {};
  await cluster.coordination.deleteNamespacedLease({ namespace, name: LEASE, body }).catch((error: unknown) => {
    if (!(error instanceof Refused && (error.status === 404 || error.status === 409))) throw error;
  });
};

const occupied = async (cluster: Cluster, namespace: string, error: Refused): Promise<Error> => {
  const by = await held(cluster, namespace);
  if (!by) return error;
  const since = `last heard of at ${iso(by.renewed)}`;
  return new Unreachable(
    by.alive
      ? `namespace ${namespace} is being drilled by run ${by.runId} (${by.holder}, ${since}); wait for its end`
      : `namespace ${namespace} was left by run ${by.runId} (${by.holder}, ${since}), which did not end: firedrill heal --target kubernetes --allow ${namespace}`,
  );
};

/** The cluster's clock as far as we know it; a Lease wants microseconds. */
const now = (cluster: Cluster): V1MicroTime => new V1MicroTime(toMs(systemClock.now()) + (cluster.skewMs() ?? 0));
