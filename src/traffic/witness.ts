// What the client's own ledger says about a stretch of time: were its requests worse off than in the baseline? Pure.
import { errorFunction, gammaln, quantile, wilcoxonRankSum } from 'simple-statistics';
import type { Window } from '../model.ts';
import { inWindow } from '../time.ts';
import { failed, type LedgerRecord, untold } from './ledger.ts';
import { type Sample, sample } from './sample.ts';
import { measured } from './summary.ts';

/** One window's requests, by the time they were due. Latencies in milliseconds from that time; null without any. */
export type WindowStats = {
  readonly requests: number;
  readonly failed: number;
  readonly errorShare: number;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
};

/** `p`: how likely so great a difference, or a greater one, is by chance. */
export type Change = { readonly p: number; readonly worse: boolean };

export type Comparison = {
  /** One kind of request (`POST /orders`), or null for all of them together. */
  readonly request: string | null;
  readonly baseline: WindowStats;
  readonly fault: WindowStats;
  readonly errors: Change;
  readonly latency: Change;
  /** The share of latencies that were compared: less than 1 where there are very many. */
  readonly timesOf: number;
};

export type LedgerEffect = {
  readonly worse: boolean;
  /** All requests first, then each kind that both windows have. */
  readonly comparisons: readonly Comparison[];
  /** A sentence for each comparison that is worse, that of all requests first; without any, one that says so. */
  readonly says: readonly [string, ...string[]];
};

/**
 * The chance of one false witness in a whole comparison, shared out among its tests (Bonferroni): 10 drills a night,
 * and it happens once in three years.
 */
const ALPHA = 1e-4;
/** Significant is not yet much: with thousands of requests any trifle is. Twice the share of failures is much. */
const TIMES_THE_ERRORS = 2;
/** Half as slow again, at the median or the 90th percentile: more than a warm or a busy machine does to the same work. */
const TIMES_THE_LATENCY = 1.5;

export type Witness = { add(record: LedgerRecord): void; effect(): LedgerEffect };

/** Of so many latencies at most is a quantile or a rank taken; where there are more, of a sample of them. */
const MOST_TIMES = 20_000;

/**
 * Compares the requests that were due in `fault` with those due in `baseline`, all together and by kind, since a fault
 * seldom lies on every path. Failures by Fisher's exact test of two proportions (a normal approximation misleads
 * where few fail), latencies by the Mann-Whitney rank test; both one-sided: better off is no effect of a fault.
 */
export const witness = (baseline: Window, fault: Window, seed: number): Witness => {
  const [inBaseline, inFault] = [inWindow(baseline), inWindow(fault)];
  const [before, after] = [groups(seed), groups(seed)];
  const add = (record: LedgerRecord): void => {
    if (untold(record)) return;
    if (inBaseline(record.intended)) before.add(record);
    if (inFault(record.intended)) after.add(record);
  };
  return { add, effect: () => effectOf(before, after) };
};

const effectOf = (before: Groups, after: Groups): LedgerEffect => {
  const kinds = after.kinds().filter((kind) => before.kinds().includes(kind));
  const alpha = ALPHA / (2 * (kinds.length + 1));
  const comparisons = [null, ...kinds.sort()].map((kind) => compare(kind, before.of(kind), after.of(kind), alpha));
  const [first, ...others] = comparisons.flatMap(sentence);
  if (first !== undefined) return { worse: true, comparisons, says: [first, ...others] };
  const [all] = comparisons as [Comparison];
  const none = `${all.fault.requests} requests, none worse off than the ${all.baseline.requests} of the baseline`;
  return { worse: false, comparisons, says: [none] };
};

/** Requests of one window and one kind. */
type Group = { requests: number; failed: number; readonly times: Sample<number> };

/** One window's requests by kind; null: all of them. */
type Groups = {
  add(record: LedgerRecord): void;
  kinds(): string[];
  of(kind: string | null): Group;
};

