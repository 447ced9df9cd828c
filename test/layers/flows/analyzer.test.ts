import { describe, expect, test } from '@jest/globals';
import { analyzeFlows } from '../../../src/layers/flows/analyzer.ts';
import type { FlowItem } from '../../../src/model.ts';
import { at, blind, denied, every, exchanged, flow, ms, opened, topologyOf } from './builders.ts';
import { type Fault, type Part, type Simulation, simulate } from './simulation.ts';

const said = (input: ReturnType<typeof blind>): string[] =>
  analyzeFlows(input).suspects.map(({ ref, kind }) => `${ref} ${kind}`);

describe('hand-written histories', () => {
  const topology = topologyOf('a->b', 'c->b', 'a->d');
  const calls = (from: number, until: number): FlowItem[] => [
    ...every(400, from, until, (t) => exchanged(t, at('a', 5000), at('b', 80), 10)),
    ...every(400, from, until, (t) => exchanged(t + 100, at('c', 5001), at('b', 80), 10)),
    ...every(400, from, until, (t) => exchanged(t + 200, at('a', 5002), at('d', 81), 5)),
  ];
  const quiet = calls(0, 60_000);

  test('nothing changed: nobody is blamed', () => {
    expect(said(blind(quiet, topology))).toEqual([]);
  });

  test('denied packets on one of two ways into b blame that way, since the first of them', () => {
    const flows = [
      ...calls(0, 40_000),
      ...every(400, 40_000, 60_000, (t) => exchanged(t, at('a', 5000), at('b', 80), 10)),
      ...every(400, 40_000, 60_000, (t) => [denied(t + 100, at('c', 6000 + t / 400), at('b', 80))]),
    ];
    const [first] = analyzeFlows(blind(flows, topology)).suspects;
    expect(first).toMatchObject({ ref: 'edge:c->b', kind: 'blocked', since: ms(40_100) });
    const ids = new Set(flows.filter(({ verdict }) => verdict === 'DROPPED').map(({ id }) => id));
    expect(first!.evidence).toHaveLength(10);
    expect(first!.evidence.every((id) => ids.has(id))).toBe(true);
  });

  test('a few packets of one connection, denied and told twice each, are not a blocked edge', () => {
    const one = [0, 300, 700].flatMap((t) => [
      denied(45_000 + t, at('c', 6000), at('b', 80)),
      denied(45_000 + t, at('c', 6000), at('b', 80)),
    ]);
    expect(said(blind([...quiet, ...one], topology))).toEqual([]);
  });

  test('drops that were always there detect nothing', () => {
    const always = every(500, 0, 60_000, (t) => [denied(t, at('c', 7000 + t / 500), at('b', 9))]);
    expect(said(blind([...quiet, ...always], topology))).toEqual([]);
  });

  test('an unknown verdict, an unknown protocol and ends of nobody disturb nobody', () => {
    const odd = every(1000, 0, 60_000, (t) => [
      flow(t, at('world', 1), at('world', 2), { verdict: 'UNKNOWN', protocol: 'OTHER', flags: [], reply: null }),
    ]);
    expect(said(blind([...quiet, ...odd], topology))).toEqual([]);
  });

  test('the only caller of d is cut off: d is blamed, not the edge', () => {
    const flows = [
      ...calls(0, 30_000),
      ...calls(30_000, 60_000).filter((one) => one.source.service !== 'd' && one.destination.service !== 'd'),
      ...every(400, 31_000, 60_000, (t) => [denied(t, at('a', 6000 + t / 400), at('d', 81))]),
    ];
    expect(said(blind(flows, topology))).toEqual(['service:d blocked']);
  });

  test('flows without data packets: the reason for seeing no delay is told', () => {
    const flows = every(400, 0, 60_000, (t) => opened(t, at('a', 5000 + t / 400), at('b', 80)));
    expect(analyzeFlows(blind(flows, topology)).why).toMatch(/aggregation/);
  });

  test('no flows at all: no suspects, and it says so', () => {
    expect(analyzeFlows(blind([], topology))).toEqual({ suspects: [], why: expect.stringMatching(/no flows/) });
  });
});

// ---- Simulated platforms -------------------------------------------------------------------------------------

const SHOP: Record<string, Part> = {
  gateway: { workMs: 3, pods: 2, calls: [{ to: 'auth' }, { to: 'orders', share: 0.6 }, { to: 'quotes', share: 0.4 }] },
  auth: { workMs: 4, calls: [{ to: 'store', share: 0.5 }] },
  orders: { workMs: 8, pods: 2, calls: [{ to: 'risk' }, { to: 'engine', deadlineMs: 300 }] },
  risk: { workMs: 5, calls: [{ to: 'quotes' }, { to: 'store', share: 0.5 }] },
  engine: { workMs: 6, calls: [{ to: 'store' }] },
  quotes: { workMs: 2 },
  store: { workMs: 3 },
};

