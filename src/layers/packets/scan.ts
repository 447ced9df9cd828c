// Finds the stretch of a series that speaks most strongly against "all is as it was".

export type Stretch = {
  /** Indices into the series, both included. */
  readonly from: number;
  readonly to: number;
  /** Sum of the log-likelihood ratios in it. */
  readonly strength: number;
};

/**
 * The contiguous stretch with the largest sum (Kadane), or null when there is none above zero. With log-likelihood ratios
 * as scores this is the scan statistic (CUSUM, Page 1954): under the null hypothesis the largest sum over n positions
 * exceeds h with a probability of at most n * exp(-h).
 */
export const strongest = (scores: readonly number[]): Stretch | null => {
  let best: Stretch | null = null;
  let from = 0;
  let sum = 0;
  scores.forEach((score, to) => {
    if (sum <= 0) {
      from = to;
      sum = 0;
    }
    sum += score;
    if (sum > 0 && sum > (best?.strength ?? 0)) best = { from, to, strength: sum };
  });
  return best;
};

/** How strong a stretch must be, so that chance makes one in n positions with a probability below `chance` only. */
export const threshold = (positions: number, chance: number): number => Math.log(Math.max(1, positions) / chance);
