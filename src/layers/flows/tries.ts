// Follows every connection through its flows and tells what became of each try to connect and of each request.
import type { FlowEnd, FlowItem, Nanos, Topology } from '../../model.ts';
import { fromMs, SECOND, toMs } from '../../time.ts';

/** The outside: users, probes, scrapers. It calls and is called, and is no component. */
export const WORLD = 'world';

/**
 * How a try ended. dropped: the network turned it away; unanswered: a SYN that nothing answered; refused: a SYN answered by a
 * reset; reset: the server ended the connection instead of answering; silent: a request that was never answered; late:
 * answered after the client had given up; pending: too young to tell.
 */
export type Outcome = 'answered' | 'dropped' | 'unanswered' | 'refused' | 'reset' | 'silent' | 'late' | 'pending';

export type Try = {
  readonly kind: 'connect' | 'request';
  readonly from: string;
  readonly to: string;
  readonly client: FlowEnd;
  readonly server: FlowEnd;
  readonly at: Nanos;
  outcome: Outcome;
  /** When it was answered or given up; null while it is neither. */
  endedAt: Nanos | null;
  /** From the request to the first of the answer, or to giving up; as the proxy measured it where one did. */
  ms: number | null;
  code: number | null;
  /** Sent again without an answer in between. */
  again: boolean;
  /** Packets of this try that the network turned away, at most one a second. */
  readonly drops: { readonly at: Nanos; readonly id: string }[];
  readonly ids: string[];
};

/** Something that only a living process sends: data, the beginning or the orderly end of a connection. */
export type Sign = { readonly at: Nanos; readonly from: FlowEnd; readonly id: string };

/** A connection in use that the server was the first to end. */
export type Cut = { readonly at: Nanos; readonly server: FlowEnd; readonly id: string };

export type History = {
  readonly tries: readonly Try[];
  readonly signs: readonly Sign[];
  readonly cuts: readonly Cut[];
};

type Connection = {
  connect: Try | null;
  request: Try | null;
  last: Try | null;
  /** A request that the client no longer waits for. */
  forsaken: Try | null;
  touched: Nanos;
  closed: boolean;
};

/** The component of an end of a flow; whatever the topology does not name is the outside. */
export const componentOf = ({ service }: FlowEnd, { components }: Topology): string =>
  service !== null && components.includes(service) ? service : WORLD;

/** A request or SYN that has waited for this long is unanswered; the pauses of a healthy process are shorter. */
export const PATIENCE = SECOND;

/** When the flows showed how a try ended, or that it went on for too long. */
export const shownAt = ({ at, endedAt }: Try): Nanos => endedAt ?? at + PATIENCE;

/** Follows the flows, which must be in order of time; `end` is when the last of them could have been seen. */
export const follow = (flows: readonly FlowItem[], topology: Topology, end: Nanos): History => {
  const servers = knownServers(flows);
  const connections = new Map<string, Connection>();
  const history = { tries: [] as Try[], signs: [] as Sign[], cuts: [] as Cut[] };
  for (const flow of flows) {
    if (flow.verdict === 'TRACED' || flow.verdict === 'TRANSLATED') continue;
    const answer = isReply(flow, servers);
    const [client, server] = answer ? [flow.destination, flow.source] : [flow.source, flow.destination];
    const key = `${client.ip} ${client.port} ${server.ip} ${server.port} ${flow.protocol}`;
    const connection = connections.get(key) ?? fresh();
    connections.set(key, connection);
    if (isSignOfLife(flow)) history.signs.push({ at: flow.at, from: flow.source, id: flow.id });
    const ends = { client, server, from: componentOf(client, topology), to: componentOf(server, topology) };
    const begin: Begin = (kind, outcome, at = flow.at) => {
      const one: Try = { kind, ...ends, at, outcome, ...UNDECIDED, drops: [], ids: [flow.id] };
      history.tries.push(one);
      return one;
    };
    if (flow.verdict === 'DROPPED') dropped(connection, flow, begin);
    else if (answer) fromServer(connection, flow, begin, (cut) => history.cuts.push({ ...cut, server }));
    else fromClient(connection, flow, begin);
    connection.touched = flow.at;
  }
  for (const one of history.tries) settle(one, end);
  return history;
};

const UNDECIDED = { endedAt: null, ms: null, code: null, again: false } as const;
const fresh = (): Connection => ({
  connect: null,
  request: null,
  last: null,
  forsaken: null,
  touched: 0n,
  closed: false,
});

type Begin = (kind: Try['kind'], outcome: Outcome, at?: Nanos) => Try;

const has = (flow: FlowItem, flag: FlowItem['flags'][number]): boolean => flow.flags.includes(flag);
const isSyn = (flow: FlowItem): boolean => has(flow, 'SYN') && !has(flow, 'ACK');
const isData = (flow: FlowItem): boolean => has(flow, 'PSH') || flow.http !== null || flow.protocol !== 'TCP';
const isSignOfLife = (flow: FlowItem): boolean => isData(flow) || has(flow, 'FIN') || isSyn(flow);

