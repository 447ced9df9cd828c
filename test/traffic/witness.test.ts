import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Window } from '../../src/model.ts';
import { arrivals } from '../../src/traffic/arrivals.ts';
import type { LedgerRecord } from '../../src/traffic/ledger.ts';
import { type Random, random } from '../../src/traffic/random.ts';
import { higherRanks, type LedgerEffect, moreFailures, witness } from '../../src/traffic/witness.ts';
import { record, unsent, windowOf } from './helpers.ts';

type Shape = { readonly rate: number; readonly seconds: number };
type Kind = { readonly request: string; readonly medianMs: number };
type Hurt = (one: {
  atMs: number;
  tookMs: number;
  kind: Kind;
  next: Random;
}) => Partial<LedgerRecord> & { tookMs?: number };

const KINDS: Kind[] = [
  { request: 'POST /orders', medianMs: 40 },
  { request: 'GET /orders/:id', medianMs: 8 },
  { request: 'GET /prices', medianMs: 3 },
];

/** Log-normal times, half a percent of failures, a pause of 100 to 300 ms now and then, a cold first second. */
const simulate = (seed: number, { rate, seconds }: Shape, hurt: Hurt = () => ({})): LedgerRecord[] => {
  const next = random(seed, 9);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const pauses = Array.from({ length: Math.ceil((2 * seconds) / 8) }, () => ({
    from: next() * 2000 * seconds,
    ms: 100 + 200 * next(),
  }));
  return [...arrivals('poisson', rate, 2 * seconds, random(seed, 0))].map((atMs, n) => {
    const kind = KINDS[Math.floor(next() * KINDS.length)]!;
    const paused = Math.max(0, ...pauses.filter(({ from }) => from <= atMs).map(({ from, ms }) => from + ms - atMs));
    const tookMs = kind.medianMs * Math.exp(0.47 * normal()) * (atMs < 1000 ? 3 : 1) + paused;
    const status = next() < 0.005 ? 500 : 200;
    return record(n, {
      atMs,
      tookMs,
      status,
      request: kind.request,
      ...(atMs >= seconds * 1000 ? hurt({ atMs, tookMs, kind, next }) : {}),
    });
  });
};

const ledgerEffect = (records: readonly LedgerRecord[], baseline: Window, fault: Window): LedgerEffect => {
  const { add, effect } = witness(baseline, fault, 1);
  for (const one of records) add(one);
  return effect();
};

const effectOf = (records: readonly LedgerRecord[], { seconds }: Shape) =>
  ledgerEffect(records, windowOf(0, seconds), windowOf(seconds, 2 * seconds));

const shape = (seed: number): Shape => ({ rate: 5 + ((seed * 7) % 46), seconds: 15 + ((seed * 11) % 46) });

describe('the ledger as a witness', () => {
  test('sees nothing without a fault, on 120 seeds of all rates and lengths', () => {
    const alarms = Array.from({ length: 120 }, (_, seed) => effectOf(simulate(seed, shape(seed)), shape(seed))).filter(
      ({ worse }) => worse,
    );
    expect(alarms.map(({ says }) => says)).toEqual([]);
  });

  test('sees half of the requests fail, at any rate', () => {
    for (let seed = 0; seed < 20; seed++) {
      const hurt: Hurt = ({ next }) => (next() < 0.5 ? { status: null, error: 'ECONNREFUSED' } : {});
      expect(effectOf(simulate(seed, shape(seed), hurt), shape(seed)).worse).toBe(true);
    }
  });

  test('sees one kind of request slowed down, and names it', () => {
    const it = { rate: 20, seconds: 30 };
    const hurt: Hurt = ({ kind, tookMs }) =>
      kind.request === 'GET /prices' ? { tookMs: tookMs + 50, latencyMs: tookMs + 50 } : {};
    for (let seed = 0; seed < 20; seed++) {
      const effect = effectOf(simulate(seed, it, hurt), it);
      const slow = effect.comparisons.filter(({ latency }) => latency.worse).map(({ request }) => request);
      expect(slow).toContain('GET /prices');
      expect(slow).not.toContain('POST /orders');
      expect(effect.says.join('; ')).toMatch(/GET \/prices slower: median 5\d ms/);
    }
  });

  test('a hang is witnessed twice: requests fail, and they were waited for', () => {
    const it = { rate: 20, seconds: 15 };
    const effect = effectOf(
      simulate(1, it, () => ({ status: null, error: 'timeout', latencyMs: 2000 })),
      it,
    );
    expect(effect.comparisons[0]).toMatchObject({ request: null, errors: { worse: true }, latency: { worse: true } });
  });

  test('better off is no effect', () => {
    const it = { rate: 20, seconds: 15 };
    expect(
      effectOf(
        simulate(1, it, ({ tookMs }) => ({ latencyMs: tookMs / 10, status: 200 })),
        it,
      ).worse,
    ).toBe(false);
  });

  test('what was never sent, or ended with the run, says nothing', () => {
    const it = { rate: 20, seconds: 15 };
    for (const nothing of [unsent, { status: null, error: 'aborted', latencyMs: 9000 }]) {
      const effect = effectOf(
        simulate(1, it, () => nothing),
        it,
      );
      expect(effect.worse).toBe(false);
      expect(effect.comparisons[0]!.fault).toEqual({
        requests: 0,
        failed: 0,
        errorShare: 0,
        p50: null,
        p90: null,
        p99: null,
      });
    }
  });

  test('no records at all are no effect', () => {
    expect(ledgerEffect([], windowOf(0, 1), windowOf(1, 2))).toMatchObject({
      worse: false,
      comparisons: [{ request: null }],
    });
  });

  test('windows are half open: a request due at the border belongs to the second only', () => {
    const [all] = ledgerEffect([record(0, { atMs: 1000 })], windowOf(0, 1), windowOf(1, 2)).comparisons;
    expect([all!.baseline.requests, all!.fault.requests]).toEqual([0, 1]);
  });
});

describe('the tests behind it', () => {
  test("Fisher's lady tasting tea: 3 of 4 right is 17/70, all 4 is 1/70", () => {
    const cups = (right: number): number =>
      moreFailures({ requests: 4, failed: 4 - right }, { requests: 4, failed: right });
    expect(cups(3)).toBeCloseTo(17 / 70, 10);
    expect(cups(4)).toBeCloseTo(1 / 70, 10);
  });

  test('the exact test is a probability and falls as failures shift into the second window', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 3000 }),
        fc.integer({ min: 1, max: 3000 }),
        fc.nat(50),
        (before, after, bad) => {
          const p = [0, 1, 2].map((k) =>
            moreFailures({ requests: before, failed: 0 }, { requests: after, failed: Math.min(after, bad + k) }),
          );
          for (const one of p) expect(one >= 0 && one <= 1).toBe(true);
          expect(p[1]).toBeLessThanOrEqual(p[0]! + 1e-9);
          expect(p[2]).toBeLessThanOrEqual(p[1]! + 1e-9);
        },
      ),
    );
  });

  test('the rank test agrees with a hand calculation: 1 to 5 against 6 to 10 has U = 25, z = 2.611', () => {
    expect(higherRanks([1, 2, 3, 4, 5], [6, 7, 8, 9, 10])).toBeCloseTo(0.00451, 4);
  });

  test('all alike, or nothing to compare with, is no evidence', () => {
    expect(higherRanks([5, 5, 5], [5, 5])).toBe(1);
    expect(higherRanks([], [1, 2])).toBe(1);
  });
});
