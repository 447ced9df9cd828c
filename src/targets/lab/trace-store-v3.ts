// Jaeger's API v3 over HTTP: /api/v3/…, with OTLP's JSON as payload.

import { kindName, type Search, type SpanMemory } from './trace-store-memory.ts';
import type { Resource, Scope, Span, StoredSpan } from './trace-store-otlp.ts';
import { BadRequest, goDuration, instant, param, stringMap, traceId, wholeNumber } from './trace-store-params.ts';

export type Reply = { readonly status: number; readonly body: unknown };

const ok = (body: unknown): Reply => ({ status: 200, body });
export const v3Error = (httpCode: number, message: string): Reply => ({
  status: httpCode,
  body: { error: { httpCode, message } },
});

/** Answers a path under /api/v3, or null when there is no such endpoint. Throws BadRequest. */
export const answerV3 = (memory: SpanMemory, path: string, params: URLSearchParams): Reply | null => {
  if (path === '/api/v3/services') return ok({ services: memory.services() });
  if (path === '/api/v3/operations') return ok({ operations: operations(memory, params) });
  if (path === '/api/v3/traces') return found(memory.search(search(params)).flat());
  const id = /^\/api\/v3\/traces\/([^/]+)$/.exec(path)?.[1];
  return id === undefined ? null : found(memory.trace(traceId(id)) ?? []);
};

const operations = (memory: SpanMemory, params: URLSearchParams): unknown[] => {
  const wanted = param(params, 'spanKind', 'span_kind')?.toLowerCase();
  const all = memory.operations(param(params, 'service') ?? '');
  const named = all.map(({ name, kind }) => ({ name, spanKind: kindName(kind) }));
  return named.filter((one) => wanted === undefined || one.spanKind === wanted);
};

const search = (params: URLSearchParams): Search => {
  const from = instant(params, 'query.startTimeMin', 'query.start_time_min');
  const until = instant(params, 'query.startTimeMax', 'query.start_time_max');
  if (from === null || until === null) throw new BadRequest('query.startTimeMin and query.startTimeMax are required');
  return {
    service: param(params, 'query.serviceName', 'query.service_name'),
    operation: param(params, 'query.operationName', 'query.operation_name'),
    from,
    until,
    shortest: goDuration(params, 'query.durationMin', 'query.duration_min'),
    longest: goDuration(params, 'query.durationMax', 'query.duration_max'),
    attributes: stringMap(params, 'query.attributes'),
    limit: Number(wholeNumber(params, 100n, 'query.searchDepth', 'query.search_depth', 'query.num_traces')),
  };
};

// The trap that clients must know: nothing found is a 404, told from a missing endpoint by its JSON alone.
const found = (spans: readonly StoredSpan[]): Reply =>
  spans.length === 0 ? v3Error(404, 'No traces found') : ok({ result: { resourceSpans: grouped(spans) } });

type ScopeSpans = { readonly scope: Scope; readonly spans: Span[] };
type ResourceSpans = { readonly resource: Resource; readonly scopeSpans: ScopeSpans[] };

// Neighbours of one resource and one scope go together; a resource may come up more than once, as Jaeger's do.
const grouped = (spans: readonly StoredSpan[]): ResourceSpans[] => {
  const groups: ResourceSpans[] = [];
  for (const { resource, scope, span } of spans) {
    const last = groups.at(-1);
    const group = last?.resource === resource ? last : { resource, scopeSpans: [] };
    if (group !== last) groups.push(group);
    const inner = group.scopeSpans.at(-1);
    if (inner?.scope === scope) inner.spans.push(span);
    else group.scopeSpans.push({ scope, spans: [span] });
  }
  return groups;
};
