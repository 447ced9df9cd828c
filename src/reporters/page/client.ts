// The client's own view: what users got, whatever any layer says.
import { quantile } from 'simple-statistics';
import type { Bin, Bins, Timing } from '../../traffic/bins.ts';
import { type Chart, chart, type LineChart } from './chart.ts';
import { described, type Values } from './series.ts';
import type { Timeline } from './timeline.ts';

export const clientCharts = (timeline: Timeline, { outcomes, bins }: Bins): Chart[] => {
  const about = { title: 'Requests by outcome', says: 'By the time when each was due.', unit: '/s' } as const;
  const rates = [...outcomes].map(([name, counts]) => [name, counts.map((count) => count / timeline.width)] as const);
  return [
    ...chart(timeline, about, new Map(rates), new Map()),
    ...latency(timeline, bins),
    ...lateness(timeline, bins),
  ];
};

const quantiles = (bins: readonly Bin[], of: (bin: Bin) => readonly number[], q: number): Values =>
  bins.map((bin) => {
    const values = of(bin);
    return values.length > 0 ? quantile([...values], q) : null;
  });

const latency = (timeline: Timeline, bins: readonly Bin[]): LineChart[] => {
  const of = (q: number, key: keyof Timing): Values =>
    quantiles(bins, ({ timings }) => timings.map((timing) => timing[key]), q);
  return charted({
    title: 'Latency',
    says: 'From the time when a request was due; the last line counts from when it was really sent. Where the two part, the client itself was late, and a client that had waited for answers would have hidden it (coordinated omission).',
    series: [
      described(timeline, 'p50', of(0.5, 'latencyMs')),
      described(timeline, 'p95', of(0.95, 'latencyMs')),
      described(timeline, 'p99', of(0.99, 'latencyMs')),
      described(timeline, 'p99 from sending', of(0.99, 'serviceMs')),
    ],
  });
};

const lateness = (timeline: Timeline, bins: readonly Bin[]): LineChart[] =>
  charted({
    title: 'Scheduling error',
    says: 'How late requests left, against the plan: the client’s own trouble, not the platform’s.',
    series: [
      described(
        timeline,
        'median',
        quantiles(bins, ({ late }) => late, 0.5),
      ),
      described(
        timeline,
        'worst',
        bins.map(({ latest }) => latest),
      ),
    ],
  });

/** Nothing when there is nothing to show. */
const charted = (one: Pick<LineChart, 'title' | 'says' | 'series'>): LineChart[] =>
  one.series.some(({ values }) => values.some((value) => value !== null))
    ? [{ kind: 'lines', unit: 'ms', omitted: 0, ...one }]
    : [];
