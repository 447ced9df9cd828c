// Traffic as a worker program tells it: one line for every ledger record as it ends, a summary as the last.
import type { Writable } from 'node:stream';
import type { Nanos } from '../model.ts';
import { type Clock, systemClock } from '../time.ts';
import { sendTraffic } from './client.ts';
import { type LedgerRecord, toLine } from './ledger.ts';
import type { TrafficPlan } from './plan.ts';
import { type ClientSummary, tally } from './summary.ts';

/** The last line. `records` is how many records there were before it; `latency` is the histogram of `done.latencyMs`. */
export type Done = { readonly done: ClientSummary; readonly records: number; readonly latency: string };

export type Telling = {
  readonly plan: TrafficPlan;
  readonly startAt: Nanos;
  /** Takes the lines; when it fails, the traffic ends. */
  readonly output: Writable;
  readonly ending: AbortController;
  readonly clock?: Clock;
  /** Records of requests that are of the plan but not to be sent any more. */
  readonly unsent?: readonly LedgerRecord[];
};

/** Sends the plan, but for what is `unsent`, and writes its ledger; resolves when all is written. */
export const tellTraffic = async (telling: Telling): Promise<void> => {
  const { plan, startAt, output, ending, clock = systemClock, unsent = [] } = telling;
  output.on('error', () => ending.abort());
  const all = tally(plan);
  let records = 0;
  const record = (one: LedgerRecord): void => {
    all.add(one);
    records += 1;
    output.write(`${toLine(one)}\n`);
  };
  for (const one of unsent) record(one);
  const rest = { ...plan, requests: plan.requests.slice(unsent.length) };
  const loopDelay = await sendTraffic(rest, startAt, { record, signal: ending.signal, clock });
  const last: Done = { done: all.summary(loopDelay), records, latency: all.latency() };
  await new Promise<void>((resolve) => {
    output.end(`${JSON.stringify(last)}\n`, () => resolve());
  });
};
