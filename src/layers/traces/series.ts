// Durations as series: what each component takes by itself, and what each way between two adds. Pure.
import { quantileSorted } from 'simple-statistics';
import { type Edge, edge, type Ref, service } from '../../model.ts';
import type { Activity, Call, Timed } from './calls.ts';
import type { View } from './view.ts';

/**
 * One duration in milliseconds; durations of one `operation` are alike. `id` is the span that shows it;
 * `taken` is when the callee took the call up, where that is known.
 */
export type Sample = Timed & {
  readonly operation: string;
  readonly ms: number;
  readonly id: string;
  readonly taken: number | null;
};

export type Series = {
  readonly ref: Ref;
  /** The edge, or null for a component's own time. */
  readonly way: Edge | null;
  readonly name: string;
  readonly baseline: readonly Sample[];
  readonly test: readonly Sample[];
};

/** Fewer samples say nothing of how long things usually take. */
export const ENOUGH = 20;

export const seriesOf = (view: View): Series[] =>
  [...view.topology.components.map((name) => own(view, name)), ...edgesOf(view).map((one) => way(view, one))].filter(
    (one) => one.baseline.length >= ENOUGH && one.test.length > 0,
  );

const own = (view: View, name: string): Series => {
  // Waiting before another attempt, or falling back, is not the component's own slowness.
  const samples = ({ served }: Activity): Sample[] =>
    served
      .filter((one) => one.service === name && !one.failedBelow)
      .map(({ t, end, selfMs, span }) => ({ t, end, ms: selfMs, operation: span.name, id: span.id, taken: null }));
  return { ref: service(name), way: null, name, baseline: samples(view.baseline), test: samples(view.test) };
};

const edgesOf = (view: View): Edge[] => {
  const seen = new Map(view.test.calls.map(({ from, to }) => [`${from}->${to}`, { from, to }]));
  return [...seen.values()];
};

const way = (view: View, { from, to }: Edge): Series => {
  const calls = ({ calls }: Activity): Call[] => calls.filter((one) => one.from === from && one.to === to);
  const traced = calls(view.baseline).some((one) => one.server !== null);
  const samples = (some: readonly Call[]): Sample[] => some.flatMap((one) => sampleOf(one, traced) ?? []);
  const [baseline, test] = [samples(calls(view.baseline)), samples(calls(view.test))];
  return { ref: edge(from, to), way: { from, to }, name: `the way from ${from} to ${to}`, baseline, test };
};

// A callee that sends no spans has all of the caller's waiting time on its way.
const sampleOf = ({ t, end, client, served, wayMs, failed }: Call, traced: boolean): Sample | null => {
  const ms = traced ? wayMs : failed ? null : (client?.durationMs ?? null);
  return client === null || ms === null ? null : { t, end, ms, operation: client.name, id: client.id, taken: served };
};

/** The quantile of the usual durations of an operation; of all, for an operation that is new or rare. */
export const usualQuantiles = (samples: readonly Sample[]): ((operation: string, q: number) => number) => {
  const sorted = (some: readonly Sample[]): number[] => some.map((one) => one.ms).sort((a, b) => a - b);
  const all = sorted(samples);
  const groups = [...Map.groupBy(samples, (one) => one.operation)].filter(([, some]) => some.length >= ENOUGH);
  const byOperation = new Map(groups.map(([operation, some]) => [operation, sorted(some)]));
  return (operation, q) => quantileSorted(byOperation.get(operation) ?? all, q);
};
