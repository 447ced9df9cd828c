// Finds the stretch of time in which something went bad more often than it used to. Pure.

/** One thing that happened and whether it went bad. `t` is in milliseconds. */
export type Outcome = { readonly t: number; readonly bad: boolean };

/** Bad outcomes from `from` to `until` (milliseconds); `llr` is the log-likelihood ratio against the usual rate. */
export type Burst = {
  readonly from: number;
  readonly until: number;
  readonly llr: number;
  /** `llr` at which a stretch this good would turn up by chance once in 1 / ALPHA series. */
  readonly needed: number;
  readonly badShare: number;
};

/** False alarms accepted, for each series looked at. */
const ALPHA = 1e-5;
/** Rates that a trouble may have: some requests, a pod of three or two, nearly all. */
const RATES = [0.2, 0.4, 0.7, 0.96];
/**
 * A pause (garbage collection, scheduling) hits all calls in flight at once, so the calls of one such bin are not
 * independent: they count as at most this many witnesses.
 */
const BIN_MS = 500;
const WITNESSES = 3;

type Bin = { readonly at: number; readonly n: number; readonly bad: number };

/**
 * The stretch with the greatest log-likelihood ratio of a raised rate against `usual`, or null when chance explains the
 * best one. For a given start and rate the ratio is a martingale under the usual rate, so that by Ville's inequality it
 * ever reaches e^x with probability e^-x at most; the union over starts and rates gives the threshold
 * (Wald 1945 for the test, Kulldorff 1997 for scanning).
 */
export const burst = (outcomes: readonly Outcome[], usual: number, minBins: number): Burst | null => {
  const bins = binned(outcomes);
  const rates = RATES.filter((rate) => rate >= 2 * usual || 1 - rate <= (1 - usual) / 4);
  const needed = Math.log((Math.max(1, bins.length) * Math.max(1, rates.length)) / ALPHA);
  const best = rates
    .map((rate) => bestStretch(bins, rate, usual))
    .reduce<Stretch>((a, b) => (b.llr > a.llr ? b : a), { first: 0, last: -1, llr: 0 });
  const stretch = bins.slice(best.first, best.last + 1);
  if (best.llr < needed || stretch.filter((bin) => bin.bad > 0).length < minBins) return null;
  return described(outcomes, stretch, best.llr, needed);
};

/** The usual rate, never taken to be lower than what was seen can show (Laplace's rule), nor lower than `floor`. */
export const usualRate = (outcomes: readonly Outcome[], floor: number): number =>
  Math.max(floor, (outcomes.filter((one) => one.bad).length + 1) / (outcomes.length + 2));

/** A burst of `now` that `before` does not explain, neither by its rate nor by a burst of about the same strength. */
export const newBurst = (
  before: readonly Outcome[],
  now: readonly Outcome[],
  floor: number,
  minBins: number,
): Burst | null => {
  const usual = usualRate(before, floor);
  const found = burst(now, usual, minBins);
  const earlier = found && burst(before, usual, minBins);
  return found && earlier && found.llr < 2 * earlier.llr ? null : found;
};

type Stretch = { readonly first: number; readonly last: number; readonly llr: number };

// Kadane's algorithm: a running sum that starts anew whenever it falls to nothing.
const bestStretch = (bins: readonly Bin[], rate: number, usual: number): Stretch => {
  let best: Stretch = { first: 0, last: -1, llr: 0 };
  let [sum, first] = [0, 0];
  bins.forEach((bin, at) => {
    if (sum <= 0) [sum, first] = [0, at];
    const share = bin.bad / bin.n;
    const each = share * Math.log(rate / usual) + (1 - share) * Math.log((1 - rate) / (1 - usual));
    sum += Math.min(bin.n, WITNESSES) * each;
    if (sum > best.llr) best = { first, last: at, llr: sum };
  });
  return best;
};

const binned = (outcomes: readonly Outcome[]): Bin[] => {
  const bins = new Map<number, { at: number; n: number; bad: number }>();
  for (const { t, bad } of outcomes) {
    const at = Math.floor(t / BIN_MS);
    const bin = bins.get(at) ?? { at, n: 0, bad: 0 };
    bin.n += 1;
    bin.bad += bad ? 1 : 0;
    bins.set(at, bin);
  }
  return [...bins.values()].sort((a, b) => a.at - b.at);
};

const described = (outcomes: readonly Outcome[], bins: readonly Bin[], llr: number, needed: number): Burst => {
  const [first, last] = [bins[0]!.at * BIN_MS, (bins.at(-1)!.at + 1) * BIN_MS];
  const bad = outcomes.filter((one) => one.bad && one.t >= first && one.t < last).map((one) => one.t);
  const [from, until] = [Math.min(...bad), Math.max(...bad)];
  const within = outcomes.filter((one) => one.t >= from && one.t <= until);
  return { from, until, llr, needed, badShare: bad.length / within.length };
};
