// Follows each TCP connection only as far as HTTP/1 needs: the head of a request, and the first bytes of its answer.
import { addressText } from './address.ts';
import { type Connections, endOf } from './connections.ts';
import type { Headers } from './headers.ts';
import { beginsHttp2, beginsRequest, emptyHead, readHead, statusOf } from './http.ts';
import { maskIds } from './mask.ts';
import { isTagged, type Tags, tagMatcher, userOf } from './tags.ts';
import { createNames, createTimings, type TimingRow, type Timings } from './timings.ts';

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
  data(side: number, bytes: Buffer, h: Headers, at: number, packet: number, fresh: boolean): void;
  /** Lets go of what is kept of a conversation that ends. */
  drop(slot: number): void;
  result(): ExchangeResult;
};

export type ExchangeResult = {
  readonly endpoints: readonly TimingRow[];
  readonly users: readonly TimingRow[];
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
  const endpoints = createTimings(MOST_ENDPOINTS);
  const users = createTimings(MOST_USERS);
  const partial = new Map<number, Buffer>();
  const scratch = Buffer.alloc(4 * LONGEST_TARGET);
  let overlapping = 0;
  let http2 = 0;

  const begin = (side: number, bytes: Buffer, from: number, to: number, cut: boolean, packet: number): void => {
    if (!readHead(bytes, from, to, head)) {
      it.phase[side >> 1] = IDLE;
      return;
    }
    const goesOn = !head.whole && !cut && to - from < LONGEST_HEAD && partial.size < MOST_PARTIAL;
    if (goesOn) partial.set(side >> 1, Buffer.from(bytes.subarray(from, to)));
    else ask(side, bytes, packet);
    it.phase[side >> 1] = goesOn ? ASKING : WAITING;
  };

  const ask = (side: number, bytes: Buffer, packet: number): void => {
    const slot = side >> 1;
    it.client[slot] = 1 + (side & 1);
    it.endpoint[slot] = it.user[slot] = -1;
    if (!matches(bytes, head)) return;
    if (choosy) {
      it.chosen[slot] = 1;
      onChosen(slot, packet);
    }
    const server = serverOf(side ^ 1);
    it.endpoint[slot] = endpoints.place(server, endpoint(bytes));
    endpoints.asked(it.endpoint[slot]!);
    const user = userOf(bytes, head);
    if (user === null) return;
    it.user[slot] = users.place(server, people.number(user));
    users.asked(it.user[slot]!);
  };

  const endpoint = (bytes: Buffer): number => {
    const { from, to } = head.target;
    return targets.number(
      scratch.toString('latin1', 0, maskIds(bytes, from, Math.min(to, from + LONGEST_TARGET), scratch)),
    );
  };

  const serverOf = (side: number): number => {
    const slot = side >> 1;
    if (it.server[slot]! < 0) it.server[slot] = servers.number(endText(it, side));
    return it.server[slot]!;
  };

  const answer = (slot: number, at: number, status: number): void => {
    const took = at - it.askedAt[slot]!;
    if (took >= 0) {
      const failed = status >= 500;
      if (it.endpoint[slot]! >= 0) endpoints.answered(it.endpoint[slot]!, took, failed);
      if (it.user[slot]! >= 0) users.answered(it.user[slot]!, took, failed);
    }
    it.phase[slot] = IDLE;
  };

  const idle = (side: number, bytes: Buffer, h: Headers, at: number, packet: number): void => {
    const { payloadAt: from, payloadEnd: to } = h;
    if (beginsHttp2(bytes, from, to)) http2 += 1;
    else if (beginsRequest(bytes, from, to)) {
      const slot = side >> 1;
      onEnd(slot, packet);
      it.askedAt[slot] = at;
      it.askedIn[slot] = packet;
      begin(side, bytes, from, to, to - from < h.payloadLength, packet);
    }
  };

  const asking = (side: number, bytes: Buffer, h: Headers, at: number): void => {
    const slot = side >> 1;
    const before = partial.get(slot)!;
    partial.delete(slot);
    it.askedAt[slot] = at;
    const more = Buffer.concat([before, bytes.subarray(h.payloadAt, h.payloadEnd)]);
    begin(side, more, 0, more.length, h.payloadEnd - h.payloadAt < h.payloadLength, it.askedIn[slot]!);
  };

  const waiting = (side: number, bytes: Buffer, h: Headers, at: number, packet: number): void => {
    const slot = side >> 1;
    if (isClient(it, side)) {
      if (isWholeRequest(bytes, h)) {
        overlapping += 1;
        idle(side, bytes, h, at, packet);
        it.phase[slot] = IDLE;
      } else it.askedAt[slot] = at;
      return;
    }
    const status = statusOf(bytes, h.payloadAt, h.payloadEnd);
    // 1xx only says that the answer is still to come (RFC 9110, 15.2).
    if (status >= 200) answer(slot, at, status);
  };

  /** A request's body may begin as a request does; that it has a whole request line and a whole head it may not. */
  const isWholeRequest = (bytes: Buffer, h: Headers): boolean =>
    beginsRequest(bytes, h.payloadAt, h.payloadEnd) && readHead(bytes, h.payloadAt, h.payloadEnd, head) && head.whole;

  return {
    data(side, bytes, h, at, packet, fresh) {
      const phase = it.phase[side >> 1]!;
      if (!fresh && (phase !== WAITING || isClient(it, side))) return;
      if (phase === IDLE) idle(side, bytes, h, at, packet);
      else if (phase === WAITING) waiting(side, bytes, h, at, packet);
      else if (isClient(it, side)) asking(side, bytes, h, at);
    },
    drop(slot) {
      partial.delete(slot);
    },
    result: () => ({
      endpoints: rows(endpoints, servers.text, targets.text),
      users: rows(users, servers.text, people.text),
      overlapping,
      http2,
    }),
  };
};

const rows = (timings: Timings, servers: (n: number) => string, names: (n: number) => string): TimingRow[] =>
  timings.rows((server, name) => ({ server: servers(server), name: names(name) }));

const isClient = (it: Connections, side: number): boolean => it.client[side >> 1] === 1 + (side & 1);

/** An end as text: `10.0.0.1:80`, `[2001:db8::1]:80`. */
export const endText = (it: Connections, side: number): string => {
  const [w0, w1, w2, w3, port] = endOf(it, side);
  const address = addressText(w0, w1, w2, w3);
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
};