const fromClient = (connection: Connection, flow: FlowItem, begin: Begin): void => {
  if (isSyn(flow)) {
    if (connection.connect?.outcome === 'unanswered' && !connection.closed) connection.connect.again = true;
    else Object.assign(connection, fresh(), { connect: begin('connect', 'unanswered') });
  }
  if (isData(flow)) {
    if (!connection.request) connection.request = begin('request', 'silent');
    else if (flow.at - connection.request.at > SECOND / 10n) connection.request.again = true;
  }
  if (has(flow, 'FIN') || has(flow, 'RST')) {
    if (connection.request) finish(connection.request, flow);
    connection.forsaken = connection.request ?? connection.forsaken;
    Object.assign(connection, { request: null, connect: null, closed: true });
  }
};

const fromServer = (
  connection: Connection,
  flow: FlowItem,
  begin: Begin,
  cut: (what: Pick<Cut, 'at' | 'id'>) => void,
): void => {
  const { connect } = connection;
  if (has(flow, 'SYN') && connect?.outcome === 'unanswered') decide(connect, flow, 'answered');
  if (isData(flow)) answered(connection, flow, begin);
  if (!has(flow, 'RST') && !has(flow, 'FIN')) return;
  if (has(flow, 'RST') && connect?.outcome === 'unanswered') decide(connect, flow, 'refused');
  else if (connection.request) decide(connection.request, flow, 'reset');
  if (!connection.closed && flow.at - connection.touched < PATIENCE) cut({ at: flow.at, id: flow.id });
  Object.assign(connection, { request: null, connect: null, closed: true });
};

const answered = (connection: Connection, flow: FlowItem, begin: Begin): void => {
  const { request, forsaken, last } = connection;
  if (request) {
    decide(request, flow, 'answered');
    Object.assign(connection, { request: null, last: request });
  } else if (forsaken?.outcome === 'silent') {
    // `endedAt` stays when the client stopped waiting: from then on it did other things.
    Object.assign(forsaken, { outcome: 'late', ms: toMs(flow.at - forsaken.at) });
    forsaken.ids.push(flow.id);
  }
  if (!flow.http || flow.http.code === 0) return;
  const one = request ?? (last?.code === null ? last : null) ?? forsaken ?? alone(flow, begin);
  one.code = flow.http.code;
  if (flow.http.latencyMs > 0 && one.outcome === 'answered') one.ms = flow.http.latencyMs;
};

/** A response whose request was not shown. */
const alone = (flow: FlowItem, begin: Begin): Try => {
  const one = begin('request', 'answered', flow.at - fromMs(flow.http?.latencyMs ?? 0));
  one.endedAt = flow.at;
  return one;
};

/** Cilium's word for a Service without a pod behind it (flow.proto, DropReason 158): nobody there, and nothing in the way. */
const NOBODY_BEHIND = 'SERVICE_BACKEND_NOT_FOUND';

const dropped = (connection: Connection, flow: FlowItem, begin: Begin): void => {
  const open = connection.request ?? connection.connect;
  const outcome = flow.dropReason === NOBODY_BEHIND ? 'refused' : 'dropped';
  const one = open && open.outcome !== 'answered' ? open : begin(isSyn(flow) ? 'connect' : 'request', outcome);
  if (isSyn(flow)) connection.connect = one;
  else connection.request = one;
  if (outcome === 'refused') decide(one, flow, outcome);
  else turnedAway(one, flow);
};

const turnedAway = (one: Try, flow: FlowItem): void => {
  one.outcome = 'dropped';
  const before = one.drops.at(-1);
  if (!before || before.at / SECOND !== flow.at / SECOND) one.drops.push({ at: flow.at, id: flow.id });
};

/** An answer to something that was dropped before does not undo the drop. */
const decide = (one: Try, flow: FlowItem, outcome: Outcome): void => {
  if (one.outcome !== 'dropped') one.outcome = outcome;
  finish(one, flow);
};

const finish = (one: Try, flow: FlowItem): void => {
  one.endedAt = flow.at;
  one.ms = toMs(flow.at - one.at);
  one.ids.push(flow.id);
};

const settle = (one: Try, end: Nanos): void => {
  if (one.endedAt !== null || one.outcome === 'answered' || one.outcome === 'dropped') return;
  if (end - one.at < PATIENCE) one.outcome = 'pending';
  else one.ms = toMs(end - one.at);
};

// ---- Who is the server ----------------------------------------------------------------------------------------

const socket = ({ ip, port }: FlowEnd): string => `${ip} ${port}`;

const knownServers = (flows: readonly FlowItem[]): ReadonlySet<string> => {
  const servers = new Set<string>();
  for (const flow of flows) {
    const known = flow.reply ?? byFlags(flow);
    if (known !== null) servers.add(socket(known ? flow.source : flow.destination));
  }
  return servers;
};

const byFlags = (flow: FlowItem): boolean | null => (has(flow, 'SYN') ? has(flow, 'ACK') : null);

/** By what the observer says, else the handshake, else who was called before, else the lower port is the service's. */
const isReply = (flow: FlowItem, servers: ReadonlySet<string>): boolean => {
  const known = flow.reply ?? byFlags(flow);
  if (known !== null) return known;
  const [from, to] = [servers.has(socket(flow.source)), servers.has(socket(flow.destination))];
  return from === to ? flow.source.port < flow.destination.port : from;
};
