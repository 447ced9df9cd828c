// What several threads found, as one.

/** One of each key: those that several parts have are added up. In the order in which the keys first come. */
export const merged = <T>(parts: readonly (readonly T[])[], keyOf: (one: T) => string, add: (a: T, b: T) => T): T[] => {
  const all = new Map<string, T>();
  for (const part of parts)
    for (const one of part) {
      const key = keyOf(one);
      const known = all.get(key);
      all.set(key, known === undefined ? one : add(known, one));
    }
  return [...all.values()];
};
