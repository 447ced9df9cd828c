// Edges whose answers take longer than they did: all of them, or only some.
import { mean, median, quantileSorted } from 'simple-statistics';
import { strongest, threshold } from './scan.ts';
import type { EdgeView, Outcome } from './view.ts';

/** A stretch of time, in milliseconds after the view's origin, in which an edge's answers were late. */
export type Slow = {
  readonly view: EdgeView;
  readonly from: number;
  readonly until: number;
  /** The late ones, the first first. */
  readonly late: readonly Timed[];
  /** How much later than usual the late ones were, in milliseconds. */
  readonly excess: number;
  readonly usual: number;
  readonly strength: number;
};

type Timed = Outcome & { readonly ms: number };

/** Too few to know what is usual, or what is not. */
const FEWEST_BEFORE = 20;
const FEWEST_AFTER = 6;
/** One edge in 10 000 may pass the scan by chance; what passes is then tested by itself. */
const CHANCE = 1e-4;
/** One second counts no more than a fifth of what is needed: a pause of a machine, and what queues behind it, is not a fault. */
const SECONDS_NEEDED = 5;
/** The seconds, the most extreme of the stretch, without which it must still convince: those that one pause can touch. */
const PAUSE_SECONDS = 2;
/** Standard errors of a rank sum that is no chance, the choice of the stretch allowed for. */
const SIGNIFICANT = 5;
/** A delay must be noticeable: this share of the usual time, and more than a shared machine's scheduler adds (some ms). */
const LEAST_SHARE = 0.15;
const LEAST_MS = 5;
/** And more than twice what the baseline's own parts differ by. */
const BEYOND_DRIFT = 2;
/** What counts as the tail, for a delay that hits only some: the longer the delay, the clearer the rarer tail shows it. */
const TAILS = [0.95, 0.98];
const TAIL_GROWS = 3;

/**
 * The stretch in which an edge's answers came late, or null. Each answer's rank among the baseline's is scored by how much
 * likelier it is under a shift than under none; the strongest stretch is then tested by itself.
 */
export const slowness = (view: EdgeView): Slow | null => {
  const before = view.baseline.filter(timed);
  const after = view.test.filter(timed);
  if (before.length < FEWEST_BEFORE || after.length < FEWEST_AFTER) return null;
  const sorted = before.map(({ ms }) => ms).sort((a, b) => a - b);
  const seconds = bySecond(after);
  const needed = threshold(seconds.length * ALTERNATIVES.length, CHANCE);
  const found = ALTERNATIVES.flatMap((score) => {
    const stretch = strongest(seconds.map((second) => scoreSecond(second, sorted, score, needed / SECONDS_NEEDED)));
    if (!stretch || stretch.strength < needed) return [];
    return (
      confirmed(view, before, sorted, seconds.slice(stretch.from, stretch.to + 1), score, stretch.strength / needed) ??
      []
    );
  });
  return found.sort((a, b) => b.strength - a.strength)[0] ?? null;
};

/** What was waited for in vain took at least as long as it was waited for. */
const timed = (outcome: Outcome): outcome is Timed => outcome.ms !== null;

const bySecond = (outcomes: readonly Timed[]): Timed[][] => {
  const groups = Map.groupBy(outcomes, ({ t }) => Math.floor(t / 1000));
  const first = Math.min(...groups.keys());
  return Array.from({ length: Math.max(...groups.keys()) - first + 1 }, (_, i) => groups.get(first + i) ?? []);
};

type Score = (rank: number) => number;

/** Ranks are uniform under the null; a shift upwards makes them a power of a uniform (Lehmann's alternative). */
const lehmann =
  (power: number): Score =>
  (rank) =>
    Math.log(power) + (power - 1) * Math.log(rank);

/** Some answers, a `share`, come from the baseline's tail or from beyond it; the others are as ever. */
const someLate =
  (share: number, tail: number): Score =>
  (rank) =>
    Math.log(1 - share + (rank > tail ? share / (1 - tail) : 0));

const ALTERNATIVES: readonly Score[] = [
  ...[1.7, 4, 12].map(lehmann),
  ...TAILS.flatMap((tail) => [0.15, 0.5].map((share) => someLate(share, tail))),
];

const scoreSecond = (second: readonly Timed[], sorted: readonly number[], score: Score, most: number): number =>
  Math.min(
    most,
    second.reduce((sum, { ms }) => sum + score(rankIn(sorted, ms)), 0),
  );

/** The share of the baseline that was faster, ties counted half; never 0 or 1. */
const rankIn = (sorted: readonly number[], ms: number): number =>
  ((below(sorted, ms, false) + below(sorted, ms, true)) / 2 + 0.5) / (sorted.length + 1);

/** How many are below `ms`, or at most `ms` when `equal`, by bisection. */
const below = (sorted: readonly number[], ms: number, equal: boolean): number => {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < ms || (equal && sorted[middle] === ms)) low = middle + 1;
    else high = middle;
  }
  return low;
};

