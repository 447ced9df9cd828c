import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Usage } from '../../src/errors.ts';
import type { Platform } from '../../src/platform.ts';
import { identities } from '../../src/traffic/identity.ts';
import { fingerprint, type PlanInput, peak, plannedOf, shard, trafficPlan, without } from '../../src/traffic/plan.ts';
import { listed } from './helpers.ts';

const journeys: Platform['journeys'] = {
  buy: [
    { request: 'POST /orders', at: '0ms', body: { user: '{user}', ref: '{session}/{order}/{n}', quantity: 3 } },
    { request: 'GET /orders/:id?full=1', at: '300ms' },
    { request: 'GET /users/{user}/orders', at: '1s' },
  ],
  look: [{ request: 'GET /prices', at: '0ms' }],
};
const input = (over: Partial<PlanInput> = {}): PlanInput => ({
  runId: 'run-1',
  seed: 7,
  url: 'http://127.0.0.1:8080',
  load: { rate: 20, arrivals: 'poisson', users: 5, timeoutMs: 1000 },
  journeys,
  seconds: 30,
  ...over,
});

const listedPlan = (of: PlanInput) => listed(trafficPlan(of));

describe('a traffic plan', () => {
  test('is the same for the same seed and another for another', () => {
    expect(listedPlan(input())).toEqual(listedPlan(input()));
    expect(listedPlan(input({ seed: 8 })).requests).not.toEqual(listedPlan(input()).requests);
  });

  test('made again elsewhere, from its input as JSON, is the same byte for byte', () => {
    const process = fc.constantFrom('poisson' as const, 'constant' as const, { rampTo: 3 });
    const weights = fc.constantFrom(undefined, { look: 1 }, { buy: 0.3, look: 2.7 });
    fc.assert(
      fc.property(
        fc.maxSafeNat(),
        fc.double({ min: 0.1, max: 40, noNaN: true }),
        process,
        weights,
        (seed, rate, arrivals, journeys) => {
          const plan = listedPlan(input({ seed, load: { rate, arrivals, users: 9, timeoutMs: 1500, journeys } }));
          const again = listedPlan(JSON.parse(JSON.stringify(plan.input)) as PlanInput);
          expect(JSON.stringify(again)).toBe(JSON.stringify(plan));
          expect(fingerprint(again)).toBe(fingerprint(plan));
        },
      ),
      { numRuns: 50 },
    );
  });

  test('has another fingerprint when anything that is sent, or when, is another', () => {
    const one = fingerprint(trafficPlan(input()));
    const others = [{ seed: 8 }, { runId: 'run-2' }, { url: 'http://127.0.0.1:8081' }, { seconds: 29 }];
    for (const other of others) expect(fingerprint(trafficPlan(input(other)))).not.toBe(one);
  });

  test('is ordered by time, numbered in that order, and ends in time, whatever the load', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1, max: 80, noNaN: true }),
        fc.nat(),
        fc.integer({ min: 1, max: 20 }),
        (rate, seed, seconds) => {
          const { requests } = listedPlan(
            input({ seed, seconds, load: { rate, arrivals: 'poisson', users: 3, timeoutMs: 500 } }),
          );
          requests.forEach(({ n, atMs }, i) => {
            expect(n).toBe(i);
            expect(atMs).toBeGreaterThanOrEqual(requests[i - 1]?.atMs ?? 0);
            expect(atMs).toBeLessThan(seconds * 1000);
          });
        },
      ),
      { numRuns: 30 },
    );
  });

  test('has the same requests as often as they are asked for, and more than memory holds', () => {
    const plan = trafficPlan(input());
    expect([...plan.requests]).toEqual([...plan.requests]);
    const long = trafficPlan(input({ load: { ...input().load, rate: 1000 }, seconds: 9000 }));
    const [first] = long.requests;
    expect(first).toMatchObject({ n: 0 });
  });

  test('tells how many requests it has without making them', () => {
    const made = fc.record({
      seed: fc.nat(),
      seconds: fc.double({ min: 0.01, max: 20, noNaN: true }),
      rate: fc.double({ min: 0.1, max: 80, noNaN: true }),
      arrivals: fc.constantFrom('poisson' as const, 'constant' as const, { rampTo: 3 }),
    });
    fc.assert(
      fc.property(made, ({ seed, seconds, rate, arrivals }) => {
        const plan = trafficPlan(input({ seed, seconds, load: { rate, arrivals, users: 3, timeoutMs: 500 } }));
        const { input: _input, ...byHand } = plan;
        expect(plannedOf(plan)).toEqual(plannedOf(byHand));
        const workers = [0, 1, 2].map((worker) => plannedOf(shard(plan, worker, 3)));
        expect(workers).toEqual([0, 1, 2].map((worker) => [...shard(plan, worker, 3).requests].length));
      }),
      { numRuns: 50 },
    );
  });

  test('without its first requests has all the others', () => {
    const { requests } = listedPlan(input());
    expect([...without(trafficPlan(input()), 7).requests]).toEqual(requests.slice(7));
  });

  test('requests that are due together go by visit, then by step, even where steps are not in the order of their times', () => {
    const journeys: Platform['journeys'] = {
      a: [
        { request: 'GET /late', at: '100ms' },
        { request: 'GET /early', at: '0ms' },
        { request: 'GET /again', at: '0ms' },
      ],
    };
    const load = { rate: 30, arrivals: 'constant', users: 1, timeoutMs: 1000 } as const;
    const { requests } = listedPlan(input({ journeys, load, seconds: 0.3 }));
    const [early, again, late] = ['GET /early', 'GET /again', 'GET /late'];
    expect(requests.map(({ request }) => request)).toEqual([early, again, late, early, again, late, early, again]);
    expect(requests.map(({ atMs }) => atMs)).toEqual([0, 0, 100, 100, 100, 200, 200, 200]);
  });

  test('has the rate in requests, not in journeys', () => {
    const { requests } = listedPlan(
      input({ seconds: 300, load: { rate: 20, arrivals: 'constant', users: 5, timeoutMs: 1000 } }),
    );
    expect(requests.length).toBeGreaterThan(300 * 20 * 0.95);
    expect(requests.length).toBeLessThan(300 * 20 * 1.05);
  });

  test("walks each journey's steps at their times, by one user in one session, with the blanks filled in", () => {
    const { requests } = listedPlan(input());
    const first = requests.find(({ request }) => request === 'POST /orders')!;
    const visit = requests.filter(({ session }) => session === first.session);
    const body = JSON.parse(first.body!) as { user: string; ref: string; quantity: number };
    const order = body.ref.split('/')[1]!;
    expect(visit.map(({ atMs }) => Math.round(atMs - first.atMs))).toEqual([0, 300, 1000]);
    expect(new Set(visit.map(({ user }) => user)).size).toBe(1);
    expect(body).toEqual({ user: first.user, ref: `${first.session}/${order}/${first.n}`, quantity: 3 });
    expect(visit.map(({ path }) => path)).toEqual([
      '/orders',
      `/orders/${order}?full=1`,
      `/users/${first.user}/orders`,
    ]);
    expect(visit.map(({ body: sent }) => sent === null)).toEqual([false, true, true]);
  });

  test('picks journeys by their weights and users among as many as there are', () => {
    const load = { rate: 100, arrivals: 'constant', users: 4, timeoutMs: 1000, journeys: { buy: 1, look: 3 } } as const;
    const { requests } = listedPlan(input({ load, seconds: 60 }));
    const starts = requests.filter(({ request }) => request === 'POST /orders' || request === 'GET /prices');
    const looks = starts.filter(({ journey }) => journey === 'look').length / starts.length;
    expect(looks).toBeGreaterThan(0.7);
    expect(looks).toBeLessThan(0.8);
    expect(new Set(requests.map(({ user }) => user))).toEqual(new Set([1, 2, 3, 4].map((i) => `firedrill-user-${i}`)));
  });

  test('a journey of weight 0 is never walked', () => {
    const load = { rate: 50, arrivals: 'poisson', users: 1, timeoutMs: 1000, journeys: { look: 1, buy: 0 } } as const;
    expect(new Set(listedPlan(input({ load })).requests.map(({ journey }) => journey))).toEqual(new Set(['look']));
  });

  test('sharded, every request goes to exactly one worker, under its own number', () => {
    const { requests } = listedPlan(input());
    const shards = [0, 1, 2].map((worker) => [...shard(trafficPlan(input()), worker, 3).requests]);
    expect(shards.flat().sort((a, b) => a.n - b.n)).toEqual(requests);
    expect(shards.every(({ length }) => Math.abs(length - requests.length / 3) < 1)).toBe(true);
  });

  test('bad input is one line with everything that is wrong', () => {
    const load = { rate: 0, arrivals: 'poisson', users: 0.5, timeoutMs: -1, journeys: { sell: 1 } } as const;
    const plan = (): unknown =>
      trafficPlan(input({ load, runId: 'a b', url: 'ftp://x', seconds: Number.NaN, seed: -1 }));
    expect(plan).toThrow(Usage);
    expect(plan).toThrow(
      /run id 'a b'.*seed -1.*'ftp:\/\/x'.*rate 0.*NaN s.*users 0\.5.*timeoutMs -1.*no journey is called sell; there are buy, look/,
    );
    expect(plan).not.toThrow(/\n/);
  });

  test('more requests than a ledger can hold are refused before any is made', () => {
    const load = { rate: 1e9, arrivals: 'constant', users: 1, timeoutMs: 1000 } as const;
    expect(() => trafficPlan(input({ load }))).toThrow('about 30000000000 requests are too many');
  });
});

