// What a capture shows at one reading: who talked to whom, what went wrong on the way, and how long answers took.
import type { Take } from './block.ts';
import {
  type Connections,
  type Ends,
  endsOf,
  MOST_CONNECTIONS,
  PLACE,
  RARE_SIDE,
  RARE_SLOT,
  since,
} from './connections.ts';
import { type Conversation, conversationRows, createDigest, type Unanswered, unansweredRows } from './digest.ts';
import { createExchanges, type Exchanges, type ExchangesFound } from './exchanges.ts';
import { type Accept, accepting, type Filter, inShare, type Share } from './filter.ts';
import { FLAG, type Headers, IANA } from './headers.ts';
import { KIND, takeSegment } from './sequence.ts';
import { isTagged, type Tags } from './tags.ts';
import { type TimingRow, timingRows } from './timings.ts';
import { createTracker, type OnSide, type Passed } from './tracker.ts';

const { WORDS } = PLACE;
const { TCP } = IANA;
const { RST, SYN } = FLAG;
const { AGAIN, COPY, NEW, OVERTAKEN } = KIND;
const { CHOSEN } = RARE_SLOT;
const { RETRANSMITTED, OUT_OF_ORDER, COPIES, RESETS, SYNS } = RARE_SIDE;

export type SurveyOptions = {
  readonly filter: Filter;
  readonly tags: Tags;
  /** Whether HTTP requests and answers are timed; conversations need only the headers of TCP. */
  readonly http: boolean;
  /** How many conversations are followed at once; default: this share of MOST_CONNECTIONS. */
  readonly connections?: number;
  /** Only these conversations are followed; what the shares found is merged by resultOf. */
  readonly share: Share;
};

/**
 * Part of a conversation that is about a chosen request: packets by their number in the capture, both included. `since` is the
 * conversation's first.
 */
export type Stretch = { readonly ends: Ends; readonly since: number; readonly from: number; to: number };

/** What one share of a capture shows, as it can be sent from a thread and merged. */
export type Found = ExchangesFound & {
  readonly passed: Passed;
  readonly conversations: readonly Conversation[];
  readonly unanswered: readonly Unanswered[];
  readonly evicted: number;
  readonly stretches: readonly Stretch[];
  readonly chosen: number;
};

export type SurveyResult = Pick<Found, 'passed' | 'chosen' | 'overlapping' | 'http2'> & {
  readonly endpoints: readonly TimingRow[];
  readonly users: readonly TimingRow[];
  /** Most bytes first. With tags, only conversations that had such a request. */
  readonly conversations: readonly Conversation[];
  readonly unanswered: readonly (Omit<Unanswered, 'at'> & { readonly seconds: number; readonly nanos: number })[];
  /** Conversations given up because there were too many at once; their later packets count as new ones. */
  readonly evicted: number;
  /** Where the requests are that have the tags asked for, in the order of the capture; at most MOST_STRETCHES. */
  readonly stretches: readonly Stretch[];
  readonly chosen: number;
};

export type Survey = { readonly take: Take; found(): Found };

export const MOST_STRETCHES = 100_000;

/**
 * Takes a capture's packets through `take` and says in the end what they show. Its memory does not grow with the capture:
 * see MOST_CONNECTIONS, and the limits in digest.ts and exchanges.ts.
 */
