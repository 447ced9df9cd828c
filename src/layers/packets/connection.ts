// What happens on one TCP connection, packet by packet.
import type { Nanos, PacketItem } from '../../model.ts';
import type { Packet } from '../../pcap/decode.ts';
import { MILLISECOND, SECOND, toMs } from '../../time.ts';
import { onlyControl } from './http2.ts';
import { emptyStream, type Stream, take } from './stream.ts';

/** One end of a connection, and what it has sent. */
export type Side = {
  readonly ip: string;
  readonly port: number;
  readonly stream: Stream;
  finished: boolean;
};

export type Connection = {
  readonly id: string;
  client: Side;
  server: Side;
  /** Whether who is the client is a guess, because the capture began later than the connection. */
  guessed: boolean;
  /** The first SYN, whether it was answered, and whether it has been told that it was not. */
  syn: { readonly at: Nanos; readonly seq: number; answered: boolean; told: boolean } | null;
  /** Since when the server owes an answer, when the last byte of the request went out, and the seconds told last. */
  owed: { readonly since: Nanos; last: Nanos; told: number } | null;
  over: boolean;
  seen: Nanos;
};

/** Something that happened on a connection; `key` tells events of one kind on one connection apart. */
export type Told = {
  readonly event: PacketItem['event'];
  readonly at: Nanos;
  readonly by: Side;
  readonly ms: number | null;
  readonly key: string;
};
export type Tell = (connection: Connection, told: Told) => void;

/** A SYN or a request without an answer for this long is worth telling: a SYN's first retransmission timeout (RFC 6298). */
const PATIENCE = SECOND;
/** A client that closes this soon after its last data was saying good-bye (a TLS alert, QUIT), not asking. */
const GOODBYE = 5n * MILLISECOND;

export const emptySide = (ip: string, port: number): Side => ({ ip, port, stream: emptyStream(), finished: false });

/** Takes a packet of this connection, sent by `from`, and tells what it shows. */
export const receive = (it: Connection, from: Side, at: Nanos, packet: Packet, tell: Tell): void => {
  settle(it, at, tell);
  it.seen = at;
  if (it.over) return;
  if (packet.flags.rst) {
    reset(it, from, at, tell);
    return;
  }
  // A SYN takes one sequence number; data begins after it.
  if (packet.flags.syn) from.stream.next ??= (packet.seq + 1) >>> 0;
  if (packet.flags.syn && packet.flags.ack) handshake(it, from, at, tell);
  if (packet.payloadLength > 0) data(it, from, at, packet, tell);
  if (packet.flags.fin) finish(it, from, at, tell);
};

/** Tells what this connection has been waiting for too long at this instant. */
export const settle = (it: Connection, until: Nanos, tell: Tell): void => {
  const { syn, owed } = it;
  if (syn && !syn.answered && !syn.told && until - syn.at >= PATIENCE) {
    syn.told = true;
    tell(it, { event: 'unanswered', at: syn.at, by: it.client, ms: null, key: '' });
  }
  for (let next = 1; owed && until - owed.since >= BigInt(next) * PATIENCE; next *= 2) {
    if (next <= owed.told) continue;
    owed.told = next;
    const at = owed.since + BigInt(next) * PATIENCE;
    tell(it, { event: 'silent', at, by: it.client, ms: next * 1000, key: `${owed.since}+${next}s` });
  }
};

const handshake = (it: Connection, from: Side, at: Nanos, tell: Tell): void => {
  const { syn } = it;
  if (!syn || syn.answered || from !== it.server) return;
  syn.answered = true;
  tell(it, { event: 'handshake', at, by: from, ms: toMs(at - syn.at), key: '' });
};

const data = (it: Connection, from: Side, at: Nanos, packet: Packet, tell: Tell): void => {
  const kind = take(from.stream, packet, at);
  if (kind === 'again') tell(it, { event: 'retransmission', at, by: from, ms: null, key: `${packet.seq}@${at}` });
  if (kind !== 'new' || onlyControl(packet.payload)) return;
  if (from === it.server) answer(it, at, tell);
  else if (it.owed) it.owed.last = at;
  else it.owed = { since: at, last: at, told: 0 };
};

const answer = (it: Connection, at: Nanos, tell: Tell): void => {
  if (!it.owed) return;
  tell(it, { event: 'exchange', at, by: it.server, ms: toMs(at - it.owed.last), key: `${at}` });
  it.owed = null;
};

/** A reset after either end has said good-bye is how many programs close; it counts only when an answer was due. */
const reset = (it: Connection, from: Side, at: Nanos, tell: Tell): void => {
  it.over = true;
  if (it.syn && !it.syn.answered) {
    it.syn.answered = true;
    if (from === it.server) tell(it, { event: 'refused', at, by: from, ms: null, key: '' });
  } else if (it.owed || !(it.client.finished || it.server.finished)) cutOff(it, from, at, tell);
  it.owed = null;
};

const cutOff = (it: Connection, by: Side, at: Nanos, tell: Tell): void =>
  tell(it, { event: 'reset', at, by, ms: it.owed && toMs(at - it.owed.last), key: `${at}` });

const finish = (it: Connection, from: Side, at: Nanos, tell: Tell): void => {
  if (from === it.server && it.owed) cutOff(it, from, at, tell);
  else if (from === it.server && !from.finished && !it.client.finished)
    tell(it, { event: 'closed', at, by: from, ms: null, key: `${at}` });
  from.finished = true;
  if (from === it.server || (it.owed && at - it.owed.last < GOODBYE)) it.owed = null;
  if (it.client.finished && it.server.finished) it.over = true;
};
