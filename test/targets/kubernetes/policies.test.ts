import { describe, expect, test } from '@jest/globals';
import { Unreachable, Usage } from '../../../src/errors.ts';
import { block, policyLeftovers } from '../../../src/targets/kubernetes/policies.ts';
import type { BlockAct, Place } from '../../../src/targets/target.ts';
import { rejection } from './mock-api.ts';
import { groundOn, podOf, type Stored, storing } from './object-store.ts';

const act = (place: Place, how: BlockAct['how'] = 'drop'): BlockAct => ({ place, how, runId: 'r1' });
const EDGE = act({ from: 'web', to: 'orders' });
const COMPONENT = act({ service: 'orders' });
const PLAIN = 'shop/networkpolicies/firedrill-block-web-to-orders-r1';

const theirs = (spec: object, labels: Record<string, string> = {}): Stored => ({
  metadata: { namespace: 'shop', name: 'theirs', labels },
  spec: { podSelector: {}, policyTypes: ['Ingress'], ...spec },
});

describe('a cut', () => {
  test('is one labelled policy in the callee’s namespace, its peers sent as the API server reads them', async () => {
    await using it = await storing();
    const { id } = await block(groundOn(it), EDGE);
    expect(id).toBe('NetworkPolicy shop/firedrill-block-web-to-orders-r1');
    const made = it.objects.get(PLAIN);
    expect(made?.metadata.labels).toMatchObject({ 'firedrill/run': 'r1' });
    expect(made?.spec).toEqual({
      podSelector: { matchLabels: { app: 'orders' } },
      policyTypes: ['Ingress'],
      ingress: [
        {
          from: [
            {
              namespaceSelector: {
                matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['shop'] }],
              },
              podSelector: {},
            },
            {
              namespaceSelector: {
                matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: ['shop'] }],
              },
              podSelector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] },
            },
          ],
        },
      ],
    });
  });

  test('is undone once or many times, also when somebody was faster', async () => {
    await using it = await storing();
    const { undo } = await block(groundOn(it), EDGE);
    await undo();
    expect(it.objects.size).toBe(0);
    await undo();
    expect(it.touches.map(({ verb, resource, status }) => [verb, resource, status])).toEqual([
      ['create', 'networkpolicies', 201],
      ['delete', 'networkpolicies', 200],
      ['delete', 'networkpolicies', 404],
    ]);
  });

  test('undone leaves a policy of the same name that somebody else made since', async () => {
    await using it = await storing();
    const { undo } = await block(groundOn(it), EDGE);
    it.put('networkpolicies', {
      metadata: { namespace: 'shop', name: 'firedrill-block-web-to-orders-r1', uid: 'other' },
    });
    await undo();
    expect(it.objects.get(PLAIN)?.metadata.uid).toBe('other');
  });

  test('is a Cilium policy where those are served, whatever other policies there are', async () => {
    await using it = await storing({ cilium: true });
    it.put('networkpolicies', theirs({}));
    const { undo } = await block(groundOn(it), COMPONENT);
    const made = it.objects.get('shop/ciliumnetworkpolicies/firedrill-block-orders-r1');
    expect(made).toMatchObject({ kind: 'CiliumNetworkPolicy', spec: { enableDefaultDeny: { ingress: false } } });
    await undo();
    expect([...it.objects.keys()]).toEqual(['shop/networkpolicies/theirs']);
  });

  test('is not spoilt by an observer’s Service without a selector, which would spare everybody', async () => {
    await using it = await storing();
    await block(groundOn(it, undefined, { spared: [{ namespace: 'shop', labels: {} }] }), COMPONENT);
    expect(it.objects.get('shop/networkpolicies/firedrill-block-orders-r1')?.spec).toMatchObject({ ingress: [] });
  });
});

