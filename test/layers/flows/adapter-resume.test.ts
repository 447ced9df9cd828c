import { status } from '@grpc/grpc-js';
import { afterEach, describe, expect, test } from '@jest/globals';
import { hubble } from '../../../src/layers/flows/adapter.ts';
import type { Answer, FlowItem, LayerAdapter, Window } from '../../../src/model.ts';
import { naming } from '../../../src/naming.ts';
import { until } from '../../../src/poll.ts';
import { iso, systemClock } from '../../../src/time.ts';
import { CONNECTED, flowAt, type Relay, type RelayOptions, relay, ring } from './relay.ts';

const S = 1_000_000_000n;
const NAMES = naming([], () => new Map());

const open: AsyncDisposable[] = [];
const opened = <T extends AsyncDisposable>(one: T): T => {
  open.push(one);
  return one;
};
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

const start = async (options?: RelayOptions): Promise<Relay> => opened(await relay(options));
const adapter = (address: string): LayerAdapter<FlowItem> => opened(hubble({ address, naming: NAMES }));
const look = (layer: LayerAdapter<FlowItem>, window: Window) => layer.look(window, AbortSignal.timeout(8000));
const ports = ({ items }: Answer<FlowItem>): number[] => items.map(({ source }) => source.port);
const whys = ({ gaps }: Answer<FlowItem>): string[] => gaps.map(({ why }) => why);
/** A window of the last minute, so that nothing is waited for that can't come any more. */
const past = (): Window => ({ from: systemClock.now() - 63n * S, until: systemClock.now() - 3n * S });
const next = ({ until: from }: Window): Window => ({ from, until: from + S / 2n });
const isTrue = (what: string, is: () => boolean) => until(what, () => is() || null, { forMs: 5000, everyMs: 5 });
const followed = (one: Relay, times: number) =>
  isTrue('followed', () => one.requests.filter(({ follow }) => follow).length >= times && one.followers() === 1);
const port = ({ address }: Relay): number => Number(address.split(':')[1]);

