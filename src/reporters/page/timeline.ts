// The time that all pictures share: one axis of equal bins from the start of traffic on, and what happened when.
import type { Nanos, Window } from '../../model.ts';
import { type PhaseName, phase } from '../../plan.ts';
import { fromIso, fromMs, toMs } from '../../time.ts';
import type { Stored, Verdict } from '../../verdict.ts';

export type BandName = PhaseName | 'fault' | 'healing';
/** Seconds after the start of traffic. */
export type Band = { readonly name: BandName; readonly from: number; readonly until: number };

export type Timeline = {
  readonly start: Nanos;
  /** Width of a bin, in whole seconds. */
  readonly width: number;
  readonly bins: number;
  readonly bands: readonly Band[];
  readonly baseline: Window;
  /** From the injection to the end of its healing; of a run without a fault, the hold phase. */
  readonly during: Window;
  readonly injected: Nanos | null;
};

/** When the fault was in, by the verdict. */
type Times = Pick<Verdict['groundTruth'], 'from' | 'until' | 'healedAt'>;

/** A longer run gets wider bins, so that its page does not grow with it. */
const MOST_BINS = 600;

export const timelineOf = ({ plan, history, ledger }: Stored, { from, until, healedAt }: Times): Timeline => {
  const begun = history.find((entry) => entry.type === 'phase');
  const start = fromIso(begun?.at ?? ledger[0]?.intended ?? '1970-01-01T00:00:00Z');
  const window = (name: PhaseName): Window => {
    const { from, until } = phase(plan, name);
    return { from: start + fromMs(from), until: start + fromMs(until) };
  };
  const injected = from === null ? null : fromIso(from);
  const hold = { from: injected ?? window('hold').from, until: until === null ? window('hold').until : fromIso(until) };
  const healed = healedAt === null ? hold.until : fromIso(healedAt);
  const seconds = Math.max(phase(plan, 'gather').until / 1000, toMs(healed - start) / 1000);
  const width = Math.max(1, Math.ceil(seconds / MOST_BINS));
  return {
    start,
    width,
    bins: Math.ceil(seconds / width),
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
