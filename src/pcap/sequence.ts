// What a TCP segment is, by its numbers: new, sent again, out of order, a probe, or one packet seen twice.
import {
  type Connections,
  doublesAt,
  REMEMBERED,
  SIDE,
  SIDE_DOUBLES,
  SLOT,
  SLOT_DOUBLES,
  wordsAt,
} from './connections.ts';
import { ACK, FIN, type Headers, RST, SYN } from './headers.ts';

const { SEEN, NEXT, ACKED, WINDOW, DUPLICATE_ACKS, IDS, ID_AT, ISN, HOLE_FROM, HOLE_TO, SYNS } = SIDE;
const { NEXT_AT, ACKED_AT } = SIDE_DOUBLES;
const { LAST_AT, SYN_AT, ROUND_TRIP } = SLOT_DOUBLES;

/** Plain numbers, because one is made for every packet. */
export const NOTHING = 0;
export const NEW = 1;
export const AGAIN = 2;
export const OVERTAKEN = 3;
export const PROBE = 4;
export const COPY = 5;

/** Bits of SEEN: which of the others are known. */
const HAS_NEXT = 1;
const HAS_HOLE = 2;
const HAS_ACKED = 4;
const HAS_ISN = 8;
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
export const takeSegment = (it: Connections, side: number, h: Headers): number => {
  const occupied = h.payloadLength + (h.flags & (SYN | FIN) ? 1 : 0);
  const kind = kindOf(it, side, h, occupied);
  if (kind === NEW || kind === AGAIN) advance(it, side, h, occupied);
  if (occupied > 0 || h.flags & RST) remember(it, side, h.ipId);
  if (h.flags & ACK && kind !== COPY) acknowledge(it, side, h);
  it.sides[wordsAt(side) + WINDOW] = h.window;
  return kind;
};

const kindOf = (it: Connections, side: number, h: Headers, occupied: number): number => {
  if (h.flags & RST) return isCopy(it, side, h) ? COPY : NOTHING;
  const me = wordsAt(side);
  const next = it.sides[me + NEXT]!;
  const known = (it.sides[me + SEEN]! & HAS_NEXT) !== 0;
  if (isProbe(it, side, h, known, next)) return PROBE;
  if (occupied === 0) return NOTHING;
  if (!known || distance(next, h.seq) >= 0) return NEW;
  if (isCopy(it, side, h)) return COPY;
  // More than a probe's one byte, beginning where a probe had begun: it brings new data.
  if (h.payloadLength > 1 && distance(h.seq, next) === 1) return NEW;
  return late(it, side, h, occupied) ? OVERTAKEN : AGAIN;
};

/** A keep-alive repeats the last byte, or none, before the next; a window probe is one byte into a closed window. */
const isProbe = ({ sides }: Connections, side: number, h: Headers, known: boolean, next: number): boolean => {
  if (!known || h.payloadLength > 1 || h.flags & (SYN | FIN | RST)) return false;
  if (distance(h.seq, next) === 1) return true;
  if (h.payloadLength === 0 || h.seq !== next) return false;
  const other = wordsAt(side ^ 1);
  return sides[other + SEEN] !== 0 && sides[other + WINDOW] === 0;
};

const isCopy = ({ sides, slotDoubles }: Connections, side: number, { ipId, at }: Headers): boolean => {
  if (ipId === 0 || at - slotDoubles[doublesAt(side >> 1) + LAST_AT]! > COPIED) return false;
  const ids = wordsAt(side) + IDS;
  for (let i = ids; i < ids + REMEMBERED; i += 1) if (sides[i] === ipId) return true;
  return false;
};

const remember = ({ sides }: Connections, side: number, ipId: number): void => {
  const me = wordsAt(side);
  const place = sides[me + ID_AT]!;
  sides[me + IDS + place] = ipId;
  sides[me + ID_AT] = (place + 1) % REMEMBERED;
};

