// The steady state: whether the platform was well, by the client's own ledger, before anything is broken. Pure.
import { quantileSorted } from 'simple-statistics';
import type { Window } from './model.ts';
import { fromIso } from './time.ts';
import { failed, type LedgerRecord, untold } from './traffic/ledger.ts';

/** Null when the requests of the window were answered well and fast enough; else why not. */
export const steadiness = (
  records: readonly LedgerRecord[],
  window: Window,
  wanted: { readonly answered: number; readonly p99Ms: number },
): string | null => {
  const own = records.filter((record) => within(record, window));
  if (own.length === 0) return 'no steady state: not one request of the baseline has ended';
  const share = own.filter((record) => !failed(record) && !untold(record)).length / own.length;
  if (share < wanted.answered)
    return `no steady state: ${percent(share)} of ${own.length} requests were answered well, ${percent(wanted.answered)} are asked for`;
  const p99 = quantileSorted(
    own.flatMap((record) => record.latencyMs ?? []).sort((a, b) => a - b),
    0.99,
  );
  return p99 > wanted.p99Ms
    ? `no steady state: p99 latency ${Math.round(p99)} ms, at most ${wanted.p99Ms} ms are asked for`
    : null;
};

const within = (record: LedgerRecord, { from, until }: Window): boolean => {
  const at = fromIso(record.intended);
  return at >= from && at < until;
};

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
