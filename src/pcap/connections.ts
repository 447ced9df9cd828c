// The conversations that a capture is followed through, in arrays of numbers: nothing is allocated for a packet.
import { hashOf, wordOf } from './hash.ts';
import type { Headers } from './headers.ts';

/** More conversations than this at once are not followed; whoever has been quiet is given up first. */
export const MOST_CONNECTIONS = 262_144;

/**
 * A conversation is a `slot`; its two ends are the sides `2 * slot` and `2 * slot + 1`, so that `side ^ 1` is the other.
 * Side 0 of a slot is the end with the smaller address and port. Slots and sides have records of 64 bytes, a line of the
 * processor's cache: with thousands of conversations under way, what a packet costs is the lines that it touches. So what every
 * packet needs is in one record of its slot and one of its side, and what few need in others. The same bytes are seen as
 * words (32 bits), as doubles and as halves (16 bits).
 */
export type Connections = {
  readonly slots: Int32Array;
  readonly slotDoubles: Float64Array;
  readonly sides: Int32Array;
  readonly sideDoubles: Float64Array;
  readonly sideHalves: Uint16Array;
  readonly rareSlots: Int32Array;
  readonly rareSlotDoubles: Float64Array;
  readonly rareSides: Int32Array;
  /** Chains of slots by hash, as many as a power of two; 0 ends one, so that slot n is written n + 1. */
  readonly heads: Int32Array;
};

const RECORD = 64;

/**
 * A record begins `record << WORDS` words from the first one, and so on. Written out where it is needed: a packet takes a
 * fifth more time with functions for it.
 */
export const PLACE = { WORDS: 4, DOUBLES: 3, HALVES: 5 } as const;

/** Doubles of a slot, behind its words. Times are nanoseconds after the capture's first packet. */
export const SLOT_DOUBLES = {
  /** The conversation's first packet, by its number in the capture, from 1. */
  SINCE: 6,
  LAST_AT: 7,
} as const;

/** Words of a slot: two addresses of four words each, side 0's first; then these. */
export const SLOT = {
  /** Both ports in one, side 0's in its upper half. */
  PORTS: 8,
  PROTOCOL: 9,
  /** The next slot with the same hash, plus 1. */
  CHAIN: 10,
  /** The clock algorithm's mark. */
  RECENT: 11,
} as const;

/** Words of a side; see sequence.ts. */
export const SIDE = { NEXT: 0, ACKED: 1, PACKETS: 2, ISN: 3 } as const;

/** Halves of a side, in the place of its words 4, 5 and 12 to 15. */
export const SIDE_HALVES = {
  /** Bits that say what is known. */
  SEEN: 8,
  WINDOW: 9,
  DUPLICATE_ACKS: 10,
  /** Which of the IDS is written next. */
  ID_AT: 11,
  IDS: 24,
} as const;

/** Doubles of a side, in the place of its words 6 to 11. */
export const SIDE_DOUBLES = { OCTETS: 3, NEXT_AT: 4, ACKED_AT: 5 } as const;

/** Words of a slot that few packets need. */
export const RARE_SLOT = {
  /** 0 while unknown, else 1 more than the place of the client's side. */
  CLIENT: 0,
  /** The request under way; see exchanges.ts. */
  PHASE: 1,
  ENDPOINT: 2,
  USER: 3,
  SERVER: 4,
  CHOSEN: 5,
} as const;

/** Doubles of a slot that few packets need, behind those words. */
export const RARE_SLOT_DOUBLES = {
  /** When the first SYN was sent, and the time from it to the handshake's end; NaN when that was not seen. */
  SYN_AT: 3,
  ROUND_TRIP: 4,
  ASKED_AT: 5,
  /** The packet that began the request, by its number in the capture. */
  ASKED_IN: 6,
} as const;

/** Words of a side that few packets need. */
export const RARE_SIDE = {
  HOLE_FROM: 0,
  HOLE_TO: 1,
  RETRANSMITTED: 2,
  OUT_OF_ORDER: 3,
  COPIES: 4,
  RESETS: 5,
  SYNS: 6,
} as const;

const records = (slots: number): Connections => {
  const [ofSlots, ofSides] = [buffer(slots), buffer(2 * slots)];
  const [rarelyOfSlots, rarelyOfSides] = [buffer(slots), buffer(2 * slots)];
  return {
    slots: new Int32Array(ofSlots),
    slotDoubles: new Float64Array(ofSlots),
    sides: new Int32Array(ofSides),
    sideDoubles: new Float64Array(ofSides),
    sideHalves: new Uint16Array(ofSides),
    rareSlots: new Int32Array(rarelyOfSlots),
    rareSlotDoubles: new Float64Array(rarelyOfSlots),
    rareSides: new Int32Array(rarelyOfSides),
    heads: new Int32Array(2 ** Math.ceil(Math.log2(slots * 2))),
  };
};

