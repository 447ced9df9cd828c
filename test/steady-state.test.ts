import { describe, expect, test } from '@jest/globals';
import type { Window } from '../src/model.ts';
import { steadiness as steady } from '../src/steady-state.ts';
import type { LedgerRecord } from '../src/traffic/ledger.ts';
import { ledgerOf, planOf, START, since } from './helpers/tiny.ts';

const plan = planOf();
const baseline = { from: since(plan, 'baseline', 0), until: since(plan, 'quiet', 0) };
const wanted = { answered: 0.9, p99Ms: 500 };
const steadiness = (records: readonly LedgerRecord[], window: Window, asked: typeof wanted): string | null => {
  const { add, unsteady } = steady(window, asked, 1);
  for (const record of records) add(record);
  return unsteady();
};
const well = ledgerOf(plan).slice(10, 60);
const with1 = (n: number, change: Partial<LedgerRecord>): LedgerRecord[] =>
  well.map((record, i) => (i < n ? { ...record, ...change } : record));

describe('a platform is steady', () => {
  test('when its requests are answered well and fast', () => {
    expect(steadiness(well, baseline, wanted)).toBeNull();
  });

  test('with as many failures as are allowed, and not with one more', () => {
    expect(steadiness(with1(5, { status: 500 }), baseline, wanted)).toBeNull();
    expect(steadiness(with1(6, { status: 500 }), baseline, wanted)).toBe(
      'no steady state: 88.0 % of 50 requests were answered well, 90.0 % are asked for',
    );
  });

  test('not when requests got no answer, or were never sent', () => {
    expect(steadiness(with1(6, { status: null, error: 'ECONNREFUSED' }), baseline, wanted)).toMatch(
      /^no steady state: 88\.0 %/,
    );
    expect(
      steadiness(with1(6, { status: null, sent: null, latencyMs: null, error: 'not sent' }), baseline, wanted),
    ).toMatch(/^no steady state: 88\.0 %/);
  });

  test('not when the slowest of them are too slow', () => {
    expect(steadiness(with1(2, { latencyMs: 900 }), baseline, wanted)).toBe(
      'no steady state: p99 latency 900 ms, at most 500 ms are asked for',
    );
  });

  test('not when nobody asked: no data is no steady state', () => {
    expect(steadiness([], baseline, wanted)).toBe('no steady state: not one request of the baseline has ended');
    expect(steadiness(well, { from: START - 2n, until: START - 1n }, wanted)).toMatch(/not one request/);
  });

  test('whatever happened before the baseline, in the warm-up', () => {
    const cold = ledgerOf(plan)
      .slice(0, 10)
      .map((record) => ({ ...record, status: 503 }));
    expect(steadiness([...cold, ...well], baseline, wanted)).toBeNull();
  });
});
