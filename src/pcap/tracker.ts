// Sorts a capture's packets into conversations.
import { type Ahead, createAhead } from './ahead.ts';
import { type Block, IN_BLOCK, oneByOne, type Take, visitAt } from './block.ts';
import {
  type Connections,
  type ConnectionTable,
  connectionTable,
  PLACE,
  RARE_SLOT,
  SIDE,
  SIDE_DOUBLES,
  SLOT_DOUBLES,
  since,
} from './connections.ts';
import type { Accept } from './filter.ts';
import { emptyHeaders, FLAG, type Headers, IANA, readHeaders } from './headers.ts';
import type { Visit } from './records.ts';
import { opensAnother, takeSyn } from './sequence.ts';

const { WORDS, DOUBLES } = PLACE;
const { PACKETS } = SIDE;
const { OCTETS } = SIDE_DOUBLES;
const { SINCE, LAST_AT } = SLOT_DOUBLES;
const { CLIENT } = RARE_SLOT;
const { SYN } = FLAG;
const { TCP } = IANA;
const { WORDS: BLOCK_WORDS, LENGTH, NANOS } = IN_BLOCK;

/** What has gone by. Instants are seconds since the epoch and nanoseconds; null before the first packet that has one. */
export type Passed = {
  packets: number;
  octets: number;
  /** Packets that the filter let through, of those that have IP in them. */
  accepted: number;
  untimed: number;
  first: { readonly seconds: number; readonly nanos: number } | null;
  last: { readonly seconds: number; readonly nanos: number } | null;
  /** Packets without IP, or cut inside their headers, or fragments, by link type. */
  readonly undecoded: Map<number, number>;
};

/** Takes a packet of a conversation, of the side that sent it. */
export type OnSide = (side: number, h: Headers, bytes: Buffer) => void;

export type Tracker = {
  readonly take: Take;
  readonly table: ConnectionTable;
  readonly passed: Passed;
  /** Tells `retire` of every conversation that is still followed. */
  finish(): void;
};

/**
 * `retire` is told of a conversation before it is forgotten: when another takes its ports or its place, and at the end. With
 * `quick`, packets that come next in known TCP conversations are taken into their streams without `accept` and `onSide`.
 */
export const createTracker = (
  accept: Accept,
  onSide: (it: Connections) => OnSide,
  retire: (it: Connections, slot: number, at: number) => void,
  connections: number,
  quick: boolean,
): Tracker => {
  const headers = emptyHeaders();
  const passed: Passed = {
    packets: 0,
    octets: 0,
    accepted: 0,
    untimed: 0,
    first: null,
    last: null,
    undecoded: new Map(),
  };
  const table = connectionTable((slot) => {
    ahead?.forget(slot);
    retire(it, slot, time.now);
  }, connections);
  const it = table.state;
  const ahead = quick ? createAhead(it) : null;
  const take = onSide(it);
  /** In an object, where a number with a fraction is written in place; a variable would be a new one for every packet. */
  const time = { base: -1, now: 0, seconds: 0, nanos: 0 };

  const clock = (seconds: number, nanos: number): number => {
    if (seconds === 0 && nanos === 0) {
      passed.untimed += 1;
      return Number.NaN;
    }
    if (time.base < 0) {
      time.base = seconds;
      passed.first = { seconds, nanos };
    }
    time.seconds = seconds;
    time.nanos = nanos;
    time.now = (seconds - time.base) * 1e9 + nanos;
    return time.now;
  };

  const begin = (side: number, h: Headers): void => {
    const slot = side >> 1;
    if (since(it, slot) !== 0) {
      retire(it, slot, time.now);
      table.renew(slot);
    }
    it.slotDoubles[(slot << DOUBLES) + SINCE] = passed.packets;
    if (h.protocol !== TCP) it.rareSlots[(slot << WORDS) + CLIENT] = 1 + (side & 1);
  };

  const packet = (h: Headers, bytes: Buffer, length: number): void => {
    const side = table.side(h);
    const slot = side >> 1;
    if (since(it, slot) === 0 || opensAnother(it, side, h)) begin(side, h);
    it.sides[(side << WORDS) + PACKETS]! += 1;
    it.sideDoubles[(side << DOUBLES) + OCTETS]! += length;
    if (h.flags & SYN) takeSyn(it, side, h);
    take(side, h, bytes);
    it.slotDoubles[(slot << DOUBLES) + LAST_AT] = h.at;
  };

  const visit: Visit = (bytes, from, to, length, linkType, seconds, nanos) => {
    passed.packets += 1;
    passed.octets += length;
    headers.at = clock(seconds, nanos);
    if (!readHeaders(linkType, bytes, from, to, headers)) {
      passed.undecoded.set(linkType, (passed.undecoded.get(linkType) ?? 0) + 1);
      return;
    }
    if (!accept(headers)) return;
    passed.accepted += 1;
    packet(headers, bytes, length);
  };

  /** Takes packets of a block the quick way, from place `from` on; where that ended. */
  const run = (ahead: Ahead, block: Block, from: number): number => {
    const end = time.base < 0 ? from : ahead.run(block, from, time.base);
    if (end > from) pass(block, from, end);
    return end;
  };

  const pass = ({ words, seconds }: Block, from: number, end: number): void => {
    passed.packets += end - from;
    passed.accepted += end - from;
    for (let n = from; n < end; n += 1) passed.octets += words[(n << BLOCK_WORDS) + LENGTH]! >>> 0;
    clock(seconds[end - 1]!, words[((end - 1) << BLOCK_WORDS) + NANOS]!);
  };

  const quickly =
    (ahead: Ahead): Take =>
    (bytes, block) => {
      ahead.look(bytes, block);
      for (let n = run(ahead, block, 0); n < block.count; n = run(ahead, block, n + 1)) visitAt(visit, bytes, block, n);
    };

  return {
    table,
    passed,
    take: ahead ? quickly(ahead) : oneByOne(visit),
    finish() {
      if (passed.first) passed.last = { seconds: time.seconds, nanos: time.nanos };
      for (const slot of table.slots()) retire(it, slot, time.now);
    },
  };
};
