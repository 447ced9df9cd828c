import { describe, expect, test } from '@jest/globals';
import { analyzeLogs } from '../../../src/layers/logs/analyzer.ts';
import type { Blind, LogItem, Suspect, Topology } from '../../../src/model.ts';
import { CHAIN, type Fault, SHOP, STAR, type Style, simulate, type World } from './simulate.ts';

const STYLES: readonly Style[] = ['json', 'logfmt', 'plain'];
const FROM = 8;

/** The suspects for a fault that holds from second 8 on of a test window that has quiet seconds before and healthy ones after. */
const suspectsOf = (world: World, fault: Fault, seed: number, seconds = 14): readonly Suspect[] => {
  const input = simulate(world, { baselineS: 30, testS: 36, fault, from: FROM, until: FROM + seconds }, seed);
  const { suspects } = analyzeLogs(input);
  const ids = new Set(input.test.items.map(({ id }) => id));
  for (const { since, evidence, score } of suspects) {
    const after = Number(since - input.test.window.from) / 1e9 - FROM;
    expect(after).toBeGreaterThan(-0.5);
    expect(after).toBeLessThan(5);
    expect(evidence.length).toBeGreaterThan(0);
    expect(evidence.length).toBeLessThanOrEqual(10);
    expect(evidence.every((id) => ids.has(id))).toBe(true);
    expect(score).toBeGreaterThan(0);
    expect(score).toBeLessThan(1);
  }
  return suspects;
};

const blamed = (suspects: readonly Suspect[]): string[] => suspects.map(({ ref, kind }) => `${ref} ${kind}`);

describe('the one that is at fault is blamed, alone and for the right kind', () => {
  const cases: readonly (readonly [string, Topology, Fault, Partial<World>, string, number?])[] = [
    ['a dead leaf', SHOP, { do: 'kill', on: 'feed' }, {}, 'service:feed absent'],
    ['a dead entry', SHOP, { do: 'kill', on: 'front' }, {}, 'service:front absent'],
    ['the last of a chain, dead', CHAIN, { do: 'kill', on: 'user-db' }, {}, 'service:user-db absent'],
    [
      'one of two pods, dead for three seconds',
      SHOP,
      { do: 'kill', on: 'orders', pods: 1 },
      { pods: { orders: 2 } },
      'service:orders absent',
      3,
    ],
    ['a frozen process', SHOP, { do: 'freeze', on: 'risk' }, {}, 'service:risk absent'],
    ['a dropped edge', SHOP, { do: 'drop', from: 'risk', on: 'feed' }, {}, 'edge:risk->feed blocked'],
    ['a rejected edge', STAR, { do: 'reject', from: 'a1', on: 'store' }, {}, 'edge:a1->store blocked'],
    [
      'a cut off component that goes on with its own work',
      SHOP,
      { do: 'drop', from: null, on: 'ledger' },
      { ticks: 2 },
      'service:ledger blocked',
    ],
    [
      'a component whose only caller is rejected',
      CHAIN,
      { do: 'reject', from: null, on: 'user-db' },
      {},
      'service:user-db blocked',
    ],
    ['a delay before a component', STAR, { do: 'delay', from: null, on: 'store', ms: 150 }, {}, 'service:store slow'],
    [
      'a delay on one edge of three',
      STAR,
      { do: 'delay', from: 'c1', on: 'store', ms: 150 },
      {},
      'edge:c1->store slow',
    ],
    [
      'a delay of some requests only',
      CHAIN,
      { do: 'delay', from: null, on: 'auth-service', ms: 300, share: 0.3 },
      {},
      'service:auth-service slow',
    ],
    [
      'a delay longer than the deadline',
      CHAIN,
      { do: 'delay', from: null, on: 'auth-service', ms: 1500 },
      {},
      'service:auth-service slow',
    ],
    ['slow work', CHAIN, { do: 'work', on: 'user-db', times: 8 }, {}, 'service:user-db slow'],
    ['some errors', SHOP, { do: 'errors', on: 'ledger', share: 0.5 }, {}, 'service:ledger erroring'],
    ['nothing but errors', STAR, { do: 'errors', on: 'store', share: 1 }, {}, 'service:store erroring'],
    [
      'a rejected edge where callers log failures only',
      STAR,
      { do: 'reject', from: 'a1', on: 'store' },
      { calls: 'failures' },
      'edge:a1->store blocked',
    ],
    [
      'a delay where callers log failures only',
      STAR,
      { do: 'delay', from: null, on: 'store', ms: 200 },
      { calls: 'failures' },
      'service:store slow',
    ],
  ];

  test.each(cases.map((one, n) => ({ n, name: one[0], one })))('$name', ({ n, one }) => {
    const [, topology, fault, more, expected, seconds] = one;
    const world: World = { topology, style: STYLES[n % 3]!, rate: [10, 25][n % 2]!, ...more };
    expect(blamed(suspectsOf(world, fault, 17 * n + 5, seconds))).toEqual([expected]);
  });
});

