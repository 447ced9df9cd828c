import { describe, expect, test } from '@jest/globals';
import { mostChanged, quantiles, type Role, rates, shares, type Values } from '../../../src/reporters/page/series.ts';
import type { Timeline } from '../../../src/reporters/page/timeline.ts';
import { at, START } from '../stored.ts';

/** Six seconds: two of baseline, one quiet, two of fault, one after it. */
const timeline: Timeline = {
  start: START,
  width: 1,
  bins: 6,
  bands: [],
  baseline: { from: at(0), until: at(2) },
  during: { from: at(3), until: at(5) },
  injected: at(3),
};
const item = (seconds: number, name: string | null, ms = 0) => ({ at: at(seconds), name, ms });
const by = ({ name }: { name: string | null }): string | null => name;

describe('aggregation', () => {
  test('rates count the items of every second, and none as 0', () => {
    const items = [item(0.1, 'a'), item(0.9, 'a'), item(2, 'a'), item(2.5, 'b')];
    expect(Object.fromEntries(rates(timeline, items, by))).toEqual({ a: [2, 0, 1, 0, 0, 0], b: [0, 0, 1, 0, 0, 0] });
  });

  test('wider bins still count per second', () => {
    const wide = { ...timeline, width: 2, bins: 3 };
    expect(rates(wide, [item(0, 'a'), item(1, 'a'), item(1.9, 'a')], by).get('a')).toEqual([1.5, 0, 0]);
  });

  test('items without a name, before the start or after the end are left out', () => {
    expect(rates(timeline, [item(1, null), item(-0.1, 'a'), item(6, 'a')], by).size).toBe(0);
  });

  test('a share is of what is there: a second without items has none', () => {
    const items = [item(0, 'a', 1), item(0.5, 'a', 0), item(4, 'a', 1)];
    expect(shares(timeline, items, by, ({ ms }) => ms > 0).get('a')).toEqual([0.5, null, null, null, 1, null]);
  });

  test('a quantile is of one second, and of one name', () => {
    const items = [item(0, 'a', 10), item(0.1, 'a', 30), item(0.2, 'a', 20), item(0.2, 'b', 99)];
    expect(quantiles(timeline, items, by, ({ ms }) => ms, 0.5).get('a')).toEqual([20, null, null, null, null, null]);
  });
});

describe('the series that are drawn', () => {
  const flat = (value: number): Values => [value, value, value, value, value, value];
  const jump = (before: number, during: number): Values => [before, before, before, during, during, before];
  const names = (all: Map<string, Values>, roles = new Map<string, Role>()): string[] =>
    mostChanged(timeline, all, roles).shown.map(({ name }) => name);

  test('are those that changed most, upwards or downwards, eight at most', () => {
    const all = new Map(Array.from({ length: 20 }, (_, n) => [`s${n}`, jump(100, n % 2 ? 100 + n : 100 - n)]));
    const { shown, omitted } = mostChanged(timeline, all, new Map());
    expect(shown.map(({ name }) => name)).toEqual(['s19', 's18', 's17', 's16', 's15', 's14', 's13', 's12']);
    expect(omitted).toBe(12);
  });

  test('always have the broken and the blamed among them, first', () => {
    const all = new Map([
      ...Array.from({ length: 12 }, (_, n) => [`s${n}`, jump(0, n + 1)] as const),
      ['dull', flat(0)],
    ]);
    const roles = new Map<string, Role>([['dull', 'broken']]);
    expect(names(all, roles)[0]).toBe('dull');
    expect(names(all, roles)).toHaveLength(8);
  });

  test('a series that ends with the fault has changed', () => {
    expect(
      names(
        new Map([
          ['flat', flat(5)],
          ['gone', [5, 5, 5, null, null, null]],
        ]),
      ),
    ).toEqual(['gone', 'flat']);
  });

  test('means are of whole seconds in the baseline and in the fault', () => {
    const { shown } = mostChanged(timeline, new Map([['a', [1, 3, 99, 10, 20, 99]]]), new Map());
    expect(shown[0]).toMatchObject({ before: 2, during: 15 });
  });
});
