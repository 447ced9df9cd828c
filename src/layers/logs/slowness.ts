// Times that lines report, per component and whom they name, risen for a stretch of the test window.
import { max, median, quantile } from 'simple-statistics';
import type { Nanos } from '../../model.ts';
import type { Event } from './events.ts';
import { ALPHA, atLeast, densest } from './statistics.ts';
import { declumped, offset, type Period } from './timeline.ts';

/** Milliseconds before and during; `callee` null: the component's own time. `ids` are of slow lines. */
export type Slow = {
  readonly service: string;
  readonly callee: string | null;
  readonly since: Nanos;
  readonly until: Nanos;
  readonly before: number;
  readonly during: number;
  readonly p: number;
  readonly count: number;
  readonly ids: readonly string[];
};

/** `measured` names every `service` or `service->callee` with enough lines to be judged; `slow` those that rose. */
export type Slowness = { readonly measured: ReadonlySet<string>; readonly slow: readonly Slow[] };

type Sample = { readonly at: number; readonly ms: number; readonly unit: boolean; readonly event: Event };

export const pathOf = (service: string, callee: string | null): string =>
  callee === null ? service : `${service}->${callee}`;

// Below this a bin's maximum or median says nothing.
const LEAST_SAMPLES = 20;

export const slowness = (baseline: Period, test: Period): Slowness => {
  const [before, after] = [samples(baseline), samples(test)];
  const measured = new Set<string>();
  const best = new Map<string, Slow>();
  for (const [key, old] of before) {
    const now = after.get(key) ?? [];
    if (old.length < LEAST_SAMPLES || now.length < LEAST_SAMPLES / 2) continue;
    const { service, callee } = old[0]!.event;
    const path = pathOf(service, callee);
    measured.add(path);
    const found = risen(baseline, test, old, now);
    if (found && found.p < (best.get(path)?.p ?? 1)) best.set(path, found);
  }
  return { measured, slow: [...best.values()] };
};

// Failed calls last as long as a deadline or nothing; they are complaints, not measurements.
const samples = (period: Period): Map<string, Sample[]> => {
  const all = new Map<string, Sample[]>();
  for (const event of period.events) {
    if (event.failure !== null || event.starting) continue;
    for (const { name, ms, unit } of event.times) {
      const key = JSON.stringify([event.service, event.callee, event.template, name]);
      const sample = { at: offset(period, event.at), ms, unit, event };
      if (!all.get(key)?.push(sample)) all.set(key, [sample]);
    }
  }
  return all;
};

/**
 * What is compared: the typical time of each bin, which moves when every request is slow, and its longest, which moves when some
 * are. `ratio` is the least effect: machines under other load make everything slower by a quarter or a half at times, and a
 * maximum strays further than a median.
 */
const VIEWS = [
  { pick: median, ratio: 1.5 },
  { pick: max, ratio: 2 },
] as const;

/** What a busy scheduler adds by itself, in ms; holds only where the line tells its unit. */
const SCHEDULING_MS = 10;
/** A trouble is slow in at least so much of its stretch; pauses come and go. */
const STEADY = 0.7;

type Bins = { readonly width: number; readonly values: readonly (number | null)[] };

const risen = (baseline: Period, test: Period, old: readonly Sample[], now: readonly Sample[]): Slow | null => {
  // About three lines in a bin, but a bin is longer than a pause.
  const width = Math.min(5000, Math.max(1000, (3 * baseline.ms) / old.length));
  const found = VIEWS.flatMap(({ pick, ratio }) => {
    const before = bins(old, baseline.ms, width, pick).values.filter((value) => value !== null);
    if (before.length < 5) return [];
    const usual = median(before);
    const floor = Math.max(quantile(before, 0.9), usual * ratio, usual + (old[0]!.unit ? SCHEDULING_MS : 0));
    const stretch = steadiest(bins(now, test.ms, width, pick), floor, before);
    return stretch && stretch.p < ALPHA ? [{ ...stretch, floor }] : [];
  });
  const best = found.sort((a, b) => a.p - b.p)[0];
  return best ? describe(baseline, old, now, best) : null;
};

const bins = (all: readonly Sample[], length: number, width: number, pick: (values: number[]) => number): Bins => {
  const values: number[][] = Array.from({ length: Math.ceil(length / width) }, () => []);
  for (const { at, ms } of all) values[Math.floor(at / width)]?.push(ms);
  return { width, values: values.map((one) => (one.length > 0 ? pick(one) : null)) };
};

type Stretch = { readonly from: number; readonly until: number; readonly p: number };

/** The run of bins that exceed `floor` more often than the baseline's bins do, by the least p-value, paid for every run tried. */
const steadiest = ({ width, values }: Bins, floor: number, before: readonly number[]): Stretch | null => {
  const usual = (before.filter((value) => value > floor).length + 1) / (before.length + 2);
  const tried = (values.length * (values.length - 1)) / 2;
  let best: Stretch | null = null;
  for (let from = 0; from < values.length; from++) {
    let [full, slow] = [0, 0];
    for (let until = from; until < values.length; until++) {
      const value = values[until]!;
      if (value === null) continue;
      full++;
      if (value > floor) slow++;
      if (full < 4 || slow < STEADY * full) continue;
      const p = atLeast(slow, full, usual) * tried;
      if (p < (best?.p ?? 1)) best = { from: from * width, until: (until + 1) * width, p };
    }
  }
  return best;
};

const describe = (
  baseline: Period,
  old: readonly Sample[],
  now: readonly Sample[],
  { from, until, p, floor }: Stretch & { readonly floor: number },
): Slow => {
  const slow = onset(
    baseline,
    old,
    now.filter(({ at }) => at >= from && at < until),
    floor,
  );
  const { service, callee } = old[0]!.event;
  return {
    service,
    callee,
    since: slow[0]!.event.at,
    until: slow.at(-1)!.event.at,
    before: median(old.map(({ ms }) => ms)),
    during: median(slow.map(({ ms }) => ms)),
    p,
    count: slow.length,
    ids: slow.slice(0, 5).map(({ event }) => event.id),
  };
};

const CLUMP_MS = 100;

/** The slow lines of a run of bins, from where they become dense: a stray slow line before the trouble does not begin it. */
const onset = (baseline: Period, old: readonly Sample[], inside: readonly Sample[], floor: number): Sample[] => {
  const rare = Math.max(
    floor,
    quantile(
      old.map(({ ms }) => ms),
      0.99,
    ),
  );
  const above = (limit: number): number => inside.filter(({ ms }) => ms > limit).length;
  // Rare lines tell the onset best, unless pauses in the baseline were longer than the trouble makes most lines.
  const line = above(rare) * 2 >= above(floor) ? rare : floor;
  const slow = inside.filter(({ ms }) => ms > line);
  const before = old.filter(({ ms }) => ms > line).map(({ at }) => at);
  const times = declumped(
    slow.map(({ at }) => at),
    CLUMP_MS,
  );
  const start = densest(times, declumped(before, CLUMP_MS).length, baseline.ms, CLUMP_MS)?.from ?? 0;
  return slow.filter(({ at }) => at >= start);
};
