// Is it more often bad than it was? Counted by the second, so that one pause, which spoils many tries at once, is one event.
import type { Nanos, Window } from '../../model.ts';
import { SECOND } from '../../time.ts';

/** One try at one instant, and whether it showed the symptom in question. */
export type Mark = { readonly at: Nanos; readonly bad: boolean; readonly ids: readonly string[] };

/** A symptom that became more frequent: the bad share before and after, the exact chance of that by luck, and when. */
export type Rise = {
  readonly before: number;
  readonly share: number;
  readonly p: number;
  readonly since: Nanos;
  readonly until: Nanos;
  readonly evidence: readonly string[];
};

/** Some hundred tests are made of one run: at this level one run in a thousand at most would see a false rise. */
export const UNLIKELY = 1e-5;
/** A drop is a decision that the network took and not a mishap, so that fewer of them say as much. */
export const UNLIKELY_DECISION = 1e-4;
/** A symptom of less than a tenth of the tries can't be told from a handful of pauses. */
const EFFECT = 0.1;

/**
 * Whether bad tries are more frequent in the test window, or in a half or a third of it (a fault rarely fills the window),
 * than in the baseline. Each second with tries is one observation: it is a bad one when its share of bad tries exceeds the
 * baseline's by the least effect. Bad seconds are compared by Fisher's exact test, which assumes no distribution.
 */
export const rise = (
  before: readonly Mark[],
  after: readonly Mark[],
  window: Window,
  level = UNLIKELY,
): Rise | null => {
  if (before.length === 0) return null;
  const usual = badShare(before);
  const baseline = seconds(before, usual + EFFECT);
  const found = stretches(window)
    .map((part) => after.filter(({ at }) => at >= part.from && at < part.until))
    .map((marks) => ({ share: badShare(marks), p: chance(baseline, seconds(marks, usual + EFFECT)) }))
    .filter(({ p, share }) => p <= level && share - usual >= EFFECT)
    .sort((a, b) => a.p - b.p)[0];
  return found ? { ...found, before: usual, ...worst(after, (usual + found.share) / 2) } : null;
};

const PARTS = [1, 2, 3];

const stretches = ({ from, until }: Window): Window[] =>
  PARTS.flatMap((parts) => {
    const length = (until - from) / BigInt(parts);
    return Array.from({ length: parts }, (_, index) => {
      const begin = from + length * BigInt(index);
      return { from: begin, until: index === parts - 1 ? until : begin + length };
    });
  });

export const badShare = (marks: readonly Mark[]): number =>
  marks.length === 0 ? 0 : marks.filter(({ bad }) => bad).length / marks.length;

type Seconds = { readonly all: number; readonly bad: number };

const seconds = (marks: readonly Mark[], limit: number): Seconds => {
  const each = [...Map.groupBy(marks, ({ at }) => at / SECOND).values()].map(badShare);
  return { all: each.length, bad: each.filter((share) => share > limit).length };
};

/** Chance that as many of the bad seconds fall into the later set, were both alike. */
const chance = (before: Seconds, after: Seconds): number =>
  fisherTail(after.bad, after.all, before.bad + after.bad, before.all + after.all);

/**
 * P(X >= k) for X hypergeometric: `drawn` of `all`, `marked` of which are marked (Fisher's exact test, one-sided).
 * All arguments are counts.
 */
export const fisherTail = (k: number, drawn: number, marked: number, all: number): number => {
  let sum = 0;
  for (let x = k; x <= Math.min(drawn, marked); x += 1) {
    sum += Math.exp(logChoose(marked, x) + logChoose(all - marked, drawn - x) - logChoose(all, drawn));
  }
  return Math.min(1, sum);
};

const logFactorials = [0, 0];
const logFactorial = (n: number): number => {
  for (let i = logFactorials.length; i <= n; i += 1) logFactorials.push(logFactorials[i - 1]! + Math.log(i));
  return logFactorials[n]!;
};
const logChoose = (n: number, k: number): number =>
  k < 0 || k > n ? Number.NEGATIVE_INFINITY : logFactorial(n) - logFactorial(k) - logFactorial(n - k);

/** P(X <= k) for X binomial with `n` tries of chance `p`. */
export const binomialHead = (k: number, n: number, p: number): number => {
  if (p >= 1) return k >= n ? 1 : 0;
  let sum = 0;
  for (let x = 0; x <= k; x += 1) sum += Math.exp(logChoose(n, x) + x * Math.log(p) + (n - x) * Math.log1p(-p));
  return Math.min(1, sum);
};

const EVIDENCE = 10;

/**
 * The stretch that is worst: where the sum of what each mark exceeds the middle between the two shares by is highest (the
 * maximum of a CUSUM; Page 1954). It begins with the first bad try of the trouble and ends with the last.
 */
const worst = (unordered: readonly Mark[], middle: number): Pick<Rise, 'since' | 'until' | 'evidence'> => {
  const marks = unordered.toSorted((a, b) => Number(a.at - b.at));
  let best = { sum: 0, from: 0, to: 0 };
  let [sum, from] = [0, 0];
  marks.forEach(({ bad }, index) => {
    if (sum <= 0) [sum, from] = [0, index];
    sum += (bad ? 1 : 0) - middle;
    if (sum > best.sum) best = { sum, from, to: index };
  });
  const bad = marks.slice(best.from, best.to + 1).filter((mark) => mark.bad);
  const evidence = [...new Set(bad.flatMap(({ ids }) => ids))].slice(0, EVIDENCE);
  return { since: bad[0]!.at, until: bad.at(-1)!.at, evidence };
};
