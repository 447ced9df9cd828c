// One request on its way: what is known of it, and the record that remains.
import type { Connection, Ends } from './connections.ts';
import { failure, ownLimit, triedAddress } from './failure.ts';
import type { Identities, Identity } from './identity.ts';
import type { LedgerRecord } from './ledger.ts';
import type { PlannedRequest } from './plan.ts';

/** Times are milliseconds after the start of traffic. */
export type Flight = {
  readonly request: PlannedRequest;
  /** When it was begun, connecting included: a handshake that takes long is the platform's doing, not the client's. */
  sent: number | null;
  connection: Connection | null;
  ids: Identity | null;
  over: boolean;
};

export type Outcome = { readonly status: number | null; readonly error: string | null; readonly ends?: Ends };

export const flightOf = (request: PlannedRequest): Flight => ({
  request,
  sent: null,
  connection: null,
  ids: null,
  over: false,
});

/** Computed when first needed and kept: a hash is not nothing at thousands of requests a second. */
export const idsOf = (ids: Identities, flight: Flight): Identity => {
  flight.ids ??= ids(flight.request.n);
  return flight.ids;
};

/** What became of a flight that no answer came to. What this machine's own limits did was never sent. */
export const failing = (flight: Flight, error: Error): Outcome => {
  if (ownLimit(error)) flight.sent = null;
  const why = ownLimit(error) ? `not sent: ${failure(error)}` : failure(error);
  return { status: null, error: why, ends: { local: null, remote: triedAddress(error) } };
};

/** What the ledger keeps of a flight that ended `now`; `stamp` makes ISO 8601 of a time. */
export const entry = (
  ids: Identities,
  flight: Flight,
  now: number,
  outcome: Outcome,
  stamp: (ms: number) => string,
): LedgerRecord => {
  const { request, sent } = flight;
  const { requestId, correlationId, traceId, spanId } = idsOf(ids, flight);
  const socket = flight.connection?.ends();
  const ends = socket?.remote ? socket : outcome.ends;
  return {
    n: request.n,
    journey: request.journey,
    request: request.request,
    requestId,
    correlationId,
    traceId,
    spanId,
    user: request.user,
    session: request.session,
    intended: stamp(request.atMs),
    sent: sent === null ? null : stamp(sent),
    ended: sent === null ? null : stamp(now),
    status: outcome.status,
    error: outcome.error,
    latencyMs: sent === null ? null : nanos(now - request.atMs),
    serviceMs: sent === null ? null : nanos(now - sent),
    local: ends?.local ?? null,
    remote: ends?.remote ?? null,
  };
};

/** To whole nanoseconds: what lies beyond is the arithmetic's, not the clock's. */
const nanos = (ms: number): number => Math.round(ms * 1e6) / 1e6;
