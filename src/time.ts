// The clock, the only one: nothing else in firedrill reads the time or sleeps.
import { setTimeout as wait } from 'node:timers/promises';
import { Usage } from './errors.ts';
import type { Duration, Nanos, Window } from './model.ts';

export type Clock = {
  /** Now, in nanoseconds since the epoch (microsecond resolution). */
  now(): Nanos;
  /** Resolves at `at`, or at once when that has passed; rejects with the signal's reason when it aborts. */
  sleepUntil(at: Nanos, signal?: AbortSignal): Promise<void>;
};

/** Milliseconds of a clock that nobody sets: for how long ago something was. */
export const ticks = (): number => performance.now();

export const SECOND = 1_000_000_000n;
export const MILLISECOND = 1_000_000n;

const micros = (): number => Math.round((performance.timeOrigin + performance.now()) * 1000);

const now = (): Nanos => BigInt(micros()) * 1000n;

export const systemClock: Clock = {
  now,
  async sleepUntil(at, signal) {
    // A timer may be more than a millisecond late.
    if (at - now() < MILLISECOND) await turnsUntil(at, signal);
    for (let left = at - now(); left > 0n; left = at - now()) {
      signal?.throwIfAborted();
      // setTimeout takes at most 2^31 ms and may fire a millisecond early.
      const ms = Number(left / MILLISECOND) + 1;
      await wait(Math.min(ms, 2_000_000_000), undefined, signal ? { signal } : {}).catch((error: unknown) => {
        signal?.throwIfAborted();
        throw error;
      });
    }
    signal?.throwIfAborted();
  },
};

/** Looks at the time at every turn of the event loop. A promise for each would be half of all that traffic leaves to collect. */
const turnsUntil = (at: Nanos, signal?: AbortSignal): Promise<void> => {
  const until = Number((at + 999n) / 1000n);
  return new Promise((resolve) => {
    const look = (): void => {
      if (signal?.aborted || micros() >= until) resolve();
      else setImmediate(look);
    };
    look();
  });
};

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;

/** Milliseconds in a duration such as `250ms`, `1.5s`, `2m`. Throws Usage, naming `where`, when it isn't one. */
export const milliseconds = (text: Duration | string, where = 'duration'): number => {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  if (!match)
    throw new Usage(`${where}: '${text}' is not a duration; write a number and ms, s, m or h, such as 250ms or 2m`);
  return Number(match[1]) * UNITS[match[2] as keyof typeof UNITS];
};

export const fromMs = (ms: number): Nanos => BigInt(Math.round(ms * 1e6));
export const toMs = (nanos: Nanos): number => Number(nanos) / 1e6;

/** ISO 8601 UTC with nanoseconds, as files have it: `2026-11-21T06:48:20.123456789Z`. */
export const iso = (at: Nanos): string => {
  const seconds = new Date(Number(at / MILLISECOND)).toISOString().slice(0, 19);
  return `${seconds}.${String(at % SECOND).padStart(9, '0')}Z`;
};

/**
 * The same for times in milliseconds after `startAt`: `stamps(start)(ms)` is `iso(start + fromMs(ms))`, as long as they are
 * within three months of it, and several times as quick, for a ledger has three of them a request.
 */
export const stamps = (startAt: Nanos): ((ms: number) => string) => {
  const base = startAt / SECOND;
  const offset = Number(startAt % SECOND);
  // Several at once: when a request was due, when it was sent and when it ended may lie far apart.
  const texts = new Map<number, string>();
  const textOf = (second: number): string => {
    const text = iso((base + BigInt(second)) * SECOND).slice(0, 20);
    if (texts.size >= MOST_SECONDS) texts.clear();
    texts.set(second, text);
    return text;
  };
  return (ms) => {
    const nanos = offset + Math.round(ms * 1e6);
    const second = Math.floor(nanos / 1e9);
    return `${texts.get(second) ?? textOf(second)}${String(1e9 + nanos - second * 1e9).slice(1)}Z`;
  };
};

/** The instant that an ISO 8601 or RFC 3339 text names, down to its nanoseconds. Throws RangeError when it names none. */
export const fromIso = (text: string): Nanos => {
  const match = /^(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/i.exec(text);
  const base = match ? Date.parse(`${match[1]!.replace(' ', 'T')}${match[3]}`) : Number.NaN;
  if (!match || Number.isNaN(base)) throw new RangeError(`'${text}' is not an RFC 3339 time`);
  return BigInt(base) * MILLISECOND + BigInt((match[2] ?? '').padEnd(9, '0').slice(0, 9));
};

/**
 * The reverse: nanoseconds from `startAt` to the instant that an ISO 8601 text names, to the nanosecond within three months of
 * it. What is written as `iso` writes it is read once a second only; the rest is arithmetic.
 */
export const offsets = (startAt: Nanos): ((text: string) => number) => {
  const seconds = new Map<string, number>();
  const read = (text: string): number => Number(fromIso(text) - startAt);
  return (text) => {
    if (text.length !== 30 || text[19] !== '.' || text[29] !== 'Z') return read(text);
    const second = text.slice(0, 19);
    const nanos = Number(text.slice(20, 29));
    let base = seconds.get(second);
    if (base === undefined) {
      base = read(text) - nanos;
      if (seconds.size >= MOST_SECONDS) seconds.clear();
      seconds.set(second, base);
    }
    return base + nanos;
  };
};

const MOST_SECONDS = 1000;

/** Whether an instant, as ISO 8601, lies in the window: half open, as all windows are. */
export const inWindow = ({ from, until }: Window): ((text: string) => boolean) => {
  const since = offsets(from);
  const length = Number(until - from);
  return (text) => {
    const at = since(text);
    return at >= 0 && at < length;
  };
};

/** Calls `what` once after `ms`, unless the returned function is called first. Holds no process open. */
export const after = (ms: number, what: () => void): (() => void) => {
  const timer = setTimeout(what, ms);
  timer.unref();
  return () => clearTimeout(timer);
};
