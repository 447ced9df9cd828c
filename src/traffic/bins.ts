// The ledger along a time axis: what came back when, and how late. Pure.
import type { Nanos } from '../model.ts';
import { offsets } from '../time.ts';
import { type LedgerRecord, untold } from './ledger.ts';
import { type Sample, sample } from './sample.ts';
import { measured } from './summary.ts';

/** Equal bins from an instant on. */
export type Axis = {
  readonly start: Nanos;
  /** Width of a bin, in seconds. */
  readonly width: number;
  readonly bins: number;
};

/** In milliseconds: from when a request was due, and from when it was sent. */
export type Timing = { readonly latencyMs: number; readonly serviceMs: number };

/** The requests that were due in one bin's time; of very many, a sample. */
export type Bin = {
  /** Of those that were answered or timed out. */
  readonly timings: readonly Timing[];
  /** How late they were sent, in milliseconds. */
  readonly late: readonly number[];
  /** Of all of them; null where there is none. */
  readonly latest: number | null;
};

export type Bins = {
  /** How many ended so (`2xx`, `503`, `ECONNREFUSED`), bin by bin. */
  readonly outcomes: ReadonlyMap<string, readonly number[]>;
  readonly bins: readonly Bin[];
};

/** A bin's 99th percentile needs no more; up to 600 bins have them in memory. */
const MOST = 1000;

/** A request's times; `told`: its latency is one. */
type Times = Timing & { readonly told: boolean };
type Filling = { readonly times: Sample<Times>; latest: number | null };

/** Requests that were never sent, or given up with the run, are in no bin. */
export const binning = (axis: Axis, seed: number): { add(record: LedgerRecord): void; bins(): Bins } => {
  const since = offsets(axis.start);
  const outcomes = new Map<string, number[]>();
  const filling = Array.from({ length: axis.bins }, (): Filling => ({ times: sample(MOST, seed), latest: null }));
  const add = (record: LedgerRecord): void => {
    const at = Math.floor(since(record.intended) / 1e9 / axis.width);
    const bin = filling[at];
    if (!bin || untold(record)) return;
    const name = outcome(record);
    if (!outcomes.has(name)) outcomes.set(name, Array<number>(axis.bins).fill(0));
    outcomes.get(name)![at]! += 1;
    fill(bin, record);
  };
  return { add, bins: () => ({ outcomes, bins: filling.map(binOf) }) };
};

const fill = (bin: Filling, record: LedgerRecord): void => {
  const { n, latencyMs, serviceMs } = record;
  const timing = { latencyMs: latencyMs ?? 0, serviceMs: serviceMs ?? 0 };
  bin.latest = Math.max(bin.latest ?? 0, lateness(timing));
  bin.times.add(n, () => ({ ...timing, told: measured(record) }));
};

const lateness = ({ latencyMs, serviceMs }: Timing): number => Math.max(0, latencyMs - serviceMs);

const binOf = ({ times, latest }: Filling): Bin => {
  const kept = times.kept();
  return { timings: kept.filter(({ told }) => told), late: kept.map(lateness), latest };
};

/** What went well is one thing, every way to go wrong another. */
const outcome = ({ status, error }: LedgerRecord): string => {
  if (status === null) return error ?? 'no answer';
  return status < 400 ? `${Math.floor(status / 100)}xx` : String(status);
};
