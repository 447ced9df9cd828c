// Times as plain milliseconds from a window's start, for statistics; and lines back from them.
import type { Nanos, Window } from '../../model.ts';
import { toMs } from '../../time.ts';
import type { Event } from './events.ts';

/** One window's events, ordered by time, and its length in milliseconds. */
export type Period = { readonly window: Window; readonly ms: number; readonly events: readonly Event[] };

export const period = (window: Window, events: readonly Event[]): Period => ({
  window,
  ms: Math.max(1, toMs(window.until - window.from)),
  events,
});

export const offset = ({ window }: Period, at: Nanos): number => toMs(at - window.from);

/**
 * Lines of one cause come in clumps (attempts, layers, a burst after a pause). Only the first line in every `width`
 * milliseconds is an event that may be called independent of the others.
 */
export const declumped = (times: readonly number[], width: number): number[] => {
  const kept: number[] = [];
  for (const time of times) if (kept.length === 0 || time >= kept.at(-1)! + width) kept.push(time);
  return kept;
};

/** Groups by a key in one pass; events for which `key` is null are left out. */
export const grouped = (events: readonly Event[], key: (event: Event) => string | null): Map<string, Event[]> => {
  const groups = new Map<string, Event[]>();
  for (const event of events) {
    const name = key(event);
    if (name === null) continue;
    const group = groups.get(name);
    if (group) group.push(event);
    else groups.set(name, [event]);
  }
  return groups;
};

export const between = (events: readonly Event[], from: Nanos, until: Nanos): Event[] =>
  events.filter(({ at }) => at >= from && at <= until);

const byTime = (a: Nanos, b: Nanos): number => (a < b ? -1 : 1);
/** The first and the last of some instants, at least one. */
export const earliest = (all: readonly Nanos[]): Nanos => [...all].sort(byTime)[0]!;
export const latest = (all: readonly Nanos[]): Nanos => [...all].sort(byTime).at(-1)!;
