// Which numbers have been there already, a bit each: millions of them, in no order, fit.

export type Numbers = {
  /** True when the number, whole and 0 or more, was not there before. */
  add(n: number): boolean;
};

/** Numbers to a page; pages are made as they are needed. */
const PAGE = 32_768;

export const numbers = (): Numbers => {
  const pages = new Map<number, Uint8Array>();
  return {
    add: (n) => {
      const page = Math.floor(n / PAGE);
      const bits = pages.get(page) ?? new Uint8Array(PAGE / 8);
      const [at, bit] = [(n % PAGE) >> 3, 1 << (n % 8)];
      if (bits[at]! & bit) return false;
      bits[at]! |= bit;
      pages.set(page, bits);
      return true;
    },
  };
};
