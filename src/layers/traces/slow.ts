// Which durations grew, and whom all of that growth together points at.
import { median } from 'simple-statistics';
import { service } from '../../model.ts';
import { type Burst, newBurst } from './scan.ts';
import { type Sample, type Series, seriesOf, usualQuantiles } from './series.ts';
import { evidenceOf, overlap, type Suspicion, takenUpAtOnce, type View, within } from './view.ts';

/** A series that was slower than before for a while; `byMs` is by how much its slow durations were, in the middle. */
export type Slowed = Suspicion & {
  readonly series: Series;
  /** The quantile of the baseline that more of the durations exceeded than used to, and the share that did. */
  readonly q: number;
  readonly badShare: number;
  readonly slow: readonly Sample[];
  readonly byMs: number;
};

/** What a turn of the scheduler on a busy machine adds to anything. */
const RESOLUTION_MS = 5;
/** A change worth naming is at least this part of what the thing usually takes. */
const RELATIVE = 0.3;
/** Three separate half seconds at least, over a second or more: no single pause does that. */
const MIN_BINS = 3;
const MIN_EXTENT_MS = 1000;
/** Odds against a way being as quick as it looks by luck. */
const LUCK = 1e-3;
/** The machine's own slowness shows everywhere; a fault stands out from it. */
const STANDS_OUT = 3;
/**
 * Only some requests may be hit, so that the upper durations are looked at as well as the middle. Long durations come in
 * clumps: at least `floor` of them are always taken to be usual.
 */
const LIMITS = [
  { q: 0.5, floor: 0.05 },
  { q: 0.9, floor: 0.05 },
  { q: 0.98, floor: 0.02 },
];
type Limit = (typeof LIMITS)[number];

/** Blame for slowness: the component's own, or else that of the ways which grew longer. */
export const slowness = (view: View): Suspicion[] => {
  const series = seriesOf(view);
  const slowed = series.flatMap((one) => slowedBurst(one, series) ?? []);
  const own = slowed.filter((one) => one.series.way === null);
  const ways = slowed.filter((way) => way.series.way && !own.some((one) => explains(one, way)));
  return [...own, ...located(view, series, ways)];
};

// A component that is busy with itself is also slow to take up requests and to read answers.
const explains = (own: Slowed, way: Slowed): boolean => {
  const { from, to } = way.series.way!;
  return (from === own.at || to === own.at) && overlap(own, way) && own.byMs >= RELATIVE * way.byMs;
};

const slowedBurst = (series: Series, all: readonly Series[]): Slowed | null => {
  const usual = usualQuantiles(series.baseline);
  const found = LIMITS.map((limit) => exceeding(series, usual, limit)).reduce(stronger, null);
  if (!found) return null;
  if (found.byMs < STANDS_OUT * commonShift(series, all, found)) return null;
  const { since, evidence } = evidenceOf(found.slow);
  return {
    ref: series.ref,
    kind: 'slow',
    at: series.way?.to ?? series.name,
    ...found.burst,
    since,
    evidence,
    why: `${series.name} took ${Math.round(found.byMs)} ms longer in ${Math.round(found.burst.badShare * 100)} % of cases`,
    series,
    slow: found.slow,
    q: found.q,
    badShare: found.burst.badShare,
    byMs: found.byMs,
  };
};

type Quantiles = (operation: string, q: number) => number;
type Exceeding = {
  readonly from: number;
  readonly until: number;
  readonly burst: Burst;
  readonly q: number;
  /** Those that make up the burst, without the odd one that was only just too long. */
  readonly slow: readonly Sample[];
  readonly byMs: number;
};

const stronger = (a: Exceeding | null, b: Exceeding | null): Exceeding | null =>
  !a || (b && b.burst.llr > a.burst.llr) ? b : a;

const exceeding = (series: Series, usual: Quantiles, { q, floor }: Limit): Exceeding | null => {
  const long = isLong(usual, q);
  const outcomes = (samples: readonly Sample[]) => samples.map((one) => ({ t: one.t, bad: long(one) }));
  const found = newBurst(outcomes(series.baseline), outcomes(series.test), floor, MIN_BINS);
  if (!found || found.until - found.from < MIN_EXTENT_MS) return null;
  const slow = within(series.test, found.from, found.until).filter(long);
  const excess = (one: Sample): number => one.ms - usual(one.operation, 0.5);
  const byMs = median(slow.map(excess));
  return {
    from: found.from,
    until: found.until,
    burst: found,
    q,
    slow: slow.filter((one) => excess(one) >= byMs / 2),
    byMs,
  };
};