test('the peak is the most requests due within a window, wherever it lies', () => {
  const at = (...times: number[]) => times.map((atMs) => ({ atMs }));
  expect(peak(at(0, 500, 510, 590, 600, 900), 100)).toBe(3);
  expect(peak(at(), 100)).toBe(0);
});

describe('identities', () => {
  test('are unique within a run and between runs, and well formed', () => {
    const all = ['a', 'b'].flatMap((run) => Array.from({ length: 2000 }, (_, n) => n).map(identities(run)));
    for (const key of ['requestId', 'correlationId', 'traceId', 'spanId'] as const)
      expect(new Set(all.map((one) => one[key])).size).toBe(4000);
    for (const one of all) {
      expect(one.traceId).toMatch(/^[0-9a-f]{32}$/);
      expect(one.spanId).toMatch(/^[0-9a-f]{16}$/);
      expect(one.requestId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(one.correlationId).toMatch(/^firedrill-[ab]-[0-9a-f]{12}$/);
    }
  });

  test('are those of their request, in whatever order they are asked for', () => {
    const [forth, back] = [identities('run'), identities('run')];
    const order = Array.from({ length: 200 }, (_, n) => n);
    expect(order.toReversed().map(back).toReversed()).toEqual(order.map(forth));
  });

  test("a trace id's last 7 bytes, which samplers take for random, are spread evenly", () => {
    const ids = identities('run');
    const low = Array.from({ length: 4000 }, (_, n) => Number.parseInt(ids(n).traceId.slice(18), 16) / 2 ** 56);
    const share = low.filter((part) => part < 0.1).length / low.length;
    expect(share).toBeGreaterThan(0.08);
    expect(share).toBeLessThan(0.12);
  });
});
