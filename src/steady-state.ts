// The steady state: whether the platform was well, by the client's own ledger, before anything is broken. Pure.
import { quantile } from 'simple-statistics';
import type { Window } from './model.ts';
import { inWindow } from './time.ts';
import { failed, type LedgerRecord, untold } from './traffic/ledger.ts';
import { sample } from './traffic/sample.ts';

/** Takes records as requests end. */
export type Steadiness = {
  add(record: LedgerRecord): void;
  /** Null when those of the window were answered well and fast enough so far; else why not. */
  unsteady(): string | null;
};

/** A 99th percentile of more latencies is that of a sample. */
const MOST_TIMES = 20_000;

export const steadiness = (
  window: Window,
  wanted: { readonly answered: number; readonly p99Ms: number },
  seed: number,
): Steadiness => {
  const isOwn = inWindow(window);
  const times = sample<number>(MOST_TIMES, seed);
  let [ended, well] = [0, 0];
  const add = (record: LedgerRecord): void => {
    const { n, intended, latencyMs } = record;
    if (!isOwn(intended)) return;
    ended += 1;
    if (!failed(record) && !untold(record)) well += 1;
    if (latencyMs !== null) times.add(n, () => latencyMs);
  };
  const unsteady = (): string | null => {
    if (ended === 0) return 'no steady state: not one request of the baseline has ended';
    if (well / ended < wanted.answered)
      return `no steady state: ${percent(well / ended)} of ${ended} requests were answered well, ${percent(wanted.answered)} are asked for`;
    const kept = times.kept();
    const p99 = kept.length > 0 ? quantile(kept, 0.99) : Number.POSITIVE_INFINITY;
    return p99 > wanted.p99Ms
      ? `no steady state: p99 latency ${Math.round(p99)} ms, at most ${wanted.p99Ms} ms are asked for`
      : null;
  };
  return { add, unsteady };
};

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
