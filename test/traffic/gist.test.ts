import { describe, expect, test } from '@jest/globals';
import type { Window } from '../../src/model.ts';
import { fromIso } from '../../src/time.ts';
import { type Frame, type Gist, gathering } from '../../src/traffic/gist.ts';
import type { LedgerRecord } from '../../src/traffic/ledger.ts';
import { random } from '../../src/traffic/random.ts';
import { record, unsent, windowOf } from './helpers.ts';

const [baseline, held]: [Window, Window] = [windowOf(0, 10), windowOf(10, 20)];

const frame = (planned: number): Frame => ({
  ...{ seed: 3, baseline, held, test: held, compared: held, crossing: null },
  planned,
  axis: { start: baseline.from, width: 1, bins: 20 },
});

const gistOf = (records: readonly LedgerRecord[], over: Partial<Frame> = {}): Gist => {
  const { add, gist } = gathering(() => ({ ...frame(records.length), ...over }));
  for (const one of records) add(one);
  return gist('sum');
};

/** `rate` a second for 20 s, log-normal times; in the second half twice as slow, and one in ten fails. */
const drill = (rate: number): LedgerRecord[] => {
  const next = random(5, 0);
  return Array.from({ length: 20 * rate }, (_, n) => {
    const late = n >= 10 * rate;
    const normal = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
    const tookMs = (late ? 20 : 10) * Math.exp(0.3 * normal);
    return record(n, { atMs: (1000 * n) / rate, tookMs, status: late && next() < 0.1 ? 500 : 200 });
  });
};

const large = drill(2500);

describe('the gist of a ledger', () => {
  test('counts everything, whatever of it is kept', () => {
    const { records, traffic, exposed, effect, baseline: before, bins } = gistOf(large);
    expect([records, traffic.sent, traffic.answered]).toEqual([50_000, 50_000, 50_000]);
    expect(exposed).toBe(25_000);
    expect(effect!.comparisons[0]!.baseline.requests).toBe(25_000);
    expect(effect!.comparisons[0]!.fault.failed).toBe(traffic.failed);
    expect(before.all).toBeGreaterThan(24_900);
    expect(before.some.length).toBeLessThanOrEqual(10_000);
    expect(bins.outcomes.get('2xx')!.reduce((sum, count) => sum + count, 0)).toBe(50_000 - traffic.failed);
    expect(bins.bins.every(({ timings }) => timings.length > 400 && timings.length <= 1000)).toBe(true);
  });

  test('of very many requests comes to what that of all of them would', () => {
    const { effect } = gistOf(large);
    expect(effect!.says.join('; ')).toMatch(
      /^all requests failed more: (9|10)\.\d % of 25000, baseline 0\.0 % of 25000, and slower: median (19|20|21) ms, .* \(1 in 2 timed\)/,
    );
  });

  test('of some thousands keeps everything, in the order of their ends, and says nothing of parts', () => {
    const { baseline: before, test: after, effect, bins } = gistOf(drill(200));
    expect(before.some.length).toBe(before.all);
    expect(after.some.length).toBe(after.all);
    expect(before.some.every(({ ended }, i) => i === 0 || before.some[i - 1]!.ended <= ended)).toBe(true);
    expect(effect!.says.join('; ')).not.toContain('timed');
    expect(bins.bins.map(({ timings }) => timings.length)).toEqual(Array(20).fill(200));
  });

  test('is the same in whatever order its records came', () => {
    const [one, other] = [gistOf(large), gistOf(large.toReversed())];
    for (const part of ['traffic', 'exposed', 'effect', 'baseline', 'test'] as const)
      expect(other[part]).toEqual(one[part]);
  });

  test('is exposed by what was sent while the fault was in and comes by it, and by nothing else', () => {
    const records = [
      record(0, { atMs: 9_990, lateMs: 20 }),
      record(1, { atMs: 10_000, request: 'GET /prices' }),
      record(2, { atMs: 15_000, ...unsent }),
      record(3, { atMs: 20_000 }),
    ];
    expect(gistOf(records).exposed).toBe(2);
    expect(gistOf(records, { crossing: ['POST /orders'] }).exposed).toBe(1);
    expect(gistOf(records, { held: null, compared: null })).toMatchObject({ exposed: 0, effect: null });
  });

  test('of nothing is a gist too; that of something asks for its frame with the first record’s time', () => {
    expect(gistOf([])).toMatchObject({ records: 0, first: null, sha256: 'sum', traffic: { sent: 0 } });
    const firsts: (string | null)[] = [];
    const { add, gist } = gathering((first) => {
      firsts.push(first);
      return frame(2);
    });
    add(record(1, { atMs: 5 }));
    add(record(0, { atMs: 0 }));
    expect(fromIso(gist('').first!)).toBe(baseline.from + 5_000_000n);
    expect(firsts).toEqual([gist('').first]);
  });
});
