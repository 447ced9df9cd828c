import { credentials, makeClientConstructor, type ServiceError, status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from '@jest/globals';
import { observerService, toWireTime, type WireRequest, type WireResponse } from '../../../src/layers/flows/wire.ts';
import { until } from '../../../src/poll.ts';
import { type FlowObserver, startFlowObserver } from '../../../src/targets/lab/flow-observer.ts';
import { flowFilter } from '../../../src/targets/lab/flow-observer-filter.ts';
import { labelSelector } from '../../../src/targets/lab/flow-observer-labels.ts';
import { createRing, flowEvent, openCursor, type Reading } from '../../../src/targets/lab/flow-observer-ring.ts';
import { type ObservedFlow, toWire } from '../../../src/targets/lab/flow-observer-wire.ts';

const PLACE = {
  node: 'lab',
  namespace: 'shop',
  cluster: 'here',
  describe: (ip: string) =>
    ip.startsWith('198.18.') ? { service: 'orders', pod: 'orders-1', labels: { app: 'orders', tier: 'back' } } : null,
};
const T0 = 1_700_000_000_000_000_000n;
const S = 1_000_000_000n;

const seen = (second: number, more: Partial<ObservedFlow> = {}): ObservedFlow => ({
  at: T0 + BigInt(second) * S,
  verdict: 'FORWARDED',
  dropReason: null,
  source: { ip: '203.0.113.7', port: 40_000 + second },
  destination: { ip: '198.18.0.5', port: 8080 },
  protocol: 'TCP',
  flags: ['ACK', 'PSH'],
  reply: false,
  http: null,
  ...more,
});
const wire = (second: number, more: Partial<ObservedFlow> = {}) => toWire(seen(second, more), PLACE);
const answer = { type: 'RESPONSE', method: 'GET', url: '/orders/7?x=1', code: 404, protocol: 'HTTP/1.1' } as const;

describe('a flow as Hubble words it', () => {
  test('a drop by policy has the verdict, the reason by number and name, and the event type of a drop', () => {
    expect(wire(1, { verdict: 'DROPPED', dropReason: 'POLICY_DENIED', flags: ['SYN'] })).toMatchObject({
      verdict: 'DROPPED',
      drop_reason: 133,
      drop_reason_desc: 'POLICY_DENIED',
      event_type: { type: 1, sub_type: 133 },
      l4: { TCP: { source_port: 40_001, destination_port: 8080, flags: { SYN: true } } },
      source: { labels: ['reserved:world'] },
      destination: { namespace: 'shop', pod_name: 'orders-1', labels: ['k8s:app=orders', 'k8s:tier=back'] },
      is_reply: { value: false },
      traffic_direction: 'INGRESS',
      node_name: 'here/lab',
    });
  });
});

describe('filters', () => {
  const flow = wire(1);
  const http = wire(2, { http: { ...answer, headers: [{ key: 'X-Request-Id', value: 'r1' }], latency: 5n } });
  const drop = wire(3, { verdict: 'DROPPED', dropReason: 'POLICY_DENY', flags: ['SYN'] });
  const matches = (filter: Record<string, unknown[]>, one = flow): boolean => flowFilter([filter], [])(one);

  test.each<[string, Record<string, unknown[]>, boolean]>([
    ['an address', { destination_ip: ['198.18.0.5'] }, true],
    ['a CIDR', { source_ip: ['203.0.113.0/24'] }, true],
    ['another CIDR', { source_ip: ['10.0.0.0/8', '2001:db8::/32'] }, false],
    ['a pod by namespace and prefix', { destination_pod: ['shop/ord'] }, true],
    ['a pod in any namespace', { destination_pod: ['/orders-1'] }, true],
    ['all pods of a namespace', { destination_pod: ['shop/'] }, true],
    ['a bare pod name, which means the namespace default', { destination_pod: ['orders-1'] }, false],
    ['a label', { destination_label: ['k8s:app=orders'] }, true],
    ['two requirements', { destination_label: ['app in (orders,risk),tier!=front'] }, true],
    ['the world', { source_label: ['reserved:world'] }, true],
    ['a service', { destination_service: ['shop/orders'] }, true],
    ['a workload', { destination_workload: [{ name: 'orders', kind: 'Deployment' }] }, true],
    ['a workload of another kind', { destination_workload: [{ name: 'orders', kind: 'DaemonSet' }] }, false],
    ['a port', { destination_port: ['8080'] }, true],
    ['a verdict', { verdict: ['DROPPED'] }, false],
    ['a protocol', { protocol: ['tcp'] }, true],
    ['not a reply', { reply: [false] }, true],
    ['flags: all those named', { tcp_flags: [{ PSH: true, ACK: true }] }, true],
    ['flags: one not set', { tcp_flags: [{ SYN: true }] }, false],
    ['an event type', { event_type: [{ type: 4 }] }, true],
    ['an event type with its sub type', { event_type: [{ type: 4, match_sub_type: true, sub_type: 5 }] }, false],
    ['a node', { node_name: ['here/la*'] }, true],
    ['fields are joined by AND', { verdict: ['FORWARDED'], destination_port: ['1'] }, false],
    ['an empty list asks for nothing', { verdict: [] }, true],
  ])('%s', (_, filter, expected) => expect(matches(filter)).toBe(expected));

  test.each<[string, Record<string, unknown[]>, boolean]>([
    ['exact', { http_status_code: ['404'] }, true],
    ['by prefix', { http_status_code: ['4+'] }, true],
    ['other', { http_status_code: ['50+'] }, false],
    ['path without query', { http_path: ['^/orders/\\d+$'] }, true],
    ['method, any case', { http_method: ['get'] }, true],
    ['header', { http_header: [{ key: 'x-request-id', value: 'r1' }] }, true],
  ])('http: %s', (_, filter, expected) => expect(matches(filter, http)).toBe(expected));

  test('filters are joined by OR, and the blacklist is taken away', () => {
    const both = flowFilter([{ verdict: ['DROPPED'] }, { protocol: ['http'] }], [{ http_status_code: ['404'] }]);
    expect([flow, http, drop].map(both)).toEqual([false, false, true]);
  });

  test('a field that is not supported, or a value that can not be read, is named', () => {
    expect(() => matches({ source_fqdn: ['x'] })).toThrow('source_fqdn is not supported');
    expect(() => matches({ source_ip: ['10.0.0.0/99'] })).toThrow('source_ip');
    expect(() => matches({ http_path: ['('] })).toThrow('http_path');
    expect(() => matches({ protocol: ['smoke'] })).toThrow("protocol: 'smoke' is not one of");
    expect(() => matches({ http_method: ['GET'], event_type: [{ type: 4 }] })).toThrow('event_type 129');
    expect(() => labelSelector('a b c')).toThrow('no label selector');
  });
});

describe('reading the ring', () => {
  const ALL: Reading = { number: 0, first: false, follow: false, since: null, until: null, matches: () => true };
  const read = (capacity: number, count: number, reading: Partial<Reading>): (string | number)[] => {
    const ring = createRing(capacity);
    for (let n = 1; n <= count; n += 1) ring.push(flowEvent(wire(n)));
    return rest(openCursor(ring, { ...ALL, ...reading }));
  };
  const rest = (cursor: ReturnType<typeof openCursor>): (string | number)[] => {
    const step = cursor.step();
    if (typeof step === 'string') return [step];
    return [
      step.flow ? Number(step.flow.time!.seconds) - Number(T0 / S) : `lost ${step.lost_events!.num_events_lost}`,
      ...rest(cursor),
    ];
  };

  test.each<[string, Partial<Reading>, (string | number)[]]>([
    ['everything that is there', {}, [3, 4, 5, 6, 'end']],
    ['the last two', { number: 2 }, [5, 6, 'end']],
    ['the first two', { number: 2, first: true }, [3, 4, 'end']],
    ['since decides the start, number the count from there', { since: T0 + 4n * S, number: 2 }, [4, 5, 'end']],
    ['until is still in', { until: T0 + 4n * S }, [3, 4, 'end']],
    ['following from now', { follow: true }, ['wait']],
    ['following after a rewind', { follow: true, since: T0 + 5n * S }, [5, 6, 'wait']],
    ['following the last one', { follow: true, number: 1 }, [6, 'wait']],
    ['history older than the ring is not announced', { since: T0 }, [3, 4, 5, 6, 'end']],
  ])('%s', (_, reading, expected) => expect(read(4, 6, reading)).toEqual(expected));

  test('a reader that the ring overtakes is told how many events it missed', () => {
    const ring = createRing(3);
    ring.push(flowEvent(wire(1)));
    const cursor = openCursor(ring, { ...ALL, follow: true, number: 1 });
    for (let n = 2; n <= 6; n += 1) ring.push(flowEvent(wire(n)));
    expect(rest(cursor)).toEqual(['lost 3', 4, 5, 6, 'wait']);
  });

  test('lost events pass every filter and are not counted', () => {
    const ring = createRing(9);
    ring.push(flowEvent(wire(1)));
    ring.push({ at: T0, lost: { num_events_lost: '7' } });
    ring.push(flowEvent(wire(2)));
    expect(
      rest(
        openCursor(ring, {
          ...ALL,
          number: 1,
          first: true,
          matches: ({ time }) => time!.seconds !== toWireTime(T0 + S).seconds,
        }),
      ),
    ).toEqual(['lost 7', 2, 'end']);
  });
});

describe('over gRPC', () => {
  const open: { close(): void }[] = [];
  let observer: FlowObserver;
  afterEach(async () => {
    for (const client of open.splice(0)) client.close();
    await observer[Symbol.asyncDispose]();
  });

  const connect = async (capacity = 10) => {
    observer = await startFlowObserver({ host: '127.0.0.1', port: 0, capacity, ...PLACE });
    const client = new (makeClientConstructor(observerService(), 'Observer'))(
      observer.address,
      credentials.createInsecure(),
    );
    open.push(client);
    return client as unknown as Record<string, (...all: unknown[]) => NodeJS.ReadableStream & { cancel(): void }>;
  };
  const all = async (stream: NodeJS.ReadableStream): Promise<WireResponse[] | string> => {
    const got: WireResponse[] = [];
    return new Promise((resolve) => {
      stream.on('data', (one: WireResponse) => got.push(one));
      stream.on('error', (error: ServiceError) => resolve(`${status[error.code]}: ${error.details}`));
      stream.on('end', () => resolve(got));
    });
  };
  const ask = (call: unknown, request: WireRequest = {}): Promise<WireResponse[] | string> =>
    all((call as (request: WireRequest) => NodeJS.ReadableStream)(request));

  test('a read begins with the connected node, then the flows', async () => {
    const client = await connect();
    observer.observe(seen(1));
    observer.observe(seen(2, { http: { ...answer, headers: [], latency: 7_000_000n } }));
    const got = (await ask(client.GetFlows!.bind(client))) as WireResponse[];
    expect(got[0]!.node_status).toMatchObject({ state_change: 'NODE_CONNECTED', node_names: ['here/lab'] });
    expect(got[2]!.flow!.l7).toMatchObject({
      type: 'RESPONSE',
      latency_ns: '7000000',
      http: { code: 404, method: 'GET' },
    });
    expect(got[1]!.flow!.is_reply).toEqual({ value: false });
  });

  test('a follower gets what comes, and is told of losses', async () => {
    const client = await connect();
    const stream = client.GetFlows!({ follow: true });
    const got: WireResponse[] = [];
    stream.on('data', (one: WireResponse) => got.push(one)).on('error', () => {});
    await until('the greeting', () => got.length === 1 || null, { forMs: 5000, everyMs: 5 });
    observer.observe(seen(1));
    observer.lost(12);
    await until('both', () => got.length === 3 || null, { forMs: 5000, everyMs: 5 });
    expect(got[1]!.flow!.verdict).toBe('FORWARDED');
    expect(got[2]!.lost_events).toMatchObject({ num_events_lost: '12', source: 'OBSERVER_EVENTS_QUEUE' });
    stream.cancel();
  });

  test('what it can not do it refuses by name', async () => {
    const client = await connect();
    const flows = client.GetFlows!.bind(client);
    expect(await ask(flows, { first: true, follow: true })).toBe(
      'INVALID_ARGUMENT: first and follow exclude each other',
    );
    expect(await ask(flows, { whitelist: [{ dns_query: ['x'] }] })).toMatch(/INVALID_ARGUMENT: .*dns_query/);
    expect(await ask(flows, { field_mask: { paths: ['time'] } })).toMatch(/INVALID_ARGUMENT: field_mask/);
    expect(await ask(client.GetAgentEvents!.bind(client))).toMatch(/^UNIMPLEMENTED/);
  });

  test('status, nodes and namespaces', async () => {
    const client = await connect(2);
    for (const second of [1, 2, 3]) observer.observe(seen(second));
    const unary = (name: string) =>
      new Promise((resolve) => client[name]!({}, (_: unknown, answered: unknown) => resolve(answered)));
    expect(await unary('ServerStatus')).toMatchObject({
      num_flows: '2',
      max_flows: '2',
      seen_flows: '3',
      num_connected_nodes: { value: 1 },
    });
    expect(await unary('GetNodes')).toMatchObject({
      nodes: [{ name: 'here/lab', state: 'NODE_CONNECTED', address: observer.address }],
    });
    expect(await unary('GetNamespaces')).toMatchObject({ namespaces: [{ cluster: 'here', namespace: 'shop' }] });
  });

  test('an address that is taken is one clear line', async () => {
    await connect();
    const port = Number(observer.address.split(':')[1]);
    await expect(startFlowObserver({ host: '127.0.0.1', port, capacity: 1, ...PLACE })).rejects.toThrow(
      /can't listen on 127.0.0.1/,
    );
  });
});
