import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { observerService, type WireResponse } from '../../../src/layers/flows/wire.ts';
import { fromJson } from '../../../src/layers/flows/wire-json.ts';
import { schema } from '../../../src/layers/flows/wire-proto.ts';
import { iso } from '../../../src/time.ts';

type Json = Record<string, unknown>;

const { GetFlows } = observerService();

/** A message as gRPC brings it: through the bytes of the wire. */
const throughWire = (message: object): WireResponse => {
  const type = schema().lookupType('observer.GetFlowsResponse');
  const bytes = Buffer.from(type.encode(type.fromObject(message)).finish());
  return GetFlows!.responseDeserialize(bytes) as WireResponse;
};

/** protobuf's JSON mapping of what gRPC brings: times as text, wrappers bare; and with the names that `rename` gives. */
const toJson = (value: unknown, rename: (name: string) => string): unknown => {
  if (Array.isArray(value)) return value.map((one) => toJson(one, rename));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => {
      if (['time', 'first', 'last'].includes(name)) return [rename(name), iso(nanos(one as Json))];
      if (name === 'is_reply' || name === 'cpu')
        return [rename(name), (one as Json).value ?? (name === 'cpu' ? 0 : false)];
      return [rename(name), toJson(one, rename)];
    }),
  );
};
const nanos = ({ seconds = 0, nanos: rest = 0 }: Json): bigint =>
  BigInt(seconds as string) * 1_000_000_000n + BigInt(rest as number);
const camel = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

const optional = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }) => fc.record(model, { requiredKeys: [] });
const enumOf = (name: string) =>
  fc.oneof(fc.constantFrom(...Object.values(schema().lookupEnum(name).values)), fc.integer({ min: 250, max: 999 }));
const port = fc.nat(65_535);
const time = fc.record({ seconds: fc.nat(4_000_000_000).map(String), nanos: fc.nat(999_999_999) });
const end = optional({
  identity: fc.nat(4_294_967_295),
  namespace: fc.string(),
  labels: fc.array(fc.string()),
  pod_name: fc.string(),
  workloads: fc.array(optional({ name: fc.string(), kind: fc.string() })),
});
const flow = optional({
  time,
  uuid: fc.uuid(),
  verdict: enumOf('flow.Verdict'),
  drop_reason: fc.nat(300),
  drop_reason_desc: enumOf('flow.DropReason'),
  IP: fc.record({ source: fc.ipV4(), destination: fc.ipV6(), ipVersion: enumOf('flow.IPVersion') }),
  l4: fc.oneof(
    fc.record({
      TCP: optional({
        source_port: port,
        destination_port: port,
        flags: optional({ SYN: fc.boolean(), ACK: fc.boolean() }),
      }),
    }),
    fc.record({ UDP: optional({ source_port: port }) }),
    fc.record({ ICMPv4: optional({ type: fc.nat(20) }) }),
  ),
  source: end,
  destination: end,
  Type: enumOf('flow.FlowType'),
  node_name: fc.string(),
  destination_names: fc.array(fc.string()),
  l7: optional({
    type: enumOf('flow.L7FlowType'),
    latency_ns: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(String),
    http: optional({
      code: fc.nat(999),
      method: fc.string(),
      url: fc.string(),
      headers: fc.array(optional({ key: fc.string() })),
    }),
  }),
  reply: fc.boolean(),
  is_reply: optional({ value: fc.boolean() }),
  event_type: optional({ type: fc.integer(), sub_type: fc.integer() }),
  traffic_direction: enumOf('flow.TrafficDirection'),
  socket_cookie: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(String),
  Summary: fc.string(),
});
const lost = optional({
  source: enumOf('flow.LostEventSource'),
  num_events_lost: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }).map(String),
  cpu: optional({ value: fc.nat(512) }),
  first: time,
  last: time,
});
const node = optional({
  state_change: enumOf('relay.NodeState'),
  node_names: fc.array(fc.string()),
  message: fc.string(),
});
const response = fc
  .tuple(
    fc.oneof(fc.record({ flow }), fc.record({ lost_events: lost }), fc.record({ node_status: node })),
    optional({ node_name: fc.string(), time }),
  )
  .map(([event, envelope]) => ({ ...event, ...envelope }));

/** 64-bit numbers are texts in JSON. */
const LONG = ['latency_ns', 'socket_cookie', 'num_events_lost', 'seconds'];
const isZero = (name: string, one: unknown): boolean =>
  [0, '', false].includes(one as never) || (one === '0' && LONG.includes(name));

