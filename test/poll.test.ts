import { describe, expect, test } from '@jest/globals';
import { Unreachable } from '../src/errors.ts';
import { during, until } from '../src/poll.ts';
import { fromMs, MILLISECOND } from '../src/time.ts';
import { jumpingClock } from './helpers/fake-target.ts';

const polling = (forMs: number, everyMs: number) => ({ forMs, everyMs, clock: jumpingClock(0n) });

describe('until', () => {
  test('asks until there is an answer, and 0, false and the empty text are answers', async () => {
    for (const answer of [0, false, '']) {
      const answers = [null, undefined, answer];
      expect(await until('it', () => answers.shift(), polling(1000, 10))).toBe(answer);
    }
  });

  test('asks at least once, and once more when the time is just over', async () => {
    let asked = 0;
    const never = until('it', () => void asked++, polling(0, 10));
    await expect(never).rejects.toThrow(new Unreachable('it: not within 0 s (no answer yet)'));
    expect(asked).toBe(1);
    asked = 0;
    await expect(until('it', () => void asked++, polling(100, 10))).rejects.toThrow(Unreachable);
    expect(asked).toBe(11);
  });

  test('asks again after a failure, and ends with the last one in its words', async () => {
    let asked = 0;
    const failing = async (): Promise<null> => {
      asked += 1;
      throw new Error(`ECONNREFUSED\n  try ${asked}`);
    };
    await expect(until('pod a', failing, polling(20, 10))).rejects.toThrow(
      'pod a: not within 0.02 s (ECONNREFUSED try 3)',
    );
  });

  test('ends with the signal’s reason, and does not ask again', async () => {
    const stopping = new AbortController();
    let asked = 0;
    const ask = (): null => {
      asked += 1;
      if (asked === 2) stopping.abort(new Error('stopped'));
      return null;
    };
    await expect(until('it', ask, { ...polling(1000, 10), signal: stopping.signal })).rejects.toThrow('stopped');
    expect(asked).toBe(2);
  });

  test('takes an answer that comes with the abort', async () => {
    const stopping = new AbortController();
    const ask = (): string => {
      stopping.abort();
      return 'just in time';
    };
    expect(await until('it', ask, { ...polling(1000, 10), signal: stopping.signal })).toBe('just in time');
  });
});

describe('during', () => {
  test('looks at once, then every so often, and not when the time is over', async () => {
    const at: number[] = [];
    const clock = jumpingClock(0n);
    await during(async () => void at.push(Number(clock.now() / MILLISECOND)), { forMs: 30, everyMs: 10, clock });
    expect(at).toEqual([0, 10, 20]);
  });

  test('leaves out looks that a slow one has overrun, and keeps to the beat', async () => {
    const at: number[] = [];
    const clock = jumpingClock(0n);
    const slow = async (): Promise<void> => {
      at.push(Number(clock.now() / MILLISECOND));
      if (at.length === 1) clock.at += fromMs(25);
    };
    await during(slow, { forMs: 50, everyMs: 10, clock });
    expect(at).toEqual([0, 30, 40]);
  });

  test('ends quietly when the signal aborts, between looks or in one', async () => {
    const stopping = new AbortController();
    let looks = 0;
    const look = async (): Promise<void> => {
      looks += 1;
      if (looks === 2) stopping.abort();
    };
    await during(look, { ...polling(1000, 10), signal: stopping.signal });
    expect(looks).toBe(2);
    await during(look, { ...polling(1000, 10), signal: stopping.signal });
    expect(looks).toBe(2);
  });

  test('a look that throws ends it', async () => {
    const look = async (): Promise<void> => {
      throw new Error('disk full');
    };
    await expect(during(look, polling(1000, 10))).rejects.toThrow('disk full');
  });
});
