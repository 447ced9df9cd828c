import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { gone } from '../../../src/layers/metrics/pods.ts';
import { rises } from '../../../src/layers/metrics/rises.ts';
import { type Bin, excess as excessBy, REQUESTS, silence } from '../../../src/layers/metrics/scan.ts';
import { outcome } from '../../../src/layers/metrics/views.ts';
import type { Blind, SampleItem } from '../../../src/model.ts';
import { SECOND } from '../../../src/time.ts';

const sample = (
  metric: SampleItem['metric'],
  at: number,
  value: number,
  more: Partial<SampleItem> = {},
): SampleItem => {
  const kind = { metric, service: 'cart', pod: 'cart-1', peer: null, status: null, le: null, ...more };
  const series = Object.values(kind).join('|');
  return { ...kind, series, value, at: BigInt(at) * SECOND, id: `${series}@${at}` };
};
/** The baseline is seconds 0 to 9, the test window 10 to 29. */
const blind = (...items: readonly SampleItem[]): Blind<SampleItem> => {
  const part = (from: number, until: number) => ({
    window: { from: BigInt(from) * SECOND, until: BigInt(until) * SECOND },
    items: items
      .filter(({ at }) => at >= BigInt(from) * SECOND && at < BigInt(until) * SECOND)
      .sort((a, b) => Number(a.at - b.at)),
  });
  return { baseline: part(0, 10), test: part(10, 30), topology: { entry: 'cart', components: ['cart'], edges: [] } };
};
const every = (from: number, until: number, of: (at: number) => SampleItem): SampleItem[] =>
  Array.from({ length: until - from }, (_, i) => of(from + i));

describe('rises', () => {
  const by = (...items: SampleItem[]): number[] => rises(blind(...items)).map((one) => one.by);

  test('a counter that fell was reset and rose from 0', () => {
    expect(by(sample('requests', 1, 100), sample('requests', 2, 107), sample('requests', 3, 4))).toEqual([7, 4]);
  });

  test('a status seen for the first time on a pod that was scraped before rose from 0', () => {
    const ok = every(8, 13, (at) => sample('requests', at, 10, { status: '200' }));
    const first = sample('requests', 12, 5, { status: '500' });
    expect(rises(blind(...ok, first)).find(({ item }) => item === first)).toMatchObject({ by: 5, from: 11n * SECOND });
  });

  test('a pod that is new in the test window rose from 0, one that was always there did not', () => {
    const old = sample('requests', 1, 1000);
    const fresh = sample('requests', 15, 30, { pod: 'cart-2' });
    expect(by(old, fresh)).toEqual([30]);
  });
});

describe('a pod is gone', () => {
  const up = (from: number, until: number, value = 1, pod = 'cart-1'): SampleItem[] =>
    every(from, until, (at) => sample('up', at, value, { pod }));
  const other = up(0, 30, 1, 'cart-9');
  const why = (...items: SampleItem[]): string[] =>
    gone(blind(...other, ...items)).map((one) => `${one.pod}: ${one.why}`);

  test('when its scrapes fail', () => {
    expect(why(...up(0, 15), ...up(15, 20, 0), ...up(20, 30))).toEqual(['cart-1: 5 scrapes failed']);
  });

  test('when its series end', () => {
    expect(why(...up(0, 15))).toEqual(['cart-1: its series ended']);
  });

  test('when another pod came in its place', () => {
    const found = gone(blind(...other, ...up(0, 15), ...up(16, 30, 1, 'cart-2')));
    expect(found).toMatchObject([{ pod: 'cart-1', why: 'its series ended, cart-2 came instead', onlyUnseen: false }]);
  });

  test('when its process started anew, however quickly', () => {
    const started = every(0, 30, (at) => sample('started', at, at < 17 ? 1000 : 2000));
    expect(why(...up(0, 30), ...started)).toEqual(['cart-1: its process started anew']);
    expect(gone(blind(...up(0, 30), ...started))[0]!.since).toBe(17n * SECOND);
  });

  test('not when two scrapes are missed, unless another pod came instead', () => {
    const missed = [...up(0, 15), ...up(15, 17, 0), ...up(17, 30)];
    expect(why(...missed)).toEqual([]);
    expect(why(...up(0, 26), ...up(27, 30, 1, 'cart-2'))).toEqual(['cart-1: its series ended, cart-2 came instead']);
  });

  test('not when a single scrape is missed', () => {
    expect(why(...up(0, 15), ...up(15, 16, 0), ...up(16, 30))).toEqual([]);
  });

  test('not when the baseline had such holes too', () => {
    expect(why(...up(0, 4), ...up(7, 15), ...up(18, 30))).toEqual([]);
  });

  test('not when it was never there before', () => {
    expect(why(...up(15, 20, 1, 'cart-2'), ...up(20, 30, 0, 'cart-2'))).toEqual([]);
  });

  test('not when all pods are out of sight at once: then nobody looked', () => {
    const dark = (pod: string): SampleItem[] => [...up(0, 15, 1, pod), ...up(15, 20, 0, pod), ...up(20, 30, 1, pod)];
    expect(gone(blind(...dark('cart-1'), ...dark('cart-2')))).toEqual([]);
  });
});

