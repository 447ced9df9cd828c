// The open-loop client: every request leaves when the plan says so, whatever became of the others.
import { once } from 'node:events';
import { type ELDHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { Nanos } from '../model.ts';
import { type Clock, fromMs, MILLISECOND, SECOND, systemClock } from '../time.ts';
import { type Connection, type Connections, connections } from './connections.ts';
import { entry, type Flight, flightOf, listener, type Outcome, wire } from './flight.ts';
import type { LedgerRecord } from './ledger.ts';
import { peak, type TrafficPlan } from './plan.ts';
import type { LoopDelay } from './summary.ts';

export type SendOptions = {
  /** Told once for every planned request, as soon as its end is known, in no order. */
  readonly record: (record: LedgerRecord) => void;
  /** Ends the sending; requests under way get a second more. */
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  /** The most connections at once; default: as many as requests can be under way, but 4096 at most. */
  readonly connections?: number;
};

const GRACE = SECOND;
/** Ports and memory set a bound; beyond it a plan belongs to several workers. */
const MOST_CONNECTIONS = 4096;
/** Answers that take no longer than this never wait for a connection's handshake. */
const WARM_MS = 100;
const LOOP_RESOLUTION_MS = 10;

/**
 * Sends the plan's requests at `startAt` plus their times and resolves, when each has its record, with how late this
 * process's event loop ran. A request fails with `timeout` when it has no whole answer `timeoutMs` after it was due, with
 * `not sent` when it was not even begun by then, and with `aborted` when the signal came first. Never rejects for
 * what a server does. Call it some 100 ms before `startAt`, so that connections can be opened ahead.
 */
export const sendTraffic = async (plan: TrafficPlan, startAt: Nanos, options: SendOptions): Promise<LoopDelay> => {
  await using pool = connections(new URL(plan.url), options.connections ?? enough(plan));
  const delay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  delay.enable();
  try {
    await new Sending(plan, startAt, options, pool).done();
  } finally {
    delay.disable();
  }
  return loopDelay(delay);
};

/** Each request holds a connection for `timeoutMs` at most: so many can be under way, and no server can make it more. */
const enough = (plan: TrafficPlan): number => Math.max(1, Math.min(MOST_CONNECTIONS, peak(plan, plan.timeoutMs) + 1));

/** The histogram holds the time between two ticks of its timer; what exceeds the timer's own period is delay. */
const loopDelay = (delay: ELDHistogram): LoopDelay => {
  const late = (percentile: number): number => Math.max(0, delay.percentile(percentile) / 1e6 - LOOP_RESOLUTION_MS);
  return delay.count > 0 ? { p50: late(50), p99: late(99), max: late(100) } : { p50: 0, p99: 0, max: 0 };
};

/** One sending of one plan, from its first connection to its last record. */
class Sending {
  readonly #plan: TrafficPlan;
  readonly #startAt: Nanos;
  readonly #timeout: Nanos;
  /** The base URL's own path, which stays in front of every request's. */
  readonly #base: string;
  readonly #pool: Connections;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #record: (record: LedgerRecord) => void;
  /** Ordered by when they are due, and so by when they time out. */
  readonly #flights: readonly Flight[];
  /** Due, but all connections are busy. */
  readonly #waiting: Flight[] = [];
  readonly #settled = new AbortController();
  #left: number;
  /** Everything before it is over. */
  #oldest = 0;

  constructor(plan: TrafficPlan, startAt: Nanos, options: SendOptions, pool: Connections) {
    this.#plan = plan;
    this.#startAt = startAt;
    this.#timeout = fromMs(plan.timeoutMs);
    this.#base = new URL(plan.url).pathname.replace(/\/$/, '');
    this.#pool = pool;
    this.#clock = options.clock ?? systemClock;
    this.#signal = options.signal;
    this.#record = options.record;
    this.#flights = plan.requests.map((request) => flightOf(request, startAt));
    this.#left = this.#flights.length;
    if (this.#left === 0) this.#settled.abort();
  }

  async done(): Promise<void> {
    await this.#rest(this.#startAt - SECOND, this.#signal);
    if (!this.#signal.aborted) this.#pool.warm(peak(this.#plan, WARM_MS));
    await Promise.all([this.#depart(), this.#expire(), this.#leave()]);
  }

  async #depart(): Promise<void> {
    for (const flight of this.#flights) {
      if (flight.due > this.#clock.now()) await this.#rest(flight.due, this.#signal);
      if (this.#signal.aborted) return;
      this.#launch(flight);
    }
  }

  /** False when it is over or overdue: then it is not worth a connection, and `#giveUp` has the word. */
  #launch(flight: Flight): boolean {
    const now = this.#clock.now();
    if (flight.over || now >= flight.due + this.#timeout) return false;
    flight.connection = this.#pool.take();
    if (flight.connection) {
      flight.sent = now;
      const told = listener(flight, (outcome) => this.#settle(flight, outcome));
      flight.connection.dispatch(wire(this.#plan.runId, this.#base, flight), told);
    } else this.#waiting.push(flight);
    return true;
  }

  #settle(flight: Flight, outcome: Outcome): void {
    if (flight.over) return;
    flight.over = true;
    this.#record(entry(this.#plan.runId, flight, this.#clock.now(), outcome));
    if (flight.connection) this.#release(flight.connection, outcome.status !== null);
    this.#left -= 1;
    if (this.#left === 0) this.#settled.abort();
  }

  #release(connection: Connection, reusable: boolean): void {
    if (reusable) this.#pool.give(connection);
    else this.#pool.drop(connection);
    let next = this.#waiting.shift();
    while (next && !this.#launch(next)) next = this.#waiting.shift();
  }

  async #expire(): Promise<void> {
    for (this.#giveUp(this.#startAt); this.#oldest < this.#flights.length; ) {
      await this.#rest(this.#flights[this.#oldest]!.due + this.#timeout, this.#settled.signal);
      const now = this.#clock.now();
      // After a stall of our own, answers lie in the sockets: they are let in before anything is given up.
      await this.#rest(now + MILLISECOND, this.#settled.signal);
      this.#giveUp(now);
    }
  }

  #giveUp(now: Nanos): void {
    for (; this.#oldest < this.#flights.length; this.#oldest += 1) {
      const flight = this.#flights[this.#oldest]!;
      if (!flight.over && flight.due + this.#timeout > now) return;
      this.#settle(flight, { status: null, error: flight.sent === null ? 'not sent' : 'timeout' });
    }
  }

  async #leave(): Promise<void> {
    const either = AbortSignal.any([this.#signal, this.#settled.signal]);
    if (!either.aborted) await once(either, 'abort');
    this.#abort(this.#flights.filter((flight) => flight.sent === null));
    await this.#rest(this.#clock.now() + GRACE, this.#settled.signal);
    this.#abort(this.#flights);
  }

  #abort(flights: readonly Flight[]): void {
    for (const flight of flights) this.#settle(flight, { status: null, error: 'aborted' });
  }

  /** Sleeps until then or until the signal, whichever is first. */
  #rest(at: Nanos, signal: AbortSignal): Promise<void> {
    return this.#clock.sleepUntil(at, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}
