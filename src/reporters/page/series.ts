// Events turned into series of one value a bin, and the choice of those worth a picture. Pure.
import { mean, quantile } from 'simple-statistics';
import type { Nanos, Window } from '../../model.ts';
import { binOf, secondsIn, type Timeline } from './timeline.ts';

/** One value a bin; null: nothing to go by. */
export type Values = readonly (number | null)[];
/** Series by what they are about: a Ref, or any other name. */
export type Named = ReadonlyMap<string, Values>;

/** Why a series matters whatever it shows: the fault was there, the layer blames it, or it is an end of such an edge. */
export type Role = 'broken and blamed' | 'broken' | 'blamed' | 'near';
/** By name of series. */
export type Roles = ReadonlyMap<string, Role>;

export type Series = {
  readonly name: string;
  readonly values: Values;
  readonly role: Role | null;
  /** Means of the baseline and of the time of the fault; null where there is no value. */
  readonly before: number | null;
  readonly during: number | null;
};

type Timed = { readonly at: Nanos };
type Key<T> = (item: T) => string | null;

/** Items of one key, bin by bin. Items without a key, and those outside of the timeline, are left out. */
const binned = <T extends Timed>(timeline: Timeline, items: readonly T[], key: Key<T>): Map<string, T[][]> => {
  const found = new Map<string, T[][]>();
  for (const item of items) {
    const [name, bin] = [key(item), binOf(timeline, item.at)];
    if (name === null || bin === null) continue;
    const bins = found.get(name) ?? Array.from({ length: timeline.bins }, () => []);
    found.set(name, bins);
    bins[bin]!.push(item);
  }
  return found;
};

const reduced = <T>(bins: ReadonlyMap<string, T[][]>, value: (items: readonly T[]) => number | null): Named =>
  new Map([...bins].map(([name, each]) => [name, each.map(value)]));

/** How many a second. */
export const rates = <T extends Timed>(timeline: Timeline, items: readonly T[], key: Key<T>): Named =>
  reduced(binned(timeline, items, key), ({ length }) => length / timeline.width);

/** The share of items that are bad; null in bins without items. */
export const shares = <T extends Timed>(
  timeline: Timeline,
  items: readonly T[],
  key: Key<T>,
  bad: (item: T) => boolean,
): Named =>
  reduced(binned(timeline, items, key), (each) => (each.length > 0 ? each.filter(bad).length / each.length : null));

/** The quantile `q` of the items' values; null in bins without items. */
export const quantiles = <T extends Timed>(
  timeline: Timeline,
  items: readonly T[],
  key: Key<T>,
  value: (item: T) => number,
  q: number,
): Named => reduced(binned(timeline, items, key), (each) => (each.length > 0 ? quantile(each.map(value), q) : null));

const SHOWN = 8;

const RANKS: readonly (Role | null)[] = ['broken and blamed', 'blamed', 'broken', 'near', null];

/**
 * The series that changed most between the baseline and the time of the fault, by the difference of their means, a missing mean
 * counting as 0; those that have a role come first and are always among them. Eight, unless more have a role.
 */
export const mostChanged = (
  timeline: Timeline,
  all: Named,
  roles: Roles,
): { readonly shown: readonly Series[]; readonly omitted: number } => {
  const series = [...all].map(([name, values]) => described(timeline, name, values, roles.get(name)));
  const change = ({ before, during }: Series): number => Math.abs((during ?? 0) - (before ?? 0));
  const rank = ({ role }: Series): number => RANKS.indexOf(role);
  series.sort((a, b) => rank(a) - rank(b) || change(b) - change(a) || (a.name < b.name ? -1 : 1));
  const shown = series.filter(({ role }, n) => role !== null || n < SHOWN);
  return { shown, omitted: series.length - shown.length };
};

export const described = (timeline: Timeline, name: string, values: Values, role: Role | null = null): Series => ({
  name,
  values: values.map(short),
  role,
  before: meanIn(timeline, values, timeline.baseline),
  during: meanIn(timeline, values, timeline.during),
});

/** Of the bins that lie wholly in the window; of those that touch it, when none does. */
const meanIn = (timeline: Timeline, values: Values, { from, until }: Window): number | null => {
  const first = secondsIn(timeline, from) / timeline.width;
  const end = secondsIn(timeline, until) / timeline.width;
  const whole = values.slice(Math.max(0, Math.ceil(first)), Math.max(0, Math.floor(end)));
  const touched = values.slice(Math.max(0, Math.floor(first)), Math.max(0, Math.ceil(end)));
  const there = (whole.length > 0 ? whole : touched).filter((value) => value !== null);
  return there.length > 0 ? mean(there) : null;
};

/** Four digits are more than a picture shows, and keep the page small. */
const short = (value: number | null): number | null => (value === null ? null : Number(value.toPrecision(4)));
