// Tells what became of packets that were seen twice, once before anything on the node could drop them and once after: the
// packet that never came by the second time was dropped, by whomever. Pure: it knows no kernel and no clock.
import type { Nanos } from '../../../model.ts';
import type { Packet } from '../../../pcap/decode.ts';

/** A packet that was seen and what became of it; `packet` has its true ends (after any translation of addresses) and its payload. */
export type Told = {
  readonly packet: Packet;
  readonly at: Nanos;
  readonly reply: boolean;
  readonly verdict: 'FORWARDED' | 'DROPPED';
};

export type Matcher = {
  /** A packet passed the early point. Its payload is copied. */
  early(packet: Packet, at: Nanos, reply: boolean): void;
  /** A packet passed the late point. */
  late(packet: Packet, at: Nanos, reply: boolean): void;
  /** Whether a packet that was seen early at or before `until` has not been seen late. */
  waiting(until: Nanos): boolean;
  /** All that passed the late point in time is known: what was seen early at or before `until`, and only then, was dropped. */
  settle(until: Nanos): void;
  /** Sightings were lost: of those that wait now, nobody can tell what became of them. */
  doubt(): void;
};

export type MatcherOptions = {
  /** How many packets may wait for their verdict; of the oldest beyond that nobody can tell what became of them. */
  readonly capacity: number;
  /** Told once a packet, in the order in which they were seen early. */
  readonly onTold: (told: Told) => void;
  /** Told how many packets it is unknown what became of. */
  readonly onUnknown: (count: number) => void;
};

type Fate = 'waiting' | 'forwarded' | 'dropped' | 'unknown';
type Sighting = {
  readonly key: string;
  readonly at: Nanos;
  readonly reply: boolean;
  packet: Packet;
  fate: Fate;
  /** An older sighting of what looks like the same packet, sent again. */
  readonly older: Sighting | null;
};

/**
 * One packet has the same key at both points, though its destination may be translated in between: who sent it, from which
 * port, its place in the connection, and IPv4's identification, which tells a retransmission from the first.
 */
const keyOf = ({ source, sourcePort, seq, ack, ipId, flags }: Packet): string =>
  `${source} ${sourcePort} ${seq} ${ack} ${ipId} ${flags.syn} ${flags.fin} ${flags.rst}`;

export const createMatcher = ({ capacity, onTold, onUnknown }: MatcherOptions): Matcher => {
  /** In the order in which they were seen; told from the front, as far as their fate is known. */
  let line: Sighting[] = [];
  let front = 0;
  /** The newest sighting that waits, by key. */
  const newest = new Map<string, Sighting>();

  const release = (one: Sighting): void => {
    const { packet, at, reply, fate } = one;
    if (fate === 'unknown') onUnknown(1);
    else onTold({ packet, at, reply, verdict: fate === 'dropped' ? 'DROPPED' : 'FORWARDED' });
  };
  const advance = (): void => {
    for (; front < line.length && line[front]!.fate !== 'waiting'; front += 1) release(line[front]!);
    if (front > capacity || front === line.length) {
      line = line.slice(front);
      front = 0;
    }
  };
  const give = (fate: Fate, until: Nanos | null): void => {
    for (const one of line.slice(front)) if (until === null || one.at <= until) decide(one, fate);
    advance();
  };
  const decide = (one: Sighting, fate: Fate): void => {
    if (one.fate !== 'waiting') return;
    one.fate = fate;
    forget(newest, one);
  };

  return {
    early: (packet, at, reply) => {
      const key = keyOf(packet);
      const copy = { ...packet, payload: Buffer.from(packet.payload) };
      const one: Sighting = { key, at, reply, packet: copy, fate: 'waiting', older: newest.get(key) ?? null };
      newest.set(key, one);
      line.push(one);
      if (line.length - front <= capacity) return;
      decide(line[front]!, 'unknown');
      advance();
    },
    late: (packet, at, reply) => {
      const one = newest.get(keyOf(packet));
      // The early sighting was lost, or from before we began.
      if (!one) return onTold({ packet, at, reply, verdict: 'FORWARDED' });
      one.packet = { ...packet, payload: one.packet.payload };
      decide(one, 'forwarded');
      advance();
    },
    waiting: (until) => line[front]?.fate === 'waiting' && line[front]!.at <= until,
    settle: (until) => give('dropped', until),
    doubt: () => give('unknown', null),
  };
};

/** The next older one that still waits takes its place. */
const forget = (newest: Map<string, Sighting>, one: Sighting): void => {
  const { key } = one;
  if (newest.get(key) !== one) return;
  let next = one.older;
  while (next && next.fate !== 'waiting') next = next.older;
  if (next) newest.set(key, next);
  else newest.delete(key);
};
