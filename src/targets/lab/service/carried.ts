// What a request brings along and every request that it causes passes on: who asked, for whom, in which trace.
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import {
  type Context,
  createTraceState,
  isSpanContextValid,
  ROOT_CONTEXT,
  type SpanContext,
  trace,
} from '@opentelemetry/api';

const PASSED_ON = [
  'x-correlation-id',
  'x-firedrill-run',
  'x-user-id',
  'x-session-id',
  'x-username',
  'baggage',
] as const;

export type Carried = {
  readonly requestId: string;
  readonly user: string | null;
  readonly session: string | null;
  /** Headers to repeat on every request made on behalf of this one. */
  readonly headers: Readonly<Record<string, string>>;
  /** The caller's span, or the root context. */
  readonly parent: Context;
};

/** Reads what the headers carry; a request without an id is given one. */
export const carried = (headers: IncomingHttpHeaders): Carried => {
  const requestId = one(headers['x-request-id']) ?? randomUUID();
  const bag = baggage(one(headers.baggage));
  return {
    requestId,
    user: one(headers['x-user-id']) ?? one(headers['x-username']) ?? bag['user.id'] ?? null,
    session: one(headers['x-session-id']) ?? bag['session.id'] ?? null,
    headers: { 'x-request-id': requestId, ...kept(headers) },
    parent: parent(one(headers.traceparent), one(headers.tracestate)),
  };
};

const one = (value: string | readonly string[] | undefined): string | undefined =>
  typeof value === 'string' ? value : value?.[0];

const kept = (headers: IncomingHttpHeaders): Record<string, string> => {
  const result: Record<string, string> = {};
  for (const name of PASSED_ON) {
    const value = one(headers[name]);
    if (value !== undefined) result[name] = value;
  }
  return result;
};

/** Members of a W3C baggage header, without their properties. */
const baggage = (header: string | undefined): Record<string, string> => {
  const result: Record<string, string> = {};
  for (const member of header?.split(',') ?? []) {
    const [key, value] = member.split(';')[0]!.split('=', 2);
    if (key && value !== undefined) result[key.trim()] = decoded(value.trim());
  }
  return result;
};

const decoded = (value: string): string => {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
};

/** W3C Trace Context, section 3.2: a header of a higher version is read as version 00, a wrong one starts a new trace. */
const parent = (traceparent: string | undefined, tracestate: string | undefined): Context => {
  const match = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/.exec(traceparent ?? '');
  if (!match) return ROOT_CONTEXT;
  const span: SpanContext = {
    traceId: match[1]!,
    spanId: match[2]!,
    traceFlags: Number.parseInt(match[3]!, 16) & 1,
    isRemote: true,
    ...(tracestate ? { traceState: createTraceState(tracestate) } : {}),
  };
  return isSpanContextValid(span) ? trace.setSpanContext(ROOT_CONTEXT, span) : ROOT_CONTEXT;
};

/** The headers that make the called component's span a child of this one. */
export const traceHeaders = ({ traceId, spanId, traceFlags, traceState }: SpanContext): Record<string, string> => ({
  traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
  ...(traceState ? { tracestate: traceState.serialize() } : {}),
});
