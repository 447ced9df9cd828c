// The order that `<` gives, for sort().

/** Texts by their code units, the same everywhere; big integers by their values. */
export const compare = <T extends string | bigint>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);
