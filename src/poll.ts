// The only retry loops: until() for what must come true, during() for what must stay true.
import { oneLine, Unreachable } from './errors.ts';
import { type Clock, fromMs, systemClock } from './time.ts';

export type Polling = {
  readonly forMs: number;
  readonly everyMs: number;
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
};

/**
 * Asks until the answer is not null or undefined, at least once, even past the deadline. A question that throws is
 * asked again; the last failure survives in the Unreachable that ends the wait.
 */
export const until = async <T>(
  what: string,
  ask: () => Promise<T | null | undefined> | T | null | undefined,
  polling: Polling,
): Promise<T> => {
  const clock = polling.clock ?? systemClock;
  const deadline = clock.now() + fromMs(polling.forMs);
  for (let last = 'no answer yet'; ; ) {
    try {
      const answer = await ask();
      if (answer !== null && answer !== undefined) return answer;
    } catch (error) {
      last = oneLine(error);
    }
    polling.signal?.throwIfAborted();
    if (clock.now() >= deadline) throw new Unreachable(`${what}: not within ${polling.forMs / 1000} s (${last})`);
    await clock.sleepUntil(clock.now() + fromMs(polling.everyMs), polling.signal);
  }
};

/** Calls `look` at once and then every `everyMs` until `forMs` have passed or the signal aborts; never after either. */
export const during = async (look: () => Promise<void>, polling: Polling): Promise<void> => {
  const clock = polling.clock ?? systemClock;
  const end = clock.now() + fromMs(polling.forMs);
  for (let next = clock.now(); next < end && !polling.signal?.aborted; next += fromMs(polling.everyMs)) {
    await clock.sleepUntil(next, polling.signal).catch((error: unknown) => {
      if (!polling.signal?.aborted) throw error;
    });
    if (!polling.signal?.aborted) await look();
    while (next + fromMs(polling.everyMs) < clock.now()) next += fromMs(polling.everyMs);
  }
};
