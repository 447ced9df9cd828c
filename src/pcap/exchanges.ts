// Follows each TCP connection only as far as HTTP/1 needs: the head of a request, and the first bytes of its answer.
import { endText } from './address.ts';
import { type Connections, endOf, PLACE, RARE_SLOT, RARE_SLOT_DOUBLES } from './connections.ts';
import type { Headers } from './headers.ts';
import { beginsHttp2, beginsRequest, emptyHead, readHead, statusOf } from './http.ts';
import { maskIds } from './mask.ts';
import { recalling } from './recall.ts';
import { isTagged, type Tags, tagMatcher, userNumbers } from './tags.ts';
import { createNames, createTimings, type NamedTiming, type Timings } from './timings.ts';

const { WORDS, DOUBLES } = PLACE;
const { CLIENT, PHASE, ENDPOINT, USER, SERVER, CHOSEN } = RARE_SLOT;
const { ASKED_AT, ASKED_IN } = RARE_SLOT_DOUBLES;

/** The head of a request under way is not all there, or its answer is not. */
const IDLE = 0;
const ASKING = 1;
const WAITING = 2;

const MOST_SERVERS = 4096;
const MOST_NAMES = 65_536;
const MOST_ENDPOINTS = 4096;
const MOST_USERS = 12_288;
/** Heads longer than this, and more heads at once that are not all there, are read as far as they had come. */
const LONGEST_HEAD = 16_384;
const MOST_PARTIAL = 2048;
/** A longer path is shown, and told from others, by its beginning. */
const LONGEST_TARGET = 256;

/** A request that has the tags asked for: from this packet on its conversation is about it. */
export type OnChosen = (slot: number, packet: number) => void;

export type Exchanges = {
  /**
   * Takes the payload of a segment; `packet` is its number in the capture. One that is not new (overtaken, or sent again)
   * can still bring the answer that is waited for.
   */
  data(side: number, bytes: Buffer, h: Headers, packet: number, fresh: boolean): void;
  /** Lets go of what is kept of a conversation that ends. */
  drop(slot: number): void;
  found(): ExchangesFound;
};

export type ExchangesFound = {
  readonly endpoints: readonly NamedTiming[];
  readonly users: readonly NamedTiming[];
  /** Requests sent before the one before them was answered: which answer is whose was not told apart, none is timed. */
  readonly overlapping: number;
  /** Connections that speak HTTP/2, whose headers are compressed. */
  readonly http2: number;
};

