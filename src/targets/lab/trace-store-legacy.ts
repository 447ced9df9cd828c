// Jaeger's older query API: /api/…, with its own JSON as payload. Gone from Jaeger after 2.20, still asked by many tools.
import { systemClock } from '../../time.ts';
import { kindName, type Search, type SpanMemory } from './trace-store-memory.ts';
import { type AnyValue, attribute, type KeyValue, type StoredSpan, text } from './trace-store-otlp.ts';
import { BadRequest, goDuration, param, stringMap, traceId, wholeNumber } from './trace-store-params.ts';
import type { Reply } from './trace-store-v3.ts';

type Tag = { readonly key: string; readonly type: string; readonly value: unknown };

const list = (data: readonly unknown[], total = 0): Reply => ({
  status: 200,
  body: { data, total, limit: 0, offset: 0, errors: null },
});
export const legacyError = (code: number, msg: string): Reply => ({
  status: code,
  body: { data: null, total: 0, limit: 0, offset: 0, errors: [{ code, msg }] },
});

/** Answers a path under /api, or null when there is no such endpoint. Throws BadRequest. */
export const answerLegacy = (memory: SpanMemory, path: string, params: URLSearchParams): Reply | null => {
  if (path === '/api/services') return counted(memory.services());
  if (path === '/api/operations') return counted(operations(memory, params));
  if (path === '/api/traces') return list(traces(memory, params).map(rendered));
  if (path === '/api/dependencies') return list(dependencies(memory, params));
  const [, of, name, rest] = /^\/api\/(services|traces)\/([^/]+)(\/operations)?$/.exec(path) ?? [];
  if (of === 'services' && rest)
    return counted([...new Set(memory.operations(decodeURIComponent(name!)).map((one) => one.name))]);
  return of === 'traces' && !rest ? byId(memory, name!) : null;
};

const counted = (data: readonly unknown[]): Reply => list(data, data.length);

const required = (params: URLSearchParams, name: string): string => {
  const value = param(params, name);
  if (value === null) throw new BadRequest(`parameter '${name}' is required`);
  return value;
};

const operations = (memory: SpanMemory, params: URLSearchParams): unknown[] => {
  const kind = param(params, 'spanKind');
  const all = memory.operations(required(params, 'service'));
  const named = all.map((one) => ({ name: one.name, spanKind: kindName(one.kind) }));
  return named.filter((one) => kind === null || one.spanKind === kind);
};

const byId = (memory: SpanMemory, id: string): Reply => {
  const trace = memory.trace(traceId(id));
  return trace ? list([rendered(trace)]) : legacyError(404, 'trace not found');
};

const traces = (memory: SpanMemory, params: URLSearchParams): readonly (readonly StoredSpan[])[] => {
  const ids = params.getAll('traceID');
  if (ids.length === 0) return memory.search(search(params));
  return ids.map((id) => memory.trace(traceId(id))).filter((trace) => trace !== null);
};

const DAY_US = 86_400_000_000n;

const search = (params: URLSearchParams): Search => {
  const now = systemClock.now() / 1000n;
  return {
    service: required(params, 'service'),
    operation: param(params, 'operation'),
    from: wholeNumber(params, now - 2n * DAY_US, 'start') * 1000n,
    until: wholeNumber(params, now, 'end') * 1000n,
    shortest: goDuration(params, 'minDuration'),
    longest: goDuration(params, 'maxDuration'),
    attributes: { ...stringMap(params, 'tags'), ...Object.fromEntries(params.getAll('tag').map(pair)) },
    limit: Number(wholeNumber(params, 100n, 'limit')),
  };
};

const pair = (tag: string): [string, string] => {
  const colon = tag.indexOf(':');
  if (colon < 1) throw new BadRequest(`malformed parameter tag: '${tag}' is not key:value`);
  return [tag.slice(0, colon), tag.slice(colon + 1)];
};

