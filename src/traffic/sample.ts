// A part of what may be too much to keep, chosen by number: the same one in whatever order all of it came. Pure.

export type Sample<T> = {
  /** `n` is what is chosen by; `item` is made only of what is chosen. */
  add(n: number, item: () => T): void;
  kept(): T[];
  /** How much of all is kept: 1 for everything, then 1/2, 1/4 and so on. */
  share(): number;
};

/**
 * Everything, as long as that is no more than `most`; beyond it those whose numbers have a hash below a bound, which is
 * halved whenever they are too many. So it keeps about half of `most` at least, and all are equally likely to be kept.
 */
export const sample = <T>(most: number, seed: number): Sample<T> => {
  let kept: { readonly hash: number; readonly item: T }[] = [];
  let share = 1;
  return {
    add: (n, item) => {
      const hash = hashed(n, seed);
      if (hash >= share) return;
      kept.push({ hash, item: item() });
      while (kept.length > most) {
        share /= 2;
        kept = kept.filter((one) => one.hash < share);
      }
    },
    kept: () => kept.map(({ item }) => item),
    share: () => share,
  };
};

/** Uniform in [0, 1): MurmurHash3's finalizer (Austin Appleby), in which every bit depends on every other. */
const hashed = (n: number, seed: number): number => {
  let bits = n ^ Math.imul(seed, 0x9e3779b1);
  bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return ((bits ^ (bits >>> 16)) >>> 0) / 2 ** 32;
};
