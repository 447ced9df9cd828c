import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { LedgerRecord } from '../../src/traffic/ledger.ts';
import { random } from '../../src/traffic/random.ts';
import { tally } from '../../src/traffic/summary.ts';
import { every, planAt, record, summarise, unsent } from './helpers.ts';

const plan = (count: number, spacingMs: number) => planAt('http://h', every(spacingMs, count), 2000);
const made = (count: number, spacingMs: number, over: (n: number) => object): LedgerRecord[] =>
  every(spacingMs, count).map((atMs, n) => record(n, { atMs, ...over(n) }));

describe('the summary', () => {
  test('counts what was sent, answered, failed and aborted', () => {
    const records = [
      record(0, { atMs: 0 }),
      record(1, { atMs: 10, status: 503 }),
      record(2, { atMs: 20, status: null, error: 'ECONNRESET' }),
      record(3, { atMs: 30, status: null, error: 'aborted' }),
    ];
    expect(summarise(records, plan(4, 10))).toMatchObject({
      planned: 4,
      sent: 4,
      answered: 2,
      failed: 2,
      aborted: 1,
      saturated: null,
    });
  });

  test('latency counts from the intended time, service time from the actual one; a quick refusal is in neither', () => {
    const late = made(100, 20, (n) => (n < 90 ? { tookMs: 10 } : { lateMs: 40, tookMs: 10 }));
    const refused = record(100, { atMs: 2000, tookMs: 0, status: null, error: 'ECONNREFUSED' });
    const { latencyMs, serviceMs, schedulingErrorMs } = summarise([...late, refused], plan(101, 20));
    expect([latencyMs.count, latencyMs.p50, latencyMs.p99]).toEqual([100, 10.007, 50.015]);
    expect([serviceMs.p50, serviceMs.max]).toEqual([10.007, 10.007]);
    expect([schedulingErrorMs.count, schedulingErrorMs.p50, schedulingErrorMs.max]).toEqual([101, 0, 40.031]);
  });

  test('a timeout counts with the time that was waited', () => {
    const records = made(10, 20, (n) => (n < 5 ? {} : { status: null, error: 'timeout', tookMs: 2000 }));
    expect(summarise(records, plan(10, 20)).latencyMs.p90).toBeCloseTo(2000, -1);
  });

  test('nothing at all is a summary of noughts', () => {
    expect(summarise([], plan(0, 10))).toMatchObject({
      planned: 0,
      sent: 0,
      saturated: null,
      latencyMs: { count: 0, p99: 0 },
    });
  });
});

describe('the client is saturated', () => {
  test('when requests could not be sent', () => {
    expect(
      summarise(
        made(10, 20, (n) => (n === 7 ? unsent : {})),
        plan(10, 20),
      ).saturated,
    ).toMatch(/^1 requests could not/);
  });

  test('when records are missing: a worker died', () => {
    expect(
      summarise(
        made(8, 20, () => ({})),
        plan(10, 20),
      ).saturated,
    ).toBe('2 planned requests have no record');
  });

  test('when it falls behind more and more, be it by a twentieth', () => {
    const records = made(600, 25, (n) => ({ lateMs: n * 1.25 }));
    expect(summarise(records, plan(600, 25)).saturated).toMatch(/ late \(bound: /);
  });

  test('when it is a little late all of the time', () => {
    expect(
      summarise(
        made(600, 20, () => ({ lateMs: 80 })),
        plan(600, 20),
      ).saturated,
    ).toMatch(/^half of the requests left more than 80 ms late/);
  });

  test('when its event loop is late half of the time, so that answers are timed late', () => {
    const late = summarise(
      made(60, 20, () => ({})),
      plan(60, 20),
      { p50: 70, p99: 90, max: 100 },
    );
    expect(late.saturated).toMatch(/event loop was 70 ms late half of the time/);
  });
});

describe('the client is not saturated', () => {
  test('by a server that answers slowly, fails or does not answer', () => {
    const bad = [
      { tookMs: 1900 },
      { status: 500 },
      { status: null, error: 'timeout', tookMs: 2000 },
      { status: null, error: 'ECONNREFUSED' },
    ];
    for (const how of bad)
      expect(
        summarise(
          made(300, 20, () => how),
          plan(300, 20),
        ).saturated,
      ).toBeNull();
  });

  test('by a few requests a minute, each later than half a second but well before the next, in whatever order they end', () => {
    const few = made(12, 5000, () => ({ lateMs: 600 }));
    for (const records of [few, few.toReversed()]) expect(summarise(records, plan(12, 5000)).saturated).toBeNull();
  });

  test('by pauses of 100 to 300 ms every few seconds, at any rate, on 100 seeds', () => {
    for (let seed = 0; seed < 100; seed++) {
      const next = random(seed, 0);
      const rate = 5 + 45 * next();
      const count = Math.round(rate * (15 + 45 * next()));
      const lateness = hiccups(next, count / rate);
      const records = made(count, 1000 / rate, (n) => ({ lateMs: 0.6 + lateness((n * 1000) / rate) }));
      const client = { p50: 0.5, p99: 20, max: 300 };
      expect(summarise(records, plan(count, 1000 / rate), client).saturated).toBeNull();
    }
  });
});

/** Pauses, one every two seconds on average; the lateness of what is due within one is what is left of it. */
const hiccups = (next: () => number, seconds: number): ((atMs: number) => number) => {
  const pauses = Array.from({ length: Math.round(seconds / 2) }, () => ({
    from: next() * seconds * 1000,
    ms: 100 + 200 * next(),
  }));
  return (atMs) => Math.max(0, ...pauses.filter(({ from }) => from <= atMs).map(({ from, ms }) => from + ms - atMs));
};

test('what several clients counted, merged, is what one would have counted', () => {
  const records = fc.array(
    fc.record({
      part: fc.nat(3),
      lateMs: fc.nat(700),
      tookMs: fc.nat(5000),
      status: fc.constantFrom(200, 404, 503, null),
      sentAtAll: fc.boolean(),
    }),
    { maxLength: 50 },
  );
  fc.assert(
    fc.property(records, (all) => {
      const parts = [tally(), tally(), tally(), tally()];
      const [whole, merged] = [tally(), tally()];
      all.forEach(({ part, sentAtAll, ...how }, n) => {
        const made = record(n, { atMs: n, ...how, error: how.status ? null : 'timeout', ...(sentAtAll ? {} : unsent) });
        whole.add(made);
        parts[part]!.add(made);
      });
      for (const part of parts) merged.merge(JSON.parse(JSON.stringify(part.counted())));
      expect(merged.summary(all.length, null)).toEqual(whole.summary(all.length, null));
      expect(merged.counted().due).toEqual(whole.counted().due);
    }),
  );
});

test('connections are told apart by the client’s own ends; a request that had none is of none', () => {
  const from = (ip: string, port: number) => ({ local: { ip, port } });
  const records = [
    record(0, { atMs: 0, ...from('10.0.0.1', 40_000) }),
    record(1, { atMs: 10, ...from('10.0.0.1', 40_001) }),
    record(2, { atMs: 20, ...from('10.0.0.1', 40_000) }),
    record(3, { atMs: 30, ...from('10.0.0.2', 40_000) }),
    record(4, { atMs: 40, local: null, status: null, error: 'ECONNREFUSED' }),
  ];
  expect(summarise(records, plan(5, 10)).connections).toBe(3);
});
