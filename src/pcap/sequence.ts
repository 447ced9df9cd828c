// What a TCP segment is, by its numbers: new, sent again, out of order, a probe, or one packet seen twice.
import {
  type Connections,
  PLACE,
  RARE_SIDE,
  RARE_SLOT,
  RARE_SLOT_DOUBLES,
  SIDE,
  SIDE_DOUBLES,
  SIDE_HALVES,
  SLOT_DOUBLES,
} from './connections.ts';
import { FLAG, type Headers } from './headers.ts';
import { IN_PLAIN } from './plain.ts';

const { WORDS, DOUBLES, HALVES } = PLACE;
const { NEXT, ACKED, ISN } = SIDE;
const { SEEN, WINDOW, DUPLICATE_ACKS, IDS, ID_AT } = SIDE_HALVES;
const { NEXT_AT, ACKED_AT } = SIDE_DOUBLES;
const { LAST_AT } = SLOT_DOUBLES;
const { HOLE_FROM, HOLE_TO, SYNS } = RARE_SIDE;
const { SYN_AT, ROUND_TRIP } = RARE_SLOT_DOUBLES;

/** Plain numbers, because one is made for every packet. */
export const KIND = { NOTHING: 0, NEW: 1, AGAIN: 2, OVERTAKEN: 3, PROBE: 4, COPY: 5 } as const;

const { NOTHING, NEW, AGAIN, OVERTAKEN, PROBE, COPY } = KIND;
const { ACK, FIN, RST, SYN } = FLAG;
const { CLIENT } = RARE_SLOT;
const { WORDS: PLAIN_WORDS, SEQ, ACKED: PLAIN_ACKED, WINDOW: PLAIN_WINDOW, PAYLOAD, IP_ID } = IN_PLAIN;

/** How many IP identifications are remembered of every side. */
const REMEMBERED = 8;

/** Bits of SEEN: which of the others are known. */
const HAS_NEXT = 1;
const HAS_HOLE = 2;
const HAS_ACKED = 4;
const HAS_ISN = 8;
/** A SYN that was the other side's answer to ours. */
const ANSWERED = 16;
/** Nothing more is to be learnt of the round trip, which few packets would find in the cache. */
const TIMED = 32;
/** Those that others look at. */
export const SEEN_BITS = { ANSWERED } as const;

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
  it.sideHalves[(side << HALVES) + WINDOW] = h.window;
  return kind;
};

/**
 * Takes a plain packet that comes next in its stream, as takeSegment would, and does nothing at all with any other: which of
 * them it was.
 */
export const takeNext = (it: Connections, side: number, words: Int32Array, n: number, at: number): boolean => {
  const of = n << PLAIN_WORDS;
  const seq = words[of + SEQ]!;
  const payload = words[of + PAYLOAD]!;
  if (!isNext(it, side, seq, payload) || isRoundTrip(it, side)) return false;
  if (payload > 0) {
    goOn(it, side, (seq + payload) | 0, at);
    remember(it, side, words[of + IP_ID]!);
  }
  countAck(it, side, words[of + PLAIN_ACKED]!, words[of + PLAIN_WINDOW]!, payload === 0);
  it.sideDoubles[(side << DOUBLES) + ACKED_AT] = at;
  it.sideHalves[(side << HALVES) + WINDOW] = words[of + PLAIN_WINDOW]!;
  return true;
};

/** Whether a segment begins where the one before ended; a single byte may be a probe. */
const isNext = ({ sides, sideHalves }: Connections, side: number, seq: number, payload: number): boolean =>
  (sideHalves[(side << HALVES) + SEEN]! & HAS_NEXT) !== 0 && sides[(side << WORDS) + NEXT] === seq && payload !== 1;

