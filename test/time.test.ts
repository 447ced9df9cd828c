import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Usage } from '../src/errors.ts';
import { until } from '../src/poll.ts';
import {
  after,
  fromIso,
  fromMs,
  inWindow,
  iso,
  MILLISECOND,
  milliseconds,
  offsets,
  SECOND,
  stamps,
  systemClock,
  toMs,
} from '../src/time.ts';

/** Until the end of the year 9999, the last that four digits can write. */
const instants = fc.bigInt({ min: 0n, max: 253_402_300_799_999_999_999n });

describe('an instant', () => {
  test('goes to ISO 8601 and back without the loss of a nanosecond', () => {
    fc.assert(fc.property(instants, (at) => expect(fromIso(iso(at))).toBe(at)));
  });

  test('written as a time after a start, is written as it is', () => {
    const start = fc.bigInt({ min: 0n, max: 4_000_000_000_000_000_000n });
    const times = fc.array(fc.double({ min: -1e6, max: 7e9, noNaN: true }), { maxLength: 5 });
    fc.assert(
      fc.property(start, times, (from, after) => {
        const stamp = stamps(from + fromMs(1e6));
        expect(after.map(stamp)).toEqual(after.map((ms) => iso(from + fromMs(1e6) + fromMs(ms))));
      }),
    );
  });

  test('is read as nanoseconds after a start, however it is written', () => {
    const start = fc.bigInt({ min: 0n, max: 4_000_000_000_000_000_000n });
    const after = fc.array(
      fc.maxSafeInteger().map((nanos) => Math.round(nanos / 2)),
      { maxLength: 5 },
    );
    fc.assert(
      fc.property(start, after, (from, nanos) => {
        const since = offsets(from);
        const times = nanos.map((one) => from + BigInt(one)).filter((at) => at >= 0n);
        expect(times.map((at) => since(iso(at)))).toEqual(times.map((at) => Number(at - from)));
        for (const at of times) expect(since(iso(at).replace('Z', '+00:00'))).toBe(Number(at - from));
      }),
    );
    expect(() => offsets(0n)('soon')).toThrow(RangeError);
  });

  test('lies in a window from its first nanosecond up to, but not at, its end', () => {
    const isIn = inWindow({ from: SECOND, until: 3n * SECOND });
    const times = [SECOND - 1n, SECOND, 3n * SECOND - 1n, 3n * SECOND];
    expect(times.map((at) => isIn(iso(at)))).toEqual([false, true, true, false]);
  });

  test('is written in the order of time', () => {
    fc.assert(fc.property(instants, instants, (a, b) => expect(iso(a) < iso(b)).toBe(a < b)));
  });

  test.each([
    ['2026-11-21T06:48:20Z', 0n],
    ['2026-11-21T06:48:20.5Z', 500_000_000n],
    ['2026-11-21 06:48:20.000000001Z', 1n],
    ['2026-11-21T07:48:20.1234567899+01:00', 123_456_789n],
    ['2026-11-21T01:18:20-05:30', 0n],
    ['2026-11-21t06:48:20z', 0n],
  ])('is read from %s', (text, nanos) => {
    expect(fromIso(text)).toBe(BigInt(Date.UTC(2026, 10, 21, 6, 48, 20)) * MILLISECOND + nanos);
  });

  test.each([
    '',
    'now',
    '2026-11-21',
    '2026-11-21T06:48:20',
    '2026-13-21T06:48:20Z',
    '2026-11-21T06:48:20.Z',
    '1763707700',
  ])('is not read from %j', (text) => {
    expect(() => fromIso(text)).toThrow(RangeError);
  });

  test('is read from any text, or refused as a RangeError and nothing else', () => {
    const nearly = fc
      .tuple(instants, fc.nat(30), fc.string())
      .map(([at, where, noise]) => iso(at).slice(0, where) + noise + iso(at).slice(where));
    fc.assert(
      fc.property(fc.oneof(fc.string(), nearly), (text) => {
        try {
          expect(typeof fromIso(text)).toBe('bigint');
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
  });
});

describe('a duration', () => {
  test.each([
    ['250ms', 250],
    ['1.5s', 1500],
    ['2m', 120_000],
    ['1h', 3_600_000],
    ['0s', 0],
  ])('of %s is %d ms', (text, ms) => {
    expect(milliseconds(text)).toBe(ms);
  });

  test('in any unit is its number times the unit', () => {
    const units = fc.constantFrom(
      ['ms', 1] as const,
      ['s', 1000] as const,
      ['m', 60_000] as const,
      ['h', 3_600_000] as const,
    );
    fc.assert(
      fc.property(fc.nat(1_000_000), units, (n, [unit, times]) => expect(milliseconds(`${n}${unit}`)).toBe(n * times)),
    );
  });

  test.each(['', '20', 'ms', '-1s', '1 s', '1e3ms', '.5s', '5.s', '1s2s', '1S', '1d', 'Infinitys'])(
    'is not %j, which is refused with its place',
    (text) => {
      expect(() => milliseconds(text, 'hold')).toThrow(
        new Usage(`hold: '${text}' is not a duration; write a number and ms, s, m or h, such as 250ms or 2m`),
      );
    },
  );

  test('is read from any text as a number of 0 or more, or refused as Usage', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          expect(milliseconds(text)).toBeGreaterThanOrEqual(0);
        } catch (error) {
          expect(error).toBeInstanceOf(Usage);
        }
      }),
    );
  });

  test('goes to nanoseconds and back', () => {
    fc.assert(fc.property(fc.nat(86_400_000), (ms) => expect(toMs(fromMs(ms))).toBe(ms)));
  });
});

describe('the clock', () => {
  test('tells the time of the epoch and never goes back', () => {
    const [first, second] = [systemClock.now(), systemClock.now()];
    expect(second).toBeGreaterThanOrEqual(first);
    expect(Math.abs(Number(first / MILLISECOND) - Date.now())).toBeLessThan(5000);
  });

  test('sleeps until the instant and not a nanosecond less', async () => {
    const at = systemClock.now() + 5n * MILLISECOND;
    await systemClock.sleepUntil(at);
    expect(systemClock.now()).toBeGreaterThanOrEqual(at);
  });

  test('does not sleep when the instant has passed', async () => {
    const before = systemClock.now();
    await systemClock.sleepUntil(before - SECOND);
    expect(toMs(systemClock.now() - before)).toBeLessThan(1000);
  });

  test('is woken by the signal with its reason, before the sleep or in it', async () => {
    const stopping = new AbortController();
    const sleeping = systemClock.sleepUntil(systemClock.now() + 3600n * SECOND, stopping.signal);
    stopping.abort(new Error('stopped by SIGINT'));
    await expect(sleeping).rejects.toThrow('stopped by SIGINT');
    await expect(systemClock.sleepUntil(systemClock.now() + SECOND, stopping.signal)).rejects.toThrow(
      'stopped by SIGINT',
    );
    for (const at of [0n, systemClock.now() + MILLISECOND / 2n])
      await expect(systemClock.sleepUntil(at, stopping.signal)).rejects.toThrow('stopped by SIGINT');
  });
});

test('what was put off happens once, or not at all when it was called off', async () => {
  const happened: string[] = [];
  const cancel = after(1, () => happened.push('called off'));
  cancel();
  after(5, () => happened.push('due'));
  // after() holds no process open, so the waiting must.
  await until('what was due', () => (happened.length > 0 ? true : null), { forMs: 2000, everyMs: 2 });
  expect(happened).toEqual(['due']);
});
