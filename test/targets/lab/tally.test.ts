import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { tally } from '../../../src/targets/lab/tally.ts';

const told = (counts: readonly number[]): [number, string][] => {
  const said: [number, string][] = [];
  const counting = tally((total, why) => said.push([total, why]));
  for (const [i, n] of counts.entries()) counting.add(n, `reason ${i}`);
  counting.end();
  return said;
};

test('the first failure is told at once, the next when they have doubled, and the last total at the end', () => {
  expect(told([1, 1, 1, 1, 1])).toEqual([
    [1, 'reason 0'],
    [2, 'reason 1'],
    [4, 'reason 3'],
    [5, 'reason 4'],
  ]);
});

test('nothing is told when nothing failed', () => {
  expect(told([])).toEqual([]);
});

test('however many fail, the total is told last and exactly, in few lines', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 500 }), (counts) => {
      const total = counts.reduce((a, b) => a + b, 0);
      const said = told(counts);
      expect(said.at(-1)![0]).toBe(total);
      expect(said.length).toBeLessThanOrEqual(Math.log2(total) + 2);
    }),
  );
});
