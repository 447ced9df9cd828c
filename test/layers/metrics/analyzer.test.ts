import { describe, expect, test } from '@jest/globals';
import { analyzeMetrics } from '../../../src/layers/metrics/analyzer.ts';
import type { Edge, Finding } from '../../../src/model.ts';
import { COARSE, type Fault, FINE, simulate, topologyOf, type World } from './simulate.ts';

const shop: World = {
  parts: {
    web: {
      pods: 1,
      work: 0.002,
      calls: [
        { to: 'users', share: 1, deadline: 0.5 },
        { to: 'cart', share: 0.6, deadline: 1 },
        { to: 'stock', share: 0.3, deadline: 0.3 },
      ],
    },
    users: { pods: 1, work: 0.004, calls: [] },
    cart: {
      pods: 2,
      work: 0.008,
      calls: [
        { to: 'users', share: 0.5, deadline: 0.5 },
        { to: 'ledger', share: 0.8, deadline: 0.6 },
        { to: 'stock', share: 0.7, deadline: 0.3 },
      ],
    },
    ledger: { pods: 1, work: 0.01, calls: [] },
    stock: { pods: 2, work: 0.003, calls: [] },
  },
  entry: 'web',
  rate: 20,
  baseline: 20,
  test: 30,
  scrape: 1,
  limits: FINE,
  clients: true,
  errors: 0.005,
  pauses: 4,
  faults: [],
};
const [at, until] = [26, 44];
const drill = (fault: Fault, seed: number, more: Partial<World> = {}): Finding =>
  analyzeMetrics(simulate({ ...shop, ...more, faults: [fault] }, seed));
const delay = (place: string | Edge, add: number, share = 1, inside = false): Fault => ({
  kind: 'delay',
  place,
  add,
  share,
  inside,
  at,
  until,
});

const FAULTS: readonly (readonly [string, string, Fault])[] = [
  ['service:ledger absent', 'its only pod is killed', { kind: 'kill', service: 'ledger', pod: 0, at, until: at + 4 }],
  [
    'service:cart absent',
    'one of its two pods is killed',
    { kind: 'kill', service: 'cart', pod: 1, at, until: at + 2 },
  ],
  ['service:stock absent', 'one of its two pods is frozen', { kind: 'freeze', service: 'stock', pod: 0, at, until }],
  ['service:users blocked', 'its packets are dropped', { kind: 'block', place: 'users', how: 'drop', at, until }],
  ['service:stock blocked', 'its connections are refused', { kind: 'block', place: 'stock', how: 'reject', at, until }],
  [
    'edge:cart->users blocked',
    'one of two callers is cut off',
    { kind: 'block', place: { from: 'cart', to: 'users' }, how: 'drop', at, until },
  ],
  ['service:ledger slow', '20 ms before its port', delay('ledger', 0.02)],
  ['service:users slow', '2 s before its port, longer than anybody waits', delay('users', 2)],
  ['service:ledger slow', '100 ms for half of its requests', delay('ledger', 0.1, 0.5)],
  ['edge:cart->stock slow', '50 ms on the way of one of two callers', delay({ from: 'cart', to: 'stock' }, 0.05)],
  ['service:cart slow', '50 ms of its own work', delay('cart', 0.05, 1, true)],
  [
    'service:ledger erroring',
    'four in ten of its requests fail',
    { kind: 'errors', service: 'ledger', share: 0.4, at, until },
  ],
];

describe('with client metrics, the first suspect is', () => {
  test.each(FAULTS)('%s when %s', (expected, _, fault) => {
    const { suspects } = drill(fault, 3);
    expect(`${suspects[0]?.ref} ${suspects[0]?.kind}`).toBe(expected);
    expect(Number(suspects[0]!.since / 1_000_000n) / 1000 - 1_790_000_000).toBeGreaterThan(at - 2);
    expect(suspects[0]!.evidence.length).toBeGreaterThan(0);
  });

  test('the same at other rates, scrape intervals and buckets', () => {
    const found = FAULTS.filter(([, , { kind }]) => kind !== 'kill').map(([expected, , fault]) => {
      const { suspects } = drill(fault, 5, { rate: 40, scrape: 3, limits: COARSE });
      return [expected, `${suspects[0]?.ref} ${suspects[0]?.kind}`];
    });
    expect(found.map(([, told]) => told)).toEqual(found.map(([expected]) => expected));
  });

  test('evidence are samples that were given', () => {
    const input = simulate({ ...shop, faults: [FAULTS[3]![2]] }, 8);
    const given = new Set(input.test.items.map(({ id }) => id));
    const { suspects } = analyzeMetrics(input);
    expect(suspects.flatMap(({ evidence }) => evidence).filter((id) => !given.has(id))).toEqual([]);
  });
});

describe('without client metrics', () => {
  test.each(FAULTS.filter(([, , { kind }]) => kind !== 'delay'))(
    '%s when %s is among the suspects',
    (expected, _, fault) => {
      const { suspects } = drill(fault, 4, { clients: false });
      expect(suspects.map(({ ref }) => ref)).toContain(expected.split(' ')[0]);
    },
  );

  test('several places that explain as much are told with low scores', () => {
    const { suspects } = drill(delay('ledger', 0.2), 4, { clients: false });
    expect(suspects.map(({ ref }) => ref)).toContain('service:ledger');
    expect(Math.max(...suspects.map(({ score }) => score))).toBeLessThan(0.6);
  });

  test('an entry that nobody reaches any more is silent', () => {
    const { suspects } = drill({ kind: 'block', place: 'web', how: 'drop', at, until }, 4, { clients: false });
    expect(suspects).toMatchObject([{ ref: 'service:web', kind: 'blocked', score: 0.5 }]);
  });
});

describe('a control', () => {
  const runs = Array.from({ length: 16 }, (_, seed) => ({
    seed,
    rate: [5, 10, 20][seed % 3]!,
    scrape: [1, 2, 5, 10][seed % 4]!,
    baseline: [15, 30][seed % 2]!,
    test: [30, 15, 45][seed % 3]!,
    clients: seed % 5 !== 0,
    pauses: [2, 6, 12][seed % 3]!,
    limits: seed % 2 ? FINE : COARSE,
  }));

  test.each(runs)('has no suspects: $seed, $rate/s, scraped every $scrape s', ({ seed, ...world }) => {
    expect(analyzeMetrics(simulate({ ...shop, ...world }, seed + 100)).suspects).toEqual([]);
  });
});

test('no data is said, never judged', () => {
  const window = { from: 0n, until: 1n };
  const empty = { window, items: [] };
  expect(analyzeMetrics({ baseline: empty, test: empty, topology: topologyOf(shop) })).toEqual({
    suspects: [],
    why: 'no samples in either window',
  });
  const { baseline } = simulate({ ...shop, test: 1 }, 1);
  expect(analyzeMetrics({ baseline, test: empty, topology: topologyOf(shop) }).why).toBe(
    'no samples in the test window',
  );
});
