// Spans → who called whom, and what each component did itself. Pure.
import type { SpanItem, Topology } from '../../model.ts';

/** Times are milliseconds since a common origin, so that they are plain numbers. */
export type Timed = { readonly t: number; readonly end: number };

/**
 * One call from a component to another. `server` is the callee's own span of it, `client` the caller's; one of them may
 * be missing.
 */
export type Call = Timed & {
  readonly from: string;
  readonly to: string;
  readonly client: SpanItem | null;
  readonly server: SpanItem | null;
  /** When the callee took it up; null when it never did. */
  readonly served: number | null;
  readonly failed: boolean;
  /** It failed, and while the caller waited nothing showed that the callee had it. */
  readonly unanswered: boolean;
  /** Time on the way, in milliseconds: what the caller waited beyond the callee's own time. Null when unknown. */
  readonly wayMs: number | null;
};

/** One piece of work that a component was asked for, or began by itself. */
export type Served = Timed & {
  readonly service: string;
  readonly span: SpanItem;
  /** Its time without that of the calls which it made. */
  readonly selfMs: number;
  /** A call that it made has failed. */
  readonly failedBelow: boolean;
  /** It failed, without a failed call beneath and not because its caller had gone. */
  readonly ownFailure: boolean;
};

export type Activity = { readonly calls: readonly Call[]; readonly served: readonly Served[] };

type Node = Timed & { readonly span: SpanItem; readonly children: Node[]; parent: Node | null };
type Callee = (node: Node) => string | null;

const ms = (nanos: bigint): number => Number(nanos) / 1e6;

/** Reads calls and served work out of spans; `origin` (nanoseconds) is the zero of the times. */
export const activity = (spans: readonly SpanItem[], topology: Topology, origin: bigint): Activity => {
  const nodes = linked(spans, origin);
  const callee = calleeOf(nodes, topology);
  const down = reachable(topology);
  const orphans = orphansByTrace(nodes);
  const calls = nodes.flatMap((node) => callAt(node, callee, { down, orphans }));
  const served = nodes.filter(isServed).map((node) => servedAt(node, callee));
  return { calls: calls.sort(byTime), served: served.sort(byTime) };
};

export const byTime = (a: Timed, b: Timed): number => a.t - b.t;

/** Every span once, tied to its parent where that is known. */
const linked = (spans: readonly SpanItem[], origin: bigint): Node[] => {
  const traces = new Map<string, Map<string, Node>>();
  for (const span of spans) {
    const trace = traces.get(span.traceId) ?? new Map<string, Node>();
    const t = ms(span.at - origin);
    trace.set(span.spanId, { span, t, end: t + span.durationMs, children: [], parent: null });
    traces.set(span.traceId, trace);
  }
  for (const trace of traces.values()) tie(trace);
  return traces
    .values()
    .flatMap((trace) => trace.values())
    .toArray();
};

const tie = (trace: ReadonlyMap<string, Node>): void => {
  for (const node of trace.values()) {
    const parent = node.span.parentId === null ? undefined : trace.get(node.span.parentId);
    if (!parent || parent === node) continue;
    node.parent = parent;
    parent.children.push(node);
  }
};

const outgoing = ({ span }: Node): boolean => span.kind === 'client' || span.kind === 'producer';
const foreignChild = (node: Node): Node | null =>
  node.children.find((child) => child.span.service !== node.span.service) ?? null;

/** A span's outermost work in its component: nothing above it is the same component's. */
const isServed = (node: Node): boolean =>
  !outgoing(node) && (node.parent === null || node.parent.span.service !== node.span.service);

// A client span without a server span and without a peer is taken to call whom its namesakes call, if they all but agree.
const AGREEMENT = 0.9;

const calleeOf = (nodes: readonly Node[], topology: Topology): Callee => {
  const known = new Set(topology.components);
  const votes = new Map<string, Map<string, number>>();
  const seen = (node: Node): string | null => {
    const named = foreignChild(node)?.span.service ?? node.span.peer;
    return named !== null && named !== node.span.service && known.has(named) ? named : null;
  };
  const key = ({ span }: Node): string => `${span.service}\n${span.name}`;
  for (const node of nodes.filter(outgoing)) {
    const to = seen(node);
    if (to === null) continue;
    const those = votes.get(key(node)) ?? new Map<string, number>();
    votes.set(key(node), those.set(to, (those.get(to) ?? 0) + 1));
  }
  return (node) => seen(node) ?? majority(votes.get(key(node)));
};

