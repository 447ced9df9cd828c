// The ledgers of several workers made one, and what is missing from it. Pure.
import { fromLine, type LedgerRecord } from '../../traffic/ledger.ts';
import { numbers } from '../../traffic/numbers.ts';
import { type ClientSummary, merged, type Quantiles } from '../../traffic/summary.ts';
import type { Done } from '../../traffic/tell.ts';
import type { Hello } from '../../traffic/worker-pod.ts';

/** What one worker has told so far. */
export type Told = {
  readonly worker: number;
  readonly hello: Hello['hello'] | null;
  /** Records that came, each counted once. */
  readonly records: number;
  readonly aborted: number;
  readonly done: Done | null;
};

export type WorkersSummary = {
  /** In the order of their numbers; null where a worker's end was not heard. */
  readonly workers: readonly (ClientSummary | null)[];
  readonly records: number;
  /** Of all requests together, from the workers' own histograms: from the intended time, in milliseconds. */
  readonly latencyMs: Quantiles;
};

export type Ledger = {
  /** The record that a line holds, if it is new and the worker's own, else null. Throws when the line is none of a ledger's. */
  take(line: string): LedgerRecord | null;
  told(): Told;
};

type Line = Hello | Done | LedgerRecord;

const parsed = (line: string): Line => {
  const value = JSON.parse(line) as Line;
  return 'hello' in value || 'done' in value ? value : fromLine(line);
};

/** The ledger of worker `worker` of `of`, whose requests are those whose number leaves `worker` when divided by `of`. */
export const ledger = (worker: number, of: number): Ledger => {
  const seen = numbers();
  let told: Told = { worker, hello: null, records: 0, aborted: 0, done: null };
  const add = (record: LedgerRecord): LedgerRecord | null => {
    if (record.n % of !== worker || !seen.add((record.n - worker) / of)) return null;
    told = { ...told, records: told.records + 1, aborted: told.aborted + (record.error === 'aborted' ? 1 : 0) };
    return record;
  };
  const take = (line: string): LedgerRecord | null => {
    const value = parsed(line);
    if ('n' in value) return add(value);
    told = 'hello' in value ? { ...told, hello: value.hello } : { ...told, done: value };
    return null;
  };
  return { take, told: () => told };
};

/**
 * What a worker's ledger lacks, or null: every planned request has a record, and none was given up unless all were
 * `stopped`. `end` says how the worker ended.
 */
export const lack = (told: Told, end: string, stopped: boolean): string | null => {
  const { worker, hello, records, aborted, done } = told;
  const planned = hello?.planned ?? 0;
  const missing = planned - records;
  if (missing > 0) return `worker ${worker}: ${missing} of its ${planned} requests have no record (${end})`;
  if (aborted > 0 && !stopped) return `worker ${worker}: ${aborted} of its ${planned} requests were given up (${end})`;
  if (!done) return `worker ${worker}: its summary is missing (${end})`;
  return done.records === records
    ? null
    : `worker ${worker}: it counts ${done.records} records, not ${records} (${end})`;
};

export const summaryOf = (all: readonly Told[]): WorkersSummary => {
  const together = merged(all.flatMap(({ done }) => (done ? [done.counted] : [])));
  const planned = all.reduce((sum, { hello }) => sum + (hello?.planned ?? 0), 0);
  return {
    workers: all.map(({ done }) => done?.done ?? null),
    records: all.reduce((sum, { records }) => sum + records, 0),
    latencyMs: together.summary(planned, null).latencyMs,
  };
};