describe('refused, and nothing made', () => {
  const refusals: [string, BlockAct, Parameters<typeof groundOn>[1], RegExp][] = [
    ['reject', act({ service: 'orders' }, 'reject'), undefined, /can only drop/],
    ['no pods', COMPONENT, [podOf('web')], /orders has no pods in namespace shop/],
    ['no callers', EDGE, [podOf('orders')], /web has no pods in namespace shop/],
    ['host network', EDGE, [podOf('web', { hostNetwork: true }), podOf('orders')], /pod web-1 of web is on its node’s/],
    [
      'labels that others have too',
      COMPONENT,
      [podOf('orders'), podOf('billing', { labels: { app: 'orders', part: 'billing' } })],
      /labels of orders also select pod billing-1 of billing/,
    ],
  ];
  test.each(refusals)('%s', async (_, what, pods, why) => {
    await using it = await storing();
    const error = await rejection(block(groundOn(it, pods), what));
    expect(error).toBeInstanceOf(Unreachable);
    expect(error.message).toMatch(why);
    expect(it.objects.size).toBe(0);
  });

  test('in a namespace that is not allowed, or for a component that there is not', async () => {
    await using it = await storing();
    const elsewhere = await rejection(block(groundOn(it, undefined, { allowed: ['other'] }), EDGE));
    expect(elsewhere).toBeInstanceOf(Usage);
    expect(elsewhere.message).toMatch(/--allow shop/);
    expect(await rejection(block(groundOn(it), act({ service: 'nobody' })))).toBeInstanceOf(Usage);
    expect(it.objects.size).toBe(0);
  });

  test('beside a policy that closes what ours would open', async () => {
    await using it = await storing();
    it.put('networkpolicies', theirs({}));
    const { message } = await rejection(block(groundOn(it), EDGE));
    expect(message).toBe(
      'NetworkPolicy shop/theirs already selects pods of orders and closes what one more would open: policies only add; remove it for the drill, or drill a component that no policy selects',
    );
    expect(it.objects.has(PLAIN)).toBe(false);
  });

  test('beside a policy that lets the caller in, through a port that only its pod’s spec names', async () => {
    await using it = await storing();
    it.put('networkpolicies', theirs({ ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 'http' }] }] }));
    it.put('pods', { metadata: { namespace: 'shop', name: 'web-1' } });
    const containers = [{ name: 'app', ports: [{ name: 'http', containerPort: 8080 }] }];
    it.put('pods', { metadata: { namespace: 'shop', name: 'orders-1' }, spec: { containers } });
    const { message } = await rejection(block(groundOn(it), EDGE));
    expect(message).toMatch(/shop\/theirs already selects pods of orders and lets web in: .*would cut nothing/);
  });

  test('beside one that firedrill made, with the way to end that', async () => {
    await using it = await storing();
    it.put('networkpolicies', theirs({}, { 'firedrill/run': 'r0' }));
    expect((await rejection(block(groundOn(it), EDGE))).message).toMatch(/run r0 of firedrill.*firedrill heal/);
  });

  test('but not beside one for the other direction, or for other pods', async () => {
    await using it = await storing();
    it.put('networkpolicies', theirs({ policyTypes: ['Egress'] }));
    it.put('networkpolicies', {
      ...theirs({ podSelector: { matchLabels: { app: 'billing' } } }),
      metadata: { namespace: 'shop', name: 'for-billing' },
    });
    await block(groundOn(it), EDGE);
    expect(it.objects.has(PLAIN)).toBe(true);
  });
});