const buffer = (count: number): ArrayBuffer => new ArrayBuffer(count * RECORD);

const { WORDS, DOUBLES } = PLACE;
const { PORTS, PROTOCOL, CHAIN, RECENT } = SLOT;
const { SINCE } = SLOT_DOUBLES;
const { ENDPOINT, USER, SERVER } = RARE_SLOT;
const { SYN_AT, ROUND_TRIP } = RARE_SLOT_DOUBLES;

export type ConnectionTable = {
  readonly state: Connections;
  /** The side that sent this packet; one that nothing is known of yet when its conversation is new. */
  side(headers: Headers): number;
  /** The slot of the conversation between these ends, or -1. */
  find(headers: Headers): number;
  /** Forgets what is known of a conversation, which stays in its slot as a new one. */
  renew(slot: number): void;
  /** Every slot in use. */
  slots(): Iterable<number>;
  evicted(): number;
};

/**
 * Finds conversations by protocol, addresses and ports. A full table gives up one that has been quiet, after telling
 * `retire` of it: the clock algorithm (Corbató 1968), which needs one mark a packet where a list ordered by use needs four
 * scattered writes.
 */
export const connectionTable = (retire: (slot: number) => void, capacity: number): ConnectionTable => {
  const state = records(capacity);
  const { slots, heads } = state;
  const mask = heads.length - 1;
  let used = 0;
  let hand = 0;
  let evicted = 0;

  const victim = (): number => {
    for (; slots[(hand << WORDS) + RECENT] === 1; hand = (hand + 1) % capacity) slots[(hand << WORDS) + RECENT] = 0;
    const slot = hand;
    hand = (hand + 1) % capacity;
    return slot;
  };

  const unlink = (slot: number): void => {
    const at = hashAt(slots, slot << WORDS) & mask;
    const after = slots[(slot << WORDS) + CHAIN]!;
    if (heads[at] === slot + 1) {
      heads[at] = after;
      return;
    }
    let before = heads[at]! - 1;
    while (slots[(before << WORDS) + CHAIN] !== slot + 1) before = slots[(before << WORDS) + CHAIN]! - 1;
    slots[(before << WORDS) + CHAIN] = after;
  };

  const room = (): number => {
    if (used < capacity) return used++;
    const slot = victim();
    evicted += 1;
    retire(slot);
    unlink(slot);
    return slot;
  };

  const open = (headers: Headers, place: number, ports: number, at: number): number => {
    const slot = room();
    writeKey(slots, slot << WORDS, headers, place, ports);
    forget(state, slot);
    slots[(slot << WORDS) + CHAIN] = heads[at]!;
    heads[at] = slot + 1;
    return slot;
  };

  const known = (headers: Headers, place: number, ports: number, at: number): number => {
    let slot = heads[at]! - 1;
    while (slot >= 0 && !isKey(slots, slot << WORDS, headers, place, ports)) slot = slots[(slot << WORDS) + CHAIN]! - 1;
    return slot;
  };

  return {
    state,
    side(headers) {
      const place = inOrder(headers) ? 0 : 1;
      const ports = portsOf(headers, place);
      const at = hashOfPacket(headers) & mask;
      let slot = known(headers, place, ports, at);
      if (slot < 0) slot = open(headers, place, ports, at);
      slots[(slot << WORDS) + RECENT] = 1;
      return 2 * slot + place;
    },
    find(headers) {
      const place = inOrder(headers) ? 0 : 1;
      return known(headers, place, portsOf(headers, place), hashOfPacket(headers) & mask);
    },
    renew: (slot) => forget(state, slot),
    slots: function* () {
      for (let slot = 0; slot < used; slot += 1) yield slot;
    },
    evicted: () => evicted,
  };
};

/** Empties a slot but for its key and its place in the table. */
const forget = (it: Connections, slot: number): void => {
  const at = slot << WORDS;
  it.slotDoubles.fill(0, (slot << DOUBLES) + SINCE, (slot + 1) << DOUBLES);
  it.sides.fill(0, (2 * slot) << WORDS, (2 * slot + 2) << WORDS);
  it.rareSides.fill(0, (2 * slot) << WORDS, (2 * slot + 2) << WORDS);
  it.rareSlots.fill(0, at, (slot + 1) << WORDS);
  it.rareSlots[at + ENDPOINT] = it.rareSlots[at + USER] = it.rareSlots[at + SERVER] = -1;
  it.rareSlotDoubles[(slot << DOUBLES) + SYN_AT] = it.rareSlotDoubles[(slot << DOUBLES) + ROUND_TRIP] = Number.NaN;
};

