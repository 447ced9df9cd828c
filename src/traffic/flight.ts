// One request on its way: what goes out, what is listened for, and the record that remains.
import type { Dispatcher } from 'undici';
import type { Nanos } from '../model.ts';
import { fromMs, iso, toMs } from '../time.ts';
import type { Connection, Ends } from './connections.ts';
import { failure, ownLimit, triedAddress } from './failure.ts';
import { headers, type Identity, identity } from './identity.ts';
import type { LedgerRecord } from './ledger.ts';
import type { PlannedRequest } from './plan.ts';

export type Flight = {
  readonly request: PlannedRequest;
  readonly due: Nanos;
  /** When it was begun, connecting included: a handshake that takes long is the platform's doing, not the client's. */
  sent: Nanos | null;
  connection: Connection | null;
  ids: Identity | null;
  over: boolean;
};

export type Outcome = { readonly status: number | null; readonly error: string | null; readonly ends?: Ends };

export const flightOf = (request: PlannedRequest, startAt: Nanos): Flight => ({
  request,
  due: startAt + fromMs(request.atMs),
  sent: null,
  connection: null,
  ids: null,
  over: false,
});

/** The request as undici takes it; `base` goes in front of its path. */
export const wire = (runId: string, base: string, flight: Flight): Dispatcher.DispatchOptions => {
  const { method, path, body } = flight.request;
  return {
    method: method as Dispatcher.HttpMethod,
    path: base + path,
    body,
    headers: headers(runId, flight.request, idsOf(runId, flight)),
  };
};

/** Computed when first needed and kept: two hashes are not nothing at thousands of requests a second. */
const idsOf = (runId: string, flight: Flight): Identity => {
  flight.ids ??= identity(runId, flight.request.n);
  return flight.ids;
};

/** Listens to one answer until its last byte; its body is let go. */
export const listener = (flight: Flight, settle: (outcome: Outcome) => void): Dispatcher.DispatchHandler => {
  let status: number | null = null;
  return {
    onRequestStart: () => {},
    onResponseStart: (_controller, code) => {
      status = code;
    },
    onResponseData: () => {},
    onResponseEnd: () => settle({ status, error: null }),
    onResponseError: (_controller, error) => {
      if (ownLimit(error)) flight.sent = null;
      const why = ownLimit(error) ? `not sent: ${failure(error)}` : failure(error);
      settle({ status: null, error: why, ends: { local: null, remote: triedAddress(error) } });
    },
  };
};

/** What the ledger keeps of a flight that ended `now`. */
export const entry = (runId: string, flight: Flight, now: Nanos, outcome: Outcome): LedgerRecord => {
  const { request, due, sent } = flight;
  const { n, journey, user, session } = request;
  const socket = flight.connection?.ends();
  const ends = socket?.remote ? socket : outcome.ends;
  return {
    ...{ n, journey, request: request.request, ...idsOf(runId, flight), user, session },
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