describe('a stream that breaks', () => {
  test('between two looks: nothing is missing, nothing is doubled, so there is no gap', async () => {
    const one = await start();
    const window = past();
    one.keep(flowAt(window.from + S, 1), flowAt(window.from + 2n * S, 2));
    const layer = adapter(one.address);
    expect(ports(await look(layer, window))).toEqual([1, 2]);
    one.cut();
    one.keep(flowAt(window.until + 1n, 3));
    const second = await look(layer, next(window));
    expect(ports(second)).toEqual([3]);
    expect(second.gaps).toEqual([]);
    one.send(flowAt(window.until + 2n, 4));
    expect(ports(await look(layer, next(next(window))))).toEqual([4]);
  });

  test('in the middle of a look: followed again in that look, with no gap', async () => {
    const one = await start();
    const window = { from: systemClock.now() - 60n * S, until: systemClock.now() };
    one.keep(flowAt(window.from + S, 1));
    const looking = look(adapter(one.address), window);
    await followed(one, 1);
    one.cut({ code: status.INTERNAL, details: 'stream terminated by RST_STREAM' });
    one.keep(flowAt(window.from + 2n * S, 2));
    await followed(one, 2);
    const answer = await looking;
    expect(ports(answer)).toEqual([1, 2]);
    expect(answer.gaps).toEqual([]);
  });

  test('twice in one look: a gap from where it was whole; the next look has all of it', async () => {
    const one = await start();
    const before = past();
    one.keep(flowAt(before.from + S, 1));
    const layer = adapter(one.address);
    await look(layer, before);
    const window = { from: before.until, until: systemClock.now() };
    const looking = look(layer, window);
    one.cut();
    await followed(one, 2);
    one.cut({ code: status.RESOURCE_EXHAUSTED, details: 'too many streams' });
    one.keep(flowAt(window.from + 1n, 2));
    const cut = await looking;
    expect(whys(cut)).toEqual(['the flow stream was cut: RESOURCE_EXHAUSTED: too many streams']);
    expect(cut.gaps[0]!.window.from).toBeGreaterThan(before.until);
    expect(cut.gaps[0]!.window.until).toBe(window.until);
    const back = await look(layer, next(before));
    expect([...ports(cut), ...ports(back)]).toEqual([2]);
    expect(back.gaps).toEqual([]);
  });

  test('by GOAWAY: followed again on another connection, with no gap', async () => {
    const one = await start();
    const window = past();
    one.keep(flowAt(window.from + S, 1));
    const layer = adapter(one.address);
    await look(layer, window);
    one.server.drain(one.address, 1);
    await isTrue('drained', () => one.followers() === 0);
    one.keep(flowAt(window.from + 2n * S, 2));
    const back = await look(layer, next(window));
    expect(ports(back)).toEqual([2]);
    expect(back.gaps).toEqual([]);
  });

  test('a node that was further behind than the others loses nothing', async () => {
    const one = await start();
    const window = past();
    one.keep(flowAt(window.from + S, 1, 'n2'), flowAt(window.from + 50n * S, 2, 'n1'));
    const layer = adapter(one.address);
    await look(layer, window);
    one.cut();
    one.keep(flowAt(window.from + 2n * S, 3, 'n2'));
    expect(ports(await look(layer, next(window)))).toEqual([3]);
  });

  test('what a ring lost in the meantime is a gap, from where that node was last heard to its oldest flow', async () => {
    const full = { num_flows: '4095', seen_flows: '9000' };
    const one = await start({ nodes: () => [ring('n1'), ring('n2', full)] });
    const window = past();
    const [heard, oldest] = [window.until - 1n, systemClock.now() - S / 2n];
    one.keep(flowAt(window.from, 1, 'n1'), flowAt(window.from, 2, 'n2'), flowAt(heard, 3, 'n2'));
    const layer = adapter(one.address);
    expect(whys(await look(layer, window))).toEqual([]);
    one.cut();
    one.forget(oldest);
    one.keep(flowAt(oldest, 4, 'n1'), flowAt(oldest, 5, 'n2'));
    const { gaps } = await look(layer, next(window));
    expect(gaps).toMatchObject([{ why: `Hubble's ring of node n2 reaches back only to ${iso(oldest)}` }]);
    expect(gaps[0]!.window.from).toBeGreaterThanOrEqual(heard);
    expect(gaps[0]!.window.until).toBe(oldest);
  });

  test('a server that started anew with an empty ring: a gap until it runs', async () => {
    const one = await start({ nodes: null });
    const window = past();
    one.keep(flowAt(window.from + S, 1));
    const layer = adapter(one.address);
    await look(layer, window);
    await one[Symbol.asyncDispose]();
    const gone = await look(layer, next(window));
    expect(whys(gone)).toEqual([expect.stringMatching(/^the flow stream was cut: UNAVAILABLE: connect ECONNREFUSED/)]);
    const status = () => ({ num_flows: '0', max_flows: '4095', seen_flows: '0', uptime_ns: '1000000' });
    const again = await start({ port: port(one), nodes: null, status });
    const back = await look(layer, next(next(window)));
    expect(whys(back)).toEqual([expect.stringMatching(/^Hubble has run only since /)]);
    expect(back.gaps[0]!.window.from).toBeLessThanOrEqual(gone.gaps[0]!.window.until);
    again.send(flowAt(window.until, 2));
    const later = await look(layer, next(next(window)));
    expect(ports(later)).toEqual([2]);
    expect(later.gaps).toEqual([]);
  });
});

