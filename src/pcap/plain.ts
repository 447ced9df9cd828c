// What most of a capture is made of: TCP over IPv4, acknowledging, neither opening nor ending a conversation.
import { type Block, IN_BLOCK } from './block.ts';
import { viewOf } from './bytes.ts';
import { hashOf } from './hash.ts';
import { FLAG, IANA } from './headers.ts';

/** What the headers of a block's plain packets say: the record of packet n begins at word `n << WORDS`. */
export type Plain = {
  readonly words: Int32Array;
  /** Reads the plain packets of a block: those of which readHeaders would say the same. */
  read(bytes: Buffer, block: Block): void;
  /** Makes what was found of this slot UNKNOWN. */
  forget(slot: number): void;
};

/** Addresses, and ports with the source's in the upper half, are words; all words are signed. */
export const IN_PLAIN = {
  WORDS: 4,
  /**
   * The side of a conversation that sent the packet: see lookup.ts. NOT_PLAIN for other packets, of which nothing else
   * counts; UNKNOWN until it has been looked for, and when there is none.
   */
  SIDE: 0,
  SOURCE: 1,
  DESTINATION: 2,
  BOTH_PORTS: 3,
  SEQ: 4,
  ACKED: 5,
  WINDOW: 6,
  PAYLOAD: 7,
  IP_ID: 8,
  HASH: 9,
  /** Means nothing: see lookup.ts. */
  WARM: 10,
} as const;

const { WORDS, SIDE, SOURCE, DESTINATION, BOTH_PORTS, SEQ, ACKED, WINDOW, PAYLOAD, IP_ID, HASH } = IN_PLAIN;

export const FOUND = { UNKNOWN: -1, NOT_PLAIN: -2 } as const;

const { UNKNOWN, NOT_PLAIN } = FOUND;
const { WORDS: BLOCK_WORDS, FROM, TO, LINK_TYPE } = IN_BLOCK;
const { TCP } = IANA;
const { ACK, FIN, RST, SYN } = FLAG;

export const emptyPlain = (): Plain => {
  const into = new Int32Array(IN_BLOCK.MOST << WORDS);
  return {
    words: into,
    read(bytes, { count, words }) {
      const view = viewOf(bytes);
      for (let n = 0; n < count; n += 1) {
        const of = n << BLOCK_WORDS;
        const to = words[of + TO]!;
        const at = networkAt(view, words[of + LINK_TYPE]!, words[of + FROM]!, to);
        const place = n << WORDS;
        into[place + SIDE] = at >= 0 && at + 40 <= to && readOne(view, at, into, place) ? UNKNOWN : NOT_PLAIN;
      }
    },
    forget(slot) {
      for (let at = 0; at < into.length; at += 1 << WORDS) if (into[at]! >> 1 === slot) into[at] = UNKNOWN;
    },
  };
};

const IPV4 = 0x0800;
const NONE = -1;

/** Where IPv4 begins, for link layers whose header has a fixed length; there may be something else. */
const networkAt = (view: DataView, linkType: number, from: number, to: number): number => {
  switch (linkType) {
    case 1:
      return to - from >= 14 && view.getUint16(from + 12) === IPV4 ? from + 14 : NONE;
    case 12:
    case 101:
    case 228:
      return from;
    case 113:
      return to - from >= 16 && view.getUint16(from + 14) === IPV4 ? from + 16 : NONE;
    case 276:
      return to - from >= 20 && view.getUint16(from) === IPV4 ? from + 20 : NONE;
    default:
      return NONE;
  }
};

/** Forty bytes are there to read: IPv4 without options and TCP's own header. */
const readOne = (view: DataView, at: number, into: Int32Array, place: number): boolean => {
  const first = view.getInt32(at);
  const second = view.getInt32(at + 4);
  const last = view.getInt32(at + 32);
  const total = first & 0xffff;
  const headerLength = 20 + (last >>> 28) * 4;
  if (first >>> 24 !== 0x45 || (second & 0x1fff) !== 0 || view.getUint8(at + 9) !== TCP) return false;
  if (((last >> 16) & (ACK | FIN | RST | SYN)) !== ACK || headerLength < 40 || headerLength > total) return false;
  const source = view.getInt32(at + 12);
  const destination = view.getInt32(at + 16);
  const ports = view.getInt32(at + 20);
  into[place + SOURCE] = source;
  into[place + DESTINATION] = destination;
  into[place + BOTH_PORTS] = ports;
  into[place + HASH] = hashOf(source, ports >>> 16, destination, ports & 0xffff);
  into[place + SEQ] = view.getInt32(at + 24);
  into[place + ACKED] = view.getInt32(at + 28);
  into[place + WINDOW] = last & 0xffff;
  into[place + PAYLOAD] = total - headerLength;
  into[place + IP_ID] = second >>> 16;
  return true;
};
