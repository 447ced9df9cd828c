// Traffic as a worker program tells it: one line for every ledger record as it ends, a summary as the last.
import { createWriteStream } from 'node:fs';
import type { Nanos } from '../model.ts';
import { type Clock, systemClock } from '../time.ts';
import { sendTraffic } from './client.ts';
import { type LedgerRecord, toLine } from './ledger.ts';
import { withoutOverdue } from './overdue.ts';
import type { TrafficPlan } from './plan.ts';
import { type ClientSummary, tally } from './summary.ts';

/** The last line. `records` is how many lines there were before it; `latency` is the histogram of `done.latencyMs`. */
export type Done = { readonly done: ClientSummary; readonly records: number; readonly latency: string };

/**
 * Sends the plan and writes its ledger to standard output; resolves when all is written. When nobody reads any more, the
 * traffic ends. What is overdue from the first is sent late or, when it is 'left', not at all.
 */
export const tellTraffic = async (
  plan: TrafficPlan,
  startAt: Nanos,
  ending: AbortController,
  overdueIs: 'sent' | 'left' = 'sent',
  clock: Clock = systemClock,
): Promise<void> => {
  // process.stdout blocks on a full pipe; a reader who is slow must not make the traffic late.
  const output = createWriteStream('', { fd: 1, autoClose: false }).on('error', () => ending.abort());
  const all = tally(plan);
  let records = 0;
  const record = (one: LedgerRecord): void => {
    all.add(one);
    records += 1;
    output.write(`${toLine(one)}\n`);
  };
  const { rest, overdue } = withoutOverdue(plan, startAt, overdueIs === 'left' ? clock.now() : startAt);
  for (const one of overdue) record(one);
  const loopDelay = await sendTraffic(rest, startAt, { record, signal: ending.signal, clock });
  const last: Done = { done: all.summary(loopDelay), records, latency: all.latency() };
  await new Promise<void>((resolve) => {
    output.end(`${JSON.stringify(last)}\n`, () => resolve());
  });
};