/** Whether the source is the smaller end; any order does that both directions agree on. */
const inOrder = ({ s0, s1, s2, s3, d0, d1, d2, d3, sourcePort, destinationPort }: Headers): boolean => {
  if (s3 !== d3) return s3 < d3;
  if (s2 !== d2) return s2 < d2;
  if (s1 !== d1) return s1 < d1;
  if (s0 !== d0) return s0 < d0;
  return sourcePort <= destinationPort;
};

/** Both ports in one word, side 0's in its upper half. */
const portsOf = ({ sourcePort, destinationPort }: Headers, place: number): number =>
  place === 0 ? (sourcePort << 16) | destinationPort : (destinationPort << 16) | sourcePort;

const hashOfPacket = (h: Headers): number =>
  hashOf(wordOf(h.s0, h.s1, h.s2, h.s3), h.sourcePort, wordOf(h.d0, h.d1, h.d2, h.d3), h.destinationPort);

const hashAt = (slots: Int32Array, at: number): number => {
  const ports = slots[at + PORTS]!;
  const one = wordOf(slots[at]!, slots[at + 1]!, slots[at + 2]!, slots[at + 3]!);
  const other = wordOf(slots[at + 4]!, slots[at + 5]!, slots[at + 6]!, slots[at + 7]!);
  return hashOf(one, ports >>> 16, other, ports & 0xffff);
};

/** Whether the slot at `at` has these ends, the source as its side `place`. */
const isKey = (slots: Int32Array, at: number, h: Headers, place: number, ports: number): boolean => {
  const source = at + 4 * place;
  const destination = at + 4 * (place ^ 1);
  return (
    slots[at + PORTS] === ports &&
    slots[source + 3] === h.s3 &&
    slots[destination + 3] === h.d3 &&
    slots[at + PROTOCOL] === h.protocol &&
    slots[source] === h.s0 &&
    slots[source + 1] === h.s1 &&
    slots[source + 2] === h.s2 &&
    slots[destination] === h.d0 &&
    slots[destination + 1] === h.d1 &&
    slots[destination + 2] === h.d2
  );
};

const writeKey = (slots: Int32Array, at: number, h: Headers, place: number, ports: number): void => {
  const source = at + 4 * place;
  const destination = at + 4 * (place ^ 1);
  slots[source] = h.s0;
  slots[source + 1] = h.s1;
  slots[source + 2] = h.s2;
  slots[source + 3] = h.s3;
  slots[destination] = h.d0;
  slots[destination + 1] = h.d1;
  slots[destination + 2] = h.d2;
  slots[destination + 3] = h.d3;
  slots[at + PORTS] = ports;
  slots[at + PROTOCOL] = h.protocol;
};

/** The first packet of a slot's conversation; 0 when none has come to it since it was renewed. */
export const since = ({ slotDoubles }: Connections, slot: number): number => slotDoubles[(slot << DOUBLES) + SINCE]!;

/** What tells a conversation from others: its packets' headers, as far as they are all the same. */
export type Ends = Pick<
  Headers,
  's0' | 's1' | 's2' | 's3' | 'd0' | 'd1' | 'd2' | 'd3' | 'sourcePort' | 'destinationPort' | 'protocol'
>;

/** The ends of a slot's conversation, its side 0 as the source. */
export const endsOf = (it: Connections, slot: number): Ends => {
  const [s0, s1, s2, s3, sourcePort] = endOf(it, 2 * slot);
  const [d0, d1, d2, d3, destinationPort] = endOf(it, 2 * slot + 1);
  return { s0, s1, s2, s3, d0, d1, d2, d3, sourcePort, destinationPort, protocol: protocolOf(it, slot) };
};

/** The address of a side as four words, and its port. */
export const endOf = ({ slots }: Connections, side: number): readonly [number, number, number, number, number] => {
  const at = (side >> 1) << WORDS;
  const from = at + 4 * (side & 1);
  const ports = slots[at + PORTS]!;
  return [slots[from]!, slots[from + 1]!, slots[from + 2]!, slots[from + 3]!, side & 1 ? ports & 0xffff : ports >>> 16];
};

/** IANA's number of the conversation's protocol. */
export const protocolOf = ({ slots }: Connections, slot: number): number => slots[(slot << WORDS) + PROTOCOL]!;
