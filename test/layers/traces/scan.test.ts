import { describe, expect, test } from '@jest/globals';
import { burst, newBurst, type Outcome, usualRate } from '../../../src/layers/traces/scan.ts';
import { random } from './simulate.ts';

/** `perSecond` outcomes a second over a minute; `bad` decides by time and luck. */
const minute = (seed: number, perSecond: number, bad: (t: number, luck: number) => boolean): Outcome[] => {
  const next = random(seed);
  const all: Outcome[] = [];
  const gap = (): number => (-1000 / perSecond) * Math.log(1 - next());
  for (let t = gap(); t < 60_000; t += gap()) all.push({ t, bad: bad(t, next()) });
  return all;
};

describe('burst', () => {
  test('the usual rate makes no burst, on any of three hundred seeds', () => {
    const found = Array.from({ length: 300 }, (_, seed) =>
      burst(
        minute(seed, 20, (_t, luck) => luck < 0.01),
        0.01,
        1,
      ),
    );
    expect(found.filter((one) => one !== null)).toEqual([]);
  });

  test('three seconds of failures in a minute are found, and when', () => {
    const found = burst(
      minute(7, 10, (t, luck) => (t >= 20_000 && t < 23_000) || luck < 0.005),
      0.01,
      1,
    );
    expect(found?.from).toBeGreaterThanOrEqual(19_000);
    expect(found?.from).toBeLessThan(20_500);
    expect(found?.until).toBeGreaterThan(22_500);
    expect(found?.until).toBeLessThan(24_000);
    expect(found?.badShare).toBeGreaterThan(0.8);
  });

  test('a third of the calls failing is found as well', () => {
    const found = burst(
      minute(3, 20, (t, luck) => t >= 30_000 && t < 40_000 && luck < 0.33),
      0.01,
      1,
    );
    expect(found?.badShare).toBeGreaterThan(0.2);
    expect(found?.badShare).toBeLessThan(0.5);
  });

  test('all calls of one pause are not enough, however many they are', () => {
    expect(
      burst(
        minute(5, 200, (t) => t >= 30_000 && t < 30_300),
        0.01,
        1,
      ),
    ).toBeNull();
  });

  test('a rate that has always been high is no news', () => {
    expect(
      burst(
        minute(9, 20, (_t, luck) => luck < 0.4),
        0.4,
        1,
      ),
    ).toBeNull();
  });

  test('nothing at all is no burst', () => expect(burst([], 0.01, 1)).toBeNull());
});

describe('newBurst', () => {
  const outage = (seed: number) => minute(seed, 20, (t) => t >= 20_000 && t < 25_000);

  test('an outage like one of the baseline is no news', () =>
    expect(newBurst(outage(1), outage(2), 0.01, 1)).toBeNull());
  test('an outage after a clean baseline is', () =>
    expect(
      newBurst(
        minute(1, 20, () => false),
        outage(2),
        0.01,
        1,
      ),
    ).not.toBeNull());
});

describe('usualRate', () => {
  const clean = (n: number) => Array.from({ length: n }, (_, t) => ({ t, bad: false }));

  test('a clean but short baseline does not promise a clean future', () => expect(usualRate(clean(8), 0.01)).toBe(0.1));
  test('a clean and long baseline is never taken for perfect', () => expect(usualRate(clean(9999), 0.01)).toBe(0.01));
});
