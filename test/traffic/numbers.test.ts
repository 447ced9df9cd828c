import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { numbers } from '../../src/traffic/numbers.ts';

test('each number is new once, however large, in whatever order', () => {
  const some = fc.array(fc.oneof(fc.nat({ max: 100 }), fc.maxSafeNat()));
  fc.assert(
    fc.property(some, (all) => {
      const [were, known] = [numbers(), new Set<number>()];
      for (const n of all) expect(were.add(n)).toBe(!known.has(n) && Boolean(known.add(n)));
    }),
  );
});
