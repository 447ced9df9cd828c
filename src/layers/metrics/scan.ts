// Statistics: is there a stretch of the test window that the baseline can't explain?

/** `hits` of `trials` (they need not be whole numbers) in one bin of `seconds`. */
export type Bin = { readonly hits: number; readonly trials: number; readonly seconds: number };

/** Bins `first` to `last` stand out: a `share` of hits against `before`, by `strength` (a log-likelihood ratio, nats). */
export type Stretch = {
  readonly first: number;
  readonly last: number;
  readonly share: number;
  readonly before: number;
  readonly strength: number;
};

/** What is counted: the least log-likelihood ratio to believe in, and how many hits of a stretch need no fault. */
export type Rule = {
  readonly critical: number;
  readonly stalled: (trials: number, seconds: number) => number;
};

/**
 * Requests. A log-likelihood ratio of 16 is p = 8e-9 for one stretch (chi-squared, one degree of freedom, one side). A run
 * tries some 1e5 stretches, limits and views, most of them dependent: less than one false alarm in a thousand runs. No fault is needed
 * for the requests that arrive while a process stands still (a garbage collection, a busy machine): 0.7 s in any stretch
 * and a twentieth of its time besides.
 */
export const REQUESTS: Rule = {
  critical: 16,
  stalled: (trials, seconds) => trials * Math.min(1, 0.05 + 0.7 / seconds),
};

/** Bins. There are few of them, so fewer stretches are tried: p = 5e-7 for one. A stall makes two of them hits. */
export const BINS: Rule = { critical: 12, stalled: () => 1 };

/** The test's stretch must stand out this many times as much as the baseline's own worst one does. */
const BEYOND_BASELINE = 2;

const likelihood = (hits: number, trials: number): number => {
  const term = (count: number): number => (count <= 0 ? 0 : count * Math.log(count / trials));
  return trials <= 0 ? 0 : term(hits) + term(trials - hits);
};

/** How much better two shares explain the counts than one does; 0 when the first share is not the higher one. Nats. */
export const strengthOf = (hits: number, trials: number, hits0: number, trials0: number): number =>
  trials <= 0 || trials0 <= 0 || hits / trials <= hits0 / trials0
    ? 0
    : likelihood(hits, trials) + likelihood(hits0, trials0) - likelihood(hits + hits0, trials + trials0);

const total = (bins: readonly Bin[]): { hits: number; trials: number } => ({
  hits: bins.reduce((sum, { hits }) => sum + hits, 0),
  trials: bins.reduce((sum, { trials }) => sum + trials, 0),
});

/** The stretch of `bins` whose share of hits is most above that of `reference(stretch)`. */
const worst = (
  bins: readonly Bin[],
  reference: (hits: number, trials: number) => { hits: number; trials: number },
  { stalled }: Rule,
): Stretch | null => {
  let best: Stretch | null = null;
  for (let first = 0; first < bins.length; first++) {
    let [hits, trials, seconds] = [0, 0, 0];
    for (let last = first; last < bins.length; last++) {
      const bin = bins[last]!;
      hits += bin.hits;
      trials += bin.trials;
      seconds += bin.seconds;
      const rest = reference(hits, trials);
      const strength = strengthOf(Math.max(0, hits - stalled(trials, seconds)), trials, rest.hits, rest.trials);
      if (strength > (best?.strength ?? 0))
        best = { first, last, share: hits / trials, before: rest.hits / rest.trials, strength };
    }
  }
  return best;
};

/**
 * The stretch of the test bins that has more hits than the baseline explains, or null. A scan statistic: the largest
 * log-likelihood ratio over all contiguous stretches, as in Kulldorff, "A spatial scan statistic", 1997 (Bernoulli model), made
 * harder by what stalls explain and by the baseline's own worst stretch.
 */
export const excess = (baseline: readonly Bin[], test: readonly Bin[], rule: Rule): Stretch | null => {
  const known = total(baseline);
  if (known.trials <= 0) return null;
  const found = worst(test, () => known, rule);
  if (!found || found.strength < rule.critical) return null;
  const own = worst(baseline, (hits, trials) => ({ hits: known.hits - hits, trials: known.trials - trials }), rule);
  return found.strength > BEYOND_BASELINE * (own?.strength ?? 0) ? found : null;
};

/** Twenty events expected and hardly any seen: p = 2e-9 for none (Poisson), with room for bursts in the baseline's measure. */
const EXPECTED = 20;
const HARDLY = 0.1;

/** `hits` events in a bin that the baseline's rate expects `trials` of: the longest stretch without them, or null. */
export const silence = (baseline: readonly Bin[], test: readonly Bin[]): Stretch | null => {
  const usual = longestSilence(baseline)?.strength ?? 0;
  const found = longestSilence(test);
  return found && found.strength > EXPECTED * burstiness(baseline) && found.strength > 2 * usual ? found : null;
};

/** Variance over mean of the baseline's counts (the index of dispersion): 1 for Poisson arrivals, more for bursts. */
const burstiness = (bins: readonly Bin[]): number => {
  const counted = bins.filter(({ trials }) => trials > 0);
  const { hits, trials } = total(counted);
  if (hits === 0) return 1;
  const spread = counted.map((bin) => (bin.hits - (hits / trials) * bin.trials) ** 2 / ((hits / trials) * bin.trials));
  return Math.max(1, spread.reduce((sum, one) => sum + one, 0) / Math.max(1, counted.length - 1));
};

const longestSilence = (bins: readonly Bin[]): Stretch | null => {
  let best: Stretch | null = null;
  for (let first = 0; first < bins.length; first++) {
    let [hits, trials] = [0, 0];
    for (let last = first; last < bins.length; last++) {
      hits += bins[last]!.hits;
      trials += bins[last]!.trials;
      if (trials > 0 && hits <= HARDLY * trials && trials - hits > (best?.strength ?? 0))
        best = { first, last, share: hits / trials, before: 1, strength: trials - hits };
    }
  }
  return best;
};
