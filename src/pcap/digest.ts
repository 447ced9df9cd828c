// What is kept of a conversation when it ends: a line that it shares with others between the same client and server.
import { compare } from '../ordering.ts';
import { addressText, endText } from './address.ts';
import {
  type Connections,
  endOf,
  PLACE,
  protocolOf,
  RARE_SIDE,
  RARE_SLOT,
  RARE_SLOT_DOUBLES,
  SIDE,
  SIDE_DOUBLES,
  SIDE_HALVES,
} from './connections.ts';
import { IANA } from './headers.ts';
import { merged } from './merge.ts';
import { recalling } from './recall.ts';
import { SEEN_BITS } from './sequence.ts';

const { WORDS, DOUBLES, HALVES } = PLACE;
const { ANSWERED } = SEEN_BITS;
const { TCP, UDP } = IANA;
const { RETRANSMITTED, OUT_OF_ORDER, COPIES, RESETS, SYNS } = RARE_SIDE;
const { OCTETS } = SIDE_DOUBLES;

/** All conversations of one client address with one server's port. Bytes are those on the wire. */
export type Conversation = {
  readonly protocol: 'tcp' | 'udp' | 'other';
  readonly client: string;
  readonly server: string;
  conversations: number;
  packets: number;
  bytes: number;
  /** Handshakes that nothing answered, and those that a reset answered. */
  unanswered: number;
  refused: number;
  /** Packets: data, SYN or FIN sent again; overtaken by later ones; seen on two interfaces; with RST. */
  retransmissions: number;
  outOfOrder: number;
  copies: number;
  resets: number;
  /** Conversations with a reset after the handshake. */
  reset: number;
};

/** `at` is nanoseconds after the capture's first packet. */
export type Unanswered = {
  readonly at: number;
  readonly client: string;
  readonly server: string;
  readonly syns: number;
};

export type Digest = {
  fold(it: Connections, slot: number, now: number): void;
  conversations(): readonly Conversation[];
  /** Of very many the first that ended; how many there are in all is in the conversations. */
  unanswered(): readonly Unanswered[];
};

const MOST_LINES = 50_000;
const MOST_UNANSWERED = 1000;
/** A SYN that is younger than this when the capture ends may still be answered: the first timeout (RFC 6298, 2.1). */
const PATIENCE = 1e9;
/** The line of all that come after MOST_LINES. */
const OTHERS = '(others)';

export const createDigest = (): Digest => {
  const lines: Conversation[] = [];
  const numbers = new Map<string, number>();
  const unanswered: Unanswered[] = [];
  /** What a line stands for: the client's address, the server's, its port, the protocol. */
  const key = new Int32Array(10);
  const bytes = Buffer.from(key.buffer);

  const numbered = (protocol: Conversation['protocol'], client: string, server: string): number => {
    const name = `${protocol} ${client} ${server}`;
    const known = numbers.get(name);
    if (known !== undefined) return known;
    if (lines.length >= MOST_LINES && client !== OTHERS) return numbered(protocol, OTHERS, OTHERS);
    numbers.set(name, lines.length);
    return lines.push(emptyLine(protocol, client, server)) - 1;
  };

  const numberOf = recalling(() => {
    const client = addressText(key[0]!, key[1]!, key[2]!, key[3]!);
    return numbered(nameOf(key[9]!), client, endText(key[4]!, key[5]!, key[6]!, key[7]!, key[8]!));
  });

  const line = (it: Connections, slot: number, client: number): Conversation => {
    key.set(endOf(it, client), 0);
    key.set(endOf(it, client ^ 1), 4);
    key[9] = protocolOf(it, slot);
    return lines[numberOf(bytes, 0, bytes.length)]!;
  };

  return {
    fold(it, slot, now) {
      const client = clientOf(it, slot);
      const into = line(it, slot, client);
      add(into, it, slot);
      if (protocolOf(it, slot) !== TCP || rareOf(it, client, SYNS) === 0) return;
      const how = handshake(it, client, now);
      if (how === 'unanswered') note(unanswered, it, client);
      if (how === 'unanswered' || how === 'refused') into[how] += 1;
    },
    conversations: () => lines,
    unanswered: () => unanswered,
  };
};

