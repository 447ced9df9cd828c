// Cumulative counters turned into rises: by how much each series rose from one scrape to the next.
import { medianSorted } from 'simple-statistics';
import type { Blind, Nanos, SampleItem } from '../../model.ts';
import { SECOND } from '../../time.ts';

/** A counter rose `by` between two scrapes, `from` and `at`; `item` is the later sample. */
export type Rise = { readonly from: Nanos; readonly at: Nanos; readonly by: number; readonly item: SampleItem };

const GAUGES: ReadonlySet<SampleItem['metric']> = new Set(['up', 'started', 'memory']);

export const podOf = ({ service, pod }: SampleItem): string => `${service} ${pod ?? ''}`;

export const groupBy = <K, V>(values: Iterable<V>, key: (value: V) => K): Map<K, V[]> => {
  const groups = new Map<K, V[]>();
  for (const value of values) {
    const group = groups.get(key(value));
    if (group) group.push(value);
    else groups.set(key(value), [value]);
  }
  return groups;
};

/** The smallest and the largest of some times; at least one must be given. */
export const smallest = (...times: Nanos[]): Nanos => times.sort((a, b) => Number(a - b))[0]!;
export const largest = (...times: Nanos[]): Nanos => times.sort((a, b) => Number(a - b)).at(-1)!;

/** The median time between two samples of one series: the scrape interval, as far as this layer can tell. */
export const spacing = (items: readonly SampleItem[]): Nanos => {
  const gaps: number[] = [];
  for (const one of groupBy(
    items.filter(({ le }) => le === null),
    ({ series }) => series,
  ).values())
    for (let i = 1; i < one.length; i++) gaps.push(Number(one[i]!.at - one[i - 1]!.at));
  return gaps.length === 0 ? SECOND : BigInt(Math.round(medianSorted(gaps.sort((a, b) => a - b))));
};

/**
 * Every rise of every counter, ordered by time. A counter that fell was reset: it rose from 0. A series that appears
 * while its pod was already showing that metric (a first 500), or on a pod that is itself new in the test window, rose from 0 too:
 * left out, the first burst of a fault would be invisible.
 */
export const rises = ({ baseline, test }: Blind<SampleItem>): Rise[] => {
  const counters = [...baseline.items, ...test.items].filter(({ metric }) => !GAUGES.has(metric));
  const scrapes = groupBy(counters, (item) => `${item.metric} ${podOf(item)}`);
  const oldPods = new Set(baseline.items.map(podOf));
  const found: Rise[] = [];
  for (const samples of groupBy(counters, ({ series }) => series).values()) {
    const [first] = samples;
    const before = previous(scrapes.get(`${first!.metric} ${podOf(first!)}`)!, first!.at);
    const from = before ?? (oldPods.has(podOf(first!)) ? null : test.window.from);
    if (from !== null && first!.at > from) found.push({ from, at: first!.at, by: first!.value, item: first! });
    for (let i = 1; i < samples.length; i++) found.push(rise(samples[i - 1]!, samples[i]!));
  }
  return found.sort((a, b) => Number(a.at - b.at));
};

const rise = (before: SampleItem, item: SampleItem): Rise => ({
  from: before.at,
  at: item.at,
  by: item.value >= before.value ? item.value - before.value : item.value,
  item,
});

/** The time of the last scrape before `at`; the samples are ordered by time. */
const previous = (samples: readonly SampleItem[], at: Nanos): Nanos | null => {
  let low = 0;
  for (let high = samples.length; low < high; ) {
    const middle = (low + high) >> 1;
    if (samples[middle]!.at < at) low = middle + 1;
    else high = middle;
  }
  return samples[low - 1]?.at ?? null;
};
