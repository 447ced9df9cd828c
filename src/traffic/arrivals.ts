// When things arrive in an open loop: fixed beforehand, whatever the answers do.
import type { Random } from './random.ts';

/** Evenly spaced; a Poisson process; or evenly rising (or falling) from the load's rate to `rampTo` per second. */
export type Arrivals = 'constant' | 'poisson' | { readonly rampTo: number };

/**
 * Times of arrival in milliseconds, ascending, from 0 up to but not at the end; rates are per second.
 *
 * By inversion of the cumulative rate (Çınlar, Introduction to Stochastic Processes, 1975): points of a process of
 * rate 1 (whole numbers when even, sums of exponential gaps when Poisson) are mapped through Λ⁻¹, where
 * Λ(t) = rate·t + (last − rate)·t² / (2·seconds) is how many are expected up to t.
 */
export function* arrivals(
  process: Arrivals,
  rate: number,
  seconds: number,
  random: Random,
): Generator<number, void, void> {
  const last = typeof process === 'object' ? process.rampTo : rate;
  const gap = process === 'poisson' ? () => -Math.log(1 - random()) : () => 1;
  const expected = ((rate + last) / 2) * seconds;
  for (let point = process === 'poisson' ? gap() : 0; point < expected; point += gap()) {
    const at = 1000 * timeOf(point, rate, (last - rate) / seconds);
    if (at < 1000 * seconds) yield at;
  }
}

/** Λ⁻¹: the root of rate·t + slope·t²/2 = point, in the form that loses no digits when the slope is near 0. */
const timeOf = (point: number, rate: number, slope: number): number =>
  point === 0 ? 0 : (2 * point) / (rate + Math.sqrt(Math.max(0, rate * rate + 2 * slope * point)));