describe('no fault, no suspect', () => {
  test.each([5, 12, 25, 50])('at %s requests a second, on every seed', (rate) => {
    const none: Fault = { do: 'none' };
    for (let seed = 0; seed < Math.ceil(120 / rate); seed++) {
      const topology = [SHOP, CHAIN, STAR][seed % 3]!;
      const world: World = {
        topology,
        rate,
        style: STYLES[seed % 3]!,
        calls: seed % 2 ? 'all' : 'failures',
        ticks: seed % 4,
        deadlineMs: seed % 5 ? 1000 : 250,
      };
      const [baselineS, testS] = [[15, 30, 60][seed % 3]!, [60, 15, 40][(seed >> 1) % 3]!];
      const { suspects } = analyzeLogs(
        simulate(world, { baselineS, testS, fault: none, from: 0, until: 0 }, 4000 + seed),
      );
      expect({ seed, suspects }).toEqual({ seed, suspects: [] });
    }
  });

  test('a fault that was there all along is not new', () => {
    const input = simulate(
      { topology: SHOP, rate: 20 },
      { baselineS: 1, testS: 60, fault: { do: 'errors', on: 'ledger', share: 0.5 }, from: 0, until: 60 },
      3,
    );
    const middle = input.test.window.from + 30_000_000_000n;
    const cut = (from: bigint, until: bigint) => ({
      window: { from, until },
      items: input.test.items.filter(({ at }) => at >= from && at < until),
    });
    const same: Blind<LogItem> = {
      ...input,
      baseline: cut(input.test.window.from, middle),
      test: cut(middle, input.test.window.until),
    };
    expect(analyzeLogs(same).suspects).toEqual([]);
  });

  test('lines that end for everybody are the end of the data, not a silence', () => {
    const input = simulate(
      { topology: SHOP, rate: 30 },
      { baselineS: 30, testS: 40, fault: { do: 'none' }, from: 0, until: 0 },
      8,
    );
    const end = input.test.window.from + 15_000_000_000n;
    const test = { ...input.test, items: input.test.items.filter(({ at }) => at < end) };
    expect(analyzeLogs({ ...input, test }).suspects).toEqual([]);
  });
});

describe('small histories', () => {
  const SECOND = 1_000_000_000n;
  const line = (at: number, service: string, text: string, pod: string | null = null): LogItem => ({
    id: `${service}@${at}`,
    at: BigInt(Math.round(at * 1e9)),
    service,
    pod,
    labels: {},
    line: text,
  });
  const every = (
    step: number,
    from: number,
    until: number,
    service: string,
    text: string,
    pod: string | null = null,
  ): LogItem[] =>
    Array.from({ length: Math.floor((until - from) / step) }, (_, n) => line(from + n * step, service, text, pod));
  const blind = (topology: Topology, items: LogItem[]): Blind<LogItem> => {
    const sorted = [...items].sort((a, b) => (a.at < b.at ? -1 : 1));
    const cut = (from: bigint, until: bigint) => ({
      window: { from, until },
      items: sorted.filter(({ at }) => at >= from && at < until),
    });
    return { topology, baseline: cut(0n, 30n * SECOND), test: cut(30n * SECOND, 60n * SECOND) };
  };
  const PAIR: Topology = { entry: 'web', components: ['web', 'db'], edges: [{ from: 'web', to: 'db' }] };

  test('a pod that another one replaces is a restart, without a single complaint', () => {
    const items = [
      ...every(0.2, 0, 60, 'web', 'level=info msg="page shown" n=1'),
      ...every(0.2, 0, 40, 'db', 'row read', 'db-1'),
      ...every(0.2, 41, 60, 'db', 'row read', 'db-2'),
    ];
    expect(blamed(analyzeLogs(blind(PAIR, items)).suspects)).toEqual(['service:db absent']);
  });

  test('a pod that comes up beside the others is none', () => {
    const items = [
      ...every(0.2, 0, 60, 'web', 'page shown', 'web-1'),
      ...every(0.2, 0, 60, 'db', 'row read', 'db-1'),
      ...every(0.2, 41, 60, 'db', 'row read', 'db-2'),
    ];
    expect(analyzeLogs(blind(PAIR, items)).suspects).toEqual([]);
  });

  test('an error that names nobody is the component’s own', () => {
    const items = [
      ...every(0.2, 0, 60, 'web', 'page shown'),
      ...every(0.5, 40, 50, 'db', '2026 ERROR index is corrupt'),
      ...every(0.2, 0, 60, 'db', 'row read'),
    ];
    expect(blamed(analyzeLogs(blind(PAIR, items)).suspects)).toEqual(['service:db erroring']);
  });

  test('whoever asked and went away is no fault of the one that was asked', () => {
    const items = [
      ...every(0.2, 0, 60, 'web', 'page shown'),
      ...every(0.2, 0, 60, 'db', 'row read'),
      ...every(0.2, 40, 50, 'db', 'WARN client disconnected: ECONNRESET'),
    ];
    expect(analyzeLogs(blind(PAIR, items)).suspects).toEqual([]);
  });

  test('a name inside of a longer name, or in a path, is nobody named', () => {
    const topology: Topology = {
      entry: 'web',
      components: ['web', 'order', 'order-service'],
      edges: [
        { from: 'web', to: 'order' },
        { from: 'web', to: 'order-service' },
      ],
    };
    const failing = every(0.2, 40, 50, 'web', 'ERROR GET /order: connect ECONNREFUSED order-service:8080');
    const { suspects } = analyzeLogs(blind(topology, [...every(0.2, 0, 60, 'web', 'page shown'), ...failing]));
    expect(blamed(suspects)).toEqual(['service:order-service absent']);
    expect(suspects[0]!.since).toBe(40n * SECOND);
    expect(suspects[0]!.why).toMatch(/web in 50 lines \(0 before\), refused or reset/);
  });

  test('no lines at all are no suspects, and the sentence says so', () => {
    expect(analyzeLogs(blind(PAIR, []))).toEqual({ suspects: [], why: 'no log lines in the baseline' });
    expect(analyzeLogs(blind(PAIR, every(1, 0, 29, 'web', 'x')))).toEqual({
      suspects: [],
      why: 'no log lines in the test window',
    });
  });
});