/** What several digests have, most bytes first. */
export const conversationRows = (parts: readonly (readonly Conversation[])[]): Conversation[] =>
  merged(parts, ({ protocol, client, server }) => `${protocol} ${client} ${server}`, together).sort(
    (a, b) => b.bytes - a.bytes || compare(a.client, b.client) || compare(a.server, b.server),
  );

/** The first ones that several digests have, oldest first. */
export const unansweredRows = (parts: readonly (readonly Unanswered[])[]): Unanswered[] =>
  parts
    .flat()
    .sort((a, b) => a.at - b.at || compare(a.client, b.client))
    .slice(0, MOST_UNANSWERED);

const NONE = {
  ...{ conversations: 0, packets: 0, bytes: 0, unanswered: 0, refused: 0 },
  ...{ retransmissions: 0, outOfOrder: 0, copies: 0, resets: 0, reset: 0 },
};

export type Counts = typeof NONE;

/** What is counted of a conversation, in the order in which it is told. */
export const COUNTS = Object.keys(NONE) as (keyof Counts)[];

const together = (a: Conversation, b: Conversation): Conversation => {
  const sum = { ...a };
  for (const key of COUNTS) sum[key] += b[key];
  return sum;
};

const nameOf = (protocol: number): Conversation['protocol'] =>
  protocol === TCP ? 'tcp' : protocol === UDP ? 'udp' : 'other';

const emptyLine = (protocol: Conversation['protocol'], client: string, server: string): Conversation => ({
  ...{ protocol, client, server },
  ...NONE,
});

/** The client's side; where no handshake and no request has told, the end with the larger port. */
const clientOf = (it: Connections, slot: number): number => {
  const client = it.rareSlots[(slot << WORDS) + RARE_SLOT.CLIENT]!;
  if (client !== 0) return 2 * slot + client - 1;
  return 2 * slot + (endOf(it, 2 * slot)[4] >= endOf(it, 2 * slot + 1)[4] ? 0 : 1);
};

const add = (into: Conversation, it: Connections, slot: number): void => {
  const both = (word: number): number => rareOf(it, 2 * slot, word) + rareOf(it, 2 * slot + 1, word);
  into.conversations += 1;
  into.packets += packetsOf(it, 2 * slot) + packetsOf(it, 2 * slot + 1);
  into.bytes += octetsOf(it, 2 * slot) + octetsOf(it, 2 * slot + 1);
  into.retransmissions += both(RETRANSMITTED);
  into.outOfOrder += both(OUT_OF_ORDER);
  into.copies += both(COPIES);
  into.resets += both(RESETS);
  if (both(RESETS) > 0 && (both(SYNS) === 0 || hasAnswer(it, slot))) into.reset += 1;
};

const hasAnswer = (it: Connections, slot: number): boolean =>
  ((seenOf(it, 2 * slot) | seenOf(it, 2 * slot + 1)) & ANSWERED) !== 0;

/** Whatever else came back than a reset shows that somebody listens. */
const handshake = (it: Connections, client: number, now: number): 'answered' | 'refused' | 'unanswered' | 'waiting' => {
  const server = client ^ 1;
  const resets = rareOf(it, server, RESETS);
  if (seenOf(it, client) & ANSWERED || packetsOf(it, server) > resets) return 'answered';
  if (resets > 0) return 'refused';
  return now - synAt(it, client) < PATIENCE ? 'waiting' : 'unanswered';
};

const note = (list: Unanswered[], it: Connections, client: number): void => {
  if (list.length >= MOST_UNANSWERED) return;
  const at = synAt(it, client);
  list.push({
    at,
    client: endText(...endOf(it, client)),
    server: endText(...endOf(it, client ^ 1)),
    syns: rareOf(it, client, SYNS),
  });
};

const packetsOf = ({ sides }: Connections, side: number): number => sides[(side << WORDS) + SIDE.PACKETS]! >>> 0;

const octetsOf = ({ sideDoubles }: Connections, side: number): number => sideDoubles[(side << DOUBLES) + OCTETS]!;

const seenOf = ({ sideHalves }: Connections, side: number): number => sideHalves[(side << HALVES) + SIDE_HALVES.SEEN]!;

const rareOf = ({ rareSides }: Connections, side: number, word: number): number =>
  rareSides[(side << WORDS) + word]! >>> 0;

const synAt = ({ rareSlotDoubles }: Connections, side: number): number =>
  rareSlotDoubles[((side >> 1) << DOUBLES) + RARE_SLOT_DOUBLES.SYN_AT]!;
