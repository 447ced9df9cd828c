// The observer's memory: a ring of the newest events, and the cursor that reads it as Hubble does.
import { fromWireTime, toWireTime, type WireFlow, type WireLost, type WireResponse } from '../../layers/flows/wire.ts';
import type { Nanos } from '../../model.ts';

export type Event = { readonly at: Nanos; readonly flow: WireFlow } | { readonly at: Nanos; readonly lost: WireLost };

/** The newest `capacity` events, numbered from 0. */
export type Ring = {
  readonly capacity: number;
  push(event: Event): void;
  /** The event with this number, or null when it has been overwritten or hasn't come yet. */
  get(number: number): Event | null;
  /** Number of the oldest event still there. */
  oldest(): number;
  /** Number that the next event will get. */
  next(): number;
};

export const createRing = (capacity: number): Ring => {
  const slots: Event[] = [];
  let next = 0;
  const oldest = (): number => Math.max(0, next - capacity);
  return {
    capacity,
    push: (event) => {
      slots[next % capacity] = event;
      next += 1;
    },
    get: (number) => (number >= oldest() && number < next ? slots[number % capacity]! : null),
    oldest,
    next: () => next,
  };
};

/** What a read asks for, with its filters compiled. `number` 0 means: no limit. */
export type Reading = {
  readonly number: number;
  readonly first: boolean;
  readonly follow: boolean;
  readonly since: Nanos | null;
  readonly until: Nanos | null;
  readonly matches: (flow: WireFlow) => boolean;
};

export type Cursor = {
  /** The next message, or `wait` when all has been read that there is so far, or `end`. */
  step(): WireResponse | 'wait' | 'end';
};

/**
 * Reads a ring with the rules of Hubble's local observer: `since` decides where to begin; without it the last `number`
 * matching flows are rewound to (all, when `number` is 0 and nothing is followed; none, when something is); `number` limits
 * what is returned only when not following; the first event newer than `until` ends the read; lost events pass every filter
 * and time limit and are not counted. A cursor that the ring has overtaken says how many events it missed.
 */
export const openCursor = (ring: Ring, reading: Reading): Cursor => {
  let at = start(ring, reading);
  let returned = 0;
  const limit = reading.follow || reading.number === 0 ? Number.POSITIVE_INFINITY : reading.number;
  const last = reading.follow ? Number.POSITIVE_INFINITY : ring.next();
  const overtaken = (): WireResponse => {
    const missed = ring.oldest() - at;
    at = ring.oldest();
    return { lost_events: { source: 'HUBBLE_RING_BUFFER', num_events_lost: String(missed) } };
  };
  return {
    step: () => {
      for (; at < last && returned < limit; at += 1) {
        if (at < ring.oldest()) return overtaken();
        const event = ring.get(at);
        if (!event) return 'wait';
        if ('lost' in event) {
          at += 1;
          return { lost_events: event.lost, time: toWireTime(event.at) };
        }
        if (reading.until !== null && event.at > reading.until) return 'end';
        if (before(event, reading.since) || !reading.matches(event.flow)) continue;
        at += 1;
        returned += 1;
        return { flow: event.flow, node_name: event.flow.node_name ?? '', time: toWireTime(event.at) };
      }
      return 'end';
    },
  };
};

const before = (event: Event, since: Nanos | null): boolean => since !== null && event.at < since;

const start = (ring: Ring, { since, first, follow, number, matches }: Reading): number => {
  if (since === null && first) return ring.oldest();
  if (since === null && number === 0) return follow ? ring.next() : ring.oldest();
  let left = since === null ? number : Number.POSITIVE_INFINITY;
  let at = ring.next();
  for (let back = at - 1; back >= ring.oldest() && left > 0; back -= 1) {
    const event = ring.get(back)!;
    if ('lost' in event) continue;
    if (before(event, since)) break;
    if (since !== null || matches(event.flow)) {
      at = back;
      left -= 1;
    }
  }
  return at;
};

export const flowEvent = (flow: WireFlow): Event => ({ at: fromWireTime(flow.time), flow });