describe('a stream that is slow or says no', () => {
  test('a relay that has not greeted yet: a gap, and what it sends later is not lost', async () => {
    const one = await start({ greeting: null });
    const layer = adapter(one.address);
    const window = past();
    const early = await look(layer, window);
    expect(early.items).toEqual([]);
    expect(early.gaps).toMatchObject([{ why: 'the relay has not begun to send flows', window }]);
    one.send(CONNECTED, flowAt(window.from + S, 1));
    const arrived = async () => {
      const answer = await look(layer, next(window));
      return answer.items.length > 0 ? answer : null;
    };
    const late = await until('the flow', arrived, { forMs: 5000, everyMs: 5 });
    expect(ports(late)).toEqual([1]);
    expect(late.gaps).toEqual([]);
    expect(one.requests.filter(({ follow }) => follow)).toHaveLength(1);
  });

  test('an agent that has nothing to tell yet is silent, and that is no gap', async () => {
    const status = () => ({ num_flows: '0', max_flows: '4095', seen_flows: '0', uptime_ns: String(1e15) });
    const one = await start({ greeting: null, nodes: null, status });
    expect(await look(adapter(one.address), past())).toMatchObject({ items: [], gaps: [] });
  });

  test.each([
    ['PERMISSION_DENIED', status.PERMISSION_DENIED],
    ['RESOURCE_EXHAUSTED', status.RESOURCE_EXHAUSTED],
  ])('%s is told as the server worded it, on one line', async (name, code) => {
    const one = await start({ greeting: null });
    const looking = look(adapter(one.address), past());
    await followed(one, 1);
    one.cut({ code, details: 'not you\nnot now' });
    expect(whys(await looking)).toEqual([`${name}: not you not now`]);
  });
});

describe('clocks', () => {
  test('a node whose clock is ahead is told: its flows are not in the windows that they belong to', async () => {
    const one = await start();
    const window = past();
    one.keep(flowAt(systemClock.now() + 600n * S, 1, 'n2'), flowAt(window.from, 2, 'n1'));
    const answer = await look(adapter(one.address), window);
    expect(whys(answer)).toEqual([expect.stringMatching(/^the clock of node n2 is (599|600)\.\d s ahead of/)]);
    expect(answer.gaps[0]!.window).toEqual(window);
  });

  test('a node whose flows come late is told, once history has been read', async () => {
    const one = await start();
    const window = past();
    one.keep(flowAt(window.from, 1, 'n1'), flowAt(window.from, 2, 'n2'));
    const layer = adapter(one.address);
    expect(whys(await look(layer, window))).toEqual([]);
    one.send(flowAt(window.from + 30n * S, 3, 'n2'), flowAt(systemClock.now(), 4, 'n1'));
    const { gaps } = await look(layer, next(window));
    expect(gaps).toMatchObject([{ why: expect.stringMatching(/^flows of node n2 come 3\d\.\d s late/) }]);
    expect(gaps[0]!.window.from).toBe(window.from + 30n * S);
  });
});

describe('memory', () => {
  test('a long history comes whole, in the first look', async () => {
    const one = await start();
    const { from, until: end } = past();
    one.keep(...Array.from({ length: 20_000 }, (_, n) => flowAt(from + BigInt(n) * 1_000_000n, n)));
    const { items, gaps } = await look(adapter(one.address), { from, until: end });
    expect(items).toHaveLength(20_000);
    expect(gaps).toEqual([]);
  });

  test('what nobody fetched is dropped beyond the capacity, with how many and of when', async () => {
    const one = await start();
    const { from, until: end } = past();
    one.keep(...Array.from({ length: 50 }, (_, n) => flowAt(from + BigInt(n) * S, n)));
    const layer = opened(hubble({ address: one.address, naming: NAMES, capacity: 20 }));
    const { items, gaps } = await look(layer, { from, until: end });
    expect(items).toHaveLength(20);
    expect(gaps).toMatchObject([
      {
        why: '30 flows were dropped here between two looks',
        window: { from: from + 20n * S, until: from + 49n * S + 1n },
      },
    ]);
  });
});
