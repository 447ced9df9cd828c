// The tests: each compares a stretch of the test window with the baseline, and pays for every stretch it tried.
import { gammaln } from 'simple-statistics';

/**
 * The chance that noise alone makes one test fire. A run makes some hundred tests, so that about one control run in ten
 * thousand would raise a false alarm.
 */
export const ALPHA = 1e-6;

const logChoose = (n: number, k: number): number => gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1);

/** P(X >= k) for X ~ Binomial(n, p). */
export const atLeast = (k: number, n: number, p: number): number => {
  if (k <= 0) return 1;
  if (k > n) return 0;
  let sum = 0;
  for (let i = k; i <= n; i++) sum += Math.exp(logChoose(n, i) + i * Math.log(p) + (n - i) * Math.log1p(-p));
  return Math.min(1, sum);
};

/**
 * P(at least `k` events in `w`) when `k0` came in `t0`, both Poisson with one unknown rate: given their sum the events fall
 * into the two stretches like coins (Przyborowski and Wilenski, 1940). Knows how little a short baseline says.
 */
export const excess = (k: number, w: number, k0: number, t0: number): number => atLeast(k, k + k0, w / (w + t0));

export type Stretch = { readonly from: number; readonly until: number; readonly p: number };

/**
 * The stretch of `times` (ascending) that is the most improbable excess over `k0` events in `t0`: a scan statistic (Kulldorff,
 * 1997). Its p-value is multiplied by the number of stretches tried. Null: fewer than three events.
 */
export const densest = (times: readonly number[], k0: number, t0: number, least: number): Stretch | null => {
  const rate = (k0 + 1) / t0;
  let best = { gain: 0, from: 0, until: 0, k: 0, w: 0 };
  for (let i = 0; i < times.length; i++) {
    for (let j = i + 2; j < times.length; j++) {
      const [from, until] = [times[i]!, times[j]!];
      const w = Math.max(until - from, least);
      // The first event only opens the stretch.
      const k = j - i;
      const gain = k > rate * w ? k * Math.log(k / (rate * w)) - (k - rate * w) : 0;
      if (gain > best.gain) best = { gain, from, until, k, w };
    }
  }
  if (best.gain === 0) return null;
  const tried = (times.length * (times.length - 1)) / 2;
  return { from: best.from, until: best.until, p: Math.min(1, excess(best.k, best.w, k0, t0) * tried) };
};
