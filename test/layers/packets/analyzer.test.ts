import { describe, expect, test } from '@jest/globals';
import { analyzePackets } from '../../../src/layers/packets/analyzer.ts';
import type { Blind, Finding, PacketItem } from '../../../src/model.ts';
import { fromMs } from '../../../src/time.ts';
import { type Fault, type Played, simulate } from './simulate.ts';

const shop: Pick<Played, 'entry' | 'parts'> = {
  entry: 'gate',
  parts: {
    gate: { workMs: 3, calls: [{ to: 'quotes', share: 0.5 }, { to: 'orders' }] },
    orders: { pods: 2, workMs: 8, calls: [{ to: 'risk' }, { to: 'quotes' }] },
    risk: { workMs: 15 },
    quotes: { pods: 2, workMs: 4, calls: [{ to: 'store', share: 0.6 }] },
    store: { workMs: 2 },
  },
};
const chain: Pick<Played, 'entry' | 'parts'> = {
  entry: 'front',
  parts: {
    front: { workMs: 40, calls: [{ to: 'middle' }] },
    middle: { workMs: 60, pods: 3, calls: [{ to: 'back' }] },
    back: { workMs: 100 },
  },
};
const pair: Pick<Played, 'entry' | 'parts'> = {
  entry: 'x',
  parts: { x: { workMs: 1, calls: [{ to: 'y' }] }, y: { workMs: 120 } },
};

const rate = (seed: number): number => [5, 10, 20, 50][seed % 4]!;
const fresh = (seed: number): number => [0.05, 0.3, 1][seed % 3]!;
const seeds = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);

const blamed = ({ suspects }: Finding): string[] => suspects.map(({ ref, kind }) => `${ref} ${kind}`);

describe('nothing is wrong', () => {
  test.each([
    ['a shop', shop],
    ['a chain', chain],
    ['a pair', pair],
  ])('%s: no suspects on any seed, rate, window, with pauses and a cold start', (_, platform) => {
    for (const seed of seeds(30)) {
      const played: Played = {
        ...platform,
        seed,
        rate: rate(seed),
        fresh: fresh(seed),
        baselineS: 15 + (seed % 4) * 15,
        testS: 20 + (seed % 5) * 10,
        pauses: 2 + (seed % 5) * 4,
        warmUp: 1 + (seed % 4) * 2,
        deadlineMs: [400, 1000, 3000][seed % 3]!,
      };
      expect({ seed, suspects: blamed(analyzePackets(simulate(played))) }).toEqual({ seed, suspects: [] });
    }
  });

  test('without any packet there is nothing to say', () => {
    const { baseline, test: window, topology } = simulate({ ...pair, seed: 1 });
    const empty = { baseline: { ...baseline, items: [] }, test: { ...window, items: [] }, topology };
    expect(analyzePackets(empty)).toEqual({ suspects: [], why: expect.stringContaining('no TCP') });
  });
});

describe('something is wrong, in a shop with two pods of some', () => {
  test.each<[string, Fault, string]>([
    ['a killed service that refuses', { kind: 'kill', on: 'risk', gone: 'refused' }, 'service:risk absent'],
    [
      'a killed service whose address is gone',
      { kind: 'kill', on: 'risk', gone: 'lost', restartS: 8 },
      'service:risk absent',
    ],
    ['one killed pod of two', { kind: 'kill', on: 'orders', pods: 1, restartS: 8 }, 'service:orders absent'],
    [
      'one killed pod of two, its address gone',
      { kind: 'kill', on: 'quotes', pods: 1, gone: 'lost', restartS: 8 },
      'service:quotes absent',
    ],
    ['a killed entry', { kind: 'kill', on: 'gate' }, 'service:gate absent'],
    ['a frozen service in the middle', { kind: 'freeze', on: 'orders' }, 'service:orders absent'],
    ['a frozen service at the end', { kind: 'freeze', on: 'store' }, 'service:store absent'],
    [
      'one of two ways cut',
      { kind: 'block', from: 'orders', to: 'quotes', how: 'drop' },
      'edge:orders->quotes blocked',
    ],
    [
      'one of two ways rejected',
      { kind: 'block', from: 'orders', to: 'quotes', how: 'reject' },
      'edge:orders->quotes blocked',
    ],
    ['an isolated service in the middle', { kind: 'block', to: 'orders', how: 'drop' }, 'service:orders blocked'],
    ['an isolated service with two callers', { kind: 'block', to: 'quotes', how: 'drop' }, 'service:quotes blocked'],
    ['an isolated service at the end', { kind: 'block', to: 'risk', how: 'drop' }, 'service:risk blocked'],
    ['a small delay', { kind: 'delay', to: 'risk', ms: 20 }, 'service:risk slow'],
    ['a delay at the very end', { kind: 'delay', to: 'store', ms: 50 }, 'service:store slow'],
    [
      'a delay on one of two ways',
      { kind: 'delay', from: 'orders', to: 'quotes', ms: 100 },
      'edge:orders->quotes slow',
    ],
    ['a delay with two callers', { kind: 'delay', to: 'quotes', ms: 500 }, 'service:quotes slow'],
    ['a delay beyond every deadline', { kind: 'delay', to: 'orders', ms: 2000 }, 'service:orders slow'],
    ['a delay at the entry', { kind: 'delay', to: 'gate', ms: 300 }, 'service:gate slow'],
  ])('%s is blamed, alone, on every seed and rate, from when it began', (_, fault, expected) => {
    for (const seed of seeds(8)) {
      const input = simulate({ ...shop, seed, rate: rate(seed), fresh: fresh(seed), fault });
      const finding = analyzePackets(input);
      expect({ seed, blamed: blamed(finding) }).toEqual({ seed, blamed: [expected] });
      const [suspect] = finding.suspects;
      const injected = input.test.window.from + fromMs(10_000);
      expect(suspect!.since).toBeGreaterThanOrEqual(injected - fromMs(1500));
      expect(suspect!.since).toBeLessThan(injected + fromMs(10_000));
    }
  });

  test('a delay that hits a third of the requests is found where requests are many', () => {
    for (const seed of seeds(6)) {
      const fault: Fault = { kind: 'delay', to: 'orders', ms: 150, share: 0.33 };
      expect(blamed(analyzePackets(simulate({ ...shop, seed, rate: 20, fault })))).toEqual(['service:orders slow']);
    }
  });
});

