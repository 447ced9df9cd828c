// Symptoms: what is wrong with one view, before anybody is blamed for it.
import { medianSorted, quantileSorted } from 'simple-statistics';
import { BINS, type Bin, excess, REQUESTS, type Stretch, silence } from './scan.ts';
import type { Slice, View } from './views.ts';

/** unanswered: calls without an answer; erroring: answered with errors; slow; silent: hardly any requests. */
export type Symptom = {
  readonly kind: 'unanswered' | 'erroring' | 'slow' | 'silent';
  readonly view: View;
  readonly stretch: Stretch;
};

/** Everything wrong with a view. A server's view knows no unanswered requests: whatever failed there is an error of its own. */
export const symptoms = (view: View): Symptom[] => {
  const server = view.peer === null;
  const found: [Symptom['kind'], Stretch | null][] = [
    ['unanswered', server ? null : counted(view, ({ unanswered }) => unanswered)],
    ['erroring', counted(view, ({ errors, unanswered }) => (server ? errors + unanswered : errors))],
    ['slow', slowness(view)],
    ['silent', quiet(view)],
  ];
  return found.flatMap(([kind, stretch]) => (stretch ? [{ kind, view, stretch }] : []));
};

const counted = ({ baseline, test }: View, hits: (slice: Slice) => number): Stretch | null => {
  const bins = (slices: readonly Slice[]): Bin[] =>
    slices.map((slice) => ({ hits: hits(slice), trials: slice.requests, seconds: slice.seconds }));
  return excess(bins(baseline), bins(test), REQUESTS);
};

const quiet = ({ baseline, test }: View): Stretch | null => {
  const rate = sum(baseline, ({ requests }) => requests) / sum(baseline, ({ covered }) => covered);
  const bins = (slices: readonly Slice[]): Bin[] =>
    slices.map(({ requests, covered, seconds }) => ({ hits: requests, trials: rate * covered, seconds }));
  return rate > 0 ? silence(bins(baseline), bins(test)) : null;
};

/** Slower requests, however few: by the bucket that shows them best, or else by the means of the bins. */
const slowness = (view: View): Stretch | null => {
  const limits = new Set([...view.baseline, ...view.test].flatMap(({ over }) => [...over.keys()]));
  const byLimit = [...limits].map((limit) => byBucket(view, limit));
  return strongest(byLimit) ?? byMeans(view);
};

export const strongest = (stretches: readonly (Stretch | null)[]): Stretch | null =>
  stretches.reduce((best, one) => (one && one.strength > (best?.strength ?? 0) ? one : best), null);

const byBucket = ({ baseline, test }: View, limit: string): Stretch | null => {
  const bins = (slices: readonly Slice[]): Bin[] =>
    slices.map(({ over, bucketed, seconds }) => ({ hits: over.get(limit) ?? 0, trials: bucketed, seconds }));
  return excess(bins(baseline), bins(test), REQUESTS);
};

/** A stall makes a bin or two high, so most of five must be. */
const FEW = 5;
const MOST = 0.8;
/** How far above the baseline's middle a bin's mean is high, in its deviations. */
const HEIGHTS = [1, 2, 3];

const byMeans = (view: View): Stretch | null => {
  const means = view.baseline.flatMap(meanOf).sort((a, b) => a - b);
  if (means.length < FEW) return null;
  const middle = medianSorted(means);
  // The deviation of a normal distribution with this upper quartile, which outliers don't move.
  const deviation = (quantileSorted(means, 0.75) - middle) / 0.6745;
  return strongest(HEIGHTS.map((height) => above(view, middle + Math.max(0.1 * middle, height * deviation))));
};

const above = ({ baseline, test }: View, limit: number): Stretch | null => {
  const bins = (slices: readonly Slice[]): Bin[] =>
    slices.map((slice) => ({
      hits: meanOf(slice).filter((mean) => mean > limit).length,
      trials: meanOf(slice).length,
      seconds: slice.seconds,
    }));
  const found = excess(bins(baseline), bins(test), BINS);
  const many = found ? bins(test.slice(found.first, found.last + 1)).filter(({ trials }) => trials > 0).length : 0;
  return found && many >= FEW && found.share >= MOST ? found : null;
};

const meanOf = ({ time, timed }: Slice): number[] => (timed > 0 ? [time / timed] : []);

export const sum = (slices: readonly Slice[], of: (slice: Slice) => number): number =>
  slices.reduce((total, slice) => total + of(slice), 0);

/** The stretch without its first and last bin, in which the trouble begins and ends; all of it when it is short. */
export const inside = (view: View, { first, last }: Stretch): readonly Slice[] =>
  last - first < 2 ? view.test.slice(first, last + 1) : view.test.slice(first + 1, last);

/** The part of the view's test window that the stretch is. */
export const within = (view: View, { first, last }: Stretch): readonly Slice[] => view.test.slice(first, last + 1);
