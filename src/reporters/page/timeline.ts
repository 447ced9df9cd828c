// The time that all pictures share: one axis of equal bins from the start of traffic on, and what happened when.
import type { Nanos, Window } from '../../model.ts';
import type { PhaseName } from '../../plan.ts';
import { fromIso, toMs } from '../../time.ts';
import { axisOf, phaseWindow, timesOf } from '../../times.ts';
import type { Axis } from '../../traffic/bins.ts';
import type { Stored, Verdict } from '../../verdict.ts';

export type BandName = PhaseName | 'fault' | 'healing';
/** Seconds after the start of traffic. */
export type Band = { readonly name: BandName; readonly from: number; readonly until: number };

export type Timeline = Axis & {
  readonly bands: readonly Band[];
  readonly baseline: Window;
  /** From the injection to the end of its healing; of a run without a fault, the hold phase. */
  readonly during: Window;
  readonly injected: Nanos | null;
};

/** When the fault was in, by the verdict. */
type Times = Pick<Verdict['groundTruth'], 'from' | 'until' | 'healedAt'>;

export const timelineOf = ({ plan, history, ledger }: Stored, { from, until, healedAt }: Times): Timeline => {
  const { start } = timesOf(history, ledger.first);
  const window = (name: PhaseName): Window => phaseWindow(plan, { start }, name);
  const injected = from === null ? null : fromIso(from);
  const hold = { from: injected ?? window('hold').from, until: until === null ? window('hold').until : fromIso(until) };
  const healed = healedAt === null ? hold.until : fromIso(healedAt);
  return {
    ...axisOf(plan, start, healed),
    bands: bandsOf(start, injected !== null, hold, healed, window),
    baseline: window('baseline'),
    during: { from: hold.from, until: healed },
    injected,
  };
};

const bandsOf = (
  start: Nanos,
  broken: boolean,
  hold: Window,
  healed: Nanos,
  window: (name: PhaseName) => Window,
): Band[] => {
  const recovery = window('recovery');
  const all: [BandName, Window][] = [
    ['warm-up', window('warm-up')],
    ['baseline', window('baseline')],
    ['quiet', { from: window('quiet').from, until: hold.from }],
    [broken ? 'fault' : 'hold', hold],
    ['healing', { from: hold.until, until: healed }],
    ['recovery', { from: healed, until: recovery.until }],
    ['gather', window('gather')],
  ];
  const seconds = (at: Nanos): number => toMs(at - start) / 1000;
  return all
    .map(([name, { from, until }]) => ({ name, from: seconds(from), until: seconds(until) }))
    .filter(({ from, until }) => until > from);
};

/** The number of the bin that an instant falls into, or null outside of the timeline. */
export const binOf = ({ start, width, bins }: Timeline, at: Nanos): number | null => {
  const bin = Math.floor(toMs(at - start) / 1000 / width);
  return bin >= 0 && bin < bins ? bin : null;
};

/** Seconds after the start of traffic. */
export const secondsIn = ({ start }: Timeline, at: Nanos): number => toMs(at - start) / 1000;
