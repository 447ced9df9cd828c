// The client's own view: what users got, whatever any layer says.
import { fromIso } from '../../time.ts';
import { type LedgerRecord, untold } from '../../traffic/ledger.ts';
import { measured } from '../../traffic/summary.ts';
import { type Chart, chart, type LineChart } from './chart.ts';
import { described, quantiles, rates, type Values } from './series.ts';
import type { Timeline } from './timeline.ts';

type Timed = LedgerRecord & { readonly at: bigint };

export const clientCharts = (timeline: Timeline, ledger: readonly LedgerRecord[]): Chart[] => {
  const intended = ledger
    .filter((record) => !untold(record))
    .map((record) => ({ ...record, at: fromIso(record.intended) }));
  const outcomes = { title: 'Requests by outcome', says: 'By the time when each was due.', unit: '/s' } as const;
  return [
    ...chart(timeline, outcomes, rates(timeline, intended, outcome), new Map()),
    ...latency(timeline, intended.filter(measured)),
    ...lateness(timeline, intended),
  ];
};

/** `2xx`, `503`, `ECONNREFUSED`: what went well is one thing, every way to go wrong another. */
const outcome = ({ status, error }: LedgerRecord): string => {
  if (status === null) return error ?? 'no answer';
  return status < 400 ? `${Math.floor(status / 100)}xx` : String(status);
};

const only = (): string => 'all';

const latency = (timeline: Timeline, records: readonly Timed[]): LineChart[] => {
  const of = (q: number, value: (record: Timed) => number): Values =>
    quantiles(timeline, records, only, value, q).get('all') ?? [];
  const due = ({ latencyMs }: Timed): number => latencyMs ?? 0;
  const sent = ({ serviceMs }: Timed): number => serviceMs ?? 0;
  return charted(records, {
    title: 'Latency',
    says: 'From the time when a request was due; the last line counts from when it was really sent. Where the two part, the client itself was late, and a client that had waited for answers would have hidden it (coordinated omission).',
    series: [
      described(timeline, 'p50', of(0.5, due)),
      described(timeline, 'p95', of(0.95, due)),
      described(timeline, 'p99', of(0.99, due)),
      described(timeline, 'p99 from sending', of(0.99, sent)),
    ],
  });
};

const lateness = (timeline: Timeline, records: readonly Timed[]): LineChart[] => {
  const late = ({ latencyMs, serviceMs }: Timed): number => Math.max(0, (latencyMs ?? 0) - (serviceMs ?? 0));
  const of = (q: number): Values => quantiles(timeline, records, only, late, q).get('all') ?? [];
  return charted(records, {
    title: 'Scheduling error',
    says: 'How late requests left, against the plan: the client’s own trouble, not the platform’s.',
    series: [described(timeline, 'median', of(0.5)), described(timeline, 'worst', of(1))],
  });
};

const charted = (records: readonly unknown[], one: Pick<LineChart, 'title' | 'says' | 'series'>): LineChart[] =>
  records.length > 0 ? [{ kind: 'lines', unit: 'ms', omitted: 0, ...one }] : [];