/** Who called whom how often: a span whose parent is another span is a call, within one service too. */
const dependencies = (memory: SpanMemory, params: URLSearchParams): unknown[] => {
  const end = wholeNumber(params, systemClock.now() / 1_000_000n, 'endTs');
  const lookback = wholeNumber(params, DAY_US / 1000n, 'lookback');
  const calls = new Map<string, { parent: string; child: string; callCount: number }>();
  for (const it of memory.between((end - lookback) * 1_000_000n, end * 1_000_000n)) {
    const parent =
      it.span.parentSpanId && memory.trace(it.span.traceId)?.find((one) => one.span.spanId === it.span.parentSpanId);
    if (!parent) continue;
    const key = `${parent.service}\n${it.service}`;
    calls.set(key, { parent: parent.service, child: it.service, callCount: (calls.get(key)?.callCount ?? 0) + 1 });
  }
  return [...calls.values()];
};

// Ids whose upper half is zero are printed in their short form, as Jaeger does here and not in v3.
const short = (id: string): string => id.replace(/^0{16}(?=.{16}$)/, '');

const rendered = (trace: readonly StoredSpan[]): unknown => {
  const processes = new Map<string, { readonly id: string; readonly process: unknown }>();
  const process = (it: StoredSpan): string => {
    const key = JSON.stringify(it.resource);
    const there = processes.get(key) ?? { id: `p${processes.size + 1}`, process: processOf(it) };
    processes.set(key, there);
    return there.id;
  };
  const spans = trace.map((it) => renderedSpan(it, process(it)));
  return {
    traceID: short(trace[0]!.span.traceId),
    spans,
    processes: Object.fromEntries(processes.values().map((one) => [one.id, one.process])),
    warnings: null,
  };
};

const processOf = ({ service, resource }: StoredSpan): unknown => ({
  serviceName: service,
  tags: tags(resource.attributes).filter((tag) => tag.key !== 'service.name'),
});

const micros = (at: bigint): number => Number(at / 1000n);

const renderedSpan = (it: StoredSpan, processID: string): unknown => ({
  traceID: short(it.span.traceId),
  spanID: it.span.spanId,
  operationName: it.span.name,
  references: references(it),
  startTime: micros(it.start),
  duration: micros(it.end - it.start),
  tags: spanTags(it).sort((a, b) => (a.key < b.key ? -1 : 1)),
  logs: (it.span.events ?? []).map((event) => ({
    timestamp: micros(BigInt(event.timeUnixNano)),
    fields: [{ key: 'event', type: 'string', value: event.name }, ...tags(event.attributes)],
  })),
  processID,
  warnings: null,
});

const references = ({ span }: StoredSpan): unknown[] => {
  const to = (refType: string, id: string, spanID: string): unknown => ({ refType, traceID: short(id), spanID });
  const parent = span.parentSpanId ? [to('CHILD_OF', span.traceId, span.parentSpanId)] : [];
  return [...parent, ...(span.links ?? []).map((link) => to('FOLLOWS_FROM', link.traceId, link.spanId))];
};

const STATUS = ['UNSET', 'OK', 'ERROR'];

// What OTLP has as fields, this API has as tags: https://opentelemetry.io/docs/specs/otel/common/mapping-to-non-otlp/
const spanTags = ({ span, scope }: StoredSpan): Tag[] => {
  const extra: Record<string, string | null | undefined> = {
    'otel.scope.name': scope.name,
    'otel.scope.version': scope.version,
    'span.kind': span.kind > 0 ? kindName(span.kind) : null,
    'otel.status_code': span.status?.code ? STATUS[span.status.code] : null,
    'otel.status_description': span.status?.message,
  };
  const named = Object.entries(extra).filter(([, value]) => value);
  const failed = span.status?.code === 2 && attribute(span.attributes, 'error') === null;
  return [
    ...tags(span.attributes),
    ...named.map(([key, value]) => ({ key, type: 'string', value })),
    ...(failed ? [{ key: 'error', type: 'bool', value: true }] : []),
  ];
};

const tags = (attributes: readonly KeyValue[] | undefined): Tag[] =>
  (attributes ?? []).map(({ key, value }) => ({ key, ...typed(value ?? {}) }));

const typed = (value: AnyValue): { type: string; value: unknown } => {
  if (value.boolValue !== undefined) return { type: 'bool', value: value.boolValue };
  if (value.intValue !== undefined) return { type: 'int64', value: Number(value.intValue) };
  if (value.doubleValue !== undefined) return { type: 'float64', value: value.doubleValue };
  if (value.bytesValue !== undefined) return { type: 'binary', value: value.bytesValue };
  return { type: 'string', value: text(value) };
};
