// One traffic worker as a program that is talked to: waited for, listened to, told when to start and to stop.
import { oneLine, Unreachable } from '../../errors.ts';
import type { Nanos } from '../../model.ts';
import { until } from '../../poll.ts';
import { systemClock } from '../../time.ts';
import type { LedgerRecord } from '../../traffic/ledger.ts';
import type { Hello } from '../../traffic/worker-pod.ts';
import { type At, type Cluster, type Executed, Refused } from './cluster.ts';
import { splitting } from './follow.ts';
import { ahead, type Reading, skewOf } from './worker-clock.ts';
import { endOf, indexOf, riseOf } from './worker-fate.ts';
import { CONTAINER, FOLDER, PROGRAM } from './worker-job.ts';
import { ledger, type Told } from './worker-ledgers.ts';
import { crewOf, type JobAt } from './worker-remove.ts';

/** A worker's ledger as it comes. */
type Heard = {
  told(): Told;
  /** Who takes its records; until there is somebody, there are none. */
  onRecord: (record: LedgerRecord) => void;
  /** Resolves when no more is read, with why: null when the ledger is whole. */
  readonly ended: Promise<string | null>;
  /** Reads no further. */
  hangUp(why: string): void;
};

export type Worker = Heard & {
  readonly at: At;
  /** Its clock minus ours, as far as that is surely not nothing. */
  readonly ahead: Nanos;
};

const UP = { forMs: 180_000, everyMs: 500 };
const HELLO = { forMs: 60_000, everyMs: 50 };
const TELL_MS = 15_000;
/** A connection that breaks is made anew for as long as the worker is there. */
const READ = { forMs: 24 * 3_600_000, everyMs: 500 };

/**
 * Waits until worker `index` of `n` runs and has made the plan of this fingerprint. Throws Unreachable with what keeps it from
 * that.
 */
export const bringUp = async (
  cluster: Cluster,
  job: JobAt,
  index: number,
  n: number,
  fingerprint: string,
  signal: AbortSignal,
): Promise<Worker> => {
  const at = await running(cluster, job, index, signal);
  const heard = listen(cluster, at, index, n);
  try {
    const hello = await helloOf(heard, at, signal);
    if (hello.fingerprint !== fingerprint)
      throw new Unreachable(`worker ${index} makes another plan: its image must have this very version of firedrill`);
    return Object.assign(heard, { at, ahead: await aheadOf(cluster, at) });
  } catch (error) {
    heard.hangUp('given up');
    throw error;
  }
};

/** The pod of this number, once it runs. */
const running = async ({ core }: Cluster, job: JobAt, index: number, signal: AbortSignal): Promise<At> => {
  const { namespace } = job;
  const says = `traffic worker ${index} in ${namespace}`;
  const ask = async (): Promise<At | { readonly hopeless: string }> => {
    const { items } = await core.listNamespacedPod({ namespace, labelSelector: crewOf(job.runId) });
    const pod = items.find((one) => indexOf(one) === index);
    const rise = riseOf(pod);
    if (rise === 'running') return { namespace, pod: pod!.metadata!.name!, container: CONTAINER };
    if ('hopeless' in rise) return rise;
    throw new Unreachable(rise.waits);
  };
  const found = await until(says, ask, { ...UP, signal });
  if ('hopeless' in found) throw new Unreachable(`${says}: ${found.hopeless}`);
  return found;
};

const listen = (cluster: Cluster, at: At, index: number, n: number): Heard => {
  const stop = new AbortController();
  const { take, told } = ledger(index, n);
  const onLine = (line: string): void => {
    const record = take(line);
    if (record) heard.onRecord(record);
  };
  const read = readLedger(cluster, at, onLine, stop.signal);
  const heard: Heard = {
    told,
    onRecord: () => undefined,
    ended: read.catch((error: unknown) => (stop.signal.aborted ? String(stop.signal.reason) : oneLine(error))),
    hangUp: (why) => stop.abort(why),
  };
  return heard;
};

/** Reads to the ledger's end and resolves with null, or to the worker's and resolves with how that was. */
const readLedger = async (
  cluster: Cluster,
  at: At,
  onLine: (line: string) => void,
  signal: AbortSignal,
): Promise<string | null> => {
  const lines = splitting(onLine);
  let read = 0;
  const onOutput = (chunk: Buffer): void => {
    read += chunk.length;
    lines.add(chunk);
  };
  const more = async (): Promise<{ readonly end: string | null }> => {
    const argv = [...PROGRAM, 'ledger', FOLDER, String(read)] as const;
    const { code, err } = await cluster.exec(at, argv, { onOutput, signal }).catch(oneLineOf);
    if (code === 0) return { end: null };
    const fate = await fateOf(cluster, at);
    if (fate === 'running') throw new Unreachable(`ended with ${code}: ${oneLine(err)}`);
    return { end: fate };
  };
  return (await until(`ledger of traffic worker ${at.pod}`, more, { ...READ, signal })).end;
};

const oneLineOf = (error: unknown): Executed => ({ code: -1, out: '', err: oneLine(error) });

const helloOf = async (heard: Heard, at: At, signal: AbortSignal): Promise<Hello['hello']> => {
  let over: string | null = null;
  void heard.ended.then((why) => {
    over = why ?? 'it ended at once';
  });
  const says = `hello of traffic worker ${at.namespace}/${at.pod}`;
  const hello = await until(says, () => heard.told().hello ?? over, { ...HELLO, signal });
  if (typeof hello !== 'string') return hello;
  throw new Unreachable(`${says}: ${hello}`);
};

/** What has become of a worker, as its pod tells it now; an API server that does not answer has it running. */
export const fateOf = async ({ core }: Cluster, { namespace, pod }: At): Promise<string> => {
  try {
    const found = await core.readNamespacedPod({ namespace, name: pod });
    return riseOf(found) === 'running' ? 'running' : endOf(found);
  } catch (error) {
    return error instanceof Refused && error.status === 404 ? endOf(null) : 'running';
  }
};

const aheadOf = async (cluster: Cluster, at: At): Promise<Nanos> => {
  const readings: Reading[] = [];
  const asked = systemClock.now();
  const onOutput = (chunk: Buffer): void => {
    const arrived = systemClock.now();
    for (const theirs of chunk.toString().match(/^\d{19}$/gm) ?? []) readings.push({ theirs: BigInt(theirs), arrived });
  };
  await command(cluster, at, ['clock'], onOutput);
  const [first, ...others] = readings;
  if (!first) throw new Unreachable(`traffic worker ${at.pod} does not tell its clock`);
  return ahead(skewOf(asked, [first, ...others]));
};

/** Throws when it could not be told. */
export const tellStart = ({ at, ahead }: Worker, cluster: Cluster, startAt: Nanos): Promise<void> =>
  command(cluster, at, ['start', FOLDER, String(startAt), String(ahead)]);

/** Its program is the container's first process. */
export const tellStop = ({ at }: Worker, cluster: Cluster): Promise<void> => command(cluster, at, ['stop', '1']);

const command = async (
  cluster: Cluster,
  at: At,
  args: readonly string[],
  onOutput?: (chunk: Buffer) => void,
): Promise<void> => {
  const signal = AbortSignal.timeout(TELL_MS);
  const { code, err } = await cluster.exec(at, [...PROGRAM, ...args], { signal, ...(onOutput ? { onOutput } : {}) });
  if (code !== 0) throw new Unreachable(`traffic worker ${at.pod}: ${args[0]} ended with ${code}: ${oneLine(err)}`);
};
