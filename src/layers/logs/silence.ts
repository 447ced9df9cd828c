// Who fell silent, who came back as another pod, and who goes on working.
import type { Nanos, Window } from '../../model.ts';
import { fromMs } from '../../time.ts';
import type { Event } from './events.ts';
import { ALPHA } from './statistics.ts';
import { between, grouped, offset, type Period } from './timeline.ts';

/** A time without a line that the baseline's rate makes impossible. */
export type Silence = {
  readonly since: Nanos;
  readonly until: Nanos;
  readonly toEnd: boolean;
  readonly ids: readonly string[];
};

// As long as the longest pause that a loaded machine makes by itself, so that a pause empties one or two slots.
const SLOT_MS = 250;
const LEAST_MS = 1000;

const slotsOf = (period: Period, events: readonly Event[], length: number): boolean[] => {
  const slots = Array.from({ length: Math.max(1, Math.ceil(length / SLOT_MS)) }, () => false);
  for (const { at } of events) {
    const slot = Math.floor(offset(period, at) / SLOT_MS);
    if (slot >= 0 && slot < slots.length) slots[slot] = true;
  }
  return slots;
};

/** Start and length of the longest run of empty slots. */
const longestGap = (slots: readonly boolean[]): { readonly start: number; readonly length: number } => {
  let [best, start] = [{ start: 0, length: 0 }, 0];
  for (let slot = 0; slot <= slots.length; slot++) {
    if (slot < slots.length && !slots[slot]) continue;
    if (slot - start > best.length) best = { start, length: slot - start };
    start = slot + 1;
  }
  return best;
};

/**
 * The longest silence of `mine` in the test window, if slots with a line were so common in the baseline that a run of that many
 * empty ones has less than ALPHA of a chance. What comes after anybody's last line is not silence but the end of the data.
 */
export const silence = (
  baseline: Period,
  test: Period,
  before: readonly Event[],
  mine: readonly Event[],
): Silence | null => {
  const old = slotsOf(baseline, before, baseline.ms);
  const end = offset(test, test.events.at(-1)?.at ?? test.window.from);
  const slots = slotsOf(test, mine, end);
  const gap = longestGap(slots);
  const busy = old.filter(Boolean).length / (old.length + 1);
  const chance = (1 - busy) ** gap.length * slots.length;
  if (chance > ALPHA || gap.length * SLOT_MS < LEAST_MS || gap.length < 2 * longestGap(old).length) return null;
  return silenceAt(test, mine, gap.start * SLOT_MS, (gap.start + gap.length) * SLOT_MS, end);
};

const silenceAt = (test: Period, mine: readonly Event[], start: number, stop: number, end: number): Silence => {
  const last = mine.findLast(({ at }) => offset(test, at) < start);
  const next = mine.find(({ at }) => offset(test, at) >= stop);
  return {
    since: last?.at ?? test.window.from + fromMs(start),
    until: next?.at ?? test.window.from + fromMs(end),
    toEnd: next === undefined,
    ids: [last, next].flatMap((one) => (one ? [one.id] : [])),
  };
};

/** A pod that ended for good while a pod that the baseline did not know came up for the same component. */
export type Restart = {
  readonly service: string;
  readonly since: Nanos;
  readonly gone: string;
  readonly ids: readonly string[];
};

export const restarts = (baseline: Period, test: Period): Restart[] => {
  const known = grouped(baseline.events, podKey);
  const now = grouped(test.events, podKey);
  return [...known].flatMap(([key, before]) => {
    const { service, pod } = before[0]!;
    const fresh = [...now].filter(([other, [first]]) => !known.has(other) && first!.service === service);
    const mine = now.get(key) ?? [];
    const quiet = silence(baseline, test, before, mine);
    const follower = fresh.map(([, events]) => events[0]!).find(({ at }) => quiet && at >= quiet.since);
    if (!quiet?.toEnd || !follower) return [];
    return [{ service, since: quiet.since, gone: pod!, ids: [...quiet.ids, follower.id] }];
  });
};

const podKey = ({ service, pod }: Event): string | null => (pod === null ? null : JSON.stringify([service, pod]));

/** Lines that `service` wrote in a window as a share of what the baseline lets expect; null when that is too little to tell. */
export const liveliness = (baseline: Period, test: Period, service: string, window: Window): number | null => {
  const mine = ({ service: one }: Event): boolean => one === service;
  const ms = offset(test, window.until) - offset(test, window.from);
  const expected = (baseline.events.filter(mine).length / baseline.ms) * ms;
  // With five lines expected none at all has less than one chance in a hundred.
  return expected < 5 ? null : between(test.events.filter(mine), window.from, window.until).length / expected;
};
