import { describe, expect, test } from '@jest/globals';
import { Usage } from '../src/errors.ts';
import { alert } from '../src/expect.ts';
import { latency } from '../src/faults/latency.ts';
import { networkPolicy } from '../src/faults/network-policy.ts';
import { none } from '../src/faults/none.ts';
import { podKill } from '../src/faults/pod-kill.ts';
import { endpointFor, PHASES, type Plan, phase, plan, trafficOf } from '../src/plan.ts';
import { platform } from '../src/platform.ts';
import { type ScenarioInput, scenario } from '../src/scenario.ts';
import { facts, planOf, tiny } from './helpers/tiny.ts';

const planned = (input: ScenarioInput, seed = 1) => plan(scenario('a drill', input), tiny, facts, seed, 'run');

describe('the timeline', () => {
  test('has every phase in its order, each beginning where the one before ends', () => {
    const { phases } = planned({ warmUp: '1s', baseline: '10s', hold: '5s', recovery: '2s' });
    expect(phases.map(({ name }) => name)).toEqual(PHASES);
    expect(phases.slice(1).map(({ from }) => from)).toEqual(phases.slice(0, -1).map(({ until }) => until));
    expect(phases.find(({ name }) => name === 'hold')).toMatchObject({ until: expect.any(Number) });
  });

  test('keeps the injection away from the baseline by a quiet while of 1 to 3 s, which the seed chooses', () => {
    const quiet = (seed: number): number => {
      const { from, until } = phase(planned({}, seed), 'quiet');
      return until - from;
    };
    const all = Array.from({ length: 200 }, (_, seed) => quiet(seed));
    expect(Math.min(...all)).toBeGreaterThanOrEqual(1000);
    expect(Math.max(...all)).toBeLessThan(3000);
    expect(new Set(all).size).toBeGreaterThan(100);
    expect(quiet(7)).toBe(quiet(7));
  });

  test('leaves the slowest layer its time after the healing, and every layer one more look', () => {
    for (const recovery of ['1s', '2s', '1m'] as const) {
      const made = planned({ recovery });
      const slowest = Math.max(...Object.values(made.deadlines).map(({ ms }) => ms));
      const [{ until: healed }, gather] = [phase(made, 'hold'), phase(made, 'gather')];
      expect(gather.until - healed).toBeGreaterThanOrEqual(slowest);
      expect(gather.until - gather.from).toBeGreaterThanOrEqual(made.lookEvery);
    }
  });
});

describe('a deadline', () => {
  test('is the sum of its parts, which come from the live configuration', () => {
    const slow = { ...facts, timing: { ...facts.timing, pending: 60_000, scrape: 15_000 } };
    const { deadlines } = plan(scenario('a drill'), tiny, slow, 1, 'run');
    for (const { ms, parts } of Object.values(deadlines)) expect(ms).toBe(Object.values(parts).reduce((a, b) => a + b));
    expect(deadlines.alerts.parts).toMatchObject({ for: 60_000, scrape: 15_000, 'two evaluations': 2000 });
    expect(deadlines.metrics.parts).toMatchObject({ 'two scrapes': 30_000 });
  });

  test('longer than the hold is warned of, where something is asked of the layer', () => {
    const short = { fault: podKill('shop'), hold: '2s' } as const;
    expect(planned({ ...short, expect: { alerts: 'located' } }).warnings).toEqual([
      expect.stringMatching(/^alerts may take 6 s to show anything, longer than the hold of 2s$/),
    ]);
    expect(planned(short).warnings).toEqual([]);
  });
});

const requestsOf = (of: Plan) => [...trafficOf(of, 'http://web').requests];

describe('the same seed', () => {
  test('gives the same plan and the same requests', () => {
    const [one, two] = [planned({}, 5), planned({}, 5)];
    expect(JSON.stringify(one)).toBe(JSON.stringify(two));
    expect(requestsOf(one)).toEqual(requestsOf(two));
  });

  test('gives them again from the plan as it is stored', () => {
    const made = planned({}, 5);
    const stored = JSON.parse(JSON.stringify(made));
    expect(stored).toEqual(made);
    expect(requestsOf(stored)).toEqual(requestsOf(made));
  });

  test('sends the same requests to the control twin', () => {
    const requests = (fault: ReturnType<typeof none | typeof podKill>) => requestsOf(planOf(fault));
    expect(requests(none())).toEqual(requests(podKill('shop')));
  });
});

