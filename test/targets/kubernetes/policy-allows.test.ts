import { describe, expect, test } from '@jest/globals';
import type { V1NetworkPolicy, V1NetworkPolicySpec } from '@kubernetes/client-node';
import { allows, type End, type PodEnd, type Port } from '../../../src/targets/kubernetes/policy-allows.ts';

const pod = (namespace: string, app: string, ip: string, ports: PodEnd['ports'] = []): PodEnd => ({
  namespace,
  namespaceLabels: { 'kubernetes.io/metadata.name': namespace, team: namespace },
  labels: { app },
  ip,
  ports,
});
const web = pod('shop', 'web', '10.0.0.1');
const orders = pod('shop', 'orders', '10.0.0.2', [{ name: 'http', port: { number: 8080, protocol: 'TCP' } }]);
const audit = pod('audit', 'web', '10.0.1.1');
const user: End = { ip: '203.0.113.9' };
const tcp = (number: number): Port => ({ number, protocol: 'TCP' });

const policy = (spec: Omit<V1NetworkPolicySpec, 'podSelector'>, app = 'orders'): V1NetworkPolicy => ({
  metadata: { namespace: 'shop', name: 'p' },
  spec: { podSelector: { matchLabels: { app } }, ...spec },
});
/** Whether orders lets these in through one ingress rule. */
const lets = (rule: NonNullable<V1NetworkPolicySpec['ingress']>[number], from: End, port = tcp(8080)): boolean =>
  allows([policy({ policyTypes: ['Ingress'], ingress: [rule] })], from, orders, port);

describe('who is isolated', () => {
  test('a pod that no policy selects is open', () => {
    expect(allows([policy({ policyTypes: ['Ingress'] })], orders, web, tcp(80))).toBe(true);
  });
  test('a policy without rules closes the pod that it selects, but not to itself', () => {
    const closed = [policy({ policyTypes: ['Ingress', 'Egress'] })];
    expect(allows(closed, web, orders, tcp(8080))).toBe(false);
    expect(allows(closed, orders, web, tcp(80))).toBe(false);
    expect(allows(closed, orders, orders, tcp(8080))).toBe(true);
  });
  test('a policy of another namespace is nothing to it', () => {
    const elsewhere = { ...policy({ policyTypes: ['Ingress'] }), metadata: { namespace: 'audit', name: 'p' } };
    expect(allows([elsewhere], web, orders, tcp(8080))).toBe(true);
  });
  test('without types a policy is for ingress, and for egress only when it has egress rules', () => {
    expect(allows([policy({})], web, orders, tcp(8080))).toBe(false);
    expect(allows([policy({})], orders, web, tcp(80))).toBe(true);
    expect(allows([policy({ egress: [{ ports: [{ port: 53 }] }] })], orders, web, tcp(80))).toBe(false);
  });
  test('policies add: what one of two lets through is through', () => {
    const closed = policy({ policyTypes: ['Ingress'] });
    const opening = policy({ policyTypes: ['Ingress'], ingress: [{}] });
    expect(allows([closed, opening], web, orders, tcp(8080))).toBe(true);
  });
  test('the caller’s egress and the callee’s ingress must both agree', () => {
    const out = policy({ policyTypes: ['Egress'], egress: [{ to: [{ podSelector: {} }] }] }, 'web');
    expect(allows([out], web, orders, tcp(8080))).toBe(true);
    expect(allows([out, policy({ policyTypes: ['Ingress'] })], web, orders, tcp(8080))).toBe(false);
    expect(allows([out], web, audit, tcp(80))).toBe(false);
  });
});

describe('whom a rule lets in', () => {
  test('a rule without peers is for everybody', () => {
    expect([web, audit, user].map((from) => lets({}, from))).toEqual([true, true, true]);
  });
  test('a pod selector alone means pods of the policy’s own namespace', () => {
    const rule = { _from: [{ podSelector: { matchLabels: { app: 'web' } } }] };
    expect([web, audit, user].map((from) => lets(rule, from))).toEqual([true, false, false]);
  });
  test('a namespace selector alone means all pods of those namespaces', () => {
    const rule = { _from: [{ namespaceSelector: { matchLabels: { team: 'audit' } } }] };
    expect([web, audit, user].map((from) => lets(rule, from))).toEqual([false, true, false]);
  });
  test('both in one peer must hold, in two peers either', () => {
    const namespaceSelector = { matchLabels: { team: 'audit' } };
    const podSelector = { matchLabels: { app: 'db' } };
    expect(lets({ _from: [{ namespaceSelector, podSelector }] }, audit)).toBe(false);
    expect(lets({ _from: [{ namespaceSelector }, { podSelector }] }, audit)).toBe(true);
  });
  test.each([
    [{ key: 'app', operator: 'In', values: ['web', 'db'] }, true],
    [{ key: 'app', operator: 'NotIn', values: ['web'] }, false],
    [{ key: 'zone', operator: 'NotIn', values: ['a'] }, true],
    [{ key: 'app', operator: 'Exists' }, true],
    [{ key: 'app', operator: 'DoesNotExist' }, false],
    [{ key: 'zone', operator: 'DoesNotExist' }, true],
    [{ key: 'app', operator: 'Gt', values: ['1'] }, false],
  ])('the expression %j', (expression, expected) => {
    expect(lets({ _from: [{ podSelector: { matchExpressions: [expression] } }] }, web)).toBe(expected);
  });
  test('an address block is for addresses in it and not in its exceptions', () => {
    const rule = { _from: [{ ipBlock: { cidr: '0.0.0.0/0', except: ['10.0.0.0/24'] } }] };
    expect([web, audit, user].map((from) => lets(rule, from))).toEqual([false, true, true]);
    expect(lets(rule, { ip: '2001:db8::1' })).toBe(false);
    expect(lets({ _from: [{ ipBlock: { cidr: '2001:db8::/32' } }] }, { ip: '2001:db8::1' })).toBe(true);
  });
});

describe('which ports', () => {
  test.each([
    [{ port: 8080 }, tcp(8080), true],
    [{ port: 8080 }, tcp(8081), false],
    [{ port: 8000, endPort: 8080 }, tcp(8080), true],
    [{ port: 8000, endPort: 8080 }, tcp(8081), false],
    [{ port: 'http' }, tcp(8080), true],
    [{ port: 'http' }, tcp(80), false],
    [{ port: 'grpc' }, tcp(8080), false],
    [{ protocol: 'UDP', port: 'http' }, { number: 8080, protocol: 'UDP' } as const, false],
    [{ protocol: 'UDP' }, tcp(8080), false],
    [{ protocol: 'UDP' }, { number: 9, protocol: 'UDP' } as const, true],
    [{ port: 8080 }, { number: 8080, protocol: 'UDP' } as const, false],
  ])('%j for %j', (port, asked, expected) => {
    expect(lets({ ports: [port] }, web, asked)).toBe(expected);
  });
});
