// Seeded randomness: the same seed gives the same numbers, on every machine.

/** Draws a number in [0, 1). */
export type Random = () => number;

/** Uniform numbers from a seed: mulberry32, 32 bits of state, by Tommy Ettinger (public domain). */
export const random = (seed: number): Random => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};

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
