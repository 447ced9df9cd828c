// How long work takes.
import type { Random } from '../../../traffic/random.ts';

/** The standard normal distribution's 99th percentile. */
const Z99 = 2.326347874;

/** One draw from the log-normal distribution that has this median and this 99th percentile, in their unit. */
export const logNormal = (draw: Random, median: number, p99: number): number => {
  if (median <= 0) return 0;
  const sigma = Math.log(Math.max(p99, median) / median) / Z99;
  return median * Math.exp(sigma * normal(draw));
};

/** A standard normal draw: Box and Muller, 1958. */
const normal = (draw: Random): number => Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());
