// The open-loop client: every request leaves when the plan says so, whatever became of the others.
import { once } from 'node:events';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Dispatcher } from 'undici';
import type { Nanos } from '../model.ts';
import { type Clock, fromMs, iso, MILLISECOND, SECOND, systemClock, toMs } from '../time.ts';
import { type Connection, type Connections, connections, type Ends } from './connections.ts';
import { failure, triedAddress } from './failure.ts';
import { headers, type Identity, identity } from './identity.ts';
import type { LedgerRecord } from './ledger.ts';
import { type PlannedRequest, peak, type TrafficPlan } from './plan.ts';
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
  const delay = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  delay.enable();
  await using pool = connections(new URL(plan.url), options.connections ?? enough(plan));
  await send(plan, startAt, options, pool);
  delay.disable();
  // The histogram holds the time between two ticks of its timer; what exceeds the timer's own period is delay.
  const late = (percentile: number): number => Math.max(0, delay.percentile(percentile) / 1e6 - LOOP_RESOLUTION_MS);
  return delay.count > 0 ? { p50: late(50), p99: late(99), max: late(100) } : { p50: 0, p99: 0, max: 0 };
};

/** Each request holds a connection for `timeoutMs` at most: so many can be under way, and no server can make it more. */
const enough = (plan: TrafficPlan): number => Math.max(1, Math.min(MOST_CONNECTIONS, peak(plan, plan.timeoutMs) + 1));

type Flight = {
  readonly request: PlannedRequest;
  readonly due: Nanos;
  sent: Nanos | null;
  connection: Connection | null;
  ids: Identity | null;
  over: boolean;
};

type Outcome = { readonly status: number | null; readonly error: string | null; readonly ends?: Ends };

const send = async (plan: TrafficPlan, startAt: Nanos, options: SendOptions, pool: Connections): Promise<void> => {
  const { record, signal, clock = systemClock } = options;
  const timeout = fromMs(plan.timeoutMs);
  const base = new URL(plan.url).pathname.replace(/\/$/, '');
  const settled = new AbortController();
  const waiting: Flight[] = [];
  const flights = plan.requests.map(
    (request): Flight => ({
      request,
      due: startAt + fromMs(request.atMs),
      sent: null,
      connection: null,
      ids: null,
      over: false,
    }),
  );
  let left = flights.length;
  if (left === 0) settled.abort();

  const settle = (flight: Flight, outcome: Outcome): void => {
    if (flight.over) return;
    flight.over = true;
    record(entry(plan.runId, flight, clock.now(), outcome));
    if (flight.connection) release(flight.connection, outcome.status !== null);
    left -= 1;
    if (left === 0) settled.abort();
  };

  const release = (connection: Connection, reusable: boolean): void => {
    if (reusable) pool.give(connection);
    else pool.drop(connection);
    let next = waiting.shift();
    while (next && !launch(next)) next = waiting.shift();
  };

  /** False when it is over or overdue: then it is not worth a connection, and giveUp() has the word. */
  const launch = (flight: Flight): boolean => {
    const now = clock.now();
    if (flight.over || now >= flight.due + timeout) return false;
    flight.connection = pool.take();
    if (flight.connection) {
      flight.sent = now;
      flight.ids = identity(plan.runId, flight.request.n);
      const told = answer((outcome) => settle(flight, outcome));
      flight.connection.dispatch(wire(plan.runId, base, flight.request, flight.ids), told);
    } else waiting.push(flight);
    return true;
  };

  const depart = async (): Promise<void> => {
    for (const flight of flights) {
      if (flight.due > clock.now()) await rest(clock, flight.due, signal);
      if (signal.aborted) return;
      launch(flight);
    }
  };

  let oldest = 0;
  const giveUp = (at: Nanos): void => {
    for (; oldest < flights.length; oldest += 1) {
      const flight = flights[oldest]!;
      if (!flight.over && flight.due + timeout > at) return;
      settle(flight, { status: null, error: flight.sent === null ? 'not sent' : 'timeout' });
    }
  };
  const expire = async (): Promise<void> => {
    for (giveUp(startAt); oldest < flights.length; ) {
      await rest(clock, flights[oldest]!.due + timeout, settled.signal);
      const now = clock.now();
      // After a stall of our own, answers lie in the sockets: they are let in before anything is given up.
      await rest(clock, now + MILLISECOND, settled.signal);
      giveUp(now);
    }
  };

  const leave = async (): Promise<void> => {
    const either = AbortSignal.any([signal, settled.signal]);
    if (!either.aborted) await once(either, 'abort');
    const abort = (some: readonly Flight[]): void => {
      for (const flight of some) settle(flight, { status: null, error: 'aborted' });
    };
    abort(flights.filter((flight) => flight.sent === null));
    await rest(clock, clock.now() + GRACE, settled.signal);
    abort(flights);
  };

  await rest(clock, startAt - SECOND, signal);
  if (!signal.aborted) pool.warm(peak(plan, WARM_MS));
  await Promise.all([depart(), expire(), leave()]);
};

/** Sleeps until then or until the signal, whichever is first. */
const rest = (clock: Clock, at: Nanos, signal: AbortSignal): Promise<void> =>
  clock.sleepUntil(at, signal).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });

const wire = (runId: string, base: string, request: PlannedRequest, ids: Identity): Dispatcher.DispatchOptions => ({
  method: request.method as Dispatcher.HttpMethod,
  path: base + request.path,
  body: request.body,
  headers: headers(runId, request, ids),
});

/** Listens to one answer until its last byte; its body is let go. */
const answer = (settle: (outcome: Outcome) => void): Dispatcher.DispatchHandler => {
  let status: number | null = null;
  return {
    onRequestStart: () => {},
    onResponseStart: (_controller, code) => {
      status = code;
    },
    onResponseData: () => {},
    onResponseEnd: () => settle({ status, error: null }),
    onResponseError: (_controller, error) =>
      settle({ status: null, error: failure(error), ends: { local: null, remote: triedAddress(error) } }),
  };
};

const entry = (runId: string, flight: Flight, now: Nanos, outcome: Outcome): LedgerRecord => {
  const { request, due, sent } = flight;
  const open = flight.connection?.ends();
  const ends = open?.remote ? open : outcome.ends;
  return {
    n: request.n,
    journey: request.journey,
    request: request.request,
    ...(flight.ids ?? identity(runId, request.n)),
    user: request.user,
    session: request.session,
    intended: iso(due),
    sent: sent === null ? null : iso(sent),
    ended: sent === null ? null : iso(now),
    status: outcome.status,
    error: outcome.error,
    latencyMs: sent === null ? null : toMs(now - due),
    serviceMs: sent === null ? null : toMs(now - sent),
    local: ends?.local ?? null,
    remote: ends?.remote ?? null,
  };
};