const confirmed = (
  view: EdgeView,
  before: readonly Timed[],
  sorted: readonly number[],
  seconds: readonly Timed[][],
  score: Score,
  strength: number,
): Slow | null => {
  const kept = withoutPauses(seconds, sorted, score);
  const times = kept.map(({ ms }) => ms);
  if (times.length < FEWEST_AFTER) return null;
  if (!shifted(before, sorted, times) && !someShifted(before, sorted, times)) return null;
  const usual = median(sorted);
  const late = lateOnes(seconds.flat(), sorted, times);
  const first = late[0]!;
  const last = late.at(-1)!;
  const excess = median(late.map(({ ms }) => ms)) - usual;
  return { view, from: first.t, until: last.t + last.ms, late, excess, usual, strength };
};

const withoutPauses = (seconds: readonly Timed[][], sorted: readonly number[], score: Score): Timed[] =>
  seconds
    .map((second) => ({ second, sum: scoreSecond(second, sorted, score, Number.POSITIVE_INFINITY) }))
    .sort((a, b) => b.sum - a.sum)
    .slice(PAUSE_SECONDS)
    .flatMap(({ second }) => second);

/**
 * The late ones are those nearer to what is now typical of them than to what was; where they begin to be frequent, so that
 * a chance one from before does not date the trouble.
 */
const lateOnes = (all: readonly Timed[], sorted: readonly number[], times: readonly number[]): Timed[] => {
  const tail = times.filter((ms) => ms > quantileSorted([...sorted], TAILS[0]!));
  const now = median(tail.length > 0 ? tail : [...times]);
  const limit = (median([...sorted]) + now) / 2;
  const share = Math.min(0.99, all.filter(({ ms }) => ms > limit).length / all.length);
  const usual = (sorted.length - below(sorted, limit, true) + 1) / (sorted.length + 2);
  const scores = all.map(({ ms }) => (ms > limit ? Math.log(share / usual) : Math.log((1 - share) / (1 - usual))));
  const stretch = strongest(scores);
  return all.slice(stretch?.from ?? 0, (stretch?.to ?? all.length - 1) + 1).filter(({ ms }) => ms > limit);
};

/** All came later: by the rank sum, by a noticeable amount, and by more than the baseline's parts differ. */
const shifted = (before: readonly Timed[], sorted: readonly number[], times: readonly number[]): boolean => {
  const usual = median([...sorted]);
  const by = median([...times]) - usual;
  const drift = Math.max(...parts(before).map((part) => Math.abs(median(part) - usual)));
  const noticeable = Math.max(LEAST_MS, LEAST_SHARE * usual, BEYOND_DRIFT * drift);
  return by >= noticeable && rankSum(sorted, times) >= SIGNIFICANT;
};

/** Some came later: the baseline's tail has become several times as frequent, in a way that is no chance. */
const someShifted = (before: readonly Timed[], sorted: readonly number[], times: readonly number[]): boolean => {
  const least = median([...sorted]) * (1 + LEAST_SHARE) + LEAST_MS;
  return TAILS.some((tail) => tailGrew(Math.max(quantileSorted([...sorted], tail), least), 1 - tail, before, times));
};

const tailGrew = (limit: number, rare: number, before: readonly Timed[], times: readonly number[]): boolean => {
  const share = (of: readonly number[]): number => of.filter((ms) => ms > limit).length / of.length;
  const usual = Math.max(rare, ...parts(before).map(share));
  const now = share(times);
  const error = Math.sqrt(usual * (1 - usual) * (1 / times.length + 1 / before.length));
  return now >= Math.min(TAIL_GROWS * usual, (1 + usual) / 2) && (now - usual) / error >= SIGNIFICANT;
};

const MOST_PARTS = 5;
/** Fewer in a part would make its share of late ones jump by chance. */
const FEWEST_IN_PART = 20;

/** The baseline in parts of equal number, in order of time. */
const parts = (before: readonly Timed[]): number[][] => {
  const count = Math.max(1, Math.min(MOST_PARTS, Math.floor(before.length / FEWEST_IN_PART)));
  const size = Math.ceil(before.length / count);
  const times = before.map(({ ms }) => ms);
  return Array.from({ length: Math.ceil(times.length / size) }, (_, i) => times.slice(i * size, (i + 1) * size));
};

/** Wilcoxon's rank sum of `times` against the baseline, in standard errors (normal approximation). */
const rankSum = (sorted: readonly number[], times: readonly number[]): number => {
  const wins = times.reduce((sum, ms) => sum + (below(sorted, ms, false) + below(sorted, ms, true)) / 2, 0);
  const [n, m] = [sorted.length, times.length];
  return (wins - (n * m) / 2) / Math.sqrt((n * m * (n + m + 1)) / 12);
};

/** The mean time of an edge's exchanges, in milliseconds; 0 when it had none. */
export const meanMs = (outcomes: readonly Outcome[]): number => {
  const times = outcomes.flatMap(({ ms }) => ms ?? []);
  return times.length === 0 ? 0 : mean(times);
};