const kindOf = (it: Connections, side: number, h: Headers, occupied: number): number => {
  if (h.flags & RST) return isCopy(it, side, h) ? COPY : NOTHING;
  const next = it.sides[(side << WORDS) + NEXT]!;
  const known = (it.sideHalves[(side << HALVES) + SEEN]! & HAS_NEXT) !== 0;
  if (isProbe(it, side, h, known, next)) return PROBE;
  if (occupied === 0) return NOTHING;
  if (!known || distance(next, h.seq) >= 0) return NEW;
  if (isCopy(it, side, h)) return COPY;
  // More than a probe's one byte, beginning where a probe had begun: it brings new data.
  if (h.payloadLength > 1 && distance(h.seq, next) === 1) return NEW;
  return late(it, side, h, occupied) ? OVERTAKEN : AGAIN;
};

/** A keep-alive repeats the last byte, or none, before the next; a window probe is one byte into a closed window. */
const isProbe = ({ sideHalves }: Connections, side: number, h: Headers, known: boolean, next: number): boolean => {
  if (!known || h.payloadLength > 1 || h.flags & (SYN | FIN | RST)) return false;
  if (distance(h.seq, next) === 1) return true;
  if (h.payloadLength === 0 || h.seq !== next) return false;
  const other = (side ^ 1) << HALVES;
  return sideHalves[other + SEEN] !== 0 && sideHalves[other + WINDOW] === 0;
};

const isCopy = ({ sideHalves, slotDoubles }: Connections, side: number, { ipId, at }: Headers): boolean => {
  if (ipId === 0 || at - slotDoubles[((side >> 1) << DOUBLES) + LAST_AT]! > COPIED) return false;
  const ids = (side << HALVES) + IDS;
  for (let i = ids; i < ids + REMEMBERED; i += 1) if (sideHalves[i] === ipId) return true;
  return false;
};

const remember = ({ sideHalves }: Connections, side: number, ipId: number): void => {
  const me = side << HALVES;
  const place = sideHalves[me + ID_AT]!;
  sideHalves[me + IDS + place] = ipId;
  sideHalves[me + ID_AT] = (place + 1) % REMEMBERED;
};

/** Whether bytes that come after later ones were only overtaken: nobody has had them, asked for them, or waited for them. */
const late = (it: Connections, side: number, h: Headers, occupied: number): boolean => {
  const end = (h.seq + occupied) | 0;
  if (!inHole(it, side, h.seq, end)) return false;
  const { sides, sideHalves, sideDoubles } = it;
  const other = side ^ 1;
  const acked = sides[(other << WORDS) + ACKED]!;
  if (sideHalves[(other << HALVES) + SEEN]! & HAS_ACKED && distance(end, acked) >= 0) return false;
  const asked = sideHalves[(other << HALVES) + DUPLICATE_ACKS]! >= 2 && acked === h.seq;
  if (asked && h.at - sideDoubles[(other << DOUBLES) + ACKED_AT]! < FAST) return false;
  const roundTrip = it.rareSlotDoubles[((side >> 1) << DOUBLES) + ROUND_TRIP]!;
  return h.at - sideDoubles[(side << DOUBLES) + NEXT_AT]! < (roundTrip > 0 ? roundTrip : REORDER);
};

const inHole = ({ sideHalves, rareSides }: Connections, side: number, from: number, to: number): boolean =>
  (sideHalves[(side << HALVES) + SEEN]! & HAS_HOLE) !== 0 &&
  distance(rareSides[(side << WORDS) + HOLE_FROM]!, from) >= 0 &&
  distance(to, rareSides[(side << WORDS) + HOLE_TO]!) >= 0;

const advance = (it: Connections, side: number, { seq, at }: Headers, occupied: number): void => {
  const next = it.sides[(side << WORDS) + NEXT]!;
  const known = it.sideHalves[(side << HALVES) + SEEN]! & HAS_NEXT;
  const end = (seq + occupied) | 0;
  if (known && distance(next, end) <= 0) return;
  if (known && distance(next, seq) > 0) leaveHole(it, side, next, seq);
  it.sideHalves[(side << HALVES) + SEEN]! |= HAS_NEXT;
  goOn(it, side, end, at);
};

