// The ledger: one record for every tagged request, the client's own truth. Pure data.
import { z } from 'zod';
import { Usage } from '../errors.ts';
import { problems } from '../platform.ts';

export type LedgerRecord = {
  /** Position in the arrival plan. */
  readonly n: number;
  readonly journey: string;
  /** The journey's step as the platform has it, such as `GET /orders/:id`. */
  readonly request: string;
  readonly requestId: string;
  readonly correlationId: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly user: string;
  readonly session: string;
  /** ISO 8601 with nanoseconds: when the plan wanted it sent, when it was, when its answer or failure was complete. */
  readonly intended: string;
  readonly sent: string | null;
  readonly ended: string | null;
  /** HTTP status, or null when no answer came; then `error` says why (`ECONNREFUSED`, `timeout`, `not sent`). */
  readonly status: number | null;
  readonly error: string | null;
  /** Milliseconds from the intended time to the end: coordinated omission counted in. */
  readonly latencyMs: number | null;
  /** Milliseconds from the actual time to the end. */
  readonly serviceMs: number | null;
  readonly local: { readonly ip: string; readonly port: number } | null;
  readonly remote: { readonly ip: string; readonly port: number } | null;
};

export type TrafficSummary = {
  readonly sent: number;
  readonly answered: number;
  readonly failed: number;
  /** How many connections carried them, told apart by the client's address and port. */
  readonly connections: number;
  /** The client itself could not keep up: such a run is never a pass. Null, or why. */
  readonly saturated: string | null;
};

/** Never sent, or given up because the run was ended: says nothing about the platform. */
export const untold = (record: LedgerRecord): boolean => record.sent === null || record.error === 'aborted';

/** No whole answer, or a status of 400 or more, as most load generators count it. */
export const failed = (record: LedgerRecord): boolean =>
  !untold(record) && (record.status === null || record.status >= 400);

const time = z.iso.datetime({ offset: true });
const end = z.object({ ip: z.string(), port: z.int() }).nullable();
const schema = z.object({
  n: z.int().min(0),
  journey: z.string(),
  request: z.string(),
  requestId: z.string(),
  correlationId: z.string(),
  traceId: z.string(),
  spanId: z.string(),
  user: z.string(),
  session: z.string(),
  intended: time,
  sent: time.nullable(),
  ended: time.nullable(),
  status: z.int().nullable(),
  error: z.string().nullable(),
  latencyMs: z.number().nullable(),
  serviceMs: z.number().nullable(),
  local: end,
  remote: end,
}) satisfies z.ZodType<LedgerRecord>;

/**
 * One record as one line of NDJSON, without its line break; the keys are always in the same order. They are put in order in an object of
 * its own: JSON.stringify takes three times as long with a list of keys, and to put the pieces together by hand takes twice as long.
 */
export const toLine = (one: LedgerRecord): string =>
  JSON.stringify({
    n: one.n,
    journey: one.journey,
    request: one.request,
    requestId: one.requestId,
    correlationId: one.correlationId,
    traceId: one.traceId,
    spanId: one.spanId,
    user: one.user,
    session: one.session,
    intended: one.intended,
    sent: one.sent,
    ended: one.ended,
    status: one.status,
    error: one.error,
    latencyMs: one.latencyMs,
    serviceMs: one.serviceMs,
    local: inOrder(one.local),
    remote: inOrder(one.remote),
  } satisfies LedgerRecord);

const inOrder = (end: LedgerRecord['local']): LedgerRecord['local'] => end && { ip: end.ip, port: end.port };

/** The record that a line of a ledger holds. Throws Usage with what is wrong with it. */
export const fromLine = (line: string): LedgerRecord => {
  const parsed = schema.safeParse(json(line));
  if (!parsed.success) throw new Usage(`ledger: ${problems(parsed.error)}: ${line.slice(0, 80)}`);
  return parsed.data;
};

const json = (line: string): unknown => {
  try {
    return JSON.parse(line);
  } catch {
    throw new Usage(`ledger: not JSON: ${line.slice(0, 80)}`);
  }
};
