import { describe, expect, test } from '@jest/globals';
import { toItem } from '../../../src/layers/flows/item.ts';
import { observerService, type WireFlow, type WireResponse } from '../../../src/layers/flows/wire.ts';
import { fromJson } from '../../../src/layers/flows/wire-json.ts';
import { schema } from '../../../src/layers/flows/wire-proto.ts';
import { naming } from '../../../src/naming.ts';

const NAMES = naming(['orders', 'risk'], () => new Map());
const { GetFlows } = observerService();

/** What every version says of a dropped SYN from orders to risk; Cilium 1.14 to 1.19, and older ones, add one or another. */
const SYN: WireFlow = {
  time: { seconds: '1700000000', nanos: 5 },
  uuid: 'u1',
  verdict: 'DROPPED',
  IP: { source: '10.0.0.1', destination: '10.0.0.2', ipVersion: 'IPv4' },
  l4: { TCP: { source_port: 40_000, destination_port: 80, flags: { SYN: true } } },
  source: { identity: 4567, namespace: 'shop', labels: ['k8s:app=orders'], pod_name: 'orders-6d4f-x2x' },
  destination: { identity: 4568, namespace: 'shop', labels: ['k8s:app=risk'], pod_name: 'risk-5b9c-7tq' },
  Type: 'L3_L4',
  node_name: 'n1',
  event_type: { type: 1, sub_type: 133 },
  traffic_direction: 'INGRESS',
};
const WORKLOADS = {
  source: { ...SYN.source, workloads: [{ name: 'orders', kind: 'Deployment' }] },
  destination: { ...SYN.destination, workloads: [{ name: 'risk', kind: 'Deployment' }] },
};

/** As gRPC brings it, and as a JSON line does. */
const items = (flow: WireFlow & Record<string, unknown>) => {
  const type = schema().lookupType('observer.GetFlowsResponse');
  const bytes = Buffer.from(type.encode(type.fromObject({ flow })).finish());
  const { time: _, is_reply, ...rest } = flow;
  const json = {
    time: '2023-11-14T22:13:20.000000005Z',
    ...rest,
    ...(is_reply && { is_reply: is_reply.value ?? false }),
  };
  const responses = [GetFlows!.responseDeserialize(bytes) as WireResponse, fromJson({ flow: json })];
  return responses.map((one) => toItem(one.flow!, NAMES)!);
};

describe('a dropped SYN, as the versions word it, is one item', () => {
  test.each<[string, Partial<WireFlow> & Record<string, unknown>]>([
    ['the reason as a number only, reply without is_reply', { drop_reason: 133, reply: false }],
    ['the reason by number and by name, no workloads', { drop_reason: 133, drop_reason_desc: 'POLICY_DENIED' }],
    ['workloads', { drop_reason: 133, drop_reason_desc: 'POLICY_DENIED', ...WORKLOADS }],
    ['the reason by name only', { drop_reason_desc: 'POLICY_DENIED', ...WORKLOADS }],
    [
      'policies that denied it',
      { drop_reason_desc: 'POLICY_DENIED', ...WORKLOADS, ingress_denied_by: [{ name: 'p', namespace: 'shop' }] },
    ],
    [
      'an emitter with its version, the policy’s log',
      {
        drop_reason_desc: 'POLICY_DENIED',
        ...WORKLOADS,
        emitter: { name: 'Hubble', version: '1.18.0' },
        policy_log: ['x'],
      },
    ],
    [
      'a trace id of the packet, whether it was encrypted, aggregation',
      {
        drop_reason_desc: 'POLICY_DENIED',
        ...WORKLOADS,
        IP: { ...SYN.IP, encrypted: true } as WireFlow['IP'] & object,
        ip_trace_id: { trace_id: '7', ip_option_type: 136 },
        aggregate: { ingress_flow_count: 3 },
      },
    ],
  ])('%s', (_, more) => {
    for (const one of items({ ...SYN, ...more })) {
      expect(one).toEqual({
        id: 'u1',
        at: 1_700_000_000_000_000_005n,
        verdict: 'DROPPED',
        dropReason: 'POLICY_DENIED',
        source: { ip: '10.0.0.1', port: 40_000, pod: 'orders-6d4f-x2x', service: 'orders' },
        destination: { ip: '10.0.0.2', port: 80, pod: 'risk-5b9c-7tq', service: 'risk' },
        protocol: 'TCP',
        flags: ['SYN'],
        reply: null,
        direction: 'INGRESS',
        http: null,
      });
    }
  });
});

describe('which way a packet goes', () => {
  test.each<[string, Partial<WireFlow>, boolean | null]>([
    ['is_reply says no', { is_reply: {} }, false],
    ['is_reply says yes', { is_reply: { value: true }, reply: true }, true],
    ['only reply is there, and says yes', { reply: true }, true],
    ['neither is there: a no and a don’t know look alike', {}, null],
  ])('%s', (_, more, expected) => {
    expect(items({ ...SYN, ...more }).map(({ reply }) => reply)).toEqual([expected, expected]);
  });
});

describe('who is at an end', () => {
  const to = (more: Partial<WireFlow>) =>
    items({ ...SYN, destination: {}, ...more }).map((one) => one.destination.service);

  test('a DNS name, where there is no pod, no workload and no label', () => {
    expect(to({ destination_names: ['risk.shop.svc.cluster.local'] })).toEqual(['risk', 'risk']);
  });

  test('a Service, which comes before DNS names', () => {
    const destination_service = { name: 'risk', namespace: 'shop' };
    expect(to({ destination_service, destination_names: ['orders'] })).toEqual(['risk', 'risk']);
  });

  test('a name of nobody here is nobody', () => {
    expect(to({ destination_names: ['example.com'] })).toEqual([null, null]);
  });
});

test('a drop reason that is newer than the proto keeps its number, or its name where it came with one', () => {
  expect(items({ ...SYN, drop_reason: 250 }).map(({ dropReason }) => dropReason)).toEqual(['250', '250']);
  expect(
    toItem(fromJson({ flow: { ...SYN, time: undefined, drop_reason_desc: 'TOO_LOUD' } }).flow!, NAMES)!.dropReason,
  ).toBe('TOO_LOUD');
});
