// Tiny hand-written histories of flows.
import type { Blind, FlowEnd, FlowItem, Topology } from '../../../src/model.ts';
import { fromMs } from '../../../src/time.ts';

const START = 1_700_000_000_000_000_000n;
export const ms = (at: number): bigint => START + fromMs(at);

/** `a` is the pod `a-1` of the component `a`; `world` is nobody's. */
export const at = (name: string, port: number): FlowEnd =>
  name === 'world'
    ? { ip: '203.0.113.9', port, pod: null, service: null }
    : { ip: `10.0.0.${name.charCodeAt(0)}`, port, pod: `${name}-1`, service: name };

let serial = 0;
const nextId = (): string => {
  serial += 1;
  return `id${serial}`;
};

export const flow = (when: number, source: FlowEnd, destination: FlowEnd, more: Partial<FlowItem> = {}): FlowItem => ({
  id: nextId(),
  at: ms(when),
  verdict: 'FORWARDED',
  dropReason: null,
  source,
  destination,
  protocol: 'TCP',
  flags: ['ACK', 'PSH'],
  reply: false,
  direction: null,
  http: null,
  ...more,
});

/** A SYN and its answer. */
export const opened = (when: number, client: FlowEnd, server: FlowEnd): FlowItem[] => [
  flow(when, client, server, { flags: ['SYN'] }),
  flow(when + 0.1, server, client, { flags: ['SYN', 'ACK'], reply: true }),
];

/** A request and, `took` milliseconds later, the first of its answer. */
export const exchanged = (when: number, client: FlowEnd, server: FlowEnd, took: number): FlowItem[] => [
  flow(when, client, server),
  flow(when + took, server, client, { reply: true }),
];

export const denied = (when: number, client: FlowEnd, server: FlowEnd): FlowItem =>
  flow(when, client, server, { flags: ['SYN'], verdict: 'DROPPED', dropReason: 'POLICY_DENIED', reply: null });

export const topologyOf = (...edges: string[]): Topology => {
  const pairs = edges.map((text) => text.split('->') as [string, string]);
  return {
    entry: pairs[0]![0],
    components: [...new Set(pairs.flat())],
    edges: pairs.map(([from, to]) => ({ from, to })),
  };
};

/** The first `length` milliseconds are the baseline, the next the test. */
export const blind = (flows: readonly FlowItem[], topology: Topology, length = 30_000): Blind<FlowItem> => {
  const observe = (from: bigint, until: bigint) => ({
    window: { from, until },
    items: flows.filter((one) => one.at >= from && one.at < until).toSorted((a, b) => Number(a.at - b.at)),
  });
  return { baseline: observe(ms(0), ms(length)), test: observe(ms(length), ms(2 * length)), topology };
};

/** Every `step` milliseconds from `from` to `until`. */
export const every = <T>(step: number, from: number, until: number, make: (at: number) => readonly T[]): T[] =>
  Array.from({ length: Math.ceil((until - from) / step) }, (_, index) => make(from + index * step)).flat();
