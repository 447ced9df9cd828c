// Traffic as a worker program tells it: one line for every ledger record as it ends, a summary as the last.
import type { Writable } from 'node:stream';
import type { Nanos } from '../model.ts';
import { type Clock, systemClock } from '../time.ts';
import { sendTraffic } from './client.ts';
import { type LedgerRecord, toLine } from './ledger.ts';
import type { Stream } from './plan.ts';
import { type ClientSummary, tally } from './summary.ts';

/** The last line. `records` is how many records there were before it; `latency` is the histogram of `done.latencyMs`. */
export type Done = { readonly done: ClientSummary; readonly records: number; readonly latency: string };

export type Telling = {
  readonly plan: Stream;
  readonly startAt: Nanos;
  /** Takes the lines; when it fails, the traffic ends. */
  readonly output: Writable;
  readonly ending: AbortController;
  readonly clock?: Clock;
  readonly connections?: number;
  /** Records of the plan's first requests, which are not to be sent any more. */
  readonly unsent?: readonly LedgerRecord[];
};

/** Sends the plan, but for what is `unsent`, and writes its ledger; resolves with what it came to, when all is written. */
export const tellTraffic = async (telling: Telling): Promise<ClientSummary> => {
  const { plan, startAt, output, ending, unsent = [], clock = systemClock, connections } = telling;
  output.on('error', () => ending.abort());
  const all = tally(plan);
  let records = 0;
  const lines = inTurns(output);
  const record = (one: LedgerRecord): void => {
    all.add(one);
    records += 1;
    lines.add(`${toLine(one)}\n`);
  };
  for (const one of unsent) record(one);
  const rest = unsent.length > 0 ? { ...plan, requests: [...plan.requests].slice(unsent.length) } : plan;
  const client = await sendTraffic(rest, startAt, {
    ...{ record, signal: ending.signal, clock },
    ...(connections ? { connections } : {}),
  });
  const last: Done = { done: all.summary(client), records, latency: all.latency() };
  lines.flush();
  await new Promise<void>((resolve) => {
    output.end(`${JSON.stringify(last)}\n`, () => resolve());
  });
  return last.done;
};

/** All that one turn of the event loop brings is written at once: a write costs more than a record. */
const inTurns = (output: Writable) => {
  let text = '';
  const flush = (): void => {
    if (text) output.write(text);
    text = '';
  };
  const add = (line: string): void => {
    if (!text) setImmediate(flush);
    text += line;
  };
  return { add, flush };
};
