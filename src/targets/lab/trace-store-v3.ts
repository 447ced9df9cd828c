// Jaeger's API v3 over HTTP: /api/v3/…, with OTLP's JSON as payload.

import type { SpanMemory } from './trace-store-memory.ts';
import { kindName, linked, type Resource, type Scope, type Span, type StoredSpan } from './trace-store-otlp.ts';
import {
  goDuration,
  instant,
  mustBeBoolean,
  param,
  Refused,
  stringMap,
  traceId,
  UINT32,
  wholeNumber,
} from './trace-store-params.ts';
import type { Search } from './trace-store-search.ts';

export type Reply = { readonly status: number; readonly body: unknown };

const ok = (body: unknown): Reply => ({ status: 200, body });
const error = (httpCode: number, message: string): Reply => ({
  status: httpCode,
  body: { error: { httpCode, message } },
});
export const v3Error = ({ status, message, parameter }: Refused): Reply =>
  error(status, parameter === null ? message : `malformed parameter ${parameter}: ${message}`);

/** Answers a path under /api/v3, or null when there is no such endpoint. Throws Refused. */
export const answerV3 = (memory: SpanMemory, path: string, params: URLSearchParams): Reply | null => {
  if (path === '/api/v3/services') return ok({ services: memory.services() });
  if (path === '/api/v3/operations') return ok({ operations: operations(memory, params) });
  if (path === '/api/v3/traces') return found(memory.search(search(params)).flat());
  const id = /^\/api\/v3\/traces\/([^/]+)$/.exec(path)?.[1];
  return id === undefined ? null : byId(memory, decodeURIComponent(id), params);
};

const byId = (memory: SpanMemory, text: string, params: URLSearchParams): Reply => {
  const id = traceId(text);
  instant(params, 'startTime', 'start_time');
  instant(params, 'endTime', 'end_time');
  mustBeBoolean(params, 'rawTraces', 'raw_traces');
  return found(memory.trace(id) ?? []);
};

// A span of no kind is listed as an internal one, but is not found as such.
const operations = (memory: SpanMemory, params: URLSearchParams): unknown[] => {
  const wanted = param(params, 'spanKind', 'span_kind');
  const all = memory.operations(param(params, 'service') ?? '');
  return all
    .filter(({ kind }) => wanted === null || kindName(kind) === wanted)
    .map(({ name, kind }) => ({ name, spanKind: kindName(kind) || 'internal' }));
};

const DEPTH = 100n;

const search = (params: URLSearchParams): Search => {
  const attributes = param(params, 'query.attributes');
  const from = instant(params, 'query.startTimeMin', 'query.start_time_min');
  const until = instant(params, 'query.startTimeMax', 'query.start_time_max');
  if (from === null || until === null) throw new Refused(400, 'query.startTimeMin and query.startTimeMax are required');
  mustBeBoolean(params, 'query.rawTraces', 'query.raw_traces');
  const depth = wholeNumber(params, UINT32, 'query.searchDepth', 'query.search_depth', 'query.num_traces');
  return {
    service: param(params, 'query.serviceName', 'query.service_name'),
    operation: param(params, 'query.operationName', 'query.operation_name'),
    from,
    until,
    shortest: goDuration(params, 'query.durationMin', 'query.duration_min'),
    longest: goDuration(params, 'query.durationMax', 'query.duration_max'),
    attributes: attributes === null ? {} : stringMap('query.attributes', attributes),
    limit: Number(depth || DEPTH),
  };
};

// The trap that clients must know: nothing found is a 404, told from a missing endpoint by its JSON alone.
const found = (spans: readonly StoredSpan[]): Reply =>
  spans.length === 0 ? error(404, 'No traces found') : ok({ result: { resourceSpans: grouped(spans) } });

type ScopeSpans = { readonly scope: Scope; readonly spans: Span[] };
type ResourceSpans = { readonly resource: Resource; readonly scopeSpans: ScopeSpans[] };

// Neighbours of one resource and one scope go together; a resource may come up more than once, as Jaeger's do.
const grouped = (spans: readonly StoredSpan[]): ResourceSpans[] => {
  const groups: ResourceSpans[] = [];
  for (const { resource, scope, span: held } of spans) {
    const span = held.links ? { ...held, links: held.links.filter(linked) } : held;
    const last = groups.at(-1);
    const group = last?.resource === resource ? last : { resource, scopeSpans: [] };
    if (group !== last) groups.push(group);
    const inner = group.scopeSpans.at(-1);
    if (inner?.scope === scope) inner.spans.push(span);
    else group.scopeSpans.push({ scope, spans: [span] });
  }
  return groups;
};