export const createSurvey = ({
  filter,
  tags,
  http,
  share,
  connections = Math.ceil(MOST_CONNECTIONS / share.of),
}: SurveyOptions): Survey => {
  const digest = createDigest();
  const choosy = isTagged(tags);
  const stretches: Stretch[] = [];
  const open = new Map<number, Stretch>();
  let chosen = 0;
  let exchanges: Exchanges;

  const begin = (it: Connections, slot: number, packet: number): void => {
    chosen += 1;
    if (stretches.length >= MOST_STRETCHES) return;
    const stretch = { ends: endsOf(it, slot), since: since(it, slot), from: packet, to: Number.POSITIVE_INFINITY };
    stretches.push(stretch);
    open.set(slot, stretch);
  };

  const end = (slot: number, packet: number): void => {
    const stretch = open.get(slot);
    if (!stretch) return;
    stretch.to = packet - 1;
    open.delete(slot);
  };

  const follow = (it: Connections): OnSide => {
    exchanges = createExchanges(it, tags, (slot, packet) => begin(it, slot, packet), end);
    return (side, h, bytes) => {
      if (h.protocol !== TCP) return;
      const kind = takeSegment(it, side, h);
      count(it, side, h, kind);
      if (http && h.payloadLength > 0) exchanges.data(side, bytes, h, tracker.passed.packets, kind === NEW);
    };
  };

  const tracker = createTracker(
    share.of > 1 ? both(inShare(share), accepting(filter)) : accepting(filter),
    follow,
    (it, slot, now) => {
      exchanges.drop(slot);
      end(slot, tracker.passed.packets);
      if (!choosy || it.rareSlots[(slot << WORDS) + CHOSEN] === 1) digest.fold(it, slot, now);
    },
    connections,
    takesAll(filter, http, share),
  );

  return {
    take: tracker.take,
    found() {
      // What goes on to the end of the capture has no last packet.
      open.clear();
      tracker.finish();
      return {
        ...exchanges.found(),
        passed: tracker.passed,
        conversations: digest.conversations(),
        unanswered: digest.unanswered(),
        evicted: tracker.table.evicted(),
        stretches,
        chosen,
      };
    },
  };
};

/** Where data is looked at, or some packets only, each is taken by itself. */
const takesAll = ({ ends, protocol }: Filter, http: boolean, { of }: Share): boolean =>
  !http && of === 1 && ends.length === 0 && protocol !== 'udp';

const both =
  (one: Accept, other: Accept): Accept =>
  (h) =>
    one(h) && other(h);

/** What the shares of one capture show together; every one of them has seen all of its packets go by. */
export const resultOf = (shares: readonly [Found, ...Found[]]): SurveyResult => {
  const sum = (of: (found: Found) => number): number => shares.reduce((all, one) => all + of(one), 0);
  const { passed } = shares[0];
  return {
    passed: { ...passed, accepted: sum((one) => one.passed.accepted) },
    conversations: conversationRows(shares.map((one) => one.conversations)),
    unanswered: unansweredRows(shares.map((one) => one.unanswered)).map(({ at, ...one }) => ({
      ...one,
      ...instant(passed, at),
    })),
    endpoints: timingRows(shares.map((one) => one.endpoints)),
    users: timingRows(shares.map((one) => one.users)),
    overlapping: sum((one) => one.overlapping),
    http2: sum((one) => one.http2),
    evicted: sum((one) => one.evicted),
    stretches: shares
      .flatMap((one) => one.stretches)
      .sort((a, b) => a.from - b.from)
      .slice(0, MOST_STRETCHES),
    chosen: sum((one) => one.chosen),
  };
};

/** Nanoseconds after the first second that a packet was captured in. */
const instant = ({ first }: Passed, at: number): { readonly seconds: number; readonly nanos: number } => {
  const whole = Math.floor(at / 1e9);
  return { seconds: (first?.seconds ?? 0) + whole, nanos: at - whole * 1e9 };
};

const count = ({ rareSides }: Connections, side: number, h: Headers, kind: number): void => {
  const me = side << WORDS;
  if (kind === AGAIN) rareSides[me + RETRANSMITTED]! += 1;
  else if (kind === OVERTAKEN) rareSides[me + OUT_OF_ORDER]! += 1;
  else if (kind === COPY) rareSides[me + COPIES]! += 1;
  if (kind === COPY) return;
  if (h.flags & RST) rareSides[me + RESETS]! += 1;
  if (h.flags & SYN) rareSides[me + SYNS]! += 1;
};
