// How far a worker's clock is ahead of ours, from readings of it that came to us over a way of unknown length. Pure.
import type { Nanos } from '../../model.ts';

export type Reading = { readonly theirs: Nanos; readonly arrived: Nanos };

/** Bounds of theirs minus ours. */
export type Skew = { readonly atLeast: Nanos; readonly atMost: Nanos };

/**
 * A reading was taken after it was asked for and before it arrived (Cristian, Probabilistic clock synchronization, 1989):
 * so their clock is ahead by at most the first reading minus our asking, and by at least any reading minus its arrival.
 */
export const skewOf = (asked: Nanos, readings: readonly [Reading, ...Reading[]]): Skew => ({
  atLeast: readings.map(({ theirs, arrived }) => theirs - arrived).sort((a, b) => (a < b ? 1 : -1))[0]!,
  atMost: readings[0].theirs - asked,
});

/**
 * By how much to correct a worker's clock. Not at all where both may be the same: synchronised nodes are closer than
 * such readings tell. Else by the lower bound: readings on an open connection arrive sooner than a program starts.
 */
export const ahead = ({ atLeast, atMost }: Skew): Nanos => (atLeast <= 0n && 0n <= atMost ? 0n : atLeast);
