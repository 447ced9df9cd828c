import { describe, expect, test } from '@jest/globals';
import { Unreachable, Usage } from '../../../src/errors.ts';
import type { FoundPod } from '../../../src/targets/kubernetes/ground.ts';
import { kill, mayKill } from '../../../src/targets/kubernetes/kill.ts';
import { rejection } from './mock-api.ts';
import { groundOn, podOf, type Store, storing } from './object-store.ts';

const there = (it: Store, { namespace, name, uid }: FoundPod): void =>
  it.put('pods', { metadata: { namespace, name, uid } });
const deletions = ({ mock }: Store) =>
  mock.requests.filter(({ method }) => method === 'DELETE').map(({ body }) => JSON.parse(body));

describe('kill', () => {
  test.each([
    ['SIGKILL', 'ReplicaSet/orders', { gracePeriodSeconds: 0 }],
    ['SIGKILL', 'StatefulSet/orders', { gracePeriodSeconds: 1 }],
    ['SIGTERM', 'ReplicaSet/orders', {}],
    ['SIGTERM', 'StatefulSet/orders', {}],
  ] as const)('%s of a pod of %s deletes exactly that pod with %j', async (how, owner, grace) => {
    await using it = await storing();
    const pod = podOf('orders', { owner });
    there(it, pod);
    await kill(groundOn(it, [pod]), pod.uid, how);
    expect(deletions(it)).toEqual([{ preconditions: { uid: pod.uid }, ...grace }]);
    expect(it.objects.size).toBe(0);
  });

  test('a pod replaced under its name is not killed, and both are named', async () => {
    await using it = await storing();
    const pod = podOf('orders');
    there(it, { ...pod, uid: 'uid-new' });
    const error = await rejection(kill(groundOn(it, [pod]), pod.uid, 'SIGKILL'));
    expect(error).toBeInstanceOf(Unreachable);
    expect(error.message).toBe(
      'pod shop/orders-1 (uid uid-orders) was gone before it was killed; pod shop/orders-1 (uid uid-new) is in its place',
    );
    expect(it.objects.size).toBe(1);
  });

  test('a pod that went away meanwhile, or that nobody knows, is said', async () => {
    await using it = await storing();
    const gone = await rejection(kill(groundOn(it, [podOf('orders')]), 'uid-orders', 'SIGKILL'));
    expect(gone.message).toMatch(/was gone before it was killed; nobody has its name now/);
    const unknown = await rejection(kill(groundOn(it, [podOf('orders')]), 'uid-old', 'SIGKILL'));
    expect(unknown.message).toBe('pod with uid uid-old is no more; there are: shop/orders-1 (uid uid-orders)');
  });

  test('no pod that nobody replaces, no static pod, no pod of another namespace', async () => {
    await using it = await storing();
    const refused = async (pod: FoundPod) => rejection(kill(groundOn(it, [pod]), pod.uid, 'SIGKILL'));
    expect((await refused(podOf('orders', { owner: null }))).message).toMatch(/has no owner/);
    expect((await refused(podOf('orders', { owner: 'Node/n1' }))).message).toMatch(/static pod/);
    expect(await refused(podOf('orders', { namespace: 'kube-system' }))).toBeInstanceOf(Usage);
    expect(deletions(it)).toEqual([]);
  });
});

describe('budgets', () => {
  const pods = [podOf('orders'), podOf('orders', { name: 'orders-2', uid: 'uid-2' })];
  const budget = (it: Store, selector: object | undefined, disruptionsAllowed: number, observedGeneration = 1): void =>
    it.put('poddisruptionbudgets', {
      metadata: { namespace: 'shop', name: 'budget', generation: 1 },
      spec: { minAvailable: 1, ...(selector ? { selector } : {}) },
      status: { disruptionsAllowed, observedGeneration, currentHealthy: 2, desiredHealthy: 1, expectedPods: 2 },
    });

  test.each([
    ['its labels', { matchLabels: { app: 'orders' } }],
    ['an expression', { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] }],
    ['an empty selector, which selects all', {}],
  ])('more than one allows, by %s, are not killed', async (_, selector) => {
    await using it = await storing();
    budget(it, selector, 1);
    const error = await rejection(mayKill(groundOn(it), pods, false));
    expect(error).toBeInstanceOf(Unreachable);
    expect(error.message).toBe(
      'PodDisruptionBudget shop/budget allows 1 disruptions now and 2 pods would be killed (orders-1, orders-2); kill fewer, or say --override-budgets',
    );
    await mayKill(groundOn(it), pods.slice(1), false);
    await mayKill(groundOn(it), pods, true);
  });

  test('without a selector one selects nobody, and other pods’ budgets are no matter', async () => {
    await using it = await storing();
    budget(it, undefined, 0);
    await expect(mayKill(groundOn(it), pods, false)).resolves.toBeUndefined();
    budget(it, { matchLabels: { app: 'web' } }, 0);
    await expect(mayKill(groundOn(it), pods, false)).resolves.toBeUndefined();
  });

  test('one whose status is older than its spec allows none', async () => {
    await using it = await storing();
    budget(it, {}, 2, 0);
    expect((await rejection(mayKill(groundOn(it), pods, false))).message).toMatch(/allows 0 disruptions/);
  });

  test('overriding them does not make a pod replaceable', async () => {
    await using it = await storing();
    const lone = [podOf('orders', { owner: null })];
    expect((await rejection(mayKill(groundOn(it), lone, true))).message).toMatch(/nobody would replace it/);
  });
});
