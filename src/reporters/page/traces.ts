// What traces show: errors and durations of what services served and of what they called.
import { edge, type SpanItem, service } from '../../model.ts';
import { type Chart, chart } from './chart.ts';
import { quantiles, type Roles, shares } from './series.ts';
import type { Timeline } from './timeline.ts';

export const traceCharts = (timeline: Timeline, spans: readonly SpanItem[], roles: Roles): Chart[] => {
  const failing = (title: string, says: string, key: (span: SpanItem) => string | null): Chart[] =>
    chart(
      timeline,
      { title, says, unit: '%' },
      shares(timeline, spans, key, ({ error }) => error),
      roles,
    );
  const slow = (title: string, says: string, key: (span: SpanItem) => string | null): Chart[] => {
    const p95 = quantiles(timeline, spans, key, ({ durationMs }) => durationMs, 0.95);
    return chart(timeline, { title, says, unit: 'ms' }, p95, roles);
  };
  return [
    ...failing('Failed calls', 'Share of client spans with an error, by who called whom.', called),
    ...slow('Duration of calls', '95th percentile of client spans, by who called whom.', called),
    ...failing('Failed requests', 'Share of server spans with an error, by service.', served),
    ...slow('Duration of requests', '95th percentile of server spans, by service.', served),
  ];
};

const called = ({ kind, service: from, peer }: SpanItem): string | null =>
  (kind === 'client' || kind === 'producer') && peer !== null ? edge(from, peer) : null;

const served = ({ kind, service: name }: SpanItem): string | null =>
  kind === 'server' || kind === 'consumer' ? service(name) : null;
