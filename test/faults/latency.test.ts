import { describe, expect, test } from '@jest/globals';
import { latency, latencyFault } from '../../src/faults/latency.ts';
import type { Duration } from '../../src/model.ts';
import { fakeTarget } from '../helpers/fake-target.ts';
import { facts } from '../helpers/tiny.ts';

/** Injects on a platform whose probes take, one after the other, so many milliseconds. */
const slow = async (spec: ReturnType<typeof latency>, times: number[]) => {
  const fake = fakeTarget({ probe: () => ({ outcome: 'answered', ms: times.shift() ?? 2 }) });
  const intend = async (act: string, on: string): Promise<void> => void fake.calls.push(`intent ${act} ${on}`);
  return {
    fake,
    injected: await latencyFault.inject(spec, { target: fake.target, facts, runId: 'run', seed: 1, intend }),
  };
};

test('the probe before, the intention, the act, in this order', async () => {
  const { fake } = await slow(latency('web->shop', '300ms', { jitter: '50ms' }), [2]);
  expect(fake.calls).toEqual([
    'probe web shop tagged',
    'intent delay edge:web->shop by 300ms (tagged)',
    'delay {"from":"web","to":"shop"} 300ms 50ms tagged',
  ]);
});

test('is witnessed by a probe slower than before by at least half of what is surely added', async () => {
  const { injected } = await slow(latency('shop', '300ms', { jitter: '100ms' }), [20, 119, 120, 320]);
  expect((await injected.witness()).holds).toBe(false);
  expect(await injected.witness()).toEqual({
    says: 'probe from web to shop: answered in 120 ms, 20 ms before',
    holds: true,
  });
  expect((await injected.witness()).holds).toBe(true);
});

test('is witnessed by waiting that long in vain, not by a refusal, and neither shows that it was healed', async () => {
  let now: { outcome: 'answered' | 'refused' | 'timeout'; ms: number } = { outcome: 'answered', ms: 2 };
  const { target } = fakeTarget({ probe: () => now });
  const context = { target, facts, runId: 'run', seed: 1, intend: async () => undefined };
  const injected = await latencyFault.inject(latency('shop', '3s'), context);
  now = { outcome: 'refused', ms: 2000 };
  expect([await injected.witness(), await injected.witnessHealed()].map(({ holds }) => holds)).toEqual([false, false]);
  now = { outcome: 'timeout', ms: 2000 };
  expect([await injected.witness(), await injected.witnessHealed()].map(({ holds }) => holds)).toEqual([true, false]);
});

test('is healed as often as one likes, and seen healed by a quick answer only', async () => {
  const { fake, injected } = await slow(latency('shop', '300ms'), [2, 300, 3]);
  await injected.heal();
  await injected.heal();
  expect(fake.calls.filter((call) => call === 'undo delay')).toHaveLength(2);
  expect((await injected.witnessHealed()).holds).toBe(false);
  expect((await injected.witnessHealed()).holds).toBe(true);
});

test('hits only tagged requests unless told otherwise, and its probes are tagged alike', async () => {
  const { fake } = await slow(latency('shop', '300ms', { hit: 'all' }), [2]);
  expect(fake.calls[0]).toBe('probe web shop');
  expect(latencyFault.radius(latency('shop', '300ms'), facts)).toEqual({
    hurts: 'tagged requests to shop, 300ms later',
    spares: "every request without this drill's tag",
  });
  expect(latencyFault.radius(latency('web->shop', '1s', { hit: 'all' }), facts).hurts).toBe(
    'every request along web->shop, 1s later, tagged or not',
  );
});

describe('is refused', () => {
  test.each([
    ['0ms', undefined, "latency of '0ms' would delay nothing"],
    ['fast', undefined, "latency: 'fast' is not a duration"],
    ['100ms', '200ms', "jitter '200ms' is more than the latency '100ms' itself"],
    ['100ms', 'some', "jitter: 'some' is not a duration"],
  ])('with %s and jitter %s', (add, jitter, message) => {
    expect(() => latency('shop', add as Duration, jitter ? { jitter: jitter as Duration } : {})).toThrow(message);
  });
});

test('is true as slowness of the place', () => {
  expect(latencyFault.truth(latency('web->shop', '1s'))).toEqual({ on: 'edge:web->shop', kinds: ['slow'] });
});
