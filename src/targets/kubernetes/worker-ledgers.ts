// The ledgers of several workers made one, and what is missing from it. Pure.
import { oneLine } from '../../errors.ts';
import { fromLine, type LedgerRecord } from '../../traffic/ledger.ts';
import { type ClientSummary, mergedLatency, type Quantiles } from '../../traffic/summary.ts';
import type { Done } from '../../traffic/tell.ts';
import type { Hello } from '../../traffic/worker-pod.ts';

/** What one worker has told so far. */
export type Told = {
  readonly worker: number;
  readonly hello: Hello | null;
  /** Records that came, each counted once. */
  readonly records: number;
  readonly aborted: number;
  readonly done: Done | null;
  /** The last line that was none of its own: most often an error. */
  readonly lastWords: string;
};

export type WorkersSummary = {
  /** In the order of their numbers; null where a worker's end was not heard. */
  readonly workers: readonly (ClientSummary | null)[];
  readonly records: number;
  /** Of all requests together, from the workers' own histograms: from the intended time, in milliseconds. */
  readonly latencyMs: Quantiles;
};

export type Ledger = {
  /** The record that a worker's line holds if it is new and the worker's own; null for every other line. */
  take(line: string): LedgerRecord | null;
  told(): Told;
};

type Line = { readonly hello: Hello } | Done | LedgerRecord;

const parsed = (line: string): Line => {
  const value = JSON.parse(line) as Line;
  return 'hello' in value || 'done' in value ? value : fromLine(line);
};

/** The ledger of worker `worker` of `of`, whose requests are those whose number leaves `worker` when divided by `of`. */
export const ledger = (worker: number, of: number): Ledger => {
  const seen = new Set<number>();
  let told: Told = { worker, hello: null, records: 0, aborted: 0, done: null, lastWords: '' };
  const add = (record: LedgerRecord): LedgerRecord | null => {
    if (record.n % of !== worker || seen.has(record.n)) return null;
    seen.add(record.n);
    told = { ...told, records: seen.size, aborted: told.aborted + (record.error === 'aborted' ? 1 : 0) };
    return record;
  };
  const take = (line: string): LedgerRecord | null => {
    try {
      const value = parsed(line);
      if ('n' in value) return add(value);
      told = 'hello' in value ? { ...told, hello: value.hello } : { ...told, done: value };
    } catch {
      told = { ...told, lastWords: oneLine(line).slice(0, 300) };
    }
    return null;
  };
  return { take, told: () => told };
};

/** What is wrong with a worker's ledger, or null: every planned request has a record and none was given up. */
export const lack = ({ worker, hello, records, aborted, done }: Told, end: string): string | null => {
  const planned = hello?.planned ?? 0;
  const missing = planned - records;
  const written = done ? `, of which its log has lost ${done.records - records}` : '';
  if (missing > 0) return `worker ${worker}: ${missing} of its ${planned} requests have no record${written} (${end})`;
  if (aborted > 0) return `worker ${worker}: ${aborted} of its ${planned} requests were given up (${end})`;
  return done ? null : `worker ${worker}: its summary is missing (${end})`;
};

export const summaryOf = (all: readonly Told[]): WorkersSummary => ({
  workers: all.map(({ done }) => done?.done ?? null),
  records: all.reduce((sum, { records }) => sum + records, 0),
  latencyMs: mergedLatency(all.flatMap(({ done }) => (done ? [done.latency] : []))),
});
