import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { ahead, type Reading, skewOf } from '../../../src/targets/kubernetes/worker-clock.ts';
import { fromMs } from '../../../src/time.ts';

const NOW = 1_800_000_000_000_000_000n;

/** Readings of a clock that is `skew` ahead: asked for now, each taken and then on its way for so long. */
const readings = (skew: number, ways: readonly { up: number; down: number }[]): [Reading, ...Reading[]] =>
  ways.map(({ up, down }) => ({
    theirs: NOW + fromMs(up + skew),
    arrived: NOW + fromMs(up + down),
  })) as [Reading, ...Reading[]];

const way = fc.record({ up: fc.integer({ min: 0, max: 900 }), down: fc.integer({ min: 0, max: 900 }) });

test('the true difference of the clocks lies within the bounds, whatever the ways took', () => {
  fc.assert(
    fc.property(fc.integer({ min: -100_000, max: 100_000 }), fc.array(way, { minLength: 1 }), (skew, ways) => {
      const { atLeast, atMost } = skewOf(NOW, readings(skew, ways));
      expect(atLeast).toBeLessThanOrEqual(fromMs(skew));
      expect(atMost).toBeGreaterThanOrEqual(fromMs(skew));
    }),
  );
});

test('clocks that may be the same are left as they are', () => {
  expect(ahead(skewOf(NOW, readings(20, [{ up: 90, down: 30 }])))).toBe(0n);
});

test.each([5000, -5000])(
  'clocks that surely differ are corrected but for the quickest way of a reading: %d ms',
  (skew) => {
    const ways = [
      { up: 90, down: 40 },
      { up: 100, down: 3 },
    ];
    expect(ahead(skewOf(NOW, readings(skew, ways)))).toBe(fromMs(skew - 3));
  },
);
