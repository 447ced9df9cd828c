import type { ServiceDefinition } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from '@jest/globals';
import protobuf from 'protobufjs';
import { hubble } from '../../../src/layers/flows/adapter.ts';
import { observerService, toWireTime, type WireResponse } from '../../../src/layers/flows/wire.ts';
import { schema } from '../../../src/layers/flows/wire-proto.ts';
import { naming } from '../../../src/naming.ts';
import { systemClock } from '../../../src/time.ts';
import { CONNECTED, flowAt, relay } from './relay.ts';

const S = 1_000_000_000n;
const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** The protocol with its GetFlows answering in bytes that a test makes. */
const inBytes = (): ServiceDefinition => {
  const service = observerService();
  return { ...service, GetFlows: { ...service.GetFlows!, responseSerialize: (bytes: Buffer) => bytes } };
};

const response = (): protobuf.Type => schema().lookupType('observer.GetFlowsResponse');
const bytes = (message: WireResponse): Buffer =>
  Buffer.from(
    response()
      .encode(response().fromObject(message as object))
      .finish(),
  );
const [VARINT, FIXED64, LENGTH, FIXED32] = [0, 1, 2, 5];

/** Fields of every wire type, under numbers that nothing has. */
const unknownFields = (): Buffer => {
  const writer = protobuf.Writer.create();
  writer.uint32((2001 << 3) | VARINT).uint64(2 ** 40);
  writer.uint32((2002 << 3) | FIXED64).fixed64(7);
  writer.uint32((2003 << 3) | LENGTH).string('from a newer Hubble');
  writer.uint32((2004 << 3) | FIXED32).fixed32(7);
  return Buffer.from(writer.finish());
};
/** A message whose field `number` is a message too, given as bytes. */
const holding = (number: number, inner: Buffer): Buffer =>
  Buffer.from(
    protobuf.Writer.create()
      .uint32((number << 3) | LENGTH)
      .bytes(inner)
      .finish(),
  );

/** What a look sees of the messages, which are given in bytes and sent once after the greeting. */
const seen = async (make: (at: bigint) => readonly Buffer[]) => {
  const until = systemClock.now() - 3n * S;
  const greeting = bytes(CONNECTED) as unknown as WireResponse;
  const one = await relay({ service: inBytes(), greeting, nodes: null, status: () => ({ uptime_ns: String(1e15) }) });
  const layer = hubble({ address: one.address, naming: naming([], () => new Map()) });
  open.push(one, layer);
  const window = { from: until - 60n * S, until };
  const first = await layer.look(window, AbortSignal.timeout(8000));
  expect(first.gaps).toEqual([]);
  one.send(
    ...(make(until) as unknown as WireResponse[]),
    bytes(flowAt(systemClock.now(), 99)) as unknown as WireResponse,
  );
  const { items, gaps } = await layer.look({ from: until, until: systemClock.now() }, AbortSignal.timeout(8000));
  return { items, whys: gaps.map(({ why }) => why) };
};

describe('a server that is newer than our proto', () => {
  test('unknown fields, in the answer and in the flow, change nothing of what is known', async () => {
    const flow = (at: bigint): Buffer => {
      const known = schema().lookupType('flow.Flow');
      return Buffer.concat([
        unknownFields(),
        known.encode(known.fromObject(flowAt(at, 1).flow!)).finish(),
        unknownFields(),
      ]);
    };
    const { items, whys } = await seen((at) => [
      Buffer.concat([unknownFields(), holding(1, flow(at)), unknownFields()]),
    ]);
    expect(items.map(({ id }) => id)).toEqual(['u1', 'u99']);
    expect(items[0]).toMatchObject({ verdict: 'FORWARDED', flags: ['SYN'], source: { port: 1 } });
    expect(whys).toEqual([]);
  });

  test('an event of a kind that is not known is passed over', async () => {
    const { items, whys } = await seen(() => [holding(77, Buffer.from('something new')), Buffer.alloc(0)]);
    expect([items.map(({ id }) => id), whys]).toEqual([['u99'], []]);
  });

  test('unknown enum values are kept as numbers, or as UNKNOWN, and never refused', async () => {
    const { items, whys } = await seen((at) => [
      bytes(
        flowAt(at, 1, 'n1', {
          verdict: 99,
          drop_reason_desc: 999,
          traffic_direction: 7,
          Type: 42,
          trace_observation_point: 250,
          event_type: { type: 200, sub_type: -1 },
        }),
      ),
      bytes({ node_status: { state_change: 77, node_names: ['n1'] } }),
      bytes({ lost_events: { source: 44, num_events_lost: '3' }, time: toWireTime(at) }),
    ]);
    expect(items[0]).toMatchObject({ id: 'u1', verdict: 'UNKNOWN', dropReason: '999', direction: null });
    expect(whys).toEqual(['3 events were lost (44)']);
  });

  test('submessages that are missing are no trouble; a flow without addresses is none', async () => {
    const { items, whys } = await seen((at) => [
      bytes({ flow: {}, time: toWireTime(at) }),
      bytes({ flow: { IP: {} }, time: toWireTime(at) }),
      bytes({ flow: { IP: { source: '10.0.0.1', destination: '10.0.0.2' } }, time: toWireTime(at) }),
      bytes({ node_status: {} }),
    ]);
    expect(items).toHaveLength(2);
    expect(items[0]).toMatchObject({ protocol: 'OTHER', flags: [], reply: null, source: { port: 0, pod: null } });
    expect(whys).toEqual([]);
  });

  test('bytes that are no message at all are a gap with the reason', async () => {
    const until = systemClock.now() - 3n * S;
    const greeting = Buffer.from([0x0a, 0xff, 0xff]) as unknown as WireResponse;
    const one = await relay({ service: inBytes(), greeting });
    const layer = hubble({ address: one.address, naming: naming([], () => new Map()) });
    open.push(one, layer);
    const { items, gaps } = await layer.look({ from: until - S, until }, AbortSignal.timeout(8000));
    expect(items).toEqual([]);
    expect(gaps.map(({ why }) => why)).toEqual([expect.stringMatching(/^INTERNAL: Response message parsing error: /)]);
  });
});
