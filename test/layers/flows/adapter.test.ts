import { Server, ServerCredentials, type ServerWritableStream } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from '@jest/globals';
import { hubble } from '../../../src/layers/flows/adapter.ts';
import { observerService, toWireTime, type WireRequest, type WireResponse } from '../../../src/layers/flows/wire.ts';
import type { FlowItem, LayerAdapter, Window } from '../../../src/model.ts';
import { naming } from '../../../src/naming.ts';
import { startFlowObserver } from '../../../src/targets/lab/flow-observer.ts';
import type { ObservedFlow } from '../../../src/targets/lab/flow-observer-wire.ts';
import { systemClock } from '../../../src/time.ts';

const NAMES = naming(['orders'], () => new Map());
const S = 1_000_000_000n;
const describeAddress = (ip: string) =>
  ip === '198.18.0.5' ? { service: 'orders', pod: 'orders-1', labels: { app: 'orders' } } : null;

const open: AsyncDisposable[] = [];
const opened = <T extends AsyncDisposable>(one: T): T => {
  open.push(one);
  return one;
};
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

const seen = (at: bigint, port: number): ObservedFlow => ({
  at,
  verdict: 'FORWARDED',
  dropReason: null,
  source: { ip: '203.0.113.7', port },
  destination: { ip: '198.18.0.5', port: 8080 },
  protocol: 'TCP',
  flags: ['SYN'],
  reply: false,
  http: null,
});
const observe = async (capacity = 100, port = 0) =>
  opened(
    await startFlowObserver({
      host: '127.0.0.1',
      port,
      capacity,
      node: 'lab',
      namespace: 'shop',
      cluster: 'here',
      describe: describeAddress,
    }),
  );
const adapter = (address: string, capacity?: number): LayerAdapter<FlowItem> =>
  opened(hubble({ address, naming: NAMES, ...(capacity ? { capacity } : {}) }));
const look = (layer: LayerAdapter<FlowItem>, window: Window) => layer.look(window, AbortSignal.timeout(8000));
const ports = (items: readonly FlowItem[]): number[] => items.map(({ source }) => source.port);
/** A window of the last minute, so that nothing is waited for that can't come any more. */
const past = (): Window => {
  const until = systemClock.now() - 3n * S;
  return { from: until - 60n * S, until };
};

describe("the lab's observer", () => {
  test('the first look reads the history of its window, the next what came since; nothing is lost or told twice', async () => {
    const observer = await observe();
    const { from, until } = past();
    observer.observe(seen(from - S, 1));
    observer.observe(seen(from + S, 2));
    observer.observe(seen(until + S, 3));
    const layer = adapter(observer.address);
    const first = await look(layer, { from, until });
    expect(ports(first.items)).toEqual([2, 3]);
    expect(first.items[0]!.destination).toMatchObject({ service: 'orders', pod: 'orders-1', port: 8080 });
    expect(first.gaps).toEqual([]);
    expect(first.queries[0]!.text).toMatch(/^hubble observe --server 127\.0\.0\.1:\d+ --since \S+Z --follow/);
    observer.observe(seen(until + 2n * S, 4));
    expect(ports((await look(layer, { from: until, until: until + 2n * S })).items)).toEqual([4]);
  });

  test('lost events, a ring that reaches back too little and flows that nobody fetched are gaps', async () => {
    const observer = await observe(3);
    const { from, until } = past();
    for (const n of [1, 2, 3, 4]) observer.observe(seen(from + BigInt(n) * S, n));
    observer.lost(5);
    const { items, gaps } = await look(adapter(observer.address, 1), { from, until });
    expect(ports(items)).toEqual([3]);
    expect(gaps.map(({ why }) => why)).toEqual([
      expect.stringMatching(/^Hubble's ring of node here\/lab reaches back only to /),
      expect.stringMatching(/^1 flows were dropped here/),
      expect.stringMatching(/^5 events were lost \(OBSERVER_EVENTS_QUEUE, node here\/lab\)/),
    ]);
  });

  test('a stream that is cut is a gap from where it stopped; the next look opens another', async () => {
    const observer = await observe();
    const { from, until } = past();
    observer.observe(seen(from + S, 1));
    const layer = adapter(observer.address);
    await look(layer, { from, until });
    await observer[Symbol.asyncDispose]();
    const cut = await look(layer, { from: until, until: until + S });
    const again = await observe(100, Number(observer.address.split(':')[1]));
    again.observe(seen(until + 2n * S, 9));
    const back = await look(layer, { from: until + S, until: until + 2n * S });
    expect([...cut.gaps, ...back.gaps].map(({ why }) => why)).toContainEqual(expect.stringMatching(/stream was cut/));
    expect(ports([...cut.items, ...back.items])).toEqual([9]);
  });
});

describe('what is no Hubble', () => {
  test('nobody there: a gap with the query, the window and one line, and no items', async () => {
    const window = past();
    const { items, gaps } = await look(adapter('127.0.0.1:1'), window);
    expect(items).toEqual([]);
    expect(gaps).toEqual([
      {
        layer: 'flows',
        query: expect.stringContaining('hubble observe'),
        window,
        why: expect.stringMatching(/UNAVAILABLE.*ECONNREFUSED/),
      },
    ]);
    expect(gaps[0]!.why).not.toContain('\n');
  });
});

describe('a relay in trouble', () => {
  const relay = async (responses: WireResponse[], status: object): Promise<string> => {
    const server = new Server();
    server.addService(observerService(), {
      GetFlows: (call: ServerWritableStream<WireRequest, WireResponse>) => {
        for (const one of responses) call.write(one);
        if (!call.request.follow) call.end();
      },
      ServerStatus: (_: unknown, done: (error: null, answer: object) => void) => done(null, status),
    });
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    opened({ [Symbol.asyncDispose]: async () => server.forceShutdown() });
    return `127.0.0.1:${port}`;
  };

  test('nodes that it can not reach are gaps, by its messages and by its status', async () => {
    const { from, until } = past();
    const address = await relay(
      [
        { node_status: { state_change: 'NODE_CONNECTED', node_names: ['n1'] } },
        { node_status: { state_change: 'NODE_UNAVAILABLE', node_names: ['n2', 'n3'], message: 'no\nroute' } },
        { node_status: { state_change: 'NODE_GONE', node_names: ['n4'] }, time: toWireTime(until) },
      ],
      { num_unavailable_nodes: { value: 2 }, unavailable_nodes: ['n2', 'n3'] },
    );
    const { gaps } = await look(adapter(address), { from, until });
    expect(gaps.map(({ why }) => why)).toEqual(['NODE_GONE: n4', 'NODE_UNAVAILABLE: n2, n3 (no route)']);
    expect(gaps[0]!.window.from).toBe(until);
    expect(gaps[1]!.window).toEqual({ from, until });
  });
});
