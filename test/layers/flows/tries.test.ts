import { describe, expect, test } from '@jest/globals';
import { ownTimes } from '../../../src/layers/flows/own-time.ts';
import { follow } from '../../../src/layers/flows/tries.ts';
import type { FlowItem } from '../../../src/model.ts';
import { at, denied, exchanged, flow, ms, opened, topologyOf } from './builders.ts';

const topology = topologyOf('a->b', 'b->c');
const [a, b] = [at('a', 5000), at('b', 80)];
const tries = (...flows: FlowItem[]) =>
  follow(
    flows.toSorted((x, y) => Number(x.at - y.at)),
    topology,
    ms(10_000),
  ).tries;
const outcomes = (...flows: FlowItem[]): string[] => tries(...flows).map(({ kind, outcome }) => `${kind} ${outcome}`);

describe('what becomes of a try', () => {
  test('a connection, and two requests on it', () => {
    const found = tries(...opened(0, a, b), ...exchanged(1, a, b, 20), ...exchanged(50, a, b, 30));
    expect(found.map(({ from, to, kind, outcome, ms }) => [from, to, kind, outcome, ms])).toEqual([
      ['a', 'b', 'connect', 'answered', 0.1],
      ['a', 'b', 'request', 'answered', 20],
      ['a', 'b', 'request', 'answered', 30],
    ]);
  });

  test('a SYN answered by a reset is refused; one answered by nothing is unanswered, sent again or not', () => {
    expect(outcomes(flow(0, a, b, { flags: ['SYN'] }), flow(1, b, a, { flags: ['RST', 'ACK'], reply: true }))).toEqual([
      'connect refused',
    ]);
    expect(outcomes(flow(0, a, b, { flags: ['SYN'] }), flow(1000, a, b, { flags: ['SYN'] }))).toEqual([
      'connect unanswered',
    ]);
  });

  test('a request that the server ends with a reset', () => {
    expect(outcomes(flow(0, a, b), flow(5, b, a, { flags: ['RST'], reply: true }))).toEqual(['request reset']);
  });

  test('a request given up and answered later is late; its time is the whole, its end when the client left', () => {
    const [one] = tries(flow(0, a, b), flow(300, a, b, { flags: ['FIN', 'ACK'] }), flow(1500, b, a, { reply: true }));
    expect(one).toMatchObject({ outcome: 'late', ms: 1500, endedAt: ms(300) });
  });

  test('a request that waits at the end is silent after a second, and pending before', () => {
    expect(outcomes(flow(0, a, b))).toEqual(['request silent']);
    expect(outcomes(flow(9500, a, b))).toEqual(['request pending']);
  });

  test('a denied packet, told as a drop and as a policy verdict, and its retransmission, are one try', () => {
    const found = tries(denied(0, a, b), denied(0, a, b), denied(1000, a, b), denied(3000, a, b));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ kind: 'connect', outcome: 'dropped' });
    expect(found[0]!.drops.map((one) => one.at)).toEqual([ms(0), ms(1000), ms(3000)]);
  });

  test('a packet to a Service without a pod is refused, not dropped: nothing stood in its way', () => {
    const nobody = { ...denied(0, a, b), dropReason: 'SERVICE_BACKEND_NOT_FOUND' };
    expect(outcomes(nobody)).toEqual(['connect refused']);
  });

  test('an HTTP response gives its code and latency to the exchange that it ends', () => {
    const http = { code: 503, method: 'GET', url: '/', latencyMs: 19.5 };
    const [one] = tries(...exchanged(0, a, b, 20), flow(20, b, a, { flags: [], reply: true, http }));
    expect(one).toMatchObject({ code: 503, ms: 19.5, outcome: 'answered' });
  });

  test('HTTP alone, as a proxy shows it, is enough', () => {
    const http = { code: 200, method: 'GET', url: '/', latencyMs: 40 };
    const [one] = tries(flow(100, b, a, { flags: [], reply: true, http }));
    expect(one).toMatchObject({ from: 'a', to: 'b', at: ms(60), ms: 40, code: 200 });
  });

  test('who is the server is told by the handshake when the observer does not say', () => {
    const found = tries(
      flow(0, a, b, { flags: ['SYN'], reply: null }),
      flow(1, b, a, { flags: ['SYN', 'ACK'], reply: null }),
      flow(2, a, b, { reply: null }),
      flow(9, b, a, { reply: null }),
    );
    expect(found.map(({ from, to, outcome }) => [from, to, outcome])).toEqual([
      ['a', 'b', 'answered'],
      ['a', 'b', 'answered'],
    ]);
  });
});

describe('own time', () => {
  test('is what remains of a request without the calls made meanwhile', () => {
    const found = tries(...exchanged(0, a, b, 100), ...exchanged(30, at('b', 6000), at('c', 81), 60));
    const own = ownTimes(found);
    expect(found.map((one) => Math.round(own.get(one)!))).toEqual([40, 60]);
  });

  test('is shared out when two requests wait for one call', () => {
    const found = tries(
      ...exchanged(0, a, b, 100),
      ...exchanged(0, at('a', 5001), b, 100),
      ...exchanged(0, at('b', 6000), at('c', 81), 100),
    );
    expect([...ownTimes(found)].filter(([{ to }]) => to === 'b').map(([, own]) => Math.round(own))).toEqual([50, 50]);
  });
});
