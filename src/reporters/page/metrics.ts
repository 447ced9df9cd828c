// What metrics show. Counters become rates: a rise between two scrapes is spread evenly over the time between them.

import { type Rise, rises, spacing } from '../../layers/metrics/rises.ts';
import { outcome } from '../../layers/metrics/views.ts';
import { edge, type Nanos, type SampleItem, service, type Topology, type Window } from '../../model.ts';
import { SECOND } from '../../time.ts';
import { type Chart, chart, type Unit } from './chart.ts';
import type { Named, Roles, Values } from './series.ts';
import { secondsIn, type Timeline } from './timeline.ts';

type Key = (item: SampleItem) => string | null;

export const metricCharts = (
  timeline: Timeline,
  samples: readonly SampleItem[],
  topology: Topology,
  roles: Roles,
): Chart[] => {
  const items = samples.filter(({ value }) => Number.isFinite(value)).sort((a, b) => (a.at < b.at ? -1 : 1));
  const all = risesOf(timeline, items, topology);
  const drawn = (title: string, says: string, unit: Unit, named: Named): Chart[] =>
    chart(timeline, { title, says, unit }, named, roles);
  return [
    ...drawn('Requests', 'Served, by service.', '/s', spread(timeline, all, of('requests', byService))),
    ...drawn('Errors', 'Served with a failure, by service.', '/s', failures(timeline, all, 'requests', byService)),
    ...drawn(
      'Failed calls',
      'By who called whom, as the caller counts.',
      '/s',
      failures(timeline, all, 'clientRequests', byEdge),
    ),
    ...drawn('Time to serve', 'Mean, by service.', 'ms', means(timeline, all, 'duration', byService)),
    ...drawn(
      'Time of calls',
      'Mean, by who called whom, as the caller measures.',
      'ms',
      means(timeline, all, 'clientDuration', byEdge),
    ),
    ...drawn('Up', 'Pods whose last scrape succeeded, by service.', 'pods', up(timeline, items)),
  ];
};

/** A rise over more than three scrapes says that something rose, but not when: it is left out. */
const MOST_SCRAPES = 3n;

const risesOf = (
  { start, baseline, bins, width }: Timeline,
  items: readonly SampleItem[],
  topology: Topology,
): Rise[] => {
  const end = start + BigInt(bins * width) * SECOND;
  const within = (window: Window) => ({
    window,
    items: items.filter(({ at }) => at >= window.from && at < window.until),
  });
  const all = rises({
    baseline: within({ from: start, until: baseline.until }),
    test: within({ from: baseline.until, until: end }),
    topology,
  });
  const every = spacing(items);
  return all.filter(({ from, at }) => at - from <= MOST_SCRAPES * every);
};

const byService: Key = (item) => service(item.service);
const byEdge: Key = (item) => (item.peer === null ? null : edge(item.service, item.peer));
const bad = ({ status }: SampleItem): boolean => outcome(status) !== 'fine';

const of =
  (metric: SampleItem['metric'], key: Key, which: (item: SampleItem) => boolean = () => true): Key =>
  (item) =>
    item.metric === metric && which(item) ? key(item) : null;

/** What rose, per second. Bins that no scrape covers stay empty. */
const spread = (timeline: Timeline, all: readonly Rise[], key: Key): Named => {
  const found = new Map<string, (number | null)[]>();
  for (const { from, at, by, item } of all) {
    const name = key(item);
    if (name === null) continue;
    const values = found.get(name) ?? new Array<number | null>(timeline.bins).fill(null);
    found.set(name, values);
    for (const { bin, share } of parts(timeline, from, at))
      values[bin] = (values[bin] ?? 0) + (by * share) / timeline.width;
  }
  return found;
};

/** The bins between two instants, each with its share of the time. */
const parts = (timeline: Timeline, from: Nanos, at: Nanos): { readonly bin: number; readonly share: number }[] => {
  const [first, last] = [secondsIn(timeline, from) / timeline.width, secondsIn(timeline, at) / timeline.width];
  const begin = Math.max(0, Math.floor(first));
  const end = Math.min(timeline.bins, Math.ceil(last));
  return Array.from({ length: Math.max(0, end - begin) }, (_, n) => {
    const bin = begin + n;
    return { bin, share: (Math.min(bin + 1, last) - Math.max(bin, first)) / (last - first) };
  });
};

/** A counter of failures often begins with the first failure: before that, where others were counted, there was none. */
const failures = (timeline: Timeline, all: readonly Rise[], metric: 'requests' | 'clientRequests', key: Key): Named => {
  const counted = spread(timeline, all, of(metric, key));
  const failed = spread(timeline, all, of(metric, key, bad));
  const each = (name: string, values: Values) =>
    values.map((value, bin) => value ?? ((counted.get(name)?.[bin] ?? null) === null ? null : 0));
  return new Map([...failed].map(([name, values]) => [name, each(name, values)]));
};

/** Milliseconds each, from a histogram's sum and count; nothing where nothing was counted. */
const means = (timeline: Timeline, all: readonly Rise[], metric: 'duration' | 'clientDuration', key: Key): Named => {
  const sums = spread(timeline, all, of(`${metric}Sum`, key));
  const counts = spread(timeline, all, of(`${metric}Count`, key));
  const each = (name: string, values: Values) =>
    values.map((sum, bin) => {
      const count = counts.get(name)?.[bin] ?? 0;
      return sum !== null && count > 0 ? (1000 * sum) / count : null;
    });
  return new Map([...sums].map(([name, values]) => [name, each(name, values)]));
};

/** A scrape counts until the next one is overdue; a pod that is scraped no more is not up. */
const up = (timeline: Timeline, items: readonly SampleItem[]): Named => {
  const scraped = items.filter(({ metric }) => metric === 'up');
  const patience = (Number(spacing(scraped)) / 1e9) * 1.5;
  const services = Map.groupBy(scraped, (item) => service(item.service));
  return new Map([...services].map(([name, samples]) => [name, podsUp(timeline, samples, patience)]));
};

/** Nothing is known before the first scrape. */
const podsUp = (timeline: Timeline, samples: readonly SampleItem[], patience: number): Values => {
  const pods = [...Map.groupBy(samples, ({ series }) => series).values()];
  const first = secondsIn(timeline, samples[0]!.at);
  return Array.from({ length: timeline.bins }, (_, bin) => {
    if ((bin + 1) * timeline.width <= first) return null;
    return pods.reduce((sum, pod) => sum + lastValue(timeline, pod, bin, patience), 0);
  });
};

const lastValue = (timeline: Timeline, samples: readonly SampleItem[], bin: number, patience: number): number => {
  const end = (bin + 1) * timeline.width;
  const last = samples.findLast(({ at }) => secondsIn(timeline, at) < end);
  return last && secondsIn(timeline, last.at) >= end - timeline.width - patience ? last.value : 0;
};
