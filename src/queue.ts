// Values that arrive by events, taken in order by one reader.
import { queue as line } from './traffic/queue.ts';

export type Queue<T> = AsyncIterable<T> & { push(value: T): void; end(error: Error | null): void };

export const queue = <T>(): Queue<T> => {
  const waiting = line<{ readonly value: T }>();
  let over: { error: Error | null } | null = null;
  let wake: () => void = () => undefined;
  async function* read(): AsyncGenerator<T> {
    for (;;) {
      for (let next = waiting.shift(); next; next = waiting.shift()) yield next.value;
      if (over?.error) throw over.error;
      if (over) return;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
  return {
    push: (value) => {
      waiting.push({ value });
      wake();
    },
    end: (error) => {
      over = { error };
      wake();
    },
    [Symbol.asyncIterator]: read,
  };
};