/** `onEnd` is told when a conversation moves on from a chosen request: this packet is the first that is not about it. */
export const createExchanges = (
  it: Connections,
  tags: Tags,
  onChosen: OnChosen,
  onEnd: (slot: number, packet: number) => void,
): Exchanges => {
  const head = emptyHead();
  const matches = tagMatcher(tags);
  const choosy = isTagged(tags);
  const servers = createNames(MOST_SERVERS);
  const targets = createNames(MOST_NAMES);
  const people = createNames(MOST_NAMES);
  const targetNumber = recalling((bytes, from, to) => targets.number(bytes.toString('latin1', from, to)));
  const userNumber = userNumbers(people);
  const endpoints = createTimings(MOST_ENDPOINTS);
  const users = createTimings(MOST_USERS);
  const partial = new Map<number, Buffer>();
  const scratch = Buffer.alloc(4 * LONGEST_TARGET);
  let overlapping = 0;
  let http2 = 0;

  const { rareSlots: slots, rareSlotDoubles: slotDoubles } = it;

  const begin = (side: number, bytes: Buffer, from: number, to: number, cut: boolean, packet: number): void => {
    const slot = side >> 1;
    const phase = (slot << WORDS) + PHASE;
    if (!readHead(bytes, from, to, head)) {
      slots[phase] = IDLE;
      return;
    }
    const goesOn = !head.whole && !cut && to - from < LONGEST_HEAD && partial.size < MOST_PARTIAL;
    if (goesOn) partial.set(slot, Buffer.from(bytes.subarray(from, to)));
    else ask(side, bytes, packet);
    slots[phase] = goesOn ? ASKING : WAITING;
  };

  const ask = (side: number, bytes: Buffer, packet: number): void => {
    const slot = side >> 1;
    const me = slot << WORDS;
    slots[me + CLIENT] = 1 + (side & 1);
    slots[me + ENDPOINT] = slots[me + USER] = -1;
    if (!matches(bytes, head)) return;
    if (choosy) {
      slots[me + CHOSEN] = 1;
      onChosen(slot, packet);
    }
    const server = serverOf(side ^ 1);
    slots[me + ENDPOINT] = endpoints.place(server, endpoint(bytes));
    endpoints.asked(slots[me + ENDPOINT]!);
    const user = userNumber(bytes, head);
    if (user === null) return;
    slots[me + USER] = users.place(server, user);
    users.asked(slots[me + USER]!);
  };

  const endpoint = (bytes: Buffer): number => {
    const { from, to } = head.target;
    return targetNumber(scratch, 0, maskIds(bytes, from, Math.min(to, from + LONGEST_TARGET), scratch));
  };

  const serverOf = (side: number): number => {
    const server = ((side >> 1) << WORDS) + SERVER;
    if (slots[server]! < 0) slots[server] = servers.number(endText(...endOf(it, side)));
    return slots[server]!;
  };

  const answer = (slot: number, at: number, status: number): void => {
    const me = slot << WORDS;
    const took = at - slotDoubles[(slot << DOUBLES) + ASKED_AT]!;
    if (took >= 0) {
      const failed = status >= 500;
      if (slots[me + ENDPOINT]! >= 0) endpoints.answered(slots[me + ENDPOINT]!, took, failed);
      if (slots[me + USER]! >= 0) users.answered(slots[me + USER]!, took, failed);
    }
    slots[me + PHASE] = IDLE;
  };

  const idle = (side: number, bytes: Buffer, h: Headers, packet: number): void => {
    const { payloadAt: from, payloadEnd: to } = h;
    if (beginsHttp2(bytes, from, to)) http2 += 1;
    else if (beginsRequest(bytes, from, to)) {
      const slot = side >> 1;
      onEnd(slot, packet);
      slotDoubles[(slot << DOUBLES) + ASKED_AT] = h.at;
      slotDoubles[(slot << DOUBLES) + ASKED_IN] = packet;
      begin(side, bytes, from, to, to - from < h.payloadLength, packet);
    }
  };

  const asking = (side: number, bytes: Buffer, h: Headers): void => {
    const slot = side >> 1;
    const before = partial.get(slot)!;
    partial.delete(slot);
    slotDoubles[(slot << DOUBLES) + ASKED_AT] = h.at;
    const more = Buffer.concat([before, bytes.subarray(h.payloadAt, h.payloadEnd)]);
    const cut = h.payloadEnd - h.payloadAt < h.payloadLength;
    begin(side, more, 0, more.length, cut, slotDoubles[(slot << DOUBLES) + ASKED_IN]!);
  };

  const waiting = (side: number, bytes: Buffer, h: Headers, packet: number): void => {
    const slot = side >> 1;
    if (isClient(it, side)) {
      if (isWholeRequest(bytes, h)) {
        overlapping += 1;
        idle(side, bytes, h, packet);
        slots[(slot << WORDS) + PHASE] = IDLE;
      } else slotDoubles[(slot << DOUBLES) + ASKED_AT] = h.at;
      return;
    }
    const status = statusOf(bytes, h.payloadAt, h.payloadEnd);
    // 1xx only says that the answer is still to come (RFC 9110, 15.2).
    if (status >= 200) answer(slot, h.at, status);
  };

  /** A request's body may begin as a request does; that it has a whole request line and a whole head it may not. */
  const isWholeRequest = (bytes: Buffer, h: Headers): boolean =>
    beginsRequest(bytes, h.payloadAt, h.payloadEnd) && readHead(bytes, h.payloadAt, h.payloadEnd, head) && head.whole;

  return {
    data(side, bytes, h, packet, fresh) {
      const phase = slots[((side >> 1) << WORDS) + PHASE]!;
      if (!fresh && (phase !== WAITING || isClient(it, side))) return;
      if (phase === IDLE) idle(side, bytes, h, packet);
      else if (phase === WAITING) waiting(side, bytes, h, packet);
      else if (isClient(it, side)) asking(side, bytes, h);
    },
    drop(slot) {
      partial.delete(slot);
    },
    found: () => ({
      endpoints: named(endpoints, servers.text, targets.text),
      users: named(users, servers.text, people.text),
      overlapping,
      http2,
    }),
  };
};

const named = (timings: Timings, servers: (n: number) => string, names: (n: number) => string): NamedTiming[] =>
  timings.named((server, name) => ({ server: servers(server), name: names(name) }));

const isClient = ({ rareSlots: slots }: Connections, side: number): boolean =>
  slots[((side >> 1) << WORDS) + CLIENT] === 1 + (side & 1);
