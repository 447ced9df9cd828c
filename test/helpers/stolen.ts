// What the host of this machine gives to others: Linux tells it, by /proc/stat.
import { readFileSync } from 'node:fs';

/** Ticks of all cores together, and then of each, by what they went to; proc_stat(5). */
const ticks = (): number[][] =>
  readFileSync('/proc/stat', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('cpu'))
    .map((line) => line.split(/\s+/).slice(1, 9).map(Number));

const STEAL = 7;

/** From now until asked: the share of time that the host gave to others, of all cores together and then of each. */
export const watchStolen = (): (() => number[]) => {
  const before = ticks();
  return () =>
    ticks().map((row, r) => {
      const spent = row.map((count, i) => count - before[r]![i]!);
      return (
        spent[STEAL]! /
        Math.max(
          1,
          spent.reduce((sum, count) => sum + count, 0),
        )
      );
    });
};
