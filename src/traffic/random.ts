// Seeded randomness: the same seed and stream give the same numbers on every machine.

/** The next number, uniform in [0, 1). */
export type Random = () => number;

/**
 * sfc32, the 32-bit "small fast counting" generator (Chris Doty-Humphrey, PractRand), seeded as its author does: the
 * counter starts at 1 and the first 12 outputs are thrown away. `stream` names one of 2^32 independent sequences of a
 * seed, so that what one part of a plan draws never shifts what another part gets. `seed` is a safe integer, 0 or more.
 */
export const random = (seed: number, stream: number): Random => {
  let a = seed >>> 0;
  let b = Math.floor(seed / 2 ** 32) >>> 0;
  let c = stream >>> 0;
  let counter = 1;
  const next = (): number => {
    const out = (a + b + counter) >>> 0;
    counter = (counter + 1) >>> 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) >>> 0;
    c = (((c << 21) | (c >>> 11)) + out) >>> 0;
    return out / 2 ** 32;
  };
  for (let i = 0; i < 12; i++) next();
  return next;
};