const observed = (options: Partial<Simulation>) => {
  const it = simulate({ parts: SHOP, entry: 'gateway', rate: 15, seed: 1, l7: true, pausesEveryMs: 5000, ...options });
  const part = (window: typeof it.test) => ({
    window,
    items: it.flows.filter((one) => one.at >= window.from && one.at < window.until),
  });
  return { ...it, finding: analyzeFlows({ baseline: part(it.baseline), test: part(it.test), topology: it.topology }) };
};

const FAULTS: [string, Fault][] = [
  ['service:engine slow', { kind: 'delay', to: 'engine', ms: 100 }],
  ['service:store slow', { kind: 'delay', to: 'store', ms: 20 }],
  ['service:orders slow', { kind: 'delay', to: 'orders', ms: 400 }],
  // Longer than the caller's patience: every call to it is given up.
  ['service:engine slow', { kind: 'delay', to: 'engine', ms: 1500 }],
  ['service:quotes slow', { kind: 'delay', to: 'quotes', ms: 80, share: 0.3 }],
  ['edge:risk->store slow', { kind: 'delay', to: 'store', from: 'risk', ms: 150 }],
  ['service:store blocked', { kind: 'drop', to: 'store', shown: true }],
  ['service:gateway blocked', { kind: 'drop', to: 'gateway', shown: true }],
  ['edge:engine->store blocked', { kind: 'drop', to: 'store', from: 'engine', shown: true }],
  ['edge:risk->quotes blocked', { kind: 'drop', to: 'quotes', from: 'risk', shown: false }],
  // Scrapes of quotes are still answered: it is not gone.
  ['service:quotes blocked', { kind: 'drop', to: 'quotes', shown: false }],
  ['service:risk blocked', { kind: 'isolate', to: 'risk' }],
  ['service:store absent', { kind: 'freeze', to: 'store' }],
  ['service:orders absent', { kind: 'freeze', to: 'orders', pod: 0 }],
  ['service:store absent', { kind: 'kill', to: 'store', backMs: 3000, refusedMs: 300 }],
  ['service:orders absent', { kind: 'kill', to: 'orders', pod: 1, backMs: 1500, refusedMs: 200 }],
  ['service:engine absent', { kind: 'kill', to: 'engine', backMs: 1e9, refusedMs: 100 }],
  ['service:risk erroring', { kind: 'errors', to: 'risk', share: 0.5 }],
];

const told = ([says, fault]: [string, Fault]): string => `${says} after ${JSON.stringify(fault)}`;
const CASES = FAULTS.map((one): [string, ...typeof one] => [told(one), ...one]);

describe('a simulated platform with one fault', () => {
  test.each(CASES)('%s', (_, says, fault) => {
    const { finding, faultAt } = observed({ fault, seed: says.length });
    expect(finding.suspects.map(({ ref, kind }) => `${ref} ${kind}`)).toEqual([says]);
    const [{ since, evidence }] = finding.suspects as [(typeof finding.suspects)[number]];
    expect(since >= faultAt).toBe(true);
    expect(evidence.length).toBeGreaterThan(0);
  });

  test.each(CASES.filter(([, says]) => !says.includes('erroring')))(
    '%s, healed in the window, without layer 7',
    (_, says, fault) => {
      const { finding } = observed({ fault, l7: false, rate: 30, faultFrom: 38_000, faultUntil: 52_000 });
      expect(finding.suspects.map(({ ref, kind }) => `${ref} ${kind}`)).toEqual([says]);
    },
  );
});

describe('control runs', () => {
  test.each([5, 20, 50])(
    'at %d requests a second blame nobody, on every seed',
    (rate) => {
      for (let seed = 1; seed <= 8; seed += 1) {
        const length = [15_000, 30_000, 60_000][seed % 3]!;
        const windows = rate === 50 ? { baselineMs: 15_000, testMs: 15_000 } : { baselineMs: length, testMs: length };
        const pausesEveryMs = [2500, 6000][seed % 2]!;
        const { finding } = observed({ seed: seed * 7919 + rate, rate, ...windows, pausesEveryMs, l7: seed % 2 === 0 });
        expect({ seed, suspects: finding.suspects }).toEqual({ seed, suspects: [] });
      }
    },
    60_000,
  );
});
