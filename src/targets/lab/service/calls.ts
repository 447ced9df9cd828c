// Calls to other components: deadline, attempts, and what each attempt leaves behind in traces, metrics and logs.
import type { Span } from '@opentelemetry/api';
import { oneLine } from '../../../errors.ts';
import type { CallProfile, Platform } from '../../../platform.ts';
import { milliseconds, systemClock, toMs } from '../../../time.ts';
import { type Carried, traceHeaders } from './carried.ts';
import type { Endpoints } from './discovery.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { fill, type Params, split } from './routes.ts';
import { endSpan, type Tracing } from './tracing.ts';
import type { Transport } from './transport.ts';

/** How a call went: answered with a status, cut off or refused, not answered in time, or nobody there to ask. */
export type Answer =
  | { readonly kind: 'answered'; readonly status: number; readonly resent: boolean }
  | { readonly kind: 'error' | 'timeout' | 'nobody'; readonly message: string; readonly code: string };

export type Asking = { readonly by: Carried; readonly params: Params; readonly within: Span };
export type Calls = (call: CallProfile, asking: Asking) => Promise<Answer>;

type Tools = {
  readonly platform: Platform;
  readonly endpoints: Endpoints;
  readonly transport: Transport;
  readonly tracing: Tracing;
  readonly metrics: Metrics;
  readonly log: Log;
};

/** Makes calls. The deadline is for all attempts together; only an attempt that got no answer is followed by another. */
export const caller = (tools: Tools): Calls => {
  return (call, asking) => {
    const deadline = AbortSignal.timeout(Math.ceil(milliseconds(call.deadline)));
    const attempt = async (n: number): Promise<Answer> => {
      const answer = await attemptOnce(tools, call, asking, n, deadline);
      const again = answer.kind !== 'answered' && n <= call.retries && !deadline.aborted;
      return again ? attempt(n + 1) : answer;
    };
    return attempt(1);
  };
};

const attemptOnce = async (
  tools: Tools,
  call: CallProfile,
  { by, params, within }: Asking,
  n: number,
  deadline: AbortSignal,
): Promise<Answer> => {
  const { method, path: route } = split(call.request);
  const path = fill(route, params, by.requestId);
  const port = tools.platform.components[call.to]!.port;
  const span = tools.tracing.calling({ method, route, path, to: call.to, port }, within);
  const started = systemClock.now();
  const headers = { host: `${call.to}:${port}`, ...by.headers, ...traceHeaders(span.spanContext()) };
  const answer = await ask(tools, call, { method, path, headers }, deadline);
  const ms = toMs(systemClock.now() - started);
  if (n > 1 || (answer.kind === 'answered' && answer.resent))
    span.setAttribute('http.request.resend_count', n > 1 ? n - 1 : 1);
  note(tools, answer, { call, by, span, method, path, route, n, ms });
  return answer;
};

const ask = async (
  { endpoints, transport }: Tools,
  { to, deadline: within }: CallProfile,
  { method, path, headers }: { method: string; path: string; headers: Record<string, string> },
  deadline: AbortSignal,
): Promise<Answer> => {
  const place = endpoints.next(to);
  if (!place) return { kind: 'nobody', message: `no endpoint for ${to}`, code: 'no_endpoint' };
  const body = method === 'GET' || method === 'DELETE' ? null : JSON.stringify({ request_id: headers['x-request-id'] });
  const typed =
    body === null
      ? headers
      : { ...headers, 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) };
  try {
    return { kind: 'answered', ...(await transport.send(place, { method, path, headers: typed, body }, deadline)) };
  } catch (error) {
    if (deadline.aborted) return { kind: 'timeout', message: `deadline of ${within} exceeded`, code: 'timeout' };
    return { kind: 'error', message: oneLine(error), code: (error as NodeJS.ErrnoException).code ?? 'error' };
  }
};

type Attempt = {
  readonly call: CallProfile;
  readonly by: Carried;
  readonly span: Span;
  readonly method: string;
  readonly path: string;
  readonly route: string;
  readonly n: number;
  readonly ms: number;
};

const note = (
  { metrics, log }: Tools,
  answer: Answer,
  { call, by, span, method, path, route, n, ms }: Attempt,
): void => {
  const status = answer.kind === 'answered' ? answer.status : null;
  const error = failure(call.to, answer);
  endSpan(span, status, error, answer.kind === 'answered' ? String(answer.status) : answer.code);
  metrics.called(
    call.to,
    { method, path: route },
    status === null ? (answer.kind === 'timeout' ? 'timeout' : 'error') : String(status),
    ms,
  );
  const context = {
    method,
    path,
    status,
    duration_ms: round(ms),
    peer: call.to,
    error: error ?? undefined,
    attempt: n,
  };
  if (error === null) log('INFO', 'call answered', by, context);
  else log(call.optional ? 'WARN' : 'ERROR', 'call failed', by, context);
};

/** Why a call counts as failed, or null: an answer below 500 is the peer's business. */
export const failure = (to: string, answer: Answer): string | null => {
  if (answer.kind !== 'answered') return answer.message;
  return answer.status >= 500 ? `${to} answered ${answer.status}` : null;
};

/** Milliseconds as log lines have them: microseconds are enough. */
export const round = (ms: number): number => Math.round(ms * 1000) / 1000;
