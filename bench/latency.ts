// What both halves of the traffic bench say of many times.

/** Milliseconds. */
export type Latency = { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number };

/** Of one time at least. */
export const latencyOf = (times: readonly number[]): Latency => {
  const sorted = Float64Array.from(times).sort();
  const quantile = (q: number): number => sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
  return { p50: quantile(0.5), p90: quantile(0.9), p99: quantile(0.99), max: quantile(1) };
};
