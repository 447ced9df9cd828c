// When things happened, by a run's history, and what follows from that: the windows that are compared, the axis of its
// pictures, the frame in which its ledger is read. Pure.
import type { Entry } from './history.ts';
import type { Nanos, Window } from './model.ts';
import { type PhaseName, type Plan, phase, trafficOf } from './plan.ts';
import { fromIso, fromMs, toMs } from './time.ts';
import type { Axis } from './traffic/bins.ts';
import type { Frame } from './traffic/gist.ts';
import { plannedOf } from './traffic/plan.ts';

/** Null where it did not happen. */
export type Times = {
  readonly start: Nanos;
  readonly injected: Nanos | null;
  readonly healing: Nanos | null;
  readonly healed: Nanos | null;
};

/** `first` is when the ledger's first request was due, ISO 8601: where nothing else was written, that tells the start. */
export const timesOf = (history: readonly Entry[], first: string | null): Times => {
  const at = (type: Entry['type']): Nanos | null => {
    const found = history.find((entry) => entry.type === type);
    return found ? fromIso(found.at) : null;
  };
  return {
    start: at('phase') ?? (first === null ? 0n : fromIso(first)),
    // The act begins with its intent; before that there may be probes of how things were.
    injected: at('injected') ? (at('intent') ?? at('injecting')) : null,
    healing: at('healing'),
    healed: at('healed'),
  };
};

export const phaseWindow = (plan: Plan, { start }: Pick<Times, 'start'>, name: PhaseName): Window => {
  const { from, until } = phase(plan, name);
  return { from: start + fromMs(from), until: start + fromMs(until) };
};

/** While the fault was in; of a run without one, or that was stopped before, to the end of the hold. */
export const testWindow = (plan: Plan, times: Times): Window => ({
  from: times.injected ?? phaseWindow(plan, times, 'quiet').until,
  until: times.healing ?? phaseWindow(plan, times, 'hold').until,
});

/** While the fault was in; null where none was, or was never undone. */
export const heldWindow = (plan: Plan, { injected, healing }: Times): Window | null =>
  plan.truth.on !== null && injected && healing ? { from: injected, until: healing } : null;

/** A control's ledger is to show nothing from its baseline on. */
const comparedWindow = (plan: Plan, times: Times): Window | null =>
  plan.truth.on === null
    ? { from: phaseWindow(plan, times, 'baseline').until, until: testWindow(plan, times).until }
    : heldWindow(plan, times);

/** A longer run gets wider bins, so that its page does not grow with it. */
const MOST_BINS = 600;

/** From the start of traffic to the end of the run, in whole seconds a bin. */
export const axisOf = (plan: Plan, start: Nanos, healed: Nanos): Axis => {
  const seconds = Math.max(phase(plan, 'gather').until / 1000, toMs(healed - start) / 1000);
  const width = Math.max(1, Math.ceil(seconds / MOST_BINS));
  return { start, width, bins: Math.ceil(seconds / width) };
};

/** When nothing of the fault was left. */
const overAt = (plan: Plan, times: Times): Nanos =>
  plan.truth.on === null ? phaseWindow(plan, times, 'hold').until : (times.healed ?? testWindow(plan, times).until);

/** In what frame a run's ledger is read; see `timesOf` for what its first record has to tell. */
export const frameOf = (plan: Plan, history: readonly Entry[]): ((first: string | null) => Frame) => {
  const { seed, crossing } = plan;
  const planned = plannedOf(trafficOf(plan, 'http://entry'));
  return (first) => {
    const times = timesOf(history, first);
    return {
      seed,
      planned,
      crossing,
      axis: axisOf(plan, times.start, overAt(plan, times)),
      baseline: phaseWindow(plan, times, 'baseline'),
      test: testWindow(plan, times),
      held: heldWindow(plan, times),
      compared: comparedWindow(plan, times),
    };
  };
};
