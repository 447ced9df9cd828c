import { describe, expect, test } from '@jest/globals';
import type { V1LabelSelector } from '@kubernetes/client-node';
import fc from 'fast-check';
import type { Spared } from '../../../src/targets/kubernetes/ground.ts';
import type { Component } from '../../../src/targets/kubernetes/mapping.ts';
import { allows, type PodEnd, type Port } from '../../../src/targets/kubernetes/policy-allows.ts';
import { also, apart, type Cut, ciliumPolicy, networkPolicy } from '../../../src/targets/kubernetes/policy-rules.ts';
import { type Labels, matches } from '../../../src/targets/kubernetes/selector.ts';

const owner = { runId: 'abc123', expires: 1_800_000_000_000_000_000n };
const component = (name: string, namespace: string, labels: Labels): Component => ({
  name,
  namespace,
  labels,
  service: name,
  port: 8080,
});
const web = component('web', 'shop', { app: 'web', tier: 'front' });
const orders = component('orders', 'shop', { app: 'orders' });
const edge: Cut = { kind: 'edge', from: web, to: orders, outside: false };
const isolated: Cut = { kind: 'component', to: orders, spared: [{ namespace: 'monitoring', labels: 'all' }] };

// Few namespaces, keys and values, so that what is generated often matches, almost matches or overlaps.
const namespace = fc.constantFrom('n1', 'n2', 'n3');
const some = fc.record(
  { k1: fc.constantFrom('a', 'b'), k2: fc.constantFrom('a', 'b'), k3: fc.constantFrom('a', 'b') },
  { requiredKeys: [] },
);
const labels = some.map((record) => record as Labels);
const named = labels.filter((one) => Object.keys(one).length > 0);
const chosen = fc.tuple(namespace, named).map(([where, those]) => component('c', where, those));
const spared = fc.array(
  fc.record({ namespace, labels: fc.oneof({ arbitrary: named, weight: 4 }, fc.constant('all' as const)) }),
  { maxLength: 5 },
);
const pods = fc
  .array(fc.tuple(namespace, labels), { minLength: 2, maxLength: 8 })
  .map((all) => all.map(([where, theirs], i) => podAt(where, theirs, `10.1.2.${i}`)));
const port = fc.record({
  number: fc.constantFrom(53, 80, 8080),
  protocol: fc.constantFrom<Port['protocol'][]>('TCP', 'UDP', 'SCTP'),
});

const podAt = (where: string, theirs: Labels, ip: string): PodEnd => ({
  namespace: where,
  namespaceLabels: { 'kubernetes.io/metadata.name': where },
  labels: theirs,
  ip,
});
const isOf = (one: Spared | Component, pod: PodEnd): boolean =>
  pod.namespace === one.namespace &&
  (one.labels === 'all' || Object.entries(one.labels).every(([key, value]) => pod.labels[key] === value));
const pairs = (all: readonly PodEnd[]): [PodEnd, PodEnd][] =>
  all.flatMap((from) => all.map((to) => [from, to] as [PodEnd, PodEnd]));

describe('an edge as a NetworkPolicy', () => {
  test('blocks exactly the caller’s pods on their way to the callee’s, whoever else there is', () => {
    fc.assert(
      fc.property(chosen, chosen, pods, port, fc.boolean(), (from, to, all, at, outside) => {
        const policy = networkPolicy({ kind: 'edge', from, to, outside }, owner);
        for (const [a, b] of pairs(all))
          expect(allows([policy], a, b, at)).toBe(a === b || !(isOf(from, a) && isOf(to, b)));
      }),
      { numRuns: 300 },
    );
  });

  test('lets public addresses in only where it is told that they can be told from pods', () => {
    const callee = podAt('shop', orders.labels, '10.0.0.2');
    const lets = (cut: Cut, ip: string) =>
      allows([networkPolicy(cut, owner)], { ip }, callee, { number: 8080, protocol: 'TCP' });
    expect(lets(edge, '203.0.113.9')).toBe(false);
    expect(lets({ ...edge, outside: true }, '203.0.113.9')).toBe(true);
    expect(lets({ ...edge, outside: true }, '10.9.9.9')).toBe(false);
  });

  test('private pods are apart from the public; pods with public, unknown or IPv6 addresses, and no pods, are not', () => {
    expect(apart(['10.1.1.1', '172.31.0.1', '192.168.1.1', '100.127.0.1'])).toBe(true);
    expect(['198.18.64.5', '8.8.8.8', '', 'fd00::1', '172.32.0.1'].map((ip) => apart(['10.1.1.1', ip]))).toEqual(
      Array(5).fill(false),
    );
    expect(apart([])).toBe(false);
  });
});