const excess = (baseline: readonly Bin[], test: readonly Bin[]) => excessBy(baseline, test, REQUESTS);

describe('excess', () => {
  const bins = (count: number, hits: number, trials: number): Bin[] =>
    Array.from({ length: count }, () => ({ hits, trials, seconds: 1 }));

  test('finds the stretch of a fault within quiet seconds', () => {
    const found = excess(bins(30, 0.1, 20), [...bins(5, 0, 20), ...bins(10, 10, 20), ...bins(15, 0, 20)]);
    expect(found).toMatchObject({ first: 5, last: 14, share: 0.5 });
  });

  test('is not a burst that one stall explains', () => {
    expect(excess(bins(30, 0.1, 50), [...bins(10, 0, 50), ...bins(1, 15, 50), ...bins(19, 0, 50)])).toBeNull();
  });

  test('is not what the baseline does as well', () => {
    const bursty = [...bins(10, 0, 20), ...bins(8, 15, 20), ...bins(10, 0, 20)];
    expect(excess(bursty, bursty)).toBeNull();
  });

  test('is not a fall, nor anything where there is nothing to compare with', () => {
    expect(excess(bins(30, 10, 20), bins(30, 0, 20))).toBeNull();
    expect(excess([], bins(30, 10, 20))).toBeNull();
  });

  test('is never found between windows of the same counts', () => {
    const bin = fc.record({ hits: fc.nat(20), trials: fc.constant(20), seconds: fc.constant(1) });
    fc.assert(fc.property(fc.array(bin, { maxLength: 20 }), (same) => expect(excess(same, same)).toBeNull()));
  });
});

describe('silence', () => {
  const bins = (...hits: number[]): Bin[] => hits.map((one) => ({ hits: one, trials: 5, seconds: 1 }));
  const usual = bins(5, 4, 6, 5, 3, 7, 5, 5, 6, 4, 5, 5);

  test('is hardly any events where the baseline expects at least twenty', () => {
    expect(silence(usual, bins(5, 6, 0, 0, 0, 0, 0, 4))).toMatchObject({ first: 2, last: 6, share: 0 });
    expect(silence(usual, bins(5, 6, 0, 0, 0, 5, 5, 4))).toBeNull();
  });

  test('is nothing special where events come in bursts', () => {
    expect(silence(bins(30, 0, 0, 0, 0, 0, 30, 0, 0, 0, 0, 0), bins(30, 0, 0, 0, 0, 0, 0, 30))).toBeNull();
  });
});

test.each([
  ['200', 'fine'],
  ['404', 'fine'],
  ['2xx', 'fine'],
  ['success', 'fine'],
  [null, 'fine'],
  ['503', 'error'],
  ['5xx', 'error'],
  ['failed', 'error'],
  ['INTERNAL', 'error'],
  ['error', 'unanswered'],
  ['timeout', 'unanswered'],
  ['DeadlineExceeded', 'unanswered'],
  ['ECONNREFUSED', 'unanswered'],
  ['0', 'unanswered'],
])('the status %s is %s', (status, means) => {
  expect(outcome(status)).toBe(means);
});
