// The pod's HTTP side: endpoints of the profile, and what every pod has besides: /metrics and health.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Span } from '@opentelemetry/api';
import { oneLine } from '../../../errors.ts';
import type { EndpointProfile } from '../../../platform.ts';
import { systemClock, toMs } from '../../../time.ts';
import type { Outcome } from './behaviour.ts';
import { type Asking, round } from './calls.ts';
import { type Carried, carried } from './carried.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import { type Match, router } from './routes.ts';
import { endSpan, type Tracing } from './tracing.ts';

type Tools = {
  readonly service: string;
  readonly pod: string;
  readonly endpoints: Readonly<Record<string, EndpointProfile>>;
  readonly behave: (it: EndpointProfile, asking: Asking) => Promise<Outcome>;
  readonly ready: () => boolean;
  /** When it aborts, no connection is kept after its answer. */
  readonly ending: AbortSignal;
  readonly tracing: Tracing;
  readonly metrics: Metrics;
  readonly log: Log;
};

/** A server that is not yet listening. */
export const podServer = (tools: Tools): Server => {
  const route = router(tools.endpoints);
  const pages = housekeeping(tools);
  return createServer((request, response) => {
    const path = (request.url ?? '/').split('?')[0]!;
    const match = route(request.method ?? 'GET', path);
    if (match) return void serve(tools, match, path, request, response);
    request.resume();
    const page = pages[path];
    if (!page) return notFound(tools, path, request, response);
    void page().then(({ status, type, text }) => send(response, status, type, text));
  });
};

const serve = async (
  tools: Tools,
  { route, params }: Match<EndpointProfile>,
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  const started = systemClock.now();
  const by = carried(request.headers);
  const span = tools.tracing.serving({ method: route.method, route: route.path, path }, by);
  const outcome = await received(request)
    .then(() => tools.behave(route.endpoint, { by, params, within: span }))
    .catch((error: unknown): Outcome => ({ status: 500, error: oneLine(error) }));
  const answer = outcome.error === null ? route.endpoint.answers : { error: outcome.error };
  if (tools.ending.aborted) response.shouldKeepAlive = false;
  reply(response, outcome.status, by, { service: tools.service, request_id: by.requestId, ...answer });
  const ms = toMs(systemClock.now() - started);
  tools.metrics.served({ method: route.method, path: route.path }, outcome.status, ms);
  served(tools, by, span, outcome, { method: route.method, path, ms });
};

const served = (
  { log }: Tools,
  by: Carried,
  span: Span,
  { status, error }: Outcome,
  { method, path, ms }: { method: string; path: string; ms: number },
): void => {
  endSpan(span, status, error);
  const context = { method, path, status, duration_ms: round(ms), error: error ?? undefined };
  if (error === null) log('INFO', 'request served', by, context);
  else log('ERROR', 'request failed', by, context);
};

/** Resolves when the request's body is complete; rejects when its sender gave up on it. */
const received = (request: IncomingMessage): Promise<void> =>
  new Promise((resolve, reject) => {
    request.once('end', resolve).once('error', reject).resume();
  });

const notFound = (tools: Tools, path: string, request: IncomingMessage, response: ServerResponse): void => {
  const by = carried(request.headers);
  const method = request.method ?? 'GET';
  // One label value for them all: an unknown path is chosen by whoever asks, and a label must not grow with that.
  tools.metrics.served({ method, path: 'unknown' }, 404, 0);
  tools.log('WARN', 'request failed', by, { method, path, status: 404, error: 'no such endpoint' });
  reply(response, 404, by, { service: tools.service, request_id: by.requestId, error: 'no such endpoint' });
};

type Text = { readonly status: number; readonly type: string; readonly text: string };

/** What the cluster asks for and no user does: neither counted, nor traced, nor logged. */
const housekeeping = ({ service, pod, ready, metrics }: Tools): Readonly<Record<string, () => Promise<Text>>> => {
  const health = async (good: boolean): Promise<Text> => ({
    status: good ? 200 : 503,
    type: JSON_TYPE,
    text: JSON.stringify({ status: good ? 'ok' : 'not ready', service, pod }),
  });
  return {
    '/metrics': async () => ({ status: 200, ...(await metrics.expose()) }),
    '/health': () => health(true),
    '/health/live': () => health(true),
    '/health/ready': () => health(ready()),
  };
};

const JSON_TYPE = 'application/json';

const reply = (response: ServerResponse, status: number, by: Carried, body: unknown): void => {
  response.setHeader('x-request-id', by.requestId);
  send(response, status, JSON_TYPE, JSON.stringify(body));
};

const send = (response: ServerResponse, status: number, type: string, text: string): void => {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) }).end(text);
};