describe('the requests that cross a fault', () => {
  test.each([
    [podKill('web'), ['GET /buy', 'GET /about']],
    [podKill('shop'), ['GET /buy']],
    [podKill('stock'), ['GET /buy']],
    [networkPolicy('shop->stock'), ['GET /buy']],
  ])('are those whose calls come by it: %j', (fault, crossing) => {
    expect(planned({ fault }).crossing).toEqual(crossing);
  });

  test('are all of them when nothing is broken', () => {
    expect(planned({}).crossing).toBeNull();
  });

  test('a fault that none comes by is refused before anything is touched', () => {
    const refused = new Usage(
      'the fault on service:bank would hit nothing: no request of the journeys buy, read comes by it',
    );
    expect(() => planned({ fault: podKill('bank') })).toThrow(refused);
    expect(() => planned({ fault: latency('shop->bank', '1s') })).toThrow('would hit nothing');
  });

  test('a fault that only a journey which does not take part comes by is refused too', () => {
    expect(() => planned({ fault: podKill('shop'), traffic: { journeys: { read: 1 } } })).toThrow(
      'no request of the journeys read comes by it',
    );
  });

  test('are found although components call one another in a circle', () => {
    const circle = platform({
      name: 'circle',
      entry: 'a',
      components: {
        a: { endpoints: { 'GET /': { work: '1ms', calls: [{ to: 'b', request: 'GET /' }] } } },
        b: {
          endpoints: {
            'GET /': {
              work: '1ms',
              calls: [
                { to: 'a', request: 'GET /' },
                { to: 'c', request: 'GET /' },
              ],
            },
          },
        },
        c: { endpoints: { 'GET /': { work: '1ms' } } },
      },
      journeys: { go: [{ request: 'GET /', at: '0ms' }] },
    });
    const there = { ...facts, topology: { entry: 'a', components: ['a', 'b', 'c'], edges: [{ from: 'b', to: 'c' }] } };
    expect(plan(scenario('a drill', { fault: networkPolicy('b->c') }), circle, there, 1, 'run').crossing).toEqual([
      'GET /',
    ]);
  });
});

describe('an endpoint', () => {
  test('serves the request of its own name before any pattern, and a pattern what it fits', () => {
    const named = platform({
      name: 'named',
      entry: 'a',
      components: {
        a: {
          endpoints: {
            'GET /orders/:id': { work: '1ms' },
            'GET /orders/new': { work: '1ms' },
            'GET /v1.0/x': { work: '1ms' },
          },
        },
      },
      journeys: { go: [{ request: 'GET /orders/new', at: '0ms' }] },
    });
    expect(endpointFor(named, 'a', 'GET /orders/new')).toBe('GET /orders/new');
    expect(endpointFor(named, 'a', 'GET /orders/{order}')).toBe('GET /orders/:id');
    expect(endpointFor(named, 'a', 'GET /orders/7/items')).toBe('GET /orders/7/items');
    expect(endpointFor(named, 'a', 'GET /v1x0/x')).toBe('GET /v1x0/x');
  });
});

describe('is refused before anything is touched', () => {
  test.each([
    [{ fault: podKill('shoes') }, "platform tiny has no component 'shoes'; it has: web, shop, stock, bank"],
    [{ fault: networkPolicy('web->bank') }, 'platform tiny has no edge web->bank'],
    [{ fault: podKill('shop', { pods: 5 }) }, 'podKill wants 5 pods of shop, which has 2'],
    [
      { traffic: { journeys: { sell: 1 } } },
      "scenario 'a drill': platform tiny has no journey 'sell'; it has: buy, read",
    ],
    [{ traffic: { rate: '0/s' } }, 'traffic: rate 0 must be more than 0 requests per second'],
    [{ traffic: { rate: '9000000/s' } }, /requests are too many/],
  ] as const)('%j', (input, message) => {
    expect(() => planned(input as ScenarioInput)).toThrow(message);
  });

  test('a seed that is no whole number', () => {
    expect(() => planned({}, Number.NaN)).toThrow('seed NaN must be a whole number, 0 or more');
    expect(() => planned({}, 1.5)).toThrow(Usage);
  });
});

test('a plan carries the whole of what a verdict needs, as plain data', () => {
  const made = planned({ fault: podKill('shop'), expect: { traces: 'located', also: [alert({ a: 'b' })] } });
  expect(made).toMatchObject({
    schema: 1,
    truth: { on: 'service:shop', kinds: ['absent'] },
    demands: { traces: 'located' },
    profile: tiny,
    topology: facts.topology,
  });
  expect(JSON.parse(JSON.stringify(made))).toEqual(made);
});
