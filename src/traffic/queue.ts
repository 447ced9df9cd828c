// A queue whose ends both cost O(1): an array's shift moves all that is left.

export type Queue<T> = {
  push(item: T): void;
  first(): T | undefined;
  shift(): T | undefined;
  /** Takes the one that came last. */
  pop(): T | undefined;
  size(): number;
  all(): T[];
};

/** What was taken is let go once it is most of the array. */
const COMPACTED = 1024;

export const queue = <T>(): Queue<T> => {
  let items: (T | undefined)[] = [];
  let at = 0;
  return {
    push: (item) => void items.push(item),
    first: () => items[at],
    shift: () => {
      const item = items[at];
      if (at < items.length) items[at++] = undefined;
      if (at >= COMPACTED && 2 * at > items.length) {
        items = items.slice(at);
        at = 0;
      }
      return item;
    },
    pop: () => (at < items.length ? items.pop() : undefined),
    size: () => items.length - at,
    all: () => items.slice(at) as T[],
  };
};
