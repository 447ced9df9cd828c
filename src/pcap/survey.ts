// What a capture shows at one reading: who talked to whom, what went wrong on the way, and how long answers took.
import { type Connections, PLACE, RARE_SIDE, RARE_SLOT, serialOf } from './connections.ts';
import { type Conversation, createDigest, type Unanswered } from './digest.ts';
import { createExchanges, type ExchangeResult, type Exchanges } from './exchanges.ts';
import { accepting, type Filter } from './filter.ts';
import { type Headers, RST, SYN, TCP } from './headers.ts';
import type { Visit } from './records.ts';
import { AGAIN, COPY, NEW, OVERTAKEN, takeSegment } from './sequence.ts';
import { isTagged, type Tags } from './tags.ts';
import { createTracker, type OnSide, type Passed } from './tracker.ts';

const { WORDS } = PLACE;
const { RETRANSMITTED, OUT_OF_ORDER, COPIES, RESETS, SYNS } = RARE_SIDE;

export type SurveyOptions = {
  readonly filter: Filter;
  readonly tags: Tags;
  /** Whether HTTP requests and answers are timed; conversations need only the headers of TCP. */
  readonly http: boolean;
  /** How many conversations are followed at once; default: MOST_CONNECTIONS. */
  readonly connections?: number;
};

/** Part of a conversation that is about a chosen request: packets by their number in the capture, both included. */
export type Stretch = { readonly serial: number; readonly from: number; to: number };

export type SurveyResult = ExchangeResult & {
  readonly passed: Passed;
  /** Most bytes first. With tags, only conversations that had such a request. */
  readonly conversations: readonly Conversation[];
  readonly unanswered: readonly (Omit<Unanswered, 'at'> & { readonly seconds: number; readonly nanos: number })[];
  /** Conversations given up because there were too many at once; their later packets count as new ones. */
  readonly evicted: number;
  /** Where the requests are that have the tags asked for, in the order of the capture; at most MOST_STRETCHES. */
  readonly stretches: readonly Stretch[];
  readonly chosen: number;
};

export type Survey = { readonly visit: Visit; result(): SurveyResult };

export const MOST_STRETCHES = 100_000;

/**
 * Takes a capture's packets through `visit` and says in the end what they show. Its memory does not grow with the capture:
 * see MOST_CONNECTIONS, and the limits in digest.ts and exchanges.ts.
 */
export const createSurvey = ({ filter, tags, http, connections }: SurveyOptions): Survey => {
  const digest = createDigest();
  const choosy = isTagged(tags);
  const stretches: Stretch[] = [];
  const open = new Map<number, Stretch>();
  let chosen = 0;
  let exchanges: Exchanges;

  const begin = (it: Connections, slot: number, packet: number): void => {
    chosen += 1;
    if (stretches.length >= MOST_STRETCHES) return;
    const stretch = { serial: serialOf(it, slot), from: packet, to: Number.POSITIVE_INFINITY };
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
    accepting(filter),
    follow,
    (it, slot, now) => {
      exchanges.drop(slot);
      end(slot, tracker.passed.packets);
      if (!choosy || it.rareSlots[(slot << WORDS) + RARE_SLOT.CHOSEN] === 1) digest.fold(it, slot, now);
    },
    connections,
  );

  return {
    visit: tracker.visit,
    result() {
      // What goes on to the end of the capture has no last packet.
      open.clear();
      tracker.finish();
      return {
        ...exchanges.result(),
        passed: tracker.passed,
        conversations: digest.conversations(),
        unanswered: digest.unanswered().map(({ at, ...one }) => ({ ...one, ...tracker.instant(at) })),
        evicted: tracker.table.evicted(),
        stretches,
        chosen,
      };
    },
  };
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