describe('something is wrong elsewhere', () => {
  test.each<[string, Pick<Played, 'entry' | 'parts'>, Fault, string]>([
    ['a chain', chain, { kind: 'delay', to: 'middle', ms: 400 }, 'service:middle slow'],
    ['a chain', chain, { kind: 'kill', on: 'back' }, 'service:back absent'],
    ['a chain', chain, { kind: 'freeze', on: 'middle' }, 'service:middle absent'],
    ['a pair', pair, { kind: 'block', to: 'y', how: 'drop' }, 'service:y blocked'],
    ['a pair', pair, { kind: 'delay', to: 'y', ms: 1500 }, 'service:y slow'],
  ])('in %s: %#', (_, platform, fault, expected) => {
    for (const seed of seeds(6)) {
      const played = { ...platform, seed, rate: rate(seed), fresh: fresh(seed), fault };
      expect({ seed, blamed: blamed(analyzePackets(simulate(played))) }).toEqual({ seed, blamed: [expected] });
    }
  });
});

describe('evidence', () => {
  const finding = analyzePackets(simulate({ ...pair, seed: 5, fault: { kind: 'kill', on: 'y' } }));

  test('names about ten items that the layer showed, and says in a sentence what they are', () => {
    const { items } = simulate({ ...pair, seed: 5, fault: { kind: 'kill', on: 'y' } }).test;
    const [suspect] = finding.suspects;
    expect(suspect!.evidence).toHaveLength(10);
    const shown = items.filter(({ id }) => suspect!.evidence.includes(id)).map(({ event }) => event);
    expect(shown).toContain('refused');
    expect(suspect!.why).toMatch(/^calls x->y: .*\d+ refused/);
    expect(finding.why).toBe(suspect!.why);
    expect(suspect!.score).toBeGreaterThanOrEqual(0.5);
    expect(suspect!.score).toBeLessThan(1);
  });
});

describe('what is normal is no trouble', () => {
  const quiet = simulate({ ...pair, seed: 3, rate: 10 });
  const plus = (more: readonly PacketItem[]): Blind<PacketItem> => {
    const items = [...quiet.test.items, ...more].sort((a, b) => (a.at < b.at ? -1 : 1));
    return { ...quiet, test: { ...quiet.test, items } };
  };
  const like = (event: PacketItem['event'], n: number, ms: number | null, by: PacketItem['by']): PacketItem => ({
    ...quiet.test.items[0]!,
    id: `${event}-${n}`,
    at: quiet.test.window.from + fromMs(1000 + n * 900),
    event,
    ms,
    by,
  });

  test.each<[string, PacketItem['event'], number | null, PacketItem['by']]>([
    ['idle connections that the server closes', 'closed', null, 'server'],
    ['idle connections that are reset', 'reset', null, 'server'],
    ['retransmissions', 'retransmission', null, 'client'],
    ['clients that give up by themselves', 'reset', 3, 'client'],
  ])('%s', (_, event, ms, by) => {
    expect(analyzePackets(plus(seeds(30).map((n) => like(event, n, ms, by)))).suspects).toEqual([]);
  });

  test('two requests that met a closing connection', () => {
    expect(analyzePackets(plus([like('reset', 4, 0.4, 'server'), like('reset', 20, 0.4, 'server')])).suspects).toEqual(
      [],
    );
  });

  test('one call of many that was given up, after which its caller asks another pod', () => {
    const played = simulate({ ...shop, seed: 5, rate: 20, testS: 40 });
    const { items, window } = played.test;
    const exchange = items.find(({ event, server }) => event === 'exchange' && server.service === 'orders')!;
    const since = window.from + fromMs(5000);
    const idle = ({ event, server, at }: PacketItem): boolean =>
      event === 'exchange' && server.ip === exchange.server.ip && at > since;
    const givenUp: PacketItem = { ...exchange, id: 'given-up', event: 'silent', at: since + fromMs(800), ms: 800 };
    const left = [...items.filter((item) => !idle(item)), { ...givenUp, client: { ...givenUp.client, port: 1 } }];
    const test = { ...played.test, items: left.sort((a, b) => (a.at < b.at ? -1 : 1)) };
    expect(blamed(analyzePackets({ ...played, test }))).toEqual([]);
  });

  test('a failure that the baseline had as often', () => {
    const failing = (from: typeof quiet.test): PacketItem[] =>
      seeds(12).map((n) => ({
        ...like('refused', n, null, 'server'),
        id: `${from.window.from}-${n}`,
        at: from.window.from + fromMs(n * 2000),
      }));
    const sorted = (all: PacketItem[]): PacketItem[] => all.sort((a, b) => (a.at < b.at ? -1 : 1));
    const baseline = { ...quiet.baseline, items: sorted([...quiet.baseline.items, ...failing(quiet.baseline)]) };
    const test = { ...quiet.test, items: sorted([...quiet.test.items, ...failing(quiet.test)]) };
    expect(analyzePackets({ ...quiet, baseline, test }).suspects).toEqual([]);
  });
});