describe('a component as a NetworkPolicy', () => {
  test('blocks everything in and out but the spared, DNS, and itself', () => {
    fc.assert(
      fc.property(chosen, spared, pods, port, (to, those, all, at) => {
        const policy = networkPolicy({ kind: 'component', to, spared: those }, owner);
        const isSpared = (pod: PodEnd) => those.some((one) => isOf(one, pod));
        const isDns = at.number === 53 && at.protocol !== 'SCTP';
        for (const [a, b] of pairs(all)) {
          const out = !isOf(to, a) || isSpared(b) || isDns;
          const into = !isOf(to, b) || isSpared(a);
          expect(allows([policy], a, b, at)).toBe(a === b || (out && into));
        }
      }),
      { numRuns: 300 },
    );
  });

  test('without anybody spared no rule is left that would be for everybody', () => {
    const { spec } = networkPolicy({ ...isolated, spared: [] }, owner);
    expect(spec?.ingress).toEqual([]);
    expect(spec?.egress).toEqual([
      {
        ports: [
          { protocol: 'UDP', port: 53 },
          { protocol: 'TCP', port: 53 },
        ],
      },
    ]);
  });
});

describe('Cilium', () => {
  /** A pod's labels as Cilium's selectors see them. */
  const seen = ({ namespace: where, labels: theirs }: PodEnd): Labels => ({
    ...theirs,
    'k8s:io.kubernetes.pod.namespace': where,
  });
  type Deny = { fromEndpoints?: V1LabelSelector[]; toEndpoints?: V1LabelSelector[] };
  const denied = (rules: unknown, side: keyof Deny, pod: PodEnd): boolean =>
    (rules as Deny[]).some((rule) => rule[side]?.some((one) => matches(one, seen(pod))));

  test('denies exactly the caller’s pods for an edge', () => {
    fc.assert(
      fc.property(chosen, chosen, pods, (from, to, all) => {
        const { spec } = ciliumPolicy({ kind: 'edge', from, to, outside: false }, owner);
        for (const pod of all) expect(denied(spec.ingressDeny, 'fromEndpoints', pod)).toBe(isOf(from, pod));
      }),
    );
  });

  test('denies every pod but the spared, in both directions, for a component', () => {
    fc.assert(
      fc.property(chosen, spared, pods, (to, those, all) => {
        const { spec } = ciliumPolicy({ kind: 'component', to, spared: those }, owner);
        for (const pod of all) {
          const expected = !those.some((one) => isOf(one, pod));
          expect(denied(spec.ingressDeny, 'fromEndpoints', pod)).toBe(expected);
          expect(denied(spec.egressDeny, 'toEndpoints', pod)).toBe(expected);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('does not put the pod into default deny, and denies the world every port but DNS', () => {
    const { spec } = ciliumPolicy(isolated, owner);
    expect(spec.enableDefaultDeny).toEqual({ ingress: false, egress: false });
    expect(spec.egressDeny).toContainEqual({
      toEntities: ['world'],
      toPorts: [
        {
          ports: [
            { port: '1', endPort: 52, protocol: 'ANY' },
            { port: '54', endPort: 65535, protocol: 'ANY' },
          ],
        },
      ],
    });
  });

  test('many observers with two labels each, one of which they share, take few selectors', () => {
    const those = Array.from({ length: 12 }, (_, i) => ({
      namespace: 'shop',
      labels: { instance: 'stack', name: `part-${i}` },
    }));
    const { spec } = ciliumPolicy({ kind: 'component', to: orders, spared: those }, owner);
    expect((spec.ingressDeny as Deny[])[0]?.fromEndpoints).toHaveLength(3);
  });
});

describe('what is made says so', () => {
  test('by labels with run and expiry, and an annotation with how to end it', () => {
    const { metadata } = networkPolicy(edge, owner);
    expect(metadata?.labels).toMatchObject({ 'firedrill/run': 'abc123', 'firedrill/expires': '1800000000' });
    expect(metadata?.annotations?.['firedrill/says']).toBe(
      'A fire drill, over by 2027-01-15T08:00:00.000000000Z: orders takes no connections from web. Also cut: what comes to orders from node ports, other nodes, host-network pods and every address outside of the cluster. To end it: kubectl --namespace shop delete networkpolicy firedrill-block-web-to-orders-abc123',
    );
  });
  test('who else is cut depends on the kind of policy', () => {
    expect(also(edge, 'CiliumNetworkPolicy')).toBe('nothing else');
    expect(also({ ...edge, outside: true })).toMatch(/other private addresses/);
    expect(also(isolated)).toMatch(/nodes, host-network pods and the API server/);
  });
});
