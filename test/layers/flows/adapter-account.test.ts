import { describe, expect, test } from '@jest/globals';
import { createAccount, enter, reconcile, tell } from '../../../src/layers/flows/adapter-account.ts';
import { toWireTime, type WireLost, type WireResponse } from '../../../src/layers/flows/wire.ts';

const T = 1_700_000_000_000_000_000n;
const S = 1_000_000_000n;
const at = (second: number): bigint => T + BigInt(second) * S;
const flow = (second: number, node = 'n1'): WireResponse => ({
  flow: { time: toWireTime(at(second)) },
  node_name: node,
  time: toWireTime(at(second)),
});
const lost = (second: number, more: WireLost, node = 'n1'): WireResponse => ({
  lost_events: { num_events_lost: '5', source: 'PERF_EVENT_RING_BUFFER', ...more },
  node_name: node,
  time: toWireTime(at(second)),
});
const state = (second: number, state_change: string | number, ...node_names: string[]): WireResponse => ({
  node_status: { state_change, node_names },
  time: toWireTime(at(second)),
});
const told = (...responses: WireResponse[]) => {
  const account = createAccount();
  for (const one of responses) enter(account, one);
  return tell(account);
};

describe('lost events', () => {
  test.each(['PERF_EVENT_RING_BUFFER', 'OBSERVER_EVENTS_QUEUE', 'HUBBLE_RING_BUFFER'])(
    '%s: from the first to the last that was lost, with the CPU and the node',
    (source) => {
      const [first, last] = [toWireTime(at(3)), toWireTime(at(4))];
      expect(told(flow(1), lost(9, { source, first, last, cpu: { value: 3 } }))).toEqual([
        { why: `5 events were lost (${source}, node n1, CPU 3)`, from: at(3), until: at(4) + 1n },
      ]);
    },
  );

  test('before Cilium 1.19, which says since when: after the last flow of that node, until it was told', () => {
    expect(told(flow(1), flow(7, 'n2'), lost(9, {}))).toMatchObject([{ from: at(1), until: at(9) }]);
    expect(told(flow(7, 'n2'), lost(9, {}))).toMatchObject([{ from: null, until: at(9) }]);
  });

  test('told again and again of one time, they are one; of other times, nodes or sources, they are others', () => {
    const again = told(flow(1), lost(2, {}), lost(3, { cpu: {} }), lost(4, { cpu: { value: 1 } }));
    expect(again).toEqual([
      { why: '15 events were lost (PERF_EVENT_RING_BUFFER, node n1, CPU 0, 1)', from: at(1), until: at(4) },
    ]);
    const apart = told(lost(2, {}), flow(5), lost(6, {}), lost(6, {}, 'n2'), lost(6, { source: 'HUBBLE_RING_BUFFER' }));
    expect(apart.map(({ from, until }) => [from, until])).toEqual([
      [null, at(2)],
      [at(5), at(6)],
      [null, at(6)],
      [at(5), at(6)],
    ]);
  });

  test('a source, a count or times that are missing or newer than the proto are no trouble', () => {
    expect(told({ lost_events: {} }, { lost_events: { source: 77, num_events_lost: '18446744073709551615' } })).toEqual(
      [
        { why: 'some events were lost (unknown source)', from: null, until: null },
        { why: '18446744073709551615 events were lost (77)', from: null, until: null },
      ],
    );
  });

  test('ever so many are told as at most a thousand, and none is left out of the count', () => {
    const account = createAccount();
    for (let n = 0; n < 3000; n += 1) {
      enter(account, flow(2 * n));
      enter(account, lost(2 * n + 1, {}));
    }
    const troubles = tell(account);
    expect(troubles).toHaveLength(1000);
    expect(troubles.reduce((sum, { why }) => sum + Number.parseInt(why, 10), 0)).toBe(15_000);
    expect(troubles.at(-1)!.until).toBe(at(5999));
  });
});

describe('nodes', () => {
  test.each(['NODE_UNAVAILABLE', 'NODE_GONE', 'NODE_ERROR'])('%s: a gap from then on, told until it ends', (name) => {
    const account = createAccount();
    enter(account, {
      ...state(3, name, 'n1', 'n2'),
      node_status: { state_change: name, node_names: ['n1', 'n2'], message: 'no\nroute' },
    });
    const trouble = { why: `${name}: n1, n2 (no route)`, from: at(3), until: null };
    expect(tell(account)).toEqual([trouble]);
    expect(tell(account)).toEqual([trouble]);
  });

  test('a node that says that it is back ends its gap', () => {
    expect(told(state(3, 'NODE_GONE', 'n1', 'n2'), state(8, 'NODE_CONNECTED', 'n2'))).toEqual([
      { why: 'NODE_GONE: n2', from: at(3), until: at(8) },
      { why: 'NODE_GONE: n1', from: at(3), until: null },
    ]);
  });

  test('a node that sends flows again ends its gap with the first from after it went; old ones it only repeats', () => {
    const gone = state(5, 'NODE_ERROR', 'n1');
    expect(told(gone, flow(3), flow(4))).toMatchObject([{ from: at(5), until: null }]);
    expect(told(gone, flow(3), flow(7), flow(8))).toEqual([{ why: 'NODE_ERROR: n1', from: at(5), until: at(7) }]);
    expect(told(gone, flow(7, 'n2'))).toMatchObject([{ until: null }]);
  });

  test('a state that is newer than the proto, or none, is no trouble', () => {
    expect(told(state(1, 77, 'n1'), { node_status: {} }, state(1, 'UNKNOWN_NODE_STATE', 'n1'), {})).toEqual([]);
  });

  test('what the relay misses is away since the window began; what it misses no longer is back', () => {
    const account = createAccount();
    enter(account, state(3, 'NODE_ERROR', 'n1'));
    const missed = { num_unavailable_nodes: { value: 3 }, unavailable_nodes: ['n2'] };
    expect(reconcile(account, missed, at(1), at(4))).toEqual([
      { why: '2 more nodes are unavailable', from: at(1), until: null },
    ]);
    expect(tell(account).map(({ why }) => why)).toEqual(['NODE_ERROR: n1', 'NODE_UNAVAILABLE: n2']);
    expect(reconcile(account, { num_unavailable_nodes: {} }, at(4), at(6))).toEqual([]);
    expect(tell(account)).toEqual([
      { why: 'NODE_ERROR: n1', from: at(3), until: at(6) },
      { why: 'NODE_UNAVAILABLE: n2', from: at(1), until: at(6) },
    ]);
    expect(tell(account)).toEqual([]);
  });

  test('an agent says nothing of nodes, which ends no gap', () => {
    const account = createAccount();
    enter(account, state(3, 'NODE_ERROR', 'n1'));
    reconcile(account, { num_flows: '3' }, at(1), at(4));
    expect(tell(account)).toMatchObject([{ until: null }]);
  });
});

test('flows without any time are counted, once', () => {
  const account = createAccount();
  enter(account, { flow: {} });
  enter(account, { flow: {}, node_name: 'n1' });
  expect(tell(account)).toEqual([{ why: '2 flows have no time', from: null, until: null }]);
  expect(tell(account)).toEqual([]);
});