/** What is left out on the wire of a Go server: a proto3 field at its zero. */
const withoutZeros = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(withoutZeros);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([name, one]) => !isZero(name, one));
  return Object.fromEntries(
    kept.map(([name, one]) => [name, withoutZeros(one)]).filter(([, one]) => !Array.isArray(one) || one.length > 0),
  );
};

describe('a JSON line is the message that gRPC brings', () => {
  const sent = (message: object): WireResponse => throughWire(withoutZeros(message) as object);

  test('with names as in the proto, whatever is in it', () => {
    fc.assert(
      fc.property(response, (message) => expect(fromJson(toJson(sent(message), String))).toEqual(sent(message))),
    );
  });

  test('with names in camelCase', () => {
    fc.assert(
      fc.property(response, (message) => expect(fromJson(toJson(sent(message), camel))).toEqual(sent(message))),
    );
  });

  test('with the zeros that some writers put in, and a text that only looks like one', () => {
    fc.assert(
      fc.property(response, (message) => expect(fromJson(toJson(throughWire(message), String))).toEqual(sent(message))),
      { examples: [[{ node_status: { message: '0' } } as never]] },
    );
  });
});

describe('JSON in its other forms', () => {
  const TIME = '2026-11-21T07:00:00.000000005Z';

  test('enums by number, 64-bit numbers as numbers, wrappers as objects, times in parts', () => {
    const line = {
      flow: {
        time: { seconds: 1_700_000_000, nanos: 5 },
        verdict: 2,
        drop_reason_desc: 133,
        is_reply: { value: true },
        l7: { latency_ns: 1_500_000 },
      },
    };
    expect(fromJson(line)).toEqual({
      flow: {
        time: { seconds: '1700000000', nanos: 5 },
        verdict: 'DROPPED',
        drop_reason_desc: 'POLICY_DENIED',
        is_reply: { value: true },
        l7: { latency_ns: '1500000' },
      },
    });
  });

  test('a bare flow, as clients before 0.9 wrote it, is a flow with its node and its time', () => {
    const time = { seconds: '1795244400', nanos: 5 };
    expect(fromJson({ time: TIME, verdict: 'FORWARDED', node_name: 'n1' })).toEqual({
      flow: { time, verdict: 'FORWARDED', node_name: 'n1' },
      node_name: 'n1',
      time,
    });
  });

  test('names of enum values that are newer are kept; unknown fields and extensions are left out', () => {
    const line = { flow: { verdict: 'PONDERED', aura: 'green', extensions: { '@type': 'x/y', value: [1] } }, epoch: 3 };
    expect(fromJson(line)).toEqual({ flow: { verdict: 'PONDERED' } });
  });

  test('agent and debug events of the exporter are passed over', () => {
    expect(fromJson({ agent_event: { type: 'AGENT_STARTED' }, node_name: 'n1', time: TIME })).toEqual({
      node_name: 'n1',
      time: { seconds: '1795244400', nanos: 5 },
    });
  });

  test.each<[string, unknown, RegExp]>([
    ['a number', 7, /the line is no object/],
    ['nothing of Hubble', { hello: 'world' }, /no event of Hubble/],
    ['a flow that is a list', { flow: [] }, /^flow is no object/],
    [
      'a port that is none',
      { flow: { l4: { TCP: { source_port: 'http' } } } },
      /^flow\.l4\.TCP\.source_port is no uint32/,
    ],
    ['a port below zero', { flow: { l4: { TCP: { source_port: -1 } } } }, /source_port is no uint32/],
    ['labels that are no list', { flow: { source: { labels: 'a=b' } } }, /^flow\.source\.labels is no list/],
    ['a label that is no text', { flow: { source: { labels: ['a', 7] } } }, /^flow\.source\.labels\[1\] is no string/],
    ['a verdict that is neither', { flow: { verdict: true } }, /^flow\.verdict is no value of Verdict/],
    ['a time that is none', { flow: { time: 'yesterday' } }, /'yesterday' is not an RFC 3339 time/],
    ['a count that is none', { lost_events: { num_events_lost: '5e3' } }, /num_events_lost is no uint64/],
    ['a wrapper of another type', { flow: { is_reply: 'no' } }, /^flow\.is_reply\.value is no bool/],
  ])('%s is refused by name', (_, json, expected) => expect(() => fromJson(json)).toThrow(expected));

  test('whatever JSON comes, it is a message or a refusal in one line', () => {
    const keys = fc.constantFrom('flow', 'verdict', 'time', 'l4', 'lost_events', 'node_status', 'source', '__proto__');
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.dictionary(keys, fc.jsonValue())), (json) => {
        try {
          expect(typeof fromJson(json)).toBe('object');
        } catch (error) {
          expect(String(error)).toMatch(/^(TypeError|RangeError): .+$/);
        }
      }),
    );
  });
});
