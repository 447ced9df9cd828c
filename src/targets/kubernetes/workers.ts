// Traffic from inside of the cluster: an Indexed Job, each of whose pods sends its share of the plan.
import { oneLine, Unreachable, Usage } from '../../errors.ts';
import type { Nanos } from '../../model.ts';
import { type Queue, queue } from '../../queue.ts';
import { fromMs, SECOND, systemClock } from '../../time.ts';
import type { LedgerRecord } from '../../traffic/ledger.ts';
import { fingerprint, type PlanInput, type TrafficPlan } from '../../traffic/plan.ts';
import type { Traffic } from '../target.ts';
import type { Cluster } from './cluster.ts';
import type { Ground } from './ground.ts';
import { mustBeAllowed } from './own.ts';
import { bringUp, fateOf, tellStart, tellStop, type Worker } from './worker-crew.ts';
import { GRACE_S, inputOf, jobOf } from './worker-job.ts';
import { lack, summaryOf, type WorkersSummary } from './worker-ledgers.ts';
import { type JobAt, removeJob } from './worker-remove.ts';

export { jobLeftovers } from './worker-remove.ts';

/** Workers that are up, have made the plan and wait to be told the start. Disposing of them leaves nothing of them. */
export type Workers = Traffic & {
  /**
   * Starts the traffic, once. Records come as requests end, in no order, their times by our clock. Requests that are overdue
   * when a worker learns of the start are `not sent`. After the last record it throws Unreachable, with each worker and what
   * it lacks, unless every planned request has its record and none was given up; a signal that aborts gives them up.
   */
  run(startAt: Nanos, signal: AbortSignal): AsyncIterable<LedgerRecord>;
  /** What the workers said of themselves; whole once the traffic has ended. */
  summary(): WorkersSummary;
};

const MOST = 100;
/** The start is told to each by exec. */
const LEAD_MS = 3000;
/** Requests under way get a second, and the ledger's end has its way to go. */
const STOP_MS = 10_000;

/**
 * Makes the Job in the entry component's namespace and waits until all workers are ready. Throws Usage when that may not be
 * touched or the plan can't be made elsewhere, Unreachable when a worker does not come up; then nothing is left.
 */
export const prepareWorkers = async (
  ground: Ground,
  n: number,
  plan: TrafficPlan,
  signal: AbortSignal,
): Promise<Workers> => {
  const { cluster, mapping, allowed } = ground;
  if (!Number.isInteger(n) || n < 1 || n > MOST)
    throw new Usage(`--workers ${n}: must be a whole number from 1 to ${MOST}`);
  if (!plan.input) throw new Usage('workers make their plan themselves: it must come from trafficPlan()');
  const { namespace } = mapping.components.find(({ name }) => name === mapping.entry)!;
  mustBeAllowed(namespace, allowed);
  const job = await createJob(ground, namespace, n, plan.input);
  const failed = new AbortController();
  try {
    await cluster.core.createNamespacedConfigMap({
      namespace,
      body: inputOf(ground.owner, namespace, job.uid, plan.input),
    });
    const fingers = fingerprint(plan);
    const all = Array.from({ length: n }, (_, index) =>
      bringUp(cluster, job, index, n, fingers, AbortSignal.any([signal, failed.signal])),
    );
    const crew = await Promise.all(all);
    return workers(cluster, job, crew, plan.input);
  } catch (error) {
    failed.abort();
    await removeJob(cluster, job).catch((left: unknown) => {
      throw new Unreachable(`${oneLine(error)}; and its Job is left: ${oneLine(left)}`);
    });
    throw error;
  }
};

const createJob = async (ground: Ground, namespace: string, n: number, input: PlanInput): Promise<JobAt> => {
  const { cluster, owner, images } = ground;
  const body = jobOf(owner, namespace, n, images.firedrill, input);
  const { metadata } = await cluster.batch.createNamespacedJob({ namespace, body });
  return { namespace, name: metadata!.name!, uid: metadata!.uid!, runId: owner.runId };
};

const workers = (cluster: Cluster, job: JobAt, crew: readonly Worker[], input: PlanInput): Workers => ({
  leadMs: LEAD_MS,
  run: (startAt, signal) => run(cluster, crew, startAt, endOf(startAt, input), signal),
  summary: () => summaryOf(crew.map((one) => one.told())),
  [Symbol.asyncDispose]: async () => {
    for (const one of crew) one.hangUp('disposed of');
    await removeJob(cluster, job);
  },
});

/** When the last line of every ledger must have come. */
const endOf = (startAt: Nanos, { seconds, load }: PlanInput): Nanos =>
  startAt + fromMs(seconds * 1000 + load.timeoutMs) + BigInt(GRACE_S) * SECOND;

async function* run(
  cluster: Cluster,
  crew: readonly Worker[],
  startAt: Nanos,
  deadline: Nanos,
  signal: AbortSignal,
): AsyncGenerator<LedgerRecord> {
  const records = queue<LedgerRecord>();
  const over = new AbortController();
  const ended = Promise.all(crew.map((one) => working(cluster, one, startAt, records)));
  void ended.then(() => records.end(null));
  const bounds = [hangUpAt(crew, deadline, over.signal), stopOn(cluster, crew, signal, over.signal)];
  try {
    yield* records;
    const ends = await ended;
    const lacks = await Promise.all(crew.map((one, i) => lackOf(cluster, one, ends[i]!, signal.aborted)));
    if (lacks.some((one) => one))
      throw new Unreachable(`traffic is incomplete: ${lacks.filter((one) => one).join('; ')}`);
  } finally {
    over.abort();
    await Promise.all(bounds);
  }
}

/** One worker from its start to its end, which it resolves with; null: it has told everything. */
const working = async (
  cluster: Cluster,
  worker: Worker,
  startAt: Nanos,
  records: Queue<LedgerRecord>,
): Promise<string | null> => {
  worker.onRecord = (record) => records.push(record);
  await tellStart(worker, cluster, startAt).catch((error: unknown) =>
    worker.hangUp(`could not be told the start: ${oneLine(error)}`),
  );
  return worker.ended;
};

const lackOf = async (
  cluster: Cluster,
  { told, at }: Worker,
  end: string | null,
  stopped: boolean,
): Promise<string | null> => lack(told(), '', stopped) && lack(told(), end ?? (await fateOf(cluster, at)), stopped);

const hangUpAt = async (crew: readonly Worker[], deadline: Nanos, over: AbortSignal): Promise<void> => {
  await systemClock.sleepUntil(deadline, over).catch(() => undefined);
  if (!over.aborted) for (const one of crew) one.hangUp('its ledger had no end in time');
};

/** Ends the traffic when the signal says so: asks the workers first, for their ledgers' sake. */
const stopOn = async (
  cluster: Cluster,
  crew: readonly Worker[],
  signal: AbortSignal,
  over: AbortSignal,
): Promise<void> => {
  await new Promise<void>((resolve) => {
    const either = AbortSignal.any([signal, over]);
    if (either.aborted) resolve();
    else either.addEventListener('abort', () => resolve(), { once: true });
  });
  if (over.aborted) return;
  await Promise.allSettled(crew.map((one) => tellStop(one, cluster)));
  await hangUpAt(crew, systemClock.now() + fromMs(STOP_MS), over);
};
