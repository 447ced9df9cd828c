import { describe, expect, test } from '@jest/globals';
import { networkPolicy, networkPolicyFault } from '../../src/faults/network-policy.ts';
import { noFault, none } from '../../src/faults/none.ts';
import { fakeTarget } from '../helpers/fake-target.ts';
import { facts } from '../helpers/tiny.ts';

const inject = async (spec: ReturnType<typeof networkPolicy>, ifUnseen: string) => {
  const { target } = fakeTarget({ probe: () => ({ outcome: 'answered', ms: 7 }) });
  const block: typeof target.block = async (act) => ({ ...(await target.block(act)), ifUnseen });
  const context = { target: { ...target, block }, facts, runId: 'run', seed: 1, intend: async () => undefined };
  return networkPolicyFault.inject(spec, context);
};

const block = async (spec: ReturnType<typeof networkPolicy>) => {
  const state: { outcome: 'answered' | 'refused' | 'timeout' } = { outcome: 'answered' };
  const fake = fakeTarget({ probe: () => ({ outcome: state.outcome, ms: 7 }) });
  const intend = async (act: string, on: string): Promise<void> => void fake.calls.push(`intent ${act} ${on}`);
  const injected = await networkPolicyFault.inject(spec, { target: fake.target, facts, runId: 'run', seed: 1, intend });
  return { fake, injected, state };
};

describe('a network policy', () => {
  test('that shows no effect is no fault, and says what to think of a target that took it', async () => {
    const injected = await inject(networkPolicy('web->shop'), 'nobody here enforces policies');
    const { says, holds } = await injected.witness();
    expect(holds).toBe(false);
    expect(says).toMatch(/answered; nobody here enforces policies$/);
  });

  test('that rejects is refused, while it is planned, where policies only drop', () => {
    const rejecting = networkPolicy('shop', { how: 'reject' });
    expect(() => networkPolicyFault.radius(rejecting, { ...facts, target: 'kubernetes', lacks: ['reject'] })).toThrow(
      "kubernetes has no policy that rejects, only such as drop: use how: 'drop'",
    );
  });

  test('is intended, then done: on an edge as its two ends, on a component as a whole', async () => {
    expect((await block(networkPolicy('web->shop'))).fake.calls).toEqual([
      'intent block edge:web->shop (drop)',
      'block {"from":"web","to":"shop"} drop',
    ]);
    expect((await block(networkPolicy('shop', { how: 'reject' }))).fake.calls).toContain(
      'block {"service":"shop"} reject',
    );
  });

  test.each(['refused', 'timeout'] as const)(
    'is witnessed by a probe along the way that is %s, from the caller',
    async (outcome) => {
      const { fake, injected, state } = await block(networkPolicy('shop->bank'));
      expect(await injected.witness()).toEqual({ says: 'probe from shop to bank: answered', holds: false });
      state.outcome = outcome;
      expect(await injected.witness()).toEqual({ says: `probe from shop to bank: ${outcome}`, holds: true });
      expect(fake.calls.at(-1)).toBe('probe shop bank');
    },
  );

  test('is undone as often as one likes, each time intended first, and seen undone by an answer', async () => {
    const { fake, injected, state } = await block(networkPolicy('shop'));
    state.outcome = 'timeout';
    expect((await injected.witnessHealed()).holds).toBe(false);
    fake.calls.length = 0;
    await injected.heal();
    await injected.heal();
    expect(fake.calls).toEqual([
      'intent undo block service:shop',
      'undo block',
      'intent undo block service:shop',
      'undo block',
    ]);
    state.outcome = 'answered';
    expect((await injected.witnessHealed()).holds).toBe(true);
  });

  test('names its blast radius, and refuses places that are not there', () => {
    expect(networkPolicyFault.radius(networkPolicy('web->shop'), facts).hurts).toBe(
      'every request along web->shop, tagged or not',
    );
    expect(networkPolicyFault.radius(networkPolicy('shop'), facts).hurts).toBe(
      'every request to and from shop, tagged or not',
    );
    expect(() => networkPolicyFault.radius(networkPolicy('shop->web'), facts)).toThrow('has no edge shop->web');
  });

  test('is true as a blockage of the place', () => {
    expect(networkPolicyFault.truth(networkPolicy('web->shop'))).toEqual({ on: 'edge:web->shop', kinds: ['blocked'] });
  });
});

test('no fault touches nothing, hurts nobody and is always healed', async () => {
  const { target, calls } = fakeTarget();
  const injected = await noFault.inject(none(), {
    target,
    facts,
    runId: 'run',
    seed: 1,
    intend: async () => void calls.push('intent'),
  });
  await injected.heal();
  expect([await injected.witness(), await injected.witnessHealed()].every(({ holds }) => holds)).toBe(true);
  expect(calls).toEqual([]);
  expect(noFault.truth(none())).toEqual({ on: null, kinds: [] });
});
