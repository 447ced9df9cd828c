import { describe, expect, test } from '@jest/globals';
import { podKill, podKillFault } from '../../src/faults/pod-kill.ts';
import { type Answers, fakeTarget } from '../helpers/fake-target.ts';
import { facts } from '../helpers/tiny.ts';

const kill = async (spec: ReturnType<typeof podKill>, { seed = 0, ...answers }: Answers & { seed?: number } = {}) => {
  const fake = fakeTarget(answers);
  const intents: string[] = [];
  const intend = async (act: string, on: string): Promise<void> => {
    intents.push(`${act} ${on}`);
    fake.calls.push(`intent ${act}`);
  };
  const injecting = podKillFault.inject(spec, { target: fake.target, facts, runId: 'run', seed, intend });
  return { fake, intents, injecting };
};

describe('the victims', () => {
  test('are one pod by default, all of them on demand, and only of that component', async () => {
    const one = await kill(podKill('shop'));
    await one.injecting;
    expect(one.intents).toEqual(['SIGKILL pod:shop-a uid uid-shop-a']);
    const all = await kill(podKill('shop', { pods: 'all' }));
    await all.injecting;
    expect(all.fake.calls).toEqual([
      'intent SIGKILL',
      'signal uid-shop-a SIGKILL',
      'intent SIGKILL',
      'signal uid-shop-b SIGKILL',
    ]);
  });

  test('are the same for the same seed, and others for another', async () => {
    const victim = async (seed: number) => {
      const { injecting, intents } = await kill(podKill('shop'), { seed });
      await injecting;
      return intents[0];
    };
    expect(await victim(4)).toBe(await victim(4));
    expect(await victim(5)).not.toBe(await victim(4));
  });

  test('of a share are that share, rounded up; of SIGTERM they are told to end', async () => {
    const { intents, injecting } = await kill(podKill('shop', { pods: '51%', how: 'SIGTERM' }));
    await injecting;
    expect(intents).toEqual(['SIGTERM pod:shop-a uid uid-shop-a', 'SIGTERM pod:shop-b uid uid-shop-b']);
    expect(podKillFault.radius(podKill('shop', { pods: '50%' }), facts).hurts).toContain('1 of 2 pods of shop killed');
  });

  test('that must not go all at once are left alone', async () => {
    const fake = fakeTarget();
    const refusing = {
      ...fake.target,
      mayKill: async (uids: readonly string[]) => Promise.reject(new Error(`budget: ${uids.join(' ')}`)),
    };
    const context = { target: refusing, facts, runId: 'run', seed: 0, intend: async () => undefined };
    await expect(podKillFault.inject(podKill('shop', { pods: 'all' }), context)).rejects.toThrow(
      'budget: uid-shop-a uid-shop-b',
    );
    expect(fake.calls).toEqual([]);
  });

  test('are not frozen where nobody can be: that is refused while it is planned', () => {
    const frozen = podKill('shop', { how: 'SIGSTOP' });
    expect(() => podKillFault.radius(frozen, { ...facts, target: 'kubernetes', lacks: ['freeze'] })).toThrow(
      "kubernetes gives no way to freeze a pod: use how: 'SIGKILL' or 'SIGTERM'",
    );
  });

  test('are not pods that are not ready; without a ready one nothing is done', async () => {
    const { fake, injecting } = await kill(podKill('nobody'));
    await expect(injecting).rejects.toThrow('no ready pod of nobody to kill');
    expect(fake.calls).toEqual([]);
  });
});

describe('a kill', () => {
  test('is witnessed when every victim’s uid is gone, whatever has come in its place', async () => {
    const { fake, injecting } = await kill(podKill('shop', { pods: 'all' }));
    const injected = await injecting;
    expect(await injected.witness()).toEqual({ says: '0 of 2 killed pods are gone: shop-a, shop-b', holds: false });
    fake.pods = facts.pods.map((pod) => (pod.service === 'shop' ? { ...pod, uid: `${pod.uid}-2`, ready: false } : pod));
    expect(await injected.witness()).toMatchObject({ holds: true });
    expect(await injected.witnessHealed()).toMatchObject({ says: '0 of 2 pods ready again: ', holds: false });
  });

  test('is healed when as many pods are ready again as there were', async () => {
    const { fake, injecting } = await kill(podKill('shop'));
    const injected = await injecting;
    const whole = fake.pods;
    fake.pods = whole.filter(({ name }) => name !== 'shop-a');
    let healed = false;
    const healing = injected.heal().then(() => {
      healed = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(healed).toBe(false);
    fake.pods = whole;
    await healing;
    expect(await injected.witnessHealed()).toMatchObject({ holds: true });
  });
});

describe('a freeze', () => {
  const frozen = podKill('shop', { pods: 'all', how: 'SIGSTOP' });

  test('is witnessed by a probe that gets no answer, and by no other', async () => {
    let outcome: 'timeout' | 'refused' | 'answered' = 'timeout';
    const { injecting, fake } = await kill(frozen, { probe: () => ({ outcome, ms: 2000 }) });
    const injected = await injecting;
    expect(await injected.witness()).toMatchObject({ holds: true });
    expect(fake.calls.at(-1)).toBe('probe web shop-a');
    outcome = 'answered';
    expect(await injected.witness()).toMatchObject({ holds: false });
    expect(await injected.witnessHealed()).toMatchObject({ holds: true });
  });

  test('is healed by continuing the pods that are still there, any number of times', async () => {
    const { injecting, fake } = await kill(frozen);
    const injected = await injecting;
    fake.pods = fake.pods.filter(({ name }) => name !== 'shop-a');
    fake.calls.length = 0;
    await injected.heal();
    await injected.heal();
    expect(fake.calls).toEqual([
      'intent SIGCONT',
      'signal uid-shop-b SIGCONT',
      'intent SIGCONT',
      'signal uid-shop-b SIGCONT',
    ]);
  });

  test('that the target refuses half way is undone: no pod stays frozen', async () => {
    const refuse = (words: string): void => {
      if (words === 'signal uid-shop-b SIGSTOP') throw new Error('no pod has that uid any more');
    };
    const { injecting, fake } = await kill(frozen, { act: refuse });
    await expect(injecting).rejects.toThrow('no pod has that uid any more');
    expect(fake.calls).toContain('signal uid-shop-a SIGCONT');
  });
});

describe('a pod kill as it is written down', () => {
  test('is about a component, never an edge', () => {
    expect(() => podKill('web->shop')).toThrow("podKill needs a component, not 'web->shop'");
  });

  test('says whom it hurts and whom it spares, and refuses more pods than there are', () => {
    expect(podKillFault.radius(podKill('shop'), facts)).toEqual({
      hurts: '1 of 2 pods of shop killed: every request that they serve, tagged or not',
      spares: 'requests served by its other pods',
    });
    expect(podKillFault.radius(podKill('shop', { pods: 'all', how: 'SIGSTOP' }), facts).hurts).toMatch(
      /^2 of 2 pods of shop frozen/,
    );
    expect(() => podKillFault.radius(podKill('shop', { pods: 3 }), facts)).toThrow(
      'podKill wants 3 pods of shop, which has 2',
    );
    expect(() => podKillFault.radius(podKill('shoes'), facts)).toThrow("platform tiny has no component 'shoes'");
  });

  test('is true as an absence of the component', () => {
    expect(podKillFault.truth(podKill('shop'))).toEqual({ on: 'service:shop', kinds: ['absent'] });
  });
});
