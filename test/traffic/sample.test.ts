import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { sample } from '../../src/traffic/sample.ts';

const of = (numbers: readonly number[], most: number, seed = 1) => {
  const some = sample<number>(most, seed);
  for (const n of numbers) some.add(n, () => n);
  return some;
};
const upTo = (count: number): number[] => Array.from({ length: count }, (_, n) => n);
const ascending = (a: number, b: number): number => a - b;

describe('a sample', () => {
  test('of no more than it may keep is everything', () => {
    expect(of(upTo(100), 100).kept()).toEqual(upTo(100));
    expect(of(upTo(100), 100).share()).toBe(1);
  });

  test('is the same in whatever order things came, and never more than it may keep', () => {
    const some = fc.uniqueArray(fc.nat(), { maxLength: 300 });
    fc.assert(
      fc.property(some, fc.integer({ min: 1, max: 100 }), fc.maxSafeNat(), (numbers, most, seed) => {
        const [one, other] = [of(numbers, most, seed), of(numbers.toReversed(), most, seed)];
        expect(one.kept().sort(ascending)).toEqual(other.kept().sort(ascending));
        expect(one.share()).toBe(other.share());
        expect(one.kept().length).toBeLessThanOrEqual(most);
      }),
    );
  });

  test('of very many is as large as it says and spread evenly, for numbers that are taken in turn too', () => {
    for (const step of [1, 3, 1000]) {
      const some = of(
        upTo(100_000).map((n) => n * step),
        2000,
      );
      const kept = some.kept().sort(ascending);
      expect(kept.length / 100_000 / some.share()).toBeGreaterThan(0.9);
      expect(kept.length / 100_000 / some.share()).toBeLessThan(1.1);
      expect(kept[Math.floor(kept.length / 2)]! / step / 100_000).toBeCloseTo(0.5, 1);
    }
  });

  test('with another seed is another', () => {
    expect(of(upTo(1000), 100, 1).kept()).not.toEqual(of(upTo(1000), 100, 2).kept());
  });

  test('of one number again and again ends', () => {
    expect(of(Array<number>(200).fill(7), 100).kept()).toEqual([]);
  });
});
