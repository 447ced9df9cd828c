import { describe, expect, test } from '@jest/globals';
import { analyzeTraces } from '../../../src/layers/traces/analyzer.ts';
import { type Fault, type Platform, randomPlatform, type Setup, simulate } from './simulate.ts';

/** Users come in at shop, which asks stock and bank; both ask the ledger. Bank is asked by nobody else. */
const platform: Platform = {
  topology: {
    entry: 'shop',
    components: ['shop', 'stock', 'bank', 'ledger'],
    edges: [
      { from: 'shop', to: 'stock' },
      { from: 'shop', to: 'bank' },
      { from: 'stock', to: 'ledger' },
      { from: 'bank', to: 'ledger' },
    ],
  },
  pods: { shop: 2, stock: 1, bank: 2, ledger: 2 },
  workMs: { shop: 4, stock: 8, bank: 15, ledger: 3 },
  deadlineMs: 1000,
};

const FROM_S = 6;
const setup = (fault: Fault, more: Partial<Setup> = {}): Setup => ({
  seed: 42,
  platform,
  perSecond: 20,
  baselineS: 20,
  testS: 30,
  fault: { fromS: FROM_S, holdS: 10, ...fault },
  ...more,
});

const verdict = (it: Setup) => {
  const input = simulate(it);
  const finding = analyzeTraces(input);
  const [first] = finding.suspects;
  const began = input.test.window.from + BigInt(FROM_S) * 1_000_000_000n;
  return {
    ...finding,
    input,
    first,
    blames: first && `${first.ref} ${first.kind}`,
    afterMs: first && Number(first.since - began) / 1e6,
  };
};

describe('what is blamed', () => {
  test.each<[string, Fault, string]>([
    ['all pods killed and replaced', { kind: 'kill', on: 'bank', pods: 2, says: 'refused' }, 'service:bank absent'],
    ['one of two pods killed', { kind: 'kill', on: 'ledger', pods: 1, says: 'timeout' }, 'service:ledger absent'],
    ['a process that stands still', { kind: 'stop', on: 'stock' }, 'service:stock absent'],
    ['a component cut off, silently', { kind: 'cut', on: 'ledger', says: 'timeout' }, 'service:ledger blocked'],
    ['a component cut off, refusing', { kind: 'cut', on: 'ledger', says: 'refused' }, 'service:ledger blocked'],
    [
      'one way into a shared component cut',
      { kind: 'cut', on: { from: 'bank', to: 'ledger' }, says: 'timeout' },
      'edge:bank->ledger blocked',
    ],
    [
      'one way refused',
      { kind: 'cut', on: { from: 'bank', to: 'ledger' }, says: 'refused' },
      'edge:bank->ledger blocked',
    ],
    ['30 ms on every way in', { kind: 'delay', on: 'ledger', ms: 30, share: 1, late: true }, 'service:ledger slow'],
    [
      '30 ms on one of two ways in',
      { kind: 'delay', on: { from: 'bank', to: 'ledger' }, ms: 30, share: 1, late: true },
      'edge:bank->ledger slow',
    ],
    [
      '30 ms on the only way in',
      { kind: 'delay', on: { from: 'shop', to: 'bank' }, ms: 30, share: 1, late: true },
      'service:bank slow',
    ],
    [
      'a delay of some requests only',
      { kind: 'delay', on: 'ledger', ms: 300, share: 0.4, late: true },
      'service:ledger slow',
    ],
    [
      'a delay beyond the deadline',
      { kind: 'delay', on: 'ledger', ms: 3000, share: 1, late: true },
      'service:ledger slow',
    ],
    [
      'some requests delayed beyond the deadline',
      { kind: 'delay', on: 'bank', ms: 3000, share: 0.4, late: false },
      'service:bank slow',
    ],
    ['a component that works ten times longer', { kind: 'work', on: 'bank', times: 10 }, 'service:bank slow'],
    ['a component that fails by itself', { kind: 'errors', on: 'ledger', share: 0.3 }, 'service:ledger erroring'],
    ['an entry killed and replaced', { kind: 'kill', on: 'shop', pods: 2, says: 'refused' }, 'service:shop absent'],
  ])('%s', (_what, fault, blamed) => {
    const { blames, afterMs, first } = verdict(setup(fault));
    expect(blames).toBe(blamed);
    expect(first!.score).toBeGreaterThanOrEqual(0.5);
    expect(first!.evidence.length).toBeGreaterThan(0);
    expect(first!.evidence.length).toBeLessThanOrEqual(10);
    expect(afterMs).toBeGreaterThan(-1000);
    expect(afterMs).toBeLessThan(4000);
  });

  test('evidence is of spans that were given', () => {
    const { first, input } = verdict(setup({ kind: 'cut', on: 'ledger', says: 'timeout' }));
    const ids = new Set(input.test.items.map((one) => one.id));
    expect(first!.evidence.every((id) => ids.has(id))).toBe(true);
  });

  test('callers that fail because of it are not blamed', () => {
    const { suspects } = verdict(setup({ kind: 'cut', on: 'ledger', says: 'timeout' }));
    expect(suspects.map((one) => one.ref)).toEqual(['service:ledger']);
  });

  test('one of two pods killed where spans do not name their pods', () => {
    const { baseline, test, topology } = simulate(setup({ kind: 'kill', on: 'ledger', pods: 1, says: 'timeout' }));
    const nameless = <T extends typeof test>(one: T): T => ({
      ...one,
      items: one.items.map((it) => ({ ...it, pod: null })),
    });
    const { suspects } = analyzeTraces({ baseline: nameless(baseline), test: nameless(test), topology });
    expect(suspects.map((one) => `${one.ref} ${one.kind}`)).toEqual(['service:ledger absent']);
  });

  test('an outage of two seconds in a minute is found', () => {
    const fault = { kind: 'kill', on: 'ledger', pods: 2, says: 'refused', fromS: FROM_S, holdS: 2 } as const;
    expect(verdict(setup(fault, { testS: 60, fault })).blames).toBe('service:ledger absent');
  });
});

