// Everything that the lines show, gathered once, before anybody is blamed.
import type { Blind, LogItem, Nanos, Observation, Topology, Window } from '../../model.ts';
import { type Complaint, complaints } from './complaints.ts';
import { type Event, reader } from './events.ts';
import { liveliness, type Restart, restarts, type Silence, silence } from './silence.ts';
import { type Slowness, slowness } from './slowness.ts';
import { between, earliest, grouped, latest, type Period, period } from './timeline.ts';

export type Evidence = {
  readonly baseline: Period;
  readonly test: Period;
  readonly complaints: readonly Complaint[];
  readonly slowness: Slowness;
  readonly restarts: readonly Restart[];
  /** Impossibly long times without a line, of whole components and of single pods. */
  readonly silent: ReadonlyMap<string, Silence>;
  readonly silentPods: readonly (Silence & { readonly service: string })[];
  readonly topology: Topology;
};

export const evidenceOf = ({ baseline: old, test: now, topology }: Blind<LogItem>): Evidence => {
  const read = reader(topology);
  const of = ({ window, items }: Observation<LogItem>): Period => period(window, items.map(read));
  const [baseline, test] = [of(old), of(now)];
  return {
    baseline,
    test,
    topology,
    complaints: complaints(baseline, test),
    slowness: slowness(baseline, test),
    restarts: restarts(baseline, test),
    silent: silences(baseline, test, ({ service }) => service),
    silentPods: silentPods(baseline, test),
  };
};

const silences = (baseline: Period, test: Period, key: (event: Event) => string | null): Map<string, Silence> => {
  const now = grouped(test.events, key);
  const found = [...grouped(baseline.events, key)].map(
    ([name, before]) => [name, silence(baseline, test, before, now.get(name) ?? [])] as const,
  );
  return new Map(found.filter((one): one is readonly [string, Silence] => one[1] !== null));
};

const silentPods = (baseline: Period, test: Period): Evidence['silentPods'] =>
  [...silences(baseline, test, ({ service, pod }) => pod && JSON.stringify([service, pod]))].map(([key, silence]) => ({
    ...silence,
    service: JSON.parse(key)[0],
  }));

/** Whether `from` had calls to `to` answered all through a window; null when too few were to be expected to tell. */
export const fine = ({ baseline, test }: Evidence, from: string, to: string, window: Window): boolean | null => {
  const calls = ({ service, callee, failure }: Event): boolean => service === from && callee === to && failure === null;
  const rate = baseline.events.filter(calls).length / baseline.ms;
  const expected = rate * (Number(window.until - window.from) / 1e6);
  const answered = between(test.events.filter(calls), window.from, window.until).length;
  return answered >= 5 || (expected < 5 ? null : false);
};

export const alive = ({ baseline, test }: Evidence, service: string, window: Window): number | null =>
  liveliness(baseline, test, service, window);

/** Whether a component, or one of its pods, was silent for most of a window. */
export const quiet = (evidence: Evidence, service: string, window: Window): boolean => {
  const own = evidence.silent.get(service);
  const all = [...(own ? [own] : []), ...evidence.silentPods.filter((one) => one.service === service)];
  return all.some((one) => overlap(one, window) > 0.5) || (alive(evidence, service, window) ?? 1) < 0.1;
};

const overlap = ({ since, until }: Silence, window: Window): number => {
  const shared = earliest([until, window.until]) - latest([since, window.from]);
  return Number(shared) / Math.max(1, Number(window.until - window.from));
};

/** Every pod that worked before works after `at`, and none of them wrote that it starts: nobody was killed. */
export const sameProcesses = ({ baseline, test }: Evidence, service: string, at: Nanos): boolean => {
  const mine = test.events.filter((one) => one.service === service);
  const after = new Set(mine.filter((one) => one.at > at).map(({ pod }) => pod));
  const before = new Set(baseline.events.filter((one) => one.service === service).map(({ pod }) => pod));
  return (
    before.size > 0 &&
    [...before].every((pod) => pod !== null && after.has(pod)) &&
    !mine.some(({ starting }) => starting)
  );
};
