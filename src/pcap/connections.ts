// The conversations that a capture is followed through, in arrays of numbers: nothing is allocated for a packet.
import { randomInt } from 'node:crypto';
import type { Headers } from './headers.ts';

/** More conversations than this at once are not followed; whoever has been quiet is given up first. */
export const MOST_CONNECTIONS = 262_144;

/** Two addresses of four words each, both ports in one, the protocol. */
const WORDS = 10;

/**
 * A conversation is a `slot`; its two ends are the sides `2 * slot` and `2 * slot + 1`, so that `side ^ 1` is the other.
 * Side 0 of a slot is the end with the smaller address and port. What is known is kept by slot or by side.
 */
export type Connections = {
  readonly keys: Int32Array;
  /** Numbers conversations in the order of their first packets, from 1. */
  readonly serial: Float64Array;
  readonly firstAt: Float64Array;
  readonly lastAt: Float64Array;
  readonly packets: Uint32Array;
  readonly octets: Float64Array;
  readonly retransmitted: Uint32Array;
  readonly outOfOrder: Uint32Array;
  readonly copies: Uint32Array;
  readonly resets: Uint32Array;
  readonly syns: Uint32Array;
  /** By side: see sequence.ts. */
  readonly seen: Uint8Array;
  readonly next: Int32Array;
  readonly nextAt: Float64Array;
  readonly holeFrom: Int32Array;
  readonly holeTo: Int32Array;
  readonly isn: Int32Array;
  readonly acked: Int32Array;
  readonly ackedAt: Float64Array;
  readonly duplicateAcks: Uint8Array;
  readonly window: Uint16Array;
  readonly ids: Uint16Array;
  readonly idAt: Uint8Array;
  /** By slot: when the first SYN was sent, and the time from it to the handshake's end; NaN when that was not seen. */
  readonly synAt: Float64Array;
  readonly roundTrip: Float64Array;
  /** By slot: 0 while unknown, else 1 more than the place of the client's side. */
  readonly client: Uint8Array;
  /** By slot: the request under way; see exchanges.ts. */
  readonly phase: Uint8Array;
  readonly askedAt: Float64Array;
  readonly askedIn: Float64Array;
  readonly endpoint: Int32Array;
  readonly user: Int32Array;
  readonly server: Int32Array;
  readonly chosen: Uint8Array;
};

/** How many IP identifications are remembered of every side. */
export const REMEMBERED = 8;

const arrays = (slots: number): Connections => {
  const sides = 2 * slots;
  return {
    keys: new Int32Array(slots * WORDS),
    serial: new Float64Array(slots),
    firstAt: new Float64Array(slots),
    lastAt: new Float64Array(slots),
    packets: new Uint32Array(sides),
    octets: new Float64Array(sides),
    retransmitted: new Uint32Array(sides),
    outOfOrder: new Uint32Array(sides),
    copies: new Uint32Array(sides),
    resets: new Uint32Array(sides),
    syns: new Uint32Array(sides),
    seen: new Uint8Array(sides),
    next: new Int32Array(sides),
    nextAt: new Float64Array(sides),
    holeFrom: new Int32Array(sides),
    holeTo: new Int32Array(sides),
    isn: new Int32Array(sides),
    acked: new Int32Array(sides),
    ackedAt: new Float64Array(sides),
    duplicateAcks: new Uint8Array(sides),
    window: new Uint16Array(sides),
    ids: new Uint16Array(sides * REMEMBERED),
    idAt: new Uint8Array(sides),
    synAt: new Float64Array(slots),
    roundTrip: new Float64Array(slots),
    client: new Uint8Array(slots),
    phase: new Uint8Array(slots),
    askedAt: new Float64Array(slots),
    askedIn: new Float64Array(slots),
    endpoint: new Int32Array(slots),
    user: new Int32Array(slots),
    server: new Int32Array(slots),
    chosen: new Uint8Array(slots),
  };
};

