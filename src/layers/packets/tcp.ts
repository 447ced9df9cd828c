// Follows every TCP connection of a capture and tells what happened on it.
import type { FlowEnd, Nanos, PacketItem } from '../../model.ts';
import type { Packet } from '../../pcap/decode.ts';
import { SECOND } from '../../time.ts';
import { type Connection, emptySide, receive, type Side, settle, type Tell } from './connection.ts';
import { createRoles } from './roles.ts';

export type Follower = {
  /** Takes the next packet in capture order. Packets other than TCP are passed over. */
  packet(at: Nanos, packet: Packet): void;
  /** Tells what has been waited for too long by this instant, even if no packet has come since. */
  settle(until: Nanos): void;
  /** Connections followed now, and those given up since they were idle or too many. */
  counts(): { readonly followed: number; readonly evicted: number };
};

const IDLE = 300n * SECOND;
/** How long a closed connection is remembered, for its last packets: Linux's TIME-WAIT. */
const LINGER = 60n * SECOND;
const MOST_CONNECTIONS = 50_000;

/** A connection seen from the sender of a packet. */
type Way = { readonly connection: Connection; readonly from: Side; readonly to: Side };

/**
 * Follows TCP and calls `onItem` for each event (see PacketItem). `name` says whose an end is. The same packets give the
 * same items with the same ids, however often `settle` is called in between. `at` is when a thing was known, except for
 * `unanswered`: there it is when the SYN was sent. `ms` of a `reset` is how long a request had been waiting, null when none
 * was; a server that closes instead of answering counts as a reset. `silent` is told after 1, 2, 4, 8, ... s, each time as
 * an item of its own. Connections that began before the capture are followed too; idle ones are given up after 300 s.
 */
export const createFollower = (
  onItem: (item: PacketItem) => void,
  name: (ip: string, port: number) => FlowEnd,
): Follower => {
  const ways = new Map<string, Way>();
  const roles = createRoles();
  let evicted = 0;
  let swept = 0n;

  const tell: Tell = (connection, { event, at, by, ms, key }) => {
    const { client, server } = connection;
    onItem({
      id: `${connection.id}/${event}${key && `/${key}`}`,
      at,
      event,
      client: name(client.ip, client.port),
      server: name(server.ip, server.port),
      ms,
      by: by === client ? 'client' : 'server',
    });
  };

  const forget = ({ client, server }: Connection): void => {
    ways.delete(wayKey(client.ip, client.port, server.ip, server.port));
    ways.delete(wayKey(server.ip, server.port, client.ip, client.port));
  };

  const open = (at: Nanos, packet: Packet): Way => {
    makeRoom();
    const from = emptySide(packet.source, packet.sourcePort);
    const to = emptySide(packet.destination, packet.destinationPort);
    const connection = begin(at, packet, from, to);
    const way = { connection, from, to };
    ways.set(wayKey(from.ip, from.port, to.ip, to.port), way);
    ways.set(wayKey(to.ip, to.port, from.ip, from.port), { connection, from: to, to: from });
    roles.met(endKey(from));
    roles.met(endKey(to));
    if (packet.flags.syn) roles.listens(endKey(connection.server));
    return way;
  };

  const makeRoom = (): void => {
    if (ways.size < 2 * MOST_CONNECTIONS) return;
    evicted += 1;
    forget(ways.values().next().value!.connection);
  };

  /** The connection of a packet; null for one that is unknown and shows too little to begin with. */
  const find = (at: Nanos, packet: Packet): Way | null => {
    const known = ways.get(wayKey(packet.source, packet.sourcePort, packet.destination, packet.destinationPort));
    const opening = packet.flags.syn && !packet.flags.ack;
    if (known && !(opening && known.connection.syn?.seq !== packet.seq)) return known;
    if (known) {
      settle(known.connection, at, tell);
      forget(known.connection);
    }
    return packet.flags.syn || (packet.payloadLength > 0 && !packet.flags.rst) ? open(at, packet) : null;
  };

  /** Decides, or decides anew, who is the server of a connection that the capture joined in the middle. */
  const guess = ({ connection, from, to }: Way, packet: Packet): void => {
    const { yes, sure } = roles.senderIsServer(endKey(from), endKey(to), packet);
    connection.guessed = !sure;
    if (yes === (connection.server === from)) return;
    connection.client = yes ? to : from;
    connection.server = yes ? from : to;
    connection.owed = null;
  };

  const settleAll = (until: Nanos): void => {
    for (const { connection, from } of ways.values()) {
      if (from === connection.client) settle(connection, until, tell);
    }
  };

  const sweep = (at: Nanos): void => {
    settleAll(at);
    for (const { connection } of ways.values()) {
      const quiet = at - connection.seen;
      if (!connection.over && quiet > IDLE) evicted += 1;
      if (quiet > IDLE || (connection.over && quiet > LINGER)) forget(connection);
    }
    swept = at;
  };

  return {
    packet(at, packet) {
      if (packet.protocol !== 'TCP') return;
      if (at - swept >= SECOND) sweep(at);
      const way = find(at, packet);
      if (!way) return;
      if (way.connection.guessed) guess(way, packet);
      receive(way.connection, way.from, at, packet, tell);
    },
    settle: settleAll,
    counts: () => ({ followed: ways.size / 2, evicted }),
  };
};

const wayKey = (ip: string, port: number, otherIp: string, otherPort: number): string =>
  `${ip}:${port}>${otherIp}:${otherPort}`;

const endKey = ({ ip, port }: Side): string => `${ip}:${port}`;

/** A connection that begins with this packet: a SYN's sender is the client, a SYN+ACK's the server; else it is a guess. */
const begin = (at: Nanos, { flags, seq }: Packet, from: Side, to: Side): Connection => {
  const answering = flags.syn && flags.ack;
  return {
    id: `${from.ip}:${from.port}-${to.ip}:${to.port}@${at}`,
    client: answering ? to : from,
    server: answering ? from : to,
    guessed: !flags.syn,
    syn: flags.syn && !flags.ack ? { at, seq, answered: false, told: false } : null,
    owed: null,
    over: false,
    seen: at,
  };
};
