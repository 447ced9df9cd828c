// Traffic from several threads of one process, where one core is not enough for its plan. Each sends its share as a client of its own
// would, on connections of its own; their ledgers come out as one, as each record ends.
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Nanos } from '../model.ts';
import { packed, peakRate, type TrafficPlan } from './plan.ts';
import { type ClientSummary, type Counted, type LoopDelay, latest, merged } from './summary.ts';
import { roomIn, type Telling, tellEnd, tellTraffic } from './tell.ts';

/** What a thread is given. */
export type Part = {
  /** The whole, packed. */
  readonly plan: TrafficPlan;
  readonly worker: number;
  readonly of: number;
  readonly startAt: Nanos;
};

/** What a thread came to. */
export type Told = { readonly counted: Counted; readonly loop: LoopDelay };

/** Requests per second of one thread: less than half of what one core was seen to send (docs/adr/0016). */
const PER_THREAD = 10_000;
const LEAD_MS = 1500;

/** How many threads a plan needs; no more than there are cores. */
export const threadsFor = (plan: TrafficPlan, cores = availableParallelism()): number =>
  plan.input ? Math.max(1, Math.min(cores, Math.ceil(peakRate(plan.input.load) / PER_THREAD))) : 1;

/** How long before the start the client's process is to be begun: each layer of it has to come up. */
export const leadMsFor = (plan: TrafficPlan): number => (threadsFor(plan) > 1 ? 2 : 1) * LEAD_MS;

/** As tellTraffic, from so many threads. */
export const tellFromThreads = async (telling: Telling, threads = threadsFor(telling.plan)): Promise<ClientSummary> => {
  if (threads === 1) return tellTraffic(telling);
  telling.output.on('error', () => telling.ending.abort());
  const shares = Array.from({ length: threads }, (_, worker) => fromThread(telling, worker, threads));
  const told = await Promise.all(shares);
  return tellEnd(telling, merged(told.map(({ counted }) => counted)), latest(told.map(({ loop }) => loop)));
};

const fromThread = async ({ plan, startAt, output, ending }: Telling, worker: number, of: number): Promise<Told> => {
  const thread = new Worker(new URL(`./thread${extname(import.meta.url)}`, import.meta.url), {
    workerData: { plan: packed(plan) as TrafficPlan, worker, of, startAt } satisfies Part,
    stdout: true,
  });
  const end = (): void => thread.postMessage('end');
  if (ending.signal.aborted) end();
  else ending.signal.addEventListener('abort', end, { once: true });
  const copied = copy(thread.stdout, output);
  const [told] = (await once(thread, 'message')) as [Told];
  await copied;
  return told;
};

/** Whole lines come, for whole lines are written. */
const copy = async (from: AsyncIterable<Buffer>, to: Telling['output']): Promise<void> => {
  for await (const lines of from) if (!to.write(lines)) await roomIn(to);
};
