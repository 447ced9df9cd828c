// Traffic as a worker program tells it: one line for every ledger record as it ends, a summary as the last.
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { Nanos } from '../model.ts';
import { type Clock, systemClock } from '../time.ts';
import { sendTraffic } from './client.ts';
import { type LedgerRecord, toLine } from './ledger.ts';
import { inBlocks } from './ledger-file.ts';
import { type TrafficPlan, without } from './plan.ts';
import { type ClientSummary, type Counted, type LoopDelay, type Tally, tally } from './summary.ts';

/** The last line. `records` is how many records there were before it; `counted` is what `done` is made from. */
export type Done = { readonly done: ClientSummary; readonly records: number; readonly counted: Counted };

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
  const { all, loop } = await tellRecords(telling);
  return tellEnd(telling, all, loop);
};

/** Sends the plan and writes a line for every record; resolves with the tally of them. */
export const tellRecords = async (telling: Telling): Promise<{ readonly all: Tally; readonly loop: LoopDelay }> => {
  const { plan, startAt, output, ending, unsent = [], clock = systemClock, connections } = telling;
  output.on('error', () => ending.abort());
  const all = tally();
  const lines = inBlocks(output);
  const record = (one: LedgerRecord): void => {
    all.add(one);
    lines.add(toLine(one));
  };
  let overdue = 0;
  for (const one of unsent) {
    record(one);
    overdue += 1;
  }
  const loop = await sendTraffic(overdue > 0 ? without(plan, overdue) : plan, startAt, {
    ...{ record, signal: ending.signal, clock, room: () => roomIn(output) },
    ...(connections ? { connections } : {}),
  });
  lines.flush();
  return { all, loop };
};

/** Writes the last line, of all records of the plan, and ends the output. */
export const tellEnd = async (
  { output }: Pick<Telling, 'output'>,
  all: Tally,
  loop: LoopDelay,
): Promise<ClientSummary> => {
  const counted = all.counted();
  // Sending ends when each planned request has its record. To count the plan itself takes seconds and memory, where it is long.
  const done = all.summary(counted.counts.seen, loop);
  const last: Done = { done, records: counted.counts.seen, counted };
  await new Promise<void>((resolve) => {
    output.end(`${JSON.stringify(last)}\n`, () => resolve());
  });
  return done;
};

/** A reader that has gone leaves room for everything. */
export const roomIn = (output: Writable): Promise<unknown> =>
  output.writableNeedDrain && !output.errored ? once(output, 'drain').catch(() => undefined) : turn();
