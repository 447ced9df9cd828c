import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Arrivals, arrivals as arriving } from '../../src/traffic/arrivals.ts';
import { random } from '../../src/traffic/random.ts';

const arrivals = (...of: Parameters<typeof arriving>): number[] => [...arriving(...of)];
const process = fc.oneof(
  fc.constant<Arrivals>('constant'),
  fc.constant<Arrivals>('poisson'),
  fc.record({ rampTo: fc.double({ min: 0, max: 200, noNaN: true }) }),
);
const rate = fc.double({ min: 0.5, max: 200, noNaN: true });
const seconds = fc.double({ min: 0.5, max: 20, noNaN: true });

describe('arrivals', () => {
  test('are ascending, within the time, and the same for the same seed', () => {
    fc.assert(
      fc.property(process, rate, seconds, fc.nat(), (how, perSecond, long, seed) => {
        const times = arrivals(how, perSecond, long, random(seed, 0));
        expect(times.every((at, i) => at >= 0 && at < long * 1000 && at >= (times[i - 1] ?? 0))).toBe(true);
        expect(arrivals(how, perSecond, long, random(seed, 0))).toEqual(times);
      }),
    );
  });

  test('as many come as the rates promise: evenly to one, by Poisson within six standard deviations', () => {
    fc.assert(
      fc.property(process, rate, seconds, fc.nat(), (how, perSecond, long, seed) => {
        const last = typeof how === 'object' ? how.rampTo : perSecond;
        const expected = ((perSecond + last) / 2) * long;
        const spread = how === 'poisson' ? 3 + 6 * Math.sqrt(expected) : 1;
        expect(Math.abs(arrivals(how, perSecond, long, random(seed, 0)).length - expected)).toBeLessThanOrEqual(spread);
      }),
    );
  });

  test('constant ones are spaced alike and begin at once', () => {
    expect(arrivals('constant', 4, 1, random(1, 0))).toEqual([0, 250, 500, 750]);
  });

  test('a ramp from nothing has its nth arrival where the area under the rate is n', () => {
    const times = arrivals({ rampTo: 8 }, 0, 2, random(1, 0));
    expect(times.map((at) => Math.round(2 * (at / 1000) ** 2 * 1e6) / 1e6)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test('Poisson gaps are memoryless: their standard deviation is their mean', () => {
    const times = arrivals('poisson', 100, 200, random(7, 0));
    const gaps = times.map((at, i) => at - (times[i - 1] ?? 0));
    const mean = gaps.reduce((a, b) => a + b) / gaps.length;
    const deviation = Math.sqrt(gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0) / gaps.length);
    expect(mean).toBeCloseTo(10, 0);
    expect(deviation / mean).toBeGreaterThan(0.95);
    expect(deviation / mean).toBeLessThan(1.05);
  });
});

describe('random', () => {
  test('is sfc32: the first outputs for the seed 1 of stream 2 are those of the published algorithm', () => {
    const next = random(1, 2);
    expect([next(), next(), next()].map((uniform) => uniform * 2 ** 32)).toEqual(reference(1, 0, 2, 3));
  });

  test('streams of a seed and seeds of a stream differ', () => {
    const first = (seed: number, stream: number): number => random(seed, stream)();
    expect(new Set([first(1, 0), first(1, 1), first(2, 0), first(2 ** 32 + 1, 0)]).size).toBe(4);
  });

  test('is uniform: no tenth of the range is preferred', () => {
    const next = random(99, 0);
    const bins = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) bins[Math.floor(next() * 10)]! += 1;
    // Chi-squared of 9 degrees of freedom: above 33.7 once in ten thousand seeds.
    expect(bins.reduce((sum, count) => sum + (count - 10_000) ** 2 / 10_000, 0)).toBeLessThan(33.7);
  });
});

/** PractRand's sfc32 in 64-bit integers, as published: out = a + b + counter++, rotations 21, shifts 9 and 3. */
const reference = (lo: number, hi: number, stream: number, count: number): number[] => {
  const M = 0xffffffffn;
  let [a, b, c, counter] = [BigInt(lo), BigInt(hi), BigInt(stream), 1n];
  const outs: number[] = [];
  for (let i = 0; i < 12 + count; i++) {
    const out = (a + b + counter) & M;
    counter = (counter + 1n) & M;
    a = b ^ (b >> 9n);
    b = (c + ((c << 3n) & M)) & M;
    c = ((((c << 21n) & M) | (c >> 11n)) + out) & M;
    if (i >= 12) outs.push(Number(out));
  }
  return outs;
};
