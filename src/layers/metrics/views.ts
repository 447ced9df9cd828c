// Views: what a service says of the requests it served, and what a caller says of the calls it made, in bins of time.
import type { Blind, Nanos, SampleItem, Window } from '../../model.ts';
import { SECOND } from '../../time.ts';
import { groupBy, largest, podOf, type Rise, rises, spacing } from './rises.ts';

/** One bin of one view. Times are in seconds; `over` counts the requests that took longer than each limit. */
export type Slice = {
  /** The first scrape in the bin; null when there was none. */
  readonly at: Nanos | null;
  readonly seconds: number;
  /** Time that scrapes cover, summed over pods. */
  readonly covered: number;
  readonly requests: number;
  /** Ended without any answer: a timeout, a refusal. */
  readonly unanswered: number;
  /** Answered with an error. */
  readonly errors: number;
  readonly time: number;
  readonly timed: number;
  readonly answeredTime: number;
  readonly answeredTimed: number;
  readonly bucketed: number;
  readonly over: ReadonlyMap<string, number>;
  readonly samples: readonly SampleItem[];
};

/** The server view of `service` (`peer` null), or its client view of `peer`. */
export type View = {
  readonly service: string;
  readonly peer: string | null;
  readonly baseline: readonly Slice[];
  readonly test: readonly Slice[];
};

export type Views = { readonly server: ReadonlyMap<string, View>; readonly client: readonly View[] };

const MOST_BINS = 40n;

/**
 * All views of the evidence. Bins are as wide as the scrape interval, but at least a second and at most 40 to the
 * longer window.
 */
export const views = (input: Blind<SampleItem>): Views => {
  const every = spacing([...input.baseline.items, ...input.test.items]);
  const longest = [input.baseline.window, input.test.window].map(({ from, until }) => until - from);
  const width = largest(every, SECOND, ...longest.map((length) => length / MOST_BINS));
  // A rise over more than a few scrapes that began before the test window says little of the test window.
  const told = rises(input).filter(
    ({ from, at }) => from >= input.test.window.from || at < input.test.window.from || at - from <= 3n * every,
  );
  const all = [...groupBy(told.filter(isRequest), viewKey).values()].map((group) => view(input, width, group));
  return {
    server: new Map(all.filter(({ peer }) => peer === null).map((one) => [one.service, one])),
    client: all.filter(({ peer }) => peer !== null),
  };
};

const isRequest = ({ item }: Rise): boolean =>
  item.metric !== 'cpu' && (item.peer !== null) === item.metric.startsWith('client');
const viewKey = ({ item }: Rise): string => `${item.service} ${item.peer ?? ''}`;

const view = ({ baseline, test }: Blind<SampleItem>, width: Nanos, group: readonly Rise[]): View => {
  const counted = group.some(({ item }) => /equests$/.test(item.metric)) ? /equests$/ : /urationCount$/;
  const { service, peer } = group[0]!.item;
  const slices = (window: Window): Slice[] => {
    const inside = group.filter(({ at }) => at >= window.from && at < window.until);
    const bins = groupBy(inside, ({ at }) => (at - window.from) / width);
    const count = (window.until - window.from + width - 1n) / width;
    return Array.from({ length: Number(count) }, (_, i) => slice(bins.get(BigInt(i)) ?? [], width, counted));
  };
  return { service, peer, baseline: slices(baseline.window), test: slices(test.window) };
};

const slice = (inside: readonly Rise[], width: Nanos, counted: RegExp): Slice => {
  const sum = (which: (item: SampleItem) => boolean): number =>
    inside.reduce((total, { item, by }) => (which(item) ? total + by : total), 0);
  const requests = (item: SampleItem): boolean => counted.test(item.metric);
  const time = ({ metric }: SampleItem): boolean => metric.endsWith('urationSum');
  const timed = ({ metric }: SampleItem): boolean => metric.endsWith('urationCount');
  const bucketed = sum(({ le }) => le === 'Infinity');
  const limits = new Set(inside.flatMap(({ item }) => item.le ?? []));
  return {
    at: inside[0]?.at ?? null,
    seconds: Number(width) / 1e9,
    covered: coverage(inside.filter(({ item }) => requests(item))),
    requests: sum(requests),
    unanswered: sum((item) => requests(item) && outcome(item.status) === 'unanswered'),
    errors: sum((item) => requests(item) && outcome(item.status) === 'error'),
    time: sum(time),
    timed: sum(timed),
    answeredTime: sum((item) => time(item) && outcome(item.status) !== 'unanswered'),
    answeredTimed: sum((item) => timed(item) && outcome(item.status) !== 'unanswered'),
    bucketed,
    over: new Map([...limits].map((limit) => [limit, bucketed - sum(({ le }) => le === limit)])),
    samples: inside.map(({ item }) => item),
  };
};

/** Pods are scraped one by one: each scrape covers the time since the one before, once for all statuses. */
const coverage = (inside: readonly Rise[]): number => {
  const scrapes = new Map(inside.map(({ from, at, item }) => [`${podOf(item)} ${at}`, Number(at - from) / 1e9]));
  return [...scrapes.values()].reduce((sum, one) => sum + one, 0);
};

/**
 * What a status label says. Numbers are HTTP's: 5xx is an error, 0 means that no answer came. Of words, those of a
 * call that got no answer, and those of a failure (gRPC's code names among them).
 */
export const outcome = (status: string | null): 'fine' | 'error' | 'unanswered' => {
  if (status === null) return 'fine';
  if (/^5(\d\d|xx)$/i.test(status)) return 'error';
  if (/^0+$|error|time(d)?[ _-]?out|refused|reset|unreachable|unavailable|deadline|no[ _-]?answer|abort/i.test(status))
    return 'unanswered';
  return /fail|exception|internal|unknown|data_?loss|server/i.test(status) ? 'error' : 'fine';
};
