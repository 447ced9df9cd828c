import { afterEach, describe, expect, test } from '@jest/globals';
import { until } from '../../../src/poll.ts';
import { agentsOf } from '../../../src/targets/kubernetes/agents.ts';
import { delayLeftovers, startDelay } from '../../../src/targets/kubernetes/delay.ts';
import type { Ground } from '../../../src/targets/kubernetes/ground.ts';
import type { Act, DelayAct } from '../../../src/targets/target.ts';
import { foundPod, NAMESPACE, shop } from './agents-cluster.ts';

const [web, shopA, shopB, scraper] = [
  foundPod('web-a', 1),
  foundPod('shop-a', 2),
  foundPod('shop-b', 3),
  foundPod('prom-a', 9, { namespace: 'monitoring' }),
];
const edge: DelayAct = {
  place: { from: 'web', to: 'shop' },
  add: '300ms',
  jitter: '20ms',
  hit: 'tagged',
  runId: 'abc',
};
const whole: DelayAct = { ...edge, place: { service: 'shop' }, hit: 'all' };
const soon = { forMs: 5000, everyMs: 10 };

const open: Act[] = [];
afterEach(async () => {
  for (const act of open.splice(0)) await act.undo();
});
const delay = async (ground: Ground, act: DelayAct): Promise<Act> => {
  const it = await startDelay(ground, agentsOf(ground), act);
  open.push(it);
  return it;
};
const orderOf = (it: ReturnType<typeof shop>, pod: string) => JSON.parse(it.containers(pod)[0]!.args![1]!);

describe('a delay', () => {
  test('of an edge is in the callee’s pods, for the caller’s addresses and the drill’s tag only', async () => {
    const it = shop([web, shopA, shopB]);
    await delay(it.ground, edge);
    expect(it.running()).toEqual(['shop-a/firedrill-delay-abc', 'shop-b/firedrill-delay-abc']);
    expect(orderOf(it, 'shop-a')).toMatchObject({
      ...{ run: 'abc', ip: shopA.ip, port: 8080, addMs: 300, jitterMs: 20, tag: 'abc' },
      who: { only: [web.ip] },
    });
    expect(it.commands('ready')).toEqual(['shop-a', 'shop-b']);
  });

  test('of a component is for everybody but those who observe', async () => {
    const it = shop([web, shopA, scraper]);
    await delay({ ...it.ground, spared: [{ namespace: 'monitoring', labels: 'all' }] }, whole);
    expect(orderOf(it, 'shop-a')).toMatchObject({ tag: null, who: { except: [scraper.ip] } });
  });

  test('follows pods that come up meanwhile, on both ends', async () => {
    const it = shop([web, shopA]);
    const act = await delay(it.ground, edge);
    it.living.push(shopB, foundPod('web-b', 4));
    await until('the new callee', () => (it.commands('ready').includes('shop-b') ? true : null), soon);
    await until('the new caller', () => (it.commands('callers').includes('shop-a') ? true : null), soon);
    expect(it.said.find(({ command }) => command === 'callers')!.order.who).toEqual({ only: [web.ip, '198.18.1.4'] });
    await act.undo();
    expect(it.running()).toEqual([]);
  });

  test('is undone when every container has ended; a pod that is gone is undone; twice is once', async () => {
    const it = shop([web, shopA, shopB]);
    const act = await delay(it.ground, edge);
    it.living.splice(2, 1);
    await act.undo();
    await act.undo();
    expect(it.commands('stop')).toEqual(['shop-a']);
  });

  test('that one of the pods does not take is undone in all, and its reason told', async () => {
    const starts = (pod: string) =>
      pod === 'shop-b' ? { waiting: { reason: 'ErrImageNeverPull', message: 'not present' } } : { running: {} };
    const it = shop([web, shopA, shopB], { starts });
    await expect(startDelay(it.ground, agentsOf(it.ground), edge)).rejects.toThrow(
      'shop-b takes no agent: ErrImageNeverPull',
    );
    expect(it.commands('stop')).toEqual(['shop-a']);
    expect(it.running()).toEqual([]);
  });

  test('in a pod that another run delays leaves that run’s delay alone', async () => {
    const it = shop([web, shopA]);
    await delay(it.ground, edge);
    const starts = () => ({ terminated: { exitCode: 1, message: 'agent: this pod is already delayed, by run abc' } });
    const other = shop([web, shopA], { starts });
    await expect(startDelay(other.ground, agentsOf(other.ground), edge)).rejects.toThrow('already delayed, by run abc');
    expect(it.running()).toEqual(['shop-a/firedrill-delay-abc']);
    expect(other.commands('stop')).toEqual([]);
  });

  test('of a component without a pod is refused', async () => {
    const it = shop([web]);
    await expect(startDelay(it.ground, agentsOf(it.ground), edge)).rejects.toThrow(
      'component shop has no pod to delay',
    );
  });
});

describe('what a run has left', () => {
  test('is found in its pods by anybody, and ended', async () => {
    const it = shop([web, shopA]);
    const agents = agentsOf(it.ground);
    await startDelay(it.ground, agents, edge).then((act) => open.push(act));
    await agents.look(web);
    const left = await delayLeftovers(it.ground.cluster, [NAMESPACE]);
    expect(left.map(({ runId }) => runId)).toEqual(['abc', 'abc']);
    expect(left[0]!.says).toMatch(/^container firedrill-look-abc of pod shop\/web-a \(ends by itself at 20.*Z\)$/);
    for (const one of left) await one.undo();
    expect(it.running()).toEqual([]);
    expect(await delayLeftovers(it.ground.cluster, [NAMESPACE])).toEqual([]);
  });

  test('is nobody else’s container, whatever its name', async () => {
    const it = shop([web]);
    await it.ground.cluster.core.patchNamespacedPodEphemeralcontainers({
      ...{ namespace: NAMESPACE, name: 'web-a' },
      body: { spec: { ephemeralContainers: [{ name: 'firedrill-debug', image: 'x', args: ['sh', '{'] }] } },
    });
    expect(await delayLeftovers(it.ground.cluster, [NAMESPACE])).toEqual([]);
  });
});