describe('what is not blamed', () => {
  test('a run without a fault, whatever its seed, platform, rate and length', () => {
    const alarms = Array.from({ length: 24 }, (_, seed) => {
      const it = setup(
        { kind: 'none' },
        {
          seed,
          platform: randomPlatform(seed),
          perSecond: 5 + (seed % 10) * 5,
          baselineS: 15 + (seed % 4) * 10,
          testS: 15 + (seed % 3) * 20,
        },
      );
      return analyzeTraces(simulate(it)).suspects.map((one) => `seed ${seed}: ${one.ref} ${one.kind}: ${one.why}`);
    });
    expect(alarms.flat()).toEqual([]);
  });

  test('trouble that the baseline has as well', () => {
    const { input } = verdict(setup({ kind: 'cut', on: 'ledger', says: 'timeout' }));
    const swapped = { ...input, baseline: input.test, test: { ...input.test, window: input.test.window } };
    expect(analyzeTraces(swapped).suspects).toEqual([]);
  });

  test('nobody without spans of the baseline, and the reason is given', () => {
    const { input } = verdict(setup({ kind: 'cut', on: 'ledger', says: 'timeout' }));
    const finding = analyzeTraces({ ...input, baseline: { ...input.baseline, items: [] } });
    expect(finding).toEqual({ suspects: [], why: "no spans in the baseline: traces can't show a change" });
  });

  test('nobody without spans at all', () => {
    const { input } = verdict(setup({ kind: 'none' }));
    const empty = { ...input, baseline: { ...input.baseline, items: [] }, test: { ...input.test, items: [] } };
    expect(analyzeTraces(empty).why).toMatch(/no spans in the baseline and the test window/);
  });
});
