// What the traces show of both windows, side by side, and what is suspected because of it.
import type { Blind, Ref, SpanItem, Topology, Trouble, Window } from '../../model.ts';
import { type Activity, activity, type Timed } from './calls.ts';

export type View = { readonly topology: Topology; readonly baseline: Activity; readonly test: Activity };

/** A suspect in the making: times in milliseconds after the view's origin; `llr` and `needed` as in a Burst. */
export type Suspicion = {
  readonly ref: Ref;
  readonly kind: Trouble;
  /** The component that is to blame, or at the far end of the edge that is. */
  readonly at: string;
  readonly from: number;
  readonly until: number;
  readonly since: number;
  readonly llr: number;
  readonly needed: number;
  readonly why: string;
  readonly evidence: readonly string[];
};

/** Calls belong to the window in which they begin. */
export const viewOf = ({ baseline, test, topology }: Blind<SpanItem>): View => {
  const origin = baseline.window.from;
  const all = activity([...baseline.items, ...test.items], topology, origin);
  const during = ({ from, until }: Window): Activity => {
    const [start, end] = [Number(from - origin) / 1e6, Number(until - origin) / 1e6];
    const within = ({ t }: Timed): boolean => t >= start && t < end;
    return { calls: all.calls.filter(within), served: all.served.filter(within) };
  };
  return { topology, baseline: during(baseline.window), test: during(test.window) };
};

export const within = <T extends Timed>(things: readonly T[], from: number, until: number): T[] =>
  things.filter(({ t }) => t >= from && t <= until);

export const overlap = (a: Suspicion, b: Suspicion): boolean => a.from <= b.until && b.from <= a.until;

const EVIDENCE = 10;
/** Ids of the first few spans, and the moment at which the first of these could be seen: when it ended. */
export const evidenceOf = (
  spans: readonly (Timed & { readonly id: string })[],
): Pick<Suspicion, 'since' | 'evidence'> => ({
  since: spans.reduce((first, { end }) => Math.min(first, end), Number.POSITIVE_INFINITY),
  evidence: spans.slice(0, EVIDENCE).map(({ id }) => id),
});

const spread = (times: readonly number[]): number => Math.max(...times) - Math.min(...times);

/** Things that came in over a while and were all taken up in far less time: nobody was there, and then somebody was. */
export const takenUpAtOnce = (things: readonly { readonly t: number; readonly taken: number }[]): boolean =>
  things.length >= 3 && spread(things.map((one) => one.taken)) < spread(things.map((one) => one.t)) / 2;
