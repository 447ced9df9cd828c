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
import { endSpan, type Target, type Tracing } from './tracing.ts';
import type { Outgoing, Transport } from './transport.ts';

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
      return answer.kind === 'error' && n <= call.retries ? attempt(n + 1) : answer;
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
  const target = { method, route, path, to: call.to, port: tools.platform.components[call.to]!.port };
  const span = tools.tracing.calling(target, within);
  const started = systemClock.now();
  const answer = await ask(tools, call, message(target, by, span), deadline);
  note(tools, { call, target, by, span, n, ms: toMs(systemClock.now() - started) }, answer);
  return answer;
};

/** The request as it is sent; the Host header names the component, as a call through a Kubernetes service does. */
const message = ({ method, path, to, port }: Target, by: Carried, span: Span): Outgoing => {
  const headers = { host: `${to}:${port}`, ...by.headers, ...traceHeaders(span.spanContext()) };
  if (method === 'GET' || method === 'DELETE') return { method, path, headers, body: null };
  const body = JSON.stringify({ request_id: by.requestId });
  const length = String(Buffer.byteLength(body));
  return {
    method,
    path,
    headers: { ...headers, 'content-type': 'application/json', 'content-length': length },
    body,
  };
};

const ask = async (
  { endpoints, transport }: Tools,
  call: CallProfile,
  what: Outgoing,
  deadline: AbortSignal,
): Promise<Answer> => {
  const place = endpoints.next(call.to);
  if (!place) return { kind: 'nobody', message: `no endpoint for ${call.to}`, code: 'no_endpoint' };
  try {
    return { kind: 'answered', ...(await transport.send(place, what, deadline)) };
  } catch (error) {
    if (deadline.aborted) return { kind: 'timeout', message: `deadline of ${call.deadline} exceeded`, code: 'timeout' };
    return { kind: 'error', message: oneLine(error), code: (error as NodeJS.ErrnoException).code ?? 'error' };
  }
};

type Attempt = {
  readonly call: CallProfile;
  readonly target: Target;
  readonly by: Carried;
  readonly span: Span;
  /** Its number, from 1. */
  readonly n: number;
  readonly ms: number;
};

const note = ({ metrics, log }: Tools, { call, target, by, span, n, ms }: Attempt, answer: Answer): void => {
  const { method, path, route, to } = target;
  const status = answer.kind === 'answered' ? answer.status : null;
  const error = failure(to, answer);
  const resent = n - 1 + (answer.kind === 'answered' && answer.resent ? 1 : 0);
  if (resent > 0) span.setAttribute('http.request.resend_count', resent);
  endSpan(span, status, error, answer.kind === 'answered' ? String(status) : answer.code);
  metrics.called(to, { method, path: route }, label(answer), ms);
  const context = { method, path, status, duration_ms: round(ms), peer: to, error: error ?? undefined, attempt: n };
  if (error === null) log('INFO', 'call answered', by, context);
  else log(call.optional ? 'WARN' : 'ERROR', 'call failed', by, context);
};

/** An answer as the metrics' status label has it. */
const label = (answer: Answer): string => {
  if (answer.kind === 'answered') return String(answer.status);
  return answer.kind === 'timeout' ? 'timeout' : 'error';
};

/** Why a call counts as failed, or null: an answer below 500 is the peer's business. */
export const failure = (to: string, answer: Answer): string | null => {
  if (answer.kind !== 'answered') return answer.message;
  return answer.status >= 500 ? `${to} answered ${answer.status}` : null;
};

/** Milliseconds as log lines have them: microseconds are enough. */
export const round = (ms: number): number => Math.round(ms * 1000) / 1000;