export type ConnectionTable = {
  readonly state: Connections;
  /** The side that sent this packet; one that nothing is known of yet when its conversation is new (its `serial` is 0). */
  side(headers: Headers): number;
  /** Forgets what is known of a conversation, which stays in its slot as a new one. */
  renew(slot: number): void;
  /** Every slot in use. */
  slots(): Iterable<number>;
  evicted(): number;
};

/**
 * Finds conversations by protocol, addresses and ports. A full table gives up one that has been quiet, after telling
 * `retire` of it: the clock algorithm (Corbató 1968), which needs one byte a packet where a list ordered by use needs four
 * scattered writes.
 */
export const connectionTable = (retire: (slot: number) => void, capacity: number): ConnectionTable => {
  const state = arrays(capacity);
  const { keys } = state;
  const mask = 2 ** Math.ceil(Math.log2(capacity * 2)) - 1;
  /** Chains of slots by hash; 0 ends one, so that slot n is written n + 1. */
  const heads = new Int32Array(mask + 1);
  const chain = new Int32Array(capacity);
  const recent = new Uint8Array(capacity);
  let used = 0;
  let hand = 0;
  let evicted = 0;

  const renew = (slot: number): void => clear(state, slot);

  const victim = (): number => {
    for (; recent[hand] === 1; hand = (hand + 1) % capacity) recent[hand] = 0;
    const slot = hand;
    hand = (hand + 1) % capacity;
    return slot;
  };

  const unlink = (slot: number): void => {
    const at = hashAt(keys, slot * WORDS) & mask;
    if (heads[at] === slot + 1) {
      heads[at] = chain[slot]!;
      return;
    }
    let before = heads[at]! - 1;
    while (chain[before] !== slot + 1) before = chain[before]! - 1;
    chain[before] = chain[slot]!;
  };

  const room = (): number => {
    if (used < capacity) return used++;
    const slot = victim();
    evicted += 1;
    retire(slot);
    unlink(slot);
    return slot;
  };

  const open = (headers: Headers, forward: boolean, at: number): number => {
    const slot = room();
    writeKey(keys, slot * WORDS, headers, forward);
    renew(slot);
    chain[slot] = heads[at]!;
    heads[at] = slot + 1;
    return slot;
  };

  return {
    state,
    side(headers) {
      const forward = inOrder(headers);
      const at = hashOf(headers) & mask;
      let slot = heads[at]! - 1;
      while (slot >= 0 && !(forward ? isKey(keys, slot * WORDS, headers) : isReverse(keys, slot * WORDS, headers)))
        slot = chain[slot]! - 1;
      if (slot < 0) slot = open(headers, forward, at);
      recent[slot] = 1;
      return 2 * slot + (forward ? 0 : 1);
    },
    renew,
    slots: function* () {
      for (let slot = 0; slot < used; slot += 1) yield slot;
    },
    evicted: () => evicted,
  };
};

const clear = (it: Connections, slot: number): void => {
  for (const array of [it.serial, it.firstAt, it.lastAt, it.client, it.phase, it.server, it.chosen]) array[slot] = 0;
  it.synAt[slot] = it.roundTrip[slot] = Number.NaN;
  it.endpoint[slot] = it.user[slot] = it.server[slot] = -1;
  for (const array of [it.packets, it.octets, it.retransmitted, it.outOfOrder, it.copies, it.resets, it.syns]) {
    array[2 * slot] = array[2 * slot + 1] = 0;
  }
  for (const array of [it.seen, it.duplicateAcks, it.window, it.idAt, it.nextAt, it.ackedAt]) {
    array[2 * slot] = array[2 * slot + 1] = 0;
  }
  it.ids.fill(0, 2 * slot * REMEMBERED, 2 * (slot + 1) * REMEMBERED);
};

/** Whether the source is the smaller end; any order does that both directions agree on. */
const inOrder = ({ s0, s1, s2, s3, d0, d1, d2, d3, sourcePort, destinationPort }: Headers): boolean => {
  if (s3 !== d3) return s3 < d3;
  if (s2 !== d2) return s2 < d2;
  if (s1 !== d1) return s1 < d1;
  if (s0 !== d0) return s0 < d0;
  return sourcePort <= destinationPort;
};

