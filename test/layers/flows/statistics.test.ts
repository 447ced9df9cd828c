import { describe, expect, test } from '@jest/globals';
import { binomialHead, fisherTail, type Mark, rise } from '../../../src/layers/flows/statistics.ts';
import { every, ms } from './builders.ts';

const marks = (from: number, until: number, bad: (at: number) => boolean): Mark[] =>
  every(250, from, until, (at) => [{ at: ms(at), bad: bad(at), ids: [String(at)] }]);
const WINDOW = { from: ms(30_000), until: ms(60_000) };
const never = () => false;

describe('exact tails', () => {
  test("Fisher's tea tasting: all four cups right has a chance of 1 in 70", () => {
    expect(fisherTail(4, 4, 4, 8)).toBeCloseTo(1 / 70, 10);
    expect(fisherTail(3, 4, 4, 8)).toBeCloseTo(17 / 70, 10);
    expect(fisherTail(0, 4, 4, 8)).toBeCloseTo(1, 10);
  });

  test('two heads or fewer of four fair throws: 11 of 16', () => {
    expect(binomialHead(2, 4, 0.5)).toBeCloseTo(11 / 16, 10);
    expect(binomialHead(3, 4, 1)).toBe(0);
  });
});

describe('rise', () => {
  test('finds a symptom of a third of the window, where it began and where it ended', () => {
    const found = rise(
      marks(0, 30_000, never),
      marks(30_000, 60_000, (at) => at >= 40_000 && at < 50_000),
      WINDOW,
    );
    expect(found).toMatchObject({ before: 0, since: ms(40_000), until: ms(49_750) });
    expect(found!.evidence).toHaveLength(10);
  });

  test('many bad tries within two seconds are one pause, not a rise', () => {
    expect(
      rise(
        marks(0, 30_000, never),
        marks(30_000, 60_000, (at) => at >= 40_000 && at < 42_000),
        WINDOW,
      ),
    ).toBeNull();
  });

  test('what was as bad before has not risen', () => {
    const often = (at: number): boolean => at % 1000 === 0;
    expect(rise(marks(0, 30_000, often), marks(30_000, 60_000, often), WINDOW)).toBeNull();
  });

  test('without a baseline nothing can rise', () => {
    expect(
      rise(
        [],
        marks(30_000, 60_000, () => true),
        WINDOW,
      ),
    ).toBeNull();
  });
});
