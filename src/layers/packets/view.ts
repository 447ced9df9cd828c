// Packet items sorted by who called whom, each a call's outcome.

import { quantile } from 'simple-statistics';
import type { Blind, Edge, Nanos, PacketItem, Topology } from '../../model.ts';
import { toMs } from '../../time.ts';

/** Whoever is no component: users, monitoring, other platforms. */
export const WORLD = 'world';

/**
 * How one attempt to connect or to be answered went. Times are milliseconds after the view's origin: `t` is when it began,
 * or when it was cut off, which says when the trouble began.
 * `ms` is how long the answer took, or was waited for in vain; null for connects.
 */
export type Outcome = {
  readonly t: number;
  readonly ms: number | null;
  /** refused: by a reset; unanswered: a SYN; silent: a request; cut: hung up instead of answering; null: it went well. */
  readonly bad: 'refused' | 'unanswered' | 'silent' | 'cut' | null;
  readonly item: PacketItem;
};

export type EdgeView = {
  readonly edge: Edge;
  readonly baseline: readonly Outcome[];
  readonly test: readonly Outcome[];
};

export type View = {
  readonly edges: ReadonlyMap<string, EdgeView>;
  readonly baseline: readonly PacketItem[];
  readonly test: readonly PacketItem[];
  readonly topology: Topology;
  /** Length of each window in milliseconds, and where they begin after the origin. */
  readonly span: { readonly baselineMs: number; readonly testFrom: number; readonly testUntil: number };
  readonly origin: Nanos;
};

export const edgeKey = ({ from, to }: Edge): string => `${from}->${to}`;

/** Milliseconds after the origin. */
export const at = ({ origin }: Pick<View, 'origin'>, instant: Nanos): number => toMs(instant - origin);

/** The edges that calls go along by design: the topology's, and users' into the entry. */
export const callersOf = ({ edges, entry }: Topology, to: string): string[] => [
  ...edges.filter((edge) => edge.to === to).map(({ from }) => from),
  ...(to === entry ? [WORLD] : []),
];

export const viewOf = ({ baseline, test, topology }: Blind<PacketItem>): View => {
  const origin = baseline.window.from;
  const before = outcomesByEdge(baseline.items, origin);
  const after = outcomesByEdge(test.items, origin);
  const keys = new Set([...before.keys(), ...after.keys()]);
  const edges = new Map<string, EdgeView>();
  for (const key of keys) {
    const { from, to } = (before.get(key) ?? after.get(key)!)[0]!;
    const plain = (found: Sorted[] | undefined): Outcome[] => (found ?? []).map(({ outcome }) => outcome);
    edges.set(key, { edge: { from, to }, baseline: plain(before.get(key)), test: plain(after.get(key)) });
  }
  const span = {
    baselineMs: toMs(baseline.window.until - origin),
    testFrom: toMs(test.window.from - origin),
    testUntil: toMs(test.window.until - origin),
  };
  return { edges, baseline: baseline.items, test: test.items, topology, span, origin };
};

type Sorted = Edge & { readonly outcome: Outcome };

const outcomesByEdge = (items: readonly PacketItem[], origin: Nanos): Map<string, Sorted[]> => {
  const found = new Map<string, Sorted[]>();
  for (const outcome of outcomes(items, origin)) {
    const edge = { from: outcome.item.client.service ?? WORLD, to: outcome.item.server.service ?? WORLD };
    const key = edgeKey(edge);
    const list = found.get(key) ?? [];
    list.push({ ...edge, outcome });
    found.set(key, list);
  }
  for (const list of found.values()) list.sort((a, b) => a.outcome.t - b.outcome.t);
  return found;
};

const outcomes = (items: readonly PacketItem[], origin: Nanos): Outcome[] => {
  /** What each connection waits for: by when it began, the longest wait told so far. */
  const waiting = new Map<string, Map<number, PacketItem>>();
  const found: Outcome[] = [];
  const late: Late[] = [];
  for (const item of items) {
    const connection = connectionOf(item);
    if (item.event === 'silent') keepLongest(waiting, connection, item);
    else if (answers(item)) {
      for (const silent of waiting.get(connection)?.values() ?? [])
        late.push({ silent, answered: toMs(item.at - origin) });
      waiting.delete(connection);
    }
    const bad = badOf(item);
    const t = bad === 'cut' ? toMs(item.at - origin) : onset(item, origin);
    if (bad !== undefined) found.push({ t, ms: waitOf(item), bad, item });
  }
  const never = [...waiting.values()].flatMap((all) => [...all.values()]);
  const silences = [...never, ...stalled(late, origin)];
  return [...found, ...silences.map((item) => ({ t: onset(item, origin), ms: item.ms, bad: 'silent' as const, item }))];
};

type Late = { readonly silent: PacketItem; readonly answered: number };

/**
 * A silence that ended with an answer was only slow, unless everything that had come meanwhile was answered at once: then
 * the server did not work slowly, it did not work at all until then.
 */
const stalled = (late: readonly Late[], origin: Nanos): PacketItem[] =>
  [...Map.groupBy(late, ({ silent }) => silent.server.ip).values()].flatMap((all) => {
    const asked = width(all.map(({ silent }) => onset(silent, origin)));
    const answered = width(all.map((one) => one.answered));
    return answered < asked / 2 ? all.map(({ silent }) => silent) : [];
  });

/** The length of time in which the middle four fifths lie. */
const width = (times: readonly number[]): number => quantile([...times], 0.9) - quantile([...times], 0.1);

const keepLongest = (waiting: Map<string, Map<number, PacketItem>>, connection: string, item: PacketItem): void => {
  const begun = Math.round(onset(item, 0n));
  waiting.set(connection, (waiting.get(connection) ?? new Map()).set(begun, item));
};

/** Names a connection, as long as its client's port is not used again. */
export const connectionOf = ({ client, server }: PacketItem): string =>
  `${client.ip}:${client.port}>${server.ip}:${server.port}`;

const onset = (item: PacketItem, origin: Nanos): number => toMs(item.at - origin) - (item.ms ?? 0);

const waitOf = ({ event, ms }: PacketItem): number | null => (event === 'handshake' ? null : ms);

/** Undefined for what is no outcome, and for silences: those are known only when no answer has followed. */
const badOf = ({ event, ms, by }: PacketItem): Outcome['bad'] | undefined => {
  if (event === 'exchange' || event === 'handshake') return null;
  if (event === 'refused' || event === 'unanswered') return event;
  // A client that hangs up may have died itself; what it leaves behind is told as a silence.
  return event === 'reset' && ms !== null && by === 'server' ? 'cut' : undefined;
};

const answers = ({ event, by }: PacketItem): boolean => event === 'exchange' || (event === 'reset' && by === 'server');