/** Whether bytes that come after later ones were only overtaken: nobody has had them, asked for them, or waited for them. */
const late = (it: Connections, side: number, h: Headers, occupied: number): boolean => {
  const { sides, sideDoubles, slotDoubles } = it;
  const [me, other] = [wordsAt(side), wordsAt(side ^ 1)];
  const end = (h.seq + occupied) | 0;
  const inHole =
    (sides[me + SEEN]! & HAS_HOLE) !== 0 &&
    distance(sides[me + HOLE_FROM]!, h.seq) >= 0 &&
    distance(end, sides[me + HOLE_TO]!) >= 0;
  if (!inHole) return false;
  if (sides[other + SEEN]! & HAS_ACKED && distance(end, sides[other + ACKED]!) >= 0) return false;
  const asked = sides[other + DUPLICATE_ACKS]! >= 2 && sides[other + ACKED] === h.seq;
  if (asked && h.at - sideDoubles[doublesAt(side ^ 1) + ACKED_AT]! < FAST) return false;
  const roundTrip = slotDoubles[doublesAt(side >> 1) + ROUND_TRIP]!;
  return h.at - sideDoubles[doublesAt(side) + NEXT_AT]! < (roundTrip > 0 ? roundTrip : REORDER);
};

const advance = ({ sides, sideDoubles }: Connections, side: number, { seq, at }: Headers, occupied: number): void => {
  const me = wordsAt(side);
  const next = sides[me + NEXT]!;
  const seen = sides[me + SEEN]!;
  const end = (seq + occupied) | 0;
  if (seen & HAS_NEXT && distance(next, end) <= 0) return;
  sides[me + SEEN] = seen | HAS_NEXT;
  if (seen & HAS_NEXT && distance(next, seq) > 0) {
    if (!(seen & HAS_HOLE)) sides[me + HOLE_FROM] = next;
    sides[me + HOLE_TO] = seq;
    sides[me + SEEN] = seen | HAS_HOLE;
  }
  sides[me + NEXT] = end;
  sideDoubles[doublesAt(side) + NEXT_AT] = at;
};

const acknowledge = (it: Connections, side: number, h: Headers): void => {
  const { sides } = it;
  const me = wordsAt(side);
  const seen = sides[me + SEEN]!;
  if (seen & ANSWERED) endRoundTrip(it, side >> 1, h.at);
  const bare = h.payloadLength === 0 && (h.flags & (SYN | FIN | RST)) === 0;
  const same = (seen & HAS_ACKED) !== 0 && sides[me + ACKED] === h.ack;
  if (!same) sides[me + DUPLICATE_ACKS] = 0;
  else if (bare && sides[me + WINDOW] === h.window)
    sides[me + DUPLICATE_ACKS] = Math.min(255, sides[me + DUPLICATE_ACKS]! + 1);
  sides[me + ACKED] = h.ack;
  sides[me + SEEN] = seen | HAS_ACKED;
  it.sideDoubles[doublesAt(side) + ACKED_AT] = h.at;
};

/** The handshake's third packet ends the first round trip. */
const endRoundTrip = ({ slotDoubles }: Connections, slot: number, at: number): void => {
  const me = doublesAt(slot);
  if (!(slotDoubles[me + ROUND_TRIP]! >= 0)) slotDoubles[me + ROUND_TRIP] = at - slotDoubles[me + SYN_AT]!;
};

/** Whether this SYN, in a conversation that has had packets, opens another one between the same ends. */
export const opensAnother = ({ sides }: Connections, side: number, h: Headers): boolean =>
  (h.flags & (SYN | ACK)) === SYN &&
  ((sides[wordsAt(side) + SEEN]! & HAS_ISN) === 0 || sides[wordsAt(side) + ISN] !== h.seq);

/** Notes what a SYN or a SYN+ACK says of the handshake. */
export const takeSyn = ({ slots, slotDoubles, sides }: Connections, side: number, h: Headers): void => {
  const slot = side >> 1;
  const client = wordsAt(slot) + SLOT.CLIENT;
  sides[wordsAt(side) + ISN] = h.seq;
  sides[wordsAt(side) + SEEN]! |= HAS_ISN;
  if ((h.flags & ACK) === 0) {
    if (sides[wordsAt(side) + SYNS] === 0) slotDoubles[doublesAt(slot) + SYN_AT] = h.at;
    slots[client] = 1 + (side & 1);
  } else {
    slots[client] ||= 1 + ((side & 1) ^ 1);
    sides[wordsAt(side ^ 1) + SEEN]! |= ANSWERED;
  }
};
