import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { toItem } from '../../../src/layers/flows/item.ts';
import type { WireFlow } from '../../../src/layers/flows/wire.ts';
import { naming } from '../../../src/naming.ts';

const NAMES = naming(
  ['orders', 'orders-db', 'risk'],
  () => new Map([['10.0.0.9', { ip: '10.0.0.9', service: 'risk', pod: 'risk-7' }]]),
);
const SYN: WireFlow = {
  time: { seconds: '1700000000', nanos: 5 },
  uuid: 'u1',
  verdict: 'DROPPED',
  drop_reason_desc: 'POLICY_DENIED',
  IP: { source: '10.0.0.1', destination: '10.0.0.2' },
  l4: { TCP: { source_port: 40_000, destination_port: 80, flags: { SYN: true } } },
  source: { pod_name: 'orders-6d4f-x2x' },
  destination: { labels: ['k8s:app=risk'] },
  traffic_direction: 'INGRESS',
};
const item = (more: Partial<WireFlow> = {}) => toItem({ ...SYN, ...more }, NAMES)!;

describe('a flow becomes an item', () => {
  test('with its uuid, its instant to the nanosecond and both ends', () => {
    expect(item()).toEqual({
      id: 'u1',
      at: 1_700_000_000_000_000_005n,
      verdict: 'DROPPED',
      dropReason: 'POLICY_DENIED',
      source: { ip: '10.0.0.1', port: 40_000, pod: 'orders-6d4f-x2x', service: 'orders' },
      destination: { ip: '10.0.0.2', port: 80, pod: null, service: 'risk' },
      protocol: 'TCP',
      flags: ['SYN'],
      reply: null,
      direction: 'INGRESS',
      http: null,
    });
  });

  test('an unset is_reply is unknown, a wrapper without a value says no', () => {
    expect(item().reply).toBeNull();
    expect(item({ is_reply: {} }).reply).toBe(false);
    expect(item({ is_reply: { value: true } }).reply).toBe(true);
  });

  test('numbers of a newer API are kept where there is room, and never refused', () => {
    expect(item({ verdict: 99, drop_reason_desc: 999, traffic_direction: 7 })).toMatchObject({
      verdict: 'UNKNOWN',
      dropReason: '999',
      direction: null,
    });
  });

  test.each<[string, WireFlow['source'], string | null]>([
    ['the workload comes before the pod', { pod_name: 'risk-1', workloads: [{ name: 'orders-db' }] }, 'orders-db'],
    ['a label app', { labels: ['app=orders'] }, 'orders'],
    ['a label app.kubernetes.io/name', { labels: ['k8s:app.kubernetes.io/name=orders'] }, 'orders'],
    ['nobody known', { labels: ['reserved:world'], pod_name: 'stranger' }, null],
  ])('component: %s', (_, source, expected) => expect(item({ source: source! }).source.service).toBe(expected));

  test('the address tells whose it is when nothing else does', () => {
    expect(item({ source: {}, IP: { source: '10.0.0.9', destination: '10.0.0.2' } }).source).toMatchObject({
      service: 'risk',
      pod: 'risk-7',
    });
  });

  test('without a uuid the same content has the same id, other content another', () => {
    expect(item({ uuid: '' }).id).toBe(item({ uuid: '' }).id);
    expect(item({ uuid: '' }).id).not.toBe(item({ uuid: '', verdict: 'FORWARDED' }).id);
  });

  test('a flow about no addresses is none', () => {
    expect(toItem({ uuid: 'x' }, NAMES)).toBeNull();
  });

  test('latency is in milliseconds', () => {
    const l7 = { type: 'RESPONSE', latency_ns: '1500000', http: { code: 200, method: 'GET', url: '/' } };
    expect(item({ l7 }).http).toEqual({ code: 200, method: 'GET', url: '/', latencyMs: 1.5 });
  });

  test('whatever fields are there, it never throws', () => {
    const anything = fc.record(
      {
        verdict: fc.oneof(fc.integer(), fc.string()),
        drop_reason: fc.nat(),
        IP: fc.record({ source: fc.ipV4(), destination: fc.ipV6() }),
        l4: fc.oneof(fc.constant({}), fc.constant({ ICMPv4: {} }), fc.constant({ UDP: {} }), fc.constant({ TCP: {} })),
        source: fc.record({ pod_name: fc.string(), labels: fc.array(fc.string()) }, { requiredKeys: [] }),
        l7: fc.record({ latency_ns: fc.bigInt({ min: 0n, max: 1n << 63n }).map(String), http: fc.constant({}) }),
      },
      { requiredKeys: ['IP'] },
    );
    fc.assert(fc.property(anything, (flow) => expect(toItem(flow, NAMES)!.id).toMatch(/^[0-9a-f]{32}$/)));
  });
});