const majority = (votes: ReadonlyMap<string, number> | undefined): string | null => {
  const [best] = [...(votes ?? [])].sort((a, b) => b[1] - a[1]);
  const all = votes?.values().reduce((sum, n) => sum + n, 0) ?? 0;
  return best && best[1] >= AGREEMENT * all ? best[0] : null;
};

type Context = {
  readonly down: ReadonlyMap<string, ReadonlySet<string>>;
  readonly orphans: ReadonlyMap<string, readonly Node[]>;
};

const callAt = (node: Node, callee: Callee, context: Context): Call[] => {
  if (outgoing(node)) {
    const to = callee(node);
    return to === null ? [] : [clientCall(node, to, context)];
  }
  // Without a client span in between, a child in another component is the call.
  return node.children
    .filter((child) => child.span.service !== node.span.service && !outgoing(child))
    .map((child) => serverOnlyCall(node, child));
};

const serverOnlyCall = (node: Node, child: Node): Call => ({
  from: node.span.service,
  to: child.span.service,
  client: null,
  server: child.span,
  t: child.t,
  end: child.end,
  served: child.t,
  failed: hasFailed(child.span),
  unanswered: false,
  wayMs: null,
});

const clientCall = (node: Node, to: string, context: Context): Call => {
  const server = foreignChild(node);
  const failed = hasFailed(node.span);
  const inTime = server !== null && server.t < node.end;
  // A gateway in between answers 502 to 504 for a callee that does not; other statuses are the callee's own.
  const silent = node.span.status === null || node.span.status >= 502;
  return {
    from: node.span.service,
    to,
    client: node.span,
    server: server?.span ?? null,
    t: node.t,
    end: node.end,
    served: server?.t ?? null,
    failed,
    unanswered: failed && !inTime && silent && node.span.kind === 'client' && !hadIt(node, to, context),
    wayMs: server && node.span.kind === 'client' ? way(node, server) : null,
  };
};

export const hasFailed = (span: SpanItem): boolean => span.error || (span.status !== null && span.status >= 500);

// Each duration is of one clock; only where the caller gave up first do two clocks have to be compared.
const way = (client: Node, server: Node): number => {
  const gaveUp = hasFailed(client.span) && client.span.status === null;
  if (!gaveUp) return Math.max(0, client.span.durationMs - server.span.durationMs);
  return Math.max(0, Math.min(server.t, client.end) - client.t);
};

/** The callee's own span has not come (yet), but spans that only it can have caused have. */
const hadIt = (node: Node, to: string, { down, orphans }: Context): boolean => {
  const lost = (orphans.get(node.span.traceId) ?? []).filter((one) => one.t >= node.t);
  return lost.some(({ span }) => span.service === to || down.get(to)?.has(span.service));
};

const orphansByTrace = (nodes: readonly Node[]): Map<string, Node[]> =>
  Map.groupBy(
    nodes.filter(({ parent, span }) => parent === null && span.parentId !== null),
    ({ span }) => span.traceId,
  );

/** Whom each component calls, directly or through others. */
export const reachable = ({ components, edges }: Topology): Map<string, Set<string>> => {
  const visit = (from: string, seen: Set<string>): Set<string> => {
    for (const { to } of edges.filter((one) => one.from === from && !seen.has(one.to))) visit(to, seen.add(to));
    return seen;
  };
  return new Map(components.map((one) => [one, visit(one, new Set())]));
};

const servedAt = (node: Node, callee: Callee): Served => {
  const below = callsBelow(node, callee);
  const failed = hasFailed(node.span);
  const failedBelow = below.some((one) => hasFailed(one.span));
  return {
    t: node.t,
    end: node.end,
    service: node.span.service,
    span: node.span,
    selfMs: Math.max(0, node.span.durationMs - covered(below, node)),
    failedBelow,
    ownFailure: failed && !failedBelow && !callerLeft(node),
  };
};

// Calls to what the topology does not know (a database, say) count as the component's own time.
const callsBelow = (node: Node, callee: Callee): Node[] =>
  node.children.flatMap((child) => {
    if (child.span.service !== node.span.service) return [child];
    if (outgoing(child)) return callee(child) === null ? [] : [child];
    return callsBelow(child, callee);
  });

const covered = (intervals: readonly Timed[], within: Timed): number => {
  let [sum, upTo] = [0, within.t];
  for (const one of [...intervals].sort(byTime)) {
    const end = Math.min(one.end, within.end);
    sum += Math.max(0, end - Math.max(one.t, upTo));
    upTo = Math.max(upTo, end);
  }
  return sum;
};

const callerLeft = ({ parent, end }: Node): boolean =>
  parent !== null && outgoing(parent) && hasFailed(parent.span) && parent.span.status === null && parent.end <= end;
