// One direction of a TCP connection: which of its bytes have been seen.
import type { Nanos } from '../../model.ts';
import type { Packet } from '../../pcap/decode.ts';

/** `next` is the sequence number after the last byte seen; the hole is what was passed over on the way there. */
export type Stream = {
  next: number | null;
  hole: { readonly from: number; readonly to: number } | null;
  newestAt: Nanos;
  readonly recentIds: number[];
};

export const emptyStream = (): Stream => ({ next: null, hole: null, newestAt: 0n, recentIds: [] });

/**
 * What a segment with payload is: `new` bytes, `late` ones that fill a hole, a keep-alive or window `probe`, the same
 * packet seen on another interface (`copy`), or bytes sent `again`.
 */
export type Segment = 'new' | 'late' | 'probe' | 'copy' | 'again';

const REMEMBERED = 8;

/**
 * A second sighting on another interface follows within microseconds. Real retransmissions wait for at least the
 * minimum timeout (200 ms on Linux) or a round trip; those that come sooner than this are not told apart.
 */
const COPY_WITHIN = 10_000_000n;

/** Takes a segment with payload into the stream and says what it is. */
export const take = (stream: Stream, packet: Packet, at: Nanos): Segment => {
  const kind = classify(stream, packet, at);
  if (kind === 'new') advance(stream, packet, at);
  if (packet.ipId !== 0 && kind !== 'copy') {
    stream.recentIds.push(packet.ipId);
    if (stream.recentIds.length > REMEMBERED) stream.recentIds.shift();
  }
  return kind;
};

/** Sequence numbers wrap at 2^32; their distance as a signed number orders them (RFC 9293, 3.4). */
const distance = (from: number, to: number): number => (to - from) | 0;

const classify = ({ next, hole, newestAt, recentIds }: Stream, packet: Packet, at: Nanos): Segment => {
  const { seq, payloadLength, ipId } = packet;
  if (next === null || distance(next, seq + payloadLength) > 0) return 'new';
  if (ipId !== 0 && recentIds.includes(ipId)) return 'copy';
  if (hole && distance(hole.from, seq) >= 0 && distance(seq + payloadLength, hole.to) >= 0) return 'late';
  if (payloadLength === 1 && distance(seq, next) === 1) return 'probe';
  return at - newestAt < COPY_WITHIN ? 'copy' : 'again';
};

const advance = (stream: Stream, { seq, payloadLength }: Packet, at: Nanos): void => {
  if (stream.next !== null && distance(stream.next, seq) > 0)
    stream.hole = { from: stream.hole?.from ?? stream.next, to: seq };
  stream.next = (seq + payloadLength) >>> 0;
  stream.newestAt = at;
};
