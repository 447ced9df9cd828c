// Traffic as a worker program tells it: one line for every ledger record as it ends, a summary as the last.
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { Nanos } from '../model.ts';
import { type Clock, systemClock } from '../time.ts';
import { sendTraffic } from './client.ts';
import { type LedgerRecord, toLine } from './ledger.ts';
import { inTurns } from './ledger-file.ts';
import { paceOf, type TrafficPlan, without } from './plan.ts';
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
  readonly connections?: number;
  /** Records of the plan's first requests, which are not to be sent any more. */
  readonly unsent?: Iterable<LedgerRecord>;
};

/** Sends the plan, but for what is `unsent`, and writes its ledger; resolves with what it came to, when all is written. */
export const tellTraffic = async (telling: Telling): Promise<ClientSummary> => {
  const { plan, startAt, output, ending, unsent = [], clock = systemClock, connections } = telling;
  output.on('error', () => ending.abort());
  const all = tally();
  let records = 0;
  const lines = inTurns(output);
  const record = (one: LedgerRecord): void => {
    all.add(one);
    records += 1;
    lines.add(`${toLine(one)}\n`);
  };
  for (const one of unsent) record(one);
  const client = await sendTraffic(records > 0 ? without(plan, records) : plan, startAt, {
    ...{ record, signal: ending.signal, clock, room: () => roomIn(output) },
    ...(connections ? { connections } : {}),
  });
  const last: Done = { done: all.summary(paceOf(plan), client), records, latency: all.latency() };
  lines.flush();
  await new Promise<void>((resolve) => {
    output.end(`${JSON.stringify(last)}\n`, () => resolve());
  });
  return last.done;
};

/** A reader that has gone leaves room for everything. */
const roomIn = (output: Writable): Promise<unknown> =>
  output.writableNeedDrain ? once(output, 'drain').catch(() => undefined) : turn();
