// What alerts show: a Gantt of who was pending and firing when.
import type { Look } from '../../evidence.ts';
import type { AlertItem } from '../../model.ts';
import type { Chart, Span, SpanRow } from './chart.ts';
import { secondsIn, type Timeline } from './timeline.ts';

type Seen = AlertItem & { readonly seen: number };

const MOST_ROWS = 16;

/** One row an alert, those that fire first on top; nothing when no alert was ever active. */
export const alertCharts = (timeline: Timeline, alerts: readonly Seen[], looks: readonly Look[]): Chart[] => {
  const answered = new Map(looks.map(({ n, answered }) => [n, secondsIn(timeline, answered)]));
  const rows = [...Map.groupBy(alerts, rowName)].map(([name, items]) => rowOf(timeline, name, items, answered));
  const begin = ({ spans: [first] }: SpanRow): number => first?.from ?? Number.POSITIVE_INFINITY;
  const drawn = rows.filter(({ spans }) => spans.length > 0).sort((a, b) => begin(a) - begin(b));
  if (drawn.length === 0) return [];
  const says = 'A bar begins when the alert became active and ends where a look was told that it was resolved.';
  const [shown, omitted] = [drawn.slice(0, MOST_ROWS), Math.max(0, drawn.length - MOST_ROWS)];
  return [{ kind: 'spans', title: 'Alerts', says, rows: shown, omitted }];
};

/** Its name and what it is about; all three sources show the same alert under the same labels. */
const rowName = ({ name, labels }: Seen): string => {
  const { alertname: _, severity: __, firedrill_component: component, ...rest } = labels;
  const about =
    component ??
    rest.service ??
    Object.entries(rest)
      .map(([label, value]) => `${label}=${value}`)
      .join(' ');
  return about ? `${name} ${about}` : name;
};

const rowOf = (
  timeline: Timeline,
  name: string,
  items: readonly Seen[],
  answered: ReadonlyMap<number, number>,
): SpanRow => {
  const end = timeline.bins * timeline.width;
  const times = (state: AlertItem['state']): number[] =>
    items.filter((item) => item.state === state).map(({ at }) => secondsIn(timeline, at));
  const resolved = items.filter(({ state }) => state === 'resolved').map(({ seen }) => answered.get(seen) ?? end);
  const until = Math.max(...(resolved.length > 0 ? resolved : [end]));
  const pending = Math.min(...times('pending'));
  // `activeAt` dates a firing alert back to when it was pending; its own first evaluation dates it better.
  const firing = times('firing').filter((at) => at > pending || pending === Number.POSITIVE_INFINITY);
  const fires = Math.min(...(firing.length > 0 ? firing : times('firing')));
  const spans: Span[] = [
    { state: 'pending', from: pending, until: Math.min(fires, until) },
    { state: 'firing', from: fires, until },
    { state: 'suppressed', from: Math.min(...times('suppressed')), until },
  ];
  const source = [...new Set(items.map((item) => item.source))].join(', ');
  return { name, source, spans: spans.filter(({ from, until }) => from < until) };
};