const goOn = ({ sides, sideDoubles }: Connections, side: number, next: number, at: number): void => {
  sides[(side << WORDS) + NEXT] = next;
  sideDoubles[(side << DOUBLES) + NEXT_AT] = at;
};

const leaveHole = ({ sideHalves, rareSides }: Connections, side: number, from: number, to: number): void => {
  if (!(sideHalves[(side << HALVES) + SEEN]! & HAS_HOLE)) rareSides[(side << WORDS) + HOLE_FROM] = from;
  rareSides[(side << WORDS) + HOLE_TO] = to;
  sideHalves[(side << HALVES) + SEEN]! |= HAS_HOLE;
};

const acknowledge = (it: Connections, side: number, h: Headers): void => {
  if (isRoundTrip(it, side)) endRoundTrip(it, side, h.at);
  countAck(it, side, h.ack, h.window, h.payloadLength === 0 && (h.flags & (SYN | FIN | RST)) === 0);
  it.sideDoubles[(side << DOUBLES) + ACKED_AT] = h.at;
};

const countAck = (
  { sides, sideHalves }: Connections,
  side: number,
  ack: number,
  window: number,
  bare: boolean,
): void => {
  const me = side << HALVES;
  const seen = sideHalves[me + SEEN]!;
  if ((seen & HAS_ACKED) === 0 || sides[(side << WORDS) + ACKED] !== ack) sideHalves[me + DUPLICATE_ACKS] = 0;
  else if (bare && sideHalves[me + WINDOW] === window)
    sideHalves[me + DUPLICATE_ACKS] = Math.min(255, sideHalves[me + DUPLICATE_ACKS]! + 1);
  sides[(side << WORDS) + ACKED] = ack;
  sideHalves[me + SEEN] = seen | HAS_ACKED;
};

/** Whether an acknowledgement of this side ends a first round trip that has not been timed yet. */
const isRoundTrip = ({ sideHalves }: Connections, side: number): boolean =>
  (sideHalves[(side << HALVES) + SEEN]! & (ANSWERED | TIMED)) === ANSWERED;

/** The handshake's third packet ends the first round trip. */
const endRoundTrip = ({ sideHalves, rareSlotDoubles }: Connections, side: number, at: number): void => {
  const me = (side >> 1) << DOUBLES;
  if (!(rareSlotDoubles[me + ROUND_TRIP]! >= 0)) rareSlotDoubles[me + ROUND_TRIP] = at - rareSlotDoubles[me + SYN_AT]!;
  if (rareSlotDoubles[me + ROUND_TRIP]! >= 0) sideHalves[(side << HALVES) + SEEN]! |= TIMED;
};

/** Whether this SYN, in a conversation that has had packets, opens another one between the same ends. */
export const opensAnother = ({ sides, sideHalves }: Connections, side: number, h: Headers): boolean =>
  (h.flags & (SYN | ACK)) === SYN &&
  ((sideHalves[(side << HALVES) + SEEN]! & HAS_ISN) === 0 || sides[(side << WORDS) + ISN] !== h.seq);

/** Notes what a SYN or a SYN+ACK says of the handshake. */
export const takeSyn = (it: Connections, side: number, h: Headers): void => {
  const slot = side >> 1;
  const client = (slot << WORDS) + CLIENT;
  it.sides[(side << WORDS) + ISN] = h.seq;
  it.sideHalves[(side << HALVES) + SEEN]! |= HAS_ISN;
  if ((h.flags & ACK) === 0) {
    if (it.rareSides[(side << WORDS) + SYNS] === 0) it.rareSlotDoubles[(slot << DOUBLES) + SYN_AT] = h.at;
    it.rareSlots[client] = 1 + (side & 1);
  } else {
    it.rareSlots[client] ||= 1 + ((side & 1) ^ 1);
    it.sideHalves[((side ^ 1) << HALVES) + SEEN]! |= ANSWERED;
  }
};
