// Values that arrive by events, taken in order by one reader.

export type Queue<T> = AsyncIterable<T> & { push(value: T): void; end(error: Error | null): void };

export const queue = <T>(): Queue<T> => {
  const waiting: T[] = [];
  let over: { error: Error | null } | null = null;
  let wake: () => void = () => undefined;
  async function* read(): AsyncGenerator<T> {
    for (;;) {
      while (waiting.length > 0) yield waiting.shift()!;
      if (over?.error) throw over.error;
      if (over) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
  return {
    push: (value) => {
      waiting.push(value);
      wake();
    },
    end: (error) => {
      over = { error };
      wake();
    },
    [Symbol.asyncIterator]: read,
  };
};
