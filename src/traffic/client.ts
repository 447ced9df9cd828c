// The open-loop client: every request leaves when the plan says so, whatever became of the others.
import { once } from 'node:events';
import { type ELDHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import type { Nanos } from '../model.ts';
import { type Clock, fromMs, MILLISECOND, SECOND, stamps, systemClock, toMs } from '../time.ts';
import { type Connection, type Connections, connections } from './connections.ts';
import { entry, type Flight, failing, flightOf, idsOf, type Outcome } from './flight.ts';
import { type Identities, identities } from './identity.ts';
import type { LedgerRecord } from './ledger.ts';
import { type PlannedRequest, peak, type TrafficPlan } from './plan.ts';
import { queue } from './queue.ts';
import type { LoopDelay } from './summary.ts';
import { writer } from './wire.ts';

export type SendOptions = {
  /** Told once for every planned request, as soon as its end is known, in no order. */
  readonly record: (record: LedgerRecord) => void;
  /** Ends the sending; requests under way get a second more. */
  readonly signal: AbortSignal;
  readonly clock?: Clock;
  /** Resolves when there is room for more records: what is given up need not wait, and all of it at once may be too much. */
  readonly room?: () => Promise<unknown>;
  /** The most connections at once; default: as many as requests can be under way, but 4096 at most. */
  readonly connections?: number;
};

const GRACE = SECOND;
/** Ports and memory set a bound; beyond it a plan belongs to several workers. */
const MOST_CONNECTIONS = 4096;
/** Answers that take no longer than this never wait for a connection's handshake. */
const WARM_MS = 100;
const LOOP_RESOLUTION_MS = 10;

/** So many requests are looked at before the start; a plan that has more is taken to go on as it begins. */
const AHEAD = 10_000;

/** While so many wait for a connection, no more are taken from the plan: what can't be sent anyway need not be in memory. */
const MOST_WAITING = 4096;
const LOOKED_EVERY_MS = 5;

/** A backlog leaves in portions, so that answers are read meanwhile. */
const PORTION = 64;

/**
 * Sends the plan's requests at `startAt` plus their times and resolves, when each has its record, with how late the
 * client's own event loop was. A request fails with `timeout` when it has no whole answer `timeoutMs` after it was due, with
 * `not sent` when it was not even begun by then, and with `aborted` when the signal came first. Never rejects for
 * what a server does. Call it some 100 ms before `startAt`, so that connections can be opened ahead. The requests are
 * taken one by one as they fall due, in the order of their times: a plan that is generated need never be in memory.
 */
export const sendTraffic = async (plan: TrafficPlan, startAt: Nanos, options: SendOptions): Promise<LoopDelay> => {
  const ahead = [...Iterator.from(plan.requests).take(AHEAD)];
  using pool = connections(new URL(plan.url), options.connections ?? enough(ahead, plan.timeoutMs));
  const delay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  delay.enable();
  try {
    await new Sending(plan, startAt, options, pool).done(peak(ahead, WARM_MS));
  } finally {
    delay.disable();
  }
  return loopDelay(delay);
};

/** Each request holds a connection for `timeoutMs` at most: so many can be under way, and no server can make it more. */
const enough = (ahead: readonly PlannedRequest[], timeoutMs: number): number =>
  ahead.length < AHEAD ? Math.max(1, Math.min(MOST_CONNECTIONS, peak(ahead, timeoutMs) + 1)) : MOST_CONNECTIONS;

/** The histogram holds the time between two ticks of its timer; what exceeds the timer's own period is delay. */
const loopDelay = (delay: ELDHistogram): LoopDelay => {
  const late = (percentile: number): number => Math.max(0, delay.percentile(percentile) / 1e6 - LOOP_RESOLUTION_MS);
  return delay.count > 0 ? { p50: late(50), p99: late(99), max: late(100) } : { p50: 0, p99: 0, max: 0 };
};

/** One sending of one plan, from its first connection to its last record. Its times are milliseconds after the start. */
class Sending {
  readonly #plan: TrafficPlan;
  readonly #startAt: Nanos;
  readonly #pool: Connections;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #record: (record: LedgerRecord) => void;
  readonly #room: () => Promise<unknown>;
  readonly #stamp: (ms: number) => string;
  readonly #ids: Identities;
  readonly #text: ReturnType<typeof writer>;
  readonly #requests: Iterator<PlannedRequest>;
  /** Those that fell due and may not be over, in the order in which they time out. */
  readonly #under = queue<Flight>();
  /** Due, but all connections are busy. */
  readonly #waiting = queue<Flight>();
  /** Aborted when every planned request has its record. */
  readonly #settled = new AbortController();
  #left = 0;
  #departed = false;

  constructor(plan: TrafficPlan, startAt: Nanos, options: SendOptions, pool: Connections) {
    this.#plan = plan;
    this.#startAt = startAt;
    this.#pool = pool;
    this.#clock = options.clock ?? systemClock;
    this.#signal = options.signal;
    this.#record = options.record;
    this.#room = options.room ?? turn;
    this.#stamp = stamps(startAt);
    this.#ids = identities(plan.runId);
    this.#text = writer(plan);
    this.#requests = plan.requests[Symbol.iterator]();
  }

  /** `warm`: connections to be opened ahead. */
  async done(warm: number): Promise<void> {
    await this.#rest(-toMs(SECOND), this.#signal);
    if (!this.#signal.aborted) this.#pool.warm(warm, this.#now());
    await Promise.all([this.#depart(), this.#expire(), this.#leave()]);
  }

  #now(): number {
    return toMs(this.#clock.now() - this.#startAt);
  }

  async #depart(): Promise<void> {
    let portion = 0;
    for (let next = this.#requests.next(); !next.done; next = this.#requests.next()) {
      const flight = flightOf(next.value);
      this.#left += 1;
      this.#under.push(flight);
      let now = this.#now();
      if (next.value.atMs > now) {
        await this.#rest(next.value.atMs, this.#signal);
        now = this.#now();
        portion = 0;
      }
      if (this.#signal.aborted) break;
      this.#launch(flight, now);
      if (++portion % PORTION === 0) await this.#turn();
      if (this.#signal.aborted) break;
    }
    this.#departed = true;
    this.#over();
  }

  async #turn(): Promise<void> {
    await turn();
    while (this.#waiting.size() >= MOST_WAITING && !this.#signal.aborted)
      await this.#rest(this.#now() + LOOKED_EVERY_MS, this.#signal);
  }

  #launch(flight: Flight, now: number): void {
    if (flight.over) return;
    const tooLate = now >= flight.request.atMs + this.#plan.timeoutMs;
    const connection = tooLate ? null : this.#pool.take(now);
    if (connection) {
      flight.connection = connection;
      flight.sent = now;
      this.#send(flight, connection);
    } else if (tooLate) this.#settle(flight, NOT_SENT, now);
    else this.#waiting.push(flight);
  }

  #send(flight: Flight, connection: Connection): void {
    const failed = (error: Error): void => this.#settle(flight, failing(flight, error), this.#now());
    const answered = (status: number): void => this.#settle(flight, { status, error: null }, this.#now());
    try {
      const text = this.#text(flight.request, idsOf(this.#ids, flight));
      connection.send(flight.request.method, text, { answered, failed });
    } catch (error) {
      failed(error as Error);
    }
  }

  #settle(flight: Flight, outcome: Outcome, now: number): void {
    if (flight.over) return;
    flight.over = true;
    this.#record(entry(this.#ids, flight, now, outcome, this.#stamp));
    this.#left -= 1;
    if (flight.connection) this.#release(flight.connection, outcome.status !== null, now);
    flight.connection = null;
    this.#forget();
    this.#over();
  }

  #over(): void {
    if (this.#departed && this.#left === 0) this.#settled.abort();
  }

  #release(connection: Connection, reusable: boolean, now: number): void {
    if (reusable) this.#pool.give(connection, now);
    else this.#pool.drop(connection);
    for (let next = this.#waiting.shift(); next; next = this.#waiting.shift()) {
      if (next.over) continue;
      this.#launch(next, now);
      if (!next.over) return;
    }
  }

  /** What is launched while it rests times out after it wakes. */
  async #expire(): Promise<void> {
    while (!this.#settled.signal.aborted) {
      const oldest = this.#under.first()?.request.atMs ?? this.#now();
      await this.#rest(oldest + this.#plan.timeoutMs, this.#settled.signal);
      const now = this.#now();
      // After a stall of our own, answers lie in the sockets: they are let in before anything is given up.
      await this.#rest(now + toMs(MILLISECOND), this.#settled.signal);
      this.#giveUp(now);
    }
  }

  #forget(): void {
    while (this.#under.first()?.over) this.#under.shift();
  }

  #giveUp(now: number): void {
    for (let flight = this.#under.first(); flight; flight = this.#under.first()) {
      if (!flight.over && flight.request.atMs + this.#plan.timeoutMs > now) return;
      this.#under.shift();
      this.#settle(flight, flight.sent === null ? NOT_SENT : TIMEOUT, this.#now());
    }
  }

  async #leave(): Promise<void> {
    const either = AbortSignal.any([this.#signal, this.#settled.signal]);
    if (!either.aborted) await once(either, 'abort');
    if (this.#settled.signal.aborted) return;
    await this.#abort((flight) => flight.sent === null);
    await this.#rest(this.#now() + toMs(GRACE), this.#settled.signal);
    await this.#abort(() => true);
  }

  async #abort(which: (flight: Flight) => boolean): Promise<void> {
    for (const flight of this.#under.all()) if (which(flight)) this.#settle(flight, ABORTED, this.#now());
    let portion = 0;
    for (let next = this.#requests.next(); !next.done; next = this.#requests.next()) {
      this.#left += 1;
      this.#settle(flightOf(next.value), ABORTED, this.#now());
      if (++portion % PORTION === 0) await this.#room();
    }
  }

  /** Sleeps until then or until the signal, whichever is first. */
  #rest(ms: number, signal: AbortSignal): Promise<void> {
    return this.#clock.sleepUntil(this.#startAt + fromMs(ms), signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}

const NOT_SENT: Outcome = { status: null, error: 'not sent' };
const TIMEOUT: Outcome = { status: null, error: 'timeout' };
const ABORTED: Outcome = { status: null, error: 'aborted' };
