// What a TCP segment is, by its numbers: new, sent again, out of order, a probe, or one packet seen twice.
import { type Connections, REMEMBERED } from './connections.ts';
import { ACK, FIN, type Headers, RST, SYN } from './headers.ts';

/** Plain numbers, because one is made for every packet. */
export const NOTHING = 0;
export const NEW = 1;
export const AGAIN = 2;
export const OUT_OF_ORDER = 3;
export const PROBE = 4;
export const COPY = 5;

/** Bits of `seen`. */
const NEXT = 1;
const HOLE = 2;
const ACKED = 4;
const ISN = 8;
/** A SYN that was the other side's answer to ours. */
export const ANSWERED = 16;

/** Times are nanoseconds. Wireshark's limits for what came out of order before a round trip is known, and for a fast resend. */
const REORDER = 3e6;
const FAST = 20e6;
/** A second sighting on another interface follows within microseconds. */
const COPIED = 10e6;

/** Sequence numbers wrap at 2^32; their distance as a signed number orders them (RFC 9293, 3.4). */
const distance = (from: number, to: number): number => (to - from) | 0;

/**
 * Takes a TCP packet of `side` into its stream, and says what it is. The rules are those of Wireshark's
 * `tcp.analysis.retransmission` and `tcp.analysis.out_of_order`, but for packets captured on two interfaces, which are no
 * retransmissions here: they have the same IP identification.
 * https://www.wireshark.org/docs/wsug_html_chunked/ChAdvTCPAnalysis.html
 */
export const takeSegment = (it: Connections, side: number, h: Headers, at: number): number => {
  const occupied = h.payloadLength + (h.flags & (SYN | FIN) ? 1 : 0);
  const kind = kindOf(it, side, h, at, occupied);
  if (kind === NEW || kind === AGAIN) advance(it, side, h.seq, occupied, at);
  if (occupied > 0 || h.flags & RST) remember(it, side, h.ipId);
  if (h.flags & ACK && kind !== COPY) acknowledge(it, side, h, at);
  it.window[side] = h.window;
  return kind;
};

const kindOf = (it: Connections, side: number, h: Headers, at: number, occupied: number): number => {
  if (h.flags & RST) return isCopy(it, side, h.ipId, at) ? COPY : NOTHING;
  const next = it.next[side]!;
  const known = (it.seen[side]! & NEXT) !== 0;
  if (isProbe(it, side, h, known, next)) return PROBE;
  if (occupied === 0) return NOTHING;
  if (!known || distance(next, h.seq) >= 0) return NEW;
  if (isCopy(it, side, h.ipId, at)) return COPY;
  // More than a probe's one byte, beginning where a probe had begun: it brings new data.
  if (h.payloadLength > 1 && distance(h.seq, next) === 1) return NEW;
  return late(it, side, h, at, occupied) ? OUT_OF_ORDER : AGAIN;
};

/** A keep-alive repeats the last byte, or none, before the next; a window probe is one byte into a closed window. */
const isProbe = (it: Connections, side: number, h: Headers, known: boolean, next: number): boolean => {
  if (!known || h.payloadLength > 1 || h.flags & (SYN | FIN | RST)) return false;
  if (distance(h.seq, next) === 1) return true;
  return h.payloadLength === 1 && h.seq === next && it.seen[side ^ 1]! !== 0 && it.window[side ^ 1] === 0;
};

const isCopy = (it: Connections, side: number, ipId: number, at: number): boolean => {
  if (ipId === 0 || at - it.lastAt[side >> 1]! > COPIED) return false;
  for (let i = side * REMEMBERED; i < (side + 1) * REMEMBERED; i += 1) if (it.ids[i] === ipId) return true;
  return false;
};

const remember = (it: Connections, side: number, ipId: number): void => {
  const place = it.idAt[side]!;
  it.ids[side * REMEMBERED + place] = ipId;
  it.idAt[side] = (place + 1) % REMEMBERED;
};

/** Whether bytes that come after later ones were only overtaken: nobody has had them, asked for them, or waited for them. */
const late = (it: Connections, side: number, h: Headers, at: number, occupied: number): boolean => {
  const other = side ^ 1;
  const end = (h.seq + occupied) | 0;
  const inHole =
    (it.seen[side]! & HOLE) !== 0 && distance(it.holeFrom[side]!, h.seq) >= 0 && distance(end, it.holeTo[side]!) >= 0;
  if (!inHole) return false;
  if (it.seen[other]! & ACKED && distance(end, it.acked[other]!) >= 0) return false;
  if (it.duplicateAcks[other]! >= 2 && it.acked[other] === h.seq && at - it.ackedAt[other]! < FAST) return false;
  const roundTrip = it.roundTrip[side >> 1]!;
  return at - it.nextAt[side]! < (roundTrip > 0 ? roundTrip : REORDER);
};

const advance = (it: Connections, side: number, seq: number, occupied: number, at: number): void => {
  const known = it.seen[side]! & NEXT;
  const next = it.next[side]!;
  if (known && distance(next, (seq + occupied) | 0) <= 0) return;
  if (known && distance(next, seq) > 0) {
    if (!(it.seen[side]! & HOLE)) it.holeFrom[side] = next;
    it.holeTo[side] = seq;
    it.seen[side]! |= HOLE;
  }
  it.next[side] = (seq + occupied) | 0;
  it.nextAt[side] = at;
  it.seen[side]! |= NEXT;
};

const acknowledge = (it: Connections, side: number, h: Headers, at: number): void => {
  // The handshake's third packet ends the first round trip.
  if (it.seen[side]! & ANSWERED && !(it.roundTrip[side >> 1]! >= 0))
    it.roundTrip[side >> 1] = at - it.synAt[side >> 1]!;
  const bare = h.payloadLength === 0 && (h.flags & (SYN | FIN | RST)) === 0;
  const same = (it.seen[side]! & ACKED) !== 0 && it.acked[side] === h.ack;
  if (!same) it.duplicateAcks[side] = 0;
  else if (bare && it.window[side] === h.window) it.duplicateAcks[side] = Math.min(255, it.duplicateAcks[side]! + 1);
  it.acked[side] = h.ack;
  it.ackedAt[side] = at;
  it.seen[side]! |= ACKED;
};

/** Whether this SYN opens another connection between the same ends than the one that is known. */
export const opensAnother = (it: Connections, side: number, h: Headers): boolean =>
  (h.flags & (SYN | ACK)) === SYN &&
  it.serial[side >> 1] !== 0 &&
  ((it.seen[side]! & ISN) === 0 || it.isn[side] !== h.seq);

/** Notes what a SYN or a SYN+ACK says of the handshake. */
export const takeSyn = (it: Connections, side: number, h: Headers, at: number): void => {
  const slot = side >> 1;
  it.isn[side] = h.seq;
  it.seen[side]! |= ISN;
  if ((h.flags & ACK) === 0) {
    if (it.syns[side] === 0) it.synAt[slot] = at;
    it.client[slot] = 1 + (side & 1);
  } else {
    it.client[slot] ||= 1 + ((side & 1) ^ 1);
    it.seen[side ^ 1]! |= ANSWERED;
  }
};