describe('what the API server makes of it', () => {
  test('a rule that lost its peers would be for everybody: it is taken back', async () => {
    const open = { podSelector: {}, policyTypes: ['Ingress'], ingress: [{}] };
    await using it = await storing({ keeps: (sent) => ({ ...sent, spec: open }) });
    expect((await rejection(block(groundOn(it), EDGE))).message).toMatch(/was not kept as it was sent/);
    expect(it.objects.size).toBe(0);
  });

  test('an older Cilium, which drops enableDefaultDeny and would close everything, is told by its version', async () => {
    const keeps = (sent: Stored): Stored => {
      const { enableDefaultDeny: _, ...rest } = sent.spec as Record<string, unknown>;
      return { ...sent, spec: rest };
    };
    await using it = await storing({ cilium: true, keeps });
    expect((await rejection(block(groundOn(it), EDGE))).message).toMatch(/needs Cilium 1\.16 or later/);
    expect(it.objects.size).toBe(0);
  });

  test('a field that the server adds is no harm', async () => {
    await using it = await storing({ keeps: (sent) => ({ ...sent, spec: { ...(sent.spec as object), added: 1 } }) });
    await block(groundOn(it), EDGE);
    expect(it.objects.has(PLAIN)).toBe(true);
  });

  test('one that carried out the creation and was cut off before its answer is left with nothing', async () => {
    let once = true;
    await using it = await storing({
      instead: ({ method, url, body }, response) => {
        if (method !== 'POST' || !url.pathname.endsWith('/networkpolicies') || !once) return false;
        once = false;
        it.put('networkpolicies', JSON.parse(body));
        response.destroy();
        return true;
      },
    });
    expect(await rejection(block(groundOn(it), EDGE))).toBeInstanceOf(Unreachable);
    expect(once).toBe(false);
    expect(it.objects.size).toBe(0);
  });

  test('one that fails to show what it made, once, is left with nothing', async () => {
    let failures = 2;
    await using it = await storing({
      instead: ({ method, url }, response) => {
        if (method !== 'GET' || !url.pathname.endsWith('-r1') || failures-- <= 0) return false;
        response.writeHead(503, { 'content-type': 'application/json' }).end('{"message":"etcd is away"}');
        return true;
      },
    });
    expect((await rejection(block(groundOn(it), EDGE))).message).toMatch(/etcd is away/);
    expect(it.touches.map(({ verb }) => verb)).toEqual(['create', 'delete']);
    expect(it.objects.size).toBe(0);
  });

  test('a deletion that is forbidden is said, and can be tried again', async () => {
    let forbidden = true;
    await using it = await storing({
      instead: ({ method }, response) => {
        if (method !== 'DELETE' || !forbidden) return false;
        response.writeHead(403, { 'content-type': 'application/json' }).end('{"message":"may not"}');
        return true;
      },
    });
    const { undo } = await block(groundOn(it), EDGE);
    expect((await rejection(undo())).status).toBe(403);
    forbidden = false;
    await undo();
    expect(it.objects.size).toBe(0);
  });
});

describe('leftovers', () => {
  test('are found by label alone, of both kinds, and each is undone', async () => {
    await using it = await storing({ cilium: true });
    it.put('networkpolicies', theirs({}));
    it.put('networkpolicies', { metadata: { namespace: 'shop', name: 'a', labels: { 'firedrill/run': 'r1' } } });
    it.put('ciliumnetworkpolicies', { metadata: { namespace: 'shop', name: 'b', labels: { 'firedrill/run': 'r2' } } });
    const left = await policyLeftovers(it.cluster, ['shop', 'other']);
    expect(left.map(({ says, runId }) => [says, runId])).toEqual([
      ['NetworkPolicy shop/a', 'r1'],
      ['CiliumNetworkPolicy shop/b', 'r2'],
    ]);
    for (const one of left) await one.undo();
    expect([...it.objects.keys()]).toEqual(['shop/networkpolicies/theirs']);
  });

  test('Tetragon’s kinds in Cilium’s group are not taken for its policies', async () => {
    await using it = await storing({
      instead: ({ url }, response) => {
        if (url.pathname !== '/apis/cilium.io/v2') return false;
        response.writeHead(200, { 'content-type': 'application/json' }).end('{"resources":[{"name":"others"}]}');
        return true;
      },
    });
    expect(await policyLeftovers(it.cluster, ['shop'])).toEqual([]);
  });
});