const portsOf = (smaller: number, larger: number): number => (smaller << 16) | larger;

/** The same for both directions: each end is mixed by itself, and the two are added. */
const hashOf = (h: Headers): number =>
  spread(endHash(h.s0, h.s1, h.s2, h.s3, h.sourcePort) + endHash(h.d0, h.d1, h.d2, h.d3, h.destinationPort));

const hashAt = (keys: Int32Array, at: number): number =>
  spread(
    endHash(keys[at]!, keys[at + 1]!, keys[at + 2]!, keys[at + 3]!, keys[at + 8]! >>> 16) +
      endHash(keys[at + 4]!, keys[at + 5]!, keys[at + 6]!, keys[at + 7]!, keys[at + 8]! & 0xffff),
  );

/** Chosen anew by every process: nobody can make a capture whose conversations all share one chain. */
const SEED = randomInt(2 ** 31);

/** Odd multipliers mix upwards, spread() brings it down again: MurmurHash3's finaliser (Appleby, public domain). */
const endHash = (w0: number, w1: number, w2: number, w3: number, port: number): number => {
  const address = w0 === 0 && w1 === 0 ? w3 : Math.imul(Math.imul(w0 ^ w1, 0x27d4eb2f) ^ w2, 0x165667b1) ^ w3;
  const mixed = Math.imul(address ^ SEED, 0x9e3779b1);
  return Math.imul((mixed ^ (mixed >>> 15)) + port, 0x85ebca6b);
};

const spread = (hash: number): number => {
  const once = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35);
  return twice ^ (twice >>> 16);
};

const isKey = (keys: Int32Array, at: number, h: Headers): boolean =>
  keys[at + 8] === portsOf(h.sourcePort, h.destinationPort) &&
  keys[at + 3] === h.s3 &&
  keys[at + 7] === h.d3 &&
  keys[at + 9] === h.protocol &&
  keys[at] === h.s0 &&
  keys[at + 1] === h.s1 &&
  keys[at + 2] === h.s2 &&
  keys[at + 4] === h.d0 &&
  keys[at + 5] === h.d1 &&
  keys[at + 6] === h.d2;

const isReverse = (keys: Int32Array, at: number, h: Headers): boolean =>
  keys[at + 8] === portsOf(h.destinationPort, h.sourcePort) &&
  keys[at + 3] === h.d3 &&
  keys[at + 7] === h.s3 &&
  keys[at + 9] === h.protocol &&
  keys[at] === h.d0 &&
  keys[at + 1] === h.d1 &&
  keys[at + 2] === h.d2 &&
  keys[at + 4] === h.s0 &&
  keys[at + 5] === h.s1 &&
  keys[at + 6] === h.s2;

const writeKey = (keys: Int32Array, at: number, h: Headers, forward: boolean): void => {
  const [source, destination] = forward ? [at, at + 4] : [at + 4, at];
  keys.set([h.s0, h.s1, h.s2, h.s3], source);
  keys.set([h.d0, h.d1, h.d2, h.d3], destination);
  keys[at + 8] = forward ? portsOf(h.sourcePort, h.destinationPort) : portsOf(h.destinationPort, h.sourcePort);
  keys[at + 9] = h.protocol;
};

/** The address of a side as four words, and its port. */
export const endOf = ({ keys }: Connections, side: number): readonly [number, number, number, number, number] => {
  const at = (side >> 1) * WORDS;
  const from = at + 4 * (side & 1);
  const ports = keys[at + 8]!;
  return [keys[from]!, keys[from + 1]!, keys[from + 2]!, keys[from + 3]!, side & 1 ? ports & 0xffff : ports >>> 16];
};

/** IANA's number of the conversation's protocol. */
export const protocolOf = ({ keys }: Connections, slot: number): number => keys[slot * WORDS + 9]!;