const groups = (seed: number): Groups => {
  const all = new Map<string | null, Group>();
  const of = (kind: string | null): Group =>
    all.get(kind) ?? { requests: 0, failed: 0, times: sample(MOST_TIMES, seed) };
  const put = (kind: string | null, record: LedgerRecord): void => {
    const group = of(kind);
    all.set(kind, group);
    group.requests += 1;
    if (failed(record)) group.failed += 1;
    if (measured(record)) group.times.add(record.n, () => record.latencyMs ?? 0);
  };
  return {
    add: (record) => {
      put(null, record);
      put(record.request, record);
    },
    kinds: () => [...all.keys()].filter((kind) => kind !== null),
    of,
  };
};

const compare = (request: string | null, before: Group, after: Group, alpha: number): Comparison => {
  const [baseline, fault] = [stats(before), stats(after)];
  const errors = moreFailures(baseline, fault);
  const latency = higherRanks(before.times.kept(), after.times.kept());
  const slower = grown(baseline.p50, fault.p50) || grown(baseline.p90, fault.p90);
  return {
    request,
    baseline,
    fault,
    errors: { p: errors, worse: errors < alpha && fault.errorShare >= TIMES_THE_ERRORS * baseline.errorShare },
    latency: { p: latency, worse: latency < alpha && slower },
    timesOf: Math.min(before.times.share(), after.times.share()),
  };
};

const grown = (before: number | null, after: number | null): boolean =>
  before !== null && after !== null && after >= TIMES_THE_LATENCY * before;

const stats = ({ requests, failed, times }: Group): WindowStats => {
  const kept = times.kept();
  const at = (share: number): number | null => (kept.length > 0 ? quantile(kept, share) : null);
  const errorShare = requests > 0 ? failed / requests : 0;
  return { requests, failed, errorShare, p50: at(0.5), p90: at(0.9), p99: at(0.99) };
};

/**
 * Fisher's exact test, one-sided: how likely the failures of both windows, dealt out at random, would put as many as
 * were seen, or more, into the second (the upper tail of the hypergeometric distribution).
 */
export const moreFailures = (before: Pick<WindowStats, 'requests' | 'failed'>, after: typeof before): number => {
  const all = before.requests + after.requests;
  const bad = before.failed + after.failed;
  let p = 0;
  for (let k = after.failed; k <= Math.min(bad, after.requests); k++)
    p += Math.exp(logChoose(bad, k) + logChoose(all - bad, after.requests - k) - logChoose(all, after.requests));
  return Math.min(1, p);
};

const logChoose = (n: number, k: number): number =>
  k < 0 || k > n ? Number.NEGATIVE_INFINITY : gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1);

/**
 * The Mann-Whitney U test, one-sided, by its normal approximation with the correction for ties (Lehmann,
 * Nonparametrics, 1975): how likely the second sample would rank so high if both were of one distribution.
 */
export const higherRanks = (before: readonly number[], after: readonly number[]): number => {
  const [m, n] = [before.length, after.length];
  if (m === 0 || n === 0) return 1;
  const all = m + n;
  const u = wilcoxonRankSum([...after], [...before]) - (n * (n + 1)) / 2;
  const variance = ((m * n) / 12) * (all + 1 - ties([...before, ...after]) / (all * (all - 1)));
  return variance > 0 ? (1 - errorFunction((u - (m * n) / 2) / Math.sqrt(2 * variance))) / 2 : 1;
};

/** The sum of t³ − t over every group of t equal values. */
const ties = (values: readonly number[]): number => {
  const counts = new Map<number, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts.values()].reduce((sum, t) => sum + (t ** 3 - t), 0);
};

const sentence = ({ request, baseline, fault, errors, latency, timesOf }: Comparison): string[] => {
  if (!errors.worse && !latency.worse) return [];
  const who = request ?? 'all requests';
  const share = (of: WindowStats): string => `${(100 * of.errorShare).toFixed(1)} % of ${of.requests}`;
  const times = (of: WindowStats): string => `median ${of.p50?.toFixed(0)} ms, p90 ${of.p90?.toFixed(0)} ms`;
  const part = timesOf < 1 ? ` (1 in ${1 / timesOf} timed)` : '';
  const how = [
    ...(errors.worse ? [`failed more: ${share(fault)}, baseline ${share(baseline)}`] : []),
    ...(latency.worse ? [`slower: ${times(fault)}, baseline ${times(baseline)}${part}`] : []),
  ];
  return [`${who} ${how.join(', and ')}`];
};