const isLong =
  (usual: Quantiles, q: number) =>
  ({ operation, ms }: Sample): boolean =>
    ms > usual(operation, q) + Math.max(RESOLUTION_MS, RELATIVE * usual(operation, 0.5));

/**
 * How much longer everything else took meanwhile: of each other series as large a share of its longest durations is taken
 * as was too long here, now and in the baseline. A machine that is busy lengthens the long ones everywhere.
 */
const commonShift = (but: Series, all: readonly Series[], { from, until, burst }: Exceeding): number => {
  const others = all.filter((one) => one !== but && !touch(one, but));
  const shifts = others.flatMap((one) => {
    const now = within(one.test, from, until);
    const usual = usualQuantiles(one.baseline);
    const longest = (samples: readonly Sample[]): number => longestExcess(samples, usual, burst.badShare);
    return now.length < 5 ? [] : [longest(now) - longest(one.baseline)];
  });
  return shifts.length === 0 ? 0 : Math.max(0, median(shifts));
};

/** By how much the longest of these durations, this share of them, exceed the usual middle; their own middle. */
const longestExcess = (samples: readonly Sample[], usual: Quantiles, share: number): number => {
  const excess = samples.map(({ operation, ms }) => ms - usual(operation, 0.5)).sort((a, b) => b - a);
  return median(excess.slice(0, Math.max(1, Math.ceil(share * excess.length))));
};

// Both ends of a way, and ways that share an end, may well suffer from the same cause.
const touch = (a: Series, b: Series): boolean => {
  const ends = ({ way, name }: Series): string[] => (way ? [way.from, way.to] : [name]);
  return ends(a).some((one) => ends(b).includes(one));
};

/**
 * Slow ways that one component explains become that component: all ways into it are slow, or all of several ways out of
 * it. What no component explains stays an edge. The component that explains the most comes first; between two that
 * explain the same, the called one.
 */
const located = (view: View, series: readonly Series[], ways: readonly Slowed[]): Suspicion[] => {
  if (ways.length === 0) return [];
  const candidates = view.topology.components.map((name) => explanation(name, series, ways));
  const best = candidates.reduce((a, b) => (b.rank > a.rank ? b : a));
  if (best.rank === 0) return [...ways];
  const left = ways.filter((one) => !best.explains.includes(one));
  return [merged(best), ...located(view, series, left)];
};

type Explanation = { readonly name: string; readonly explains: readonly Slowed[]; readonly rank: number };

const explanation = (name: string, series: readonly Series[], ways: readonly Slowed[]): Explanation => {
  const into = ways.filter((one) => one.series.way!.to === name);
  const outOf = ways.filter((one) => one.series.way!.from === name);
  const allInto = into.length > 0 && !series.some((one) => one.way?.to === name && isQuick(one, into));
  const allOutOf = outOf.length > 1 && !series.some((one) => one.way?.from === name && isQuick(one, outOf));
  const explains = [...(allInto || allOutOf ? into : []), ...(allOutOf || allInto ? outOf : [])];
  return { name, explains, rank: allInto || allOutOf ? explains.length + (allInto ? 0.5 : 0) : 0 };
};

/** While the others were slow it was used often enough, and was quick often enough, for that to be no luck. */
const isQuick = (series: Series, slow: readonly Slowed[]): boolean => {
  if (slow.some((one) => one.series === series)) return false;
  const strongest = slow.reduce((a, b) => (b.llr > a.llr ? b : a));
  const used = within(series.test, strongest.from, strongest.until);
  const long = used.filter(isLong(usualQuantiles(series.baseline), strongest.q));
  const share = Math.min(strongest.badShare, 0.9);
  return long.length <= (share / 2) * used.length && (1 - share) ** (used.length - long.length) < LUCK;
};

const merged = ({ name, explains }: Explanation): Suspicion => {
  const strongest = explains.reduce((a, b) => (b.llr > a.llr ? b : a));
  const calls = explains.filter((one) => one.at === name).flatMap((one) => one.slow);
  const still = stoodStill(calls);
  const why = explains.map((one) => one.why).join('; ');
  return {
    ...strongest,
    ref: service(name),
    kind: still ? 'absent' : 'slow',
    at: name,
    since: Math.min(...explains.map((one) => one.since)),
    why: still ? `${why}; ${name} took them up at once: it had stood still` : why,
  };
};

const stoodStill = (calls: readonly Sample[]): boolean => {
  const taken = calls.flatMap(({ t, taken }) => (taken === null ? [] : [{ t, taken }]));
  return taken.length >= calls.length / 2 && takenUpAtOnce(taken);
};
