// Jaeger's older query API: /api/…, with its own JSON as payload. Gone from Jaeger after 2.20, still asked by many tools.
import { systemClock } from '../../time.ts';
import type { SpanMemory } from './trace-store-memory.ts';
import {
  type AnyValue,
  type Event,
  type KeyValue,
  kindName,
  type Link,
  linked,
  type StoredSpan,
} from './trace-store-otlp.ts';
import {
  goDuration,
  INT32,
  INT64,
  mustBeBoolean,
  param,
  Refused,
  stringMap,
  traceId,
  wholeNumber,
} from './trace-store-params.ts';
import type { Search } from './trace-store-search.ts';
import { attribute, text } from './trace-store-text.ts';
import type { Reply } from './trace-store-v3.ts';

type Tag = { readonly key: string; readonly type: string; readonly value: unknown };

const list = (data: readonly unknown[], total = 0, errors: readonly unknown[] | null = null): Reply => ({
  status: 200,
  body: { data, total, limit: 0, offset: 0, errors },
});
const error = (code: number, msg: string): Reply => ({
  status: code,
  body: { data: null, total: 0, limit: 0, offset: 0, errors: [{ code, msg }] },
});
export const legacyError = ({ status, message, parameter }: Refused): Reply =>
  error(status, parameter === null ? message : `unable to parse param '${parameter}': ${message}`);

/** Answers a path under /api, or null when there is no such endpoint. Throws Refused. */
export const answerLegacy = (memory: SpanMemory, path: string, params: URLSearchParams): Reply | null => {
  if (path === '/api/services') return counted(memory.services());
  if (path === '/api/operations') return counted(operations(memory, params));
  if (path === '/api/traces') return traces(memory, params);
  if (path === '/api/dependencies') return list(dependencies(memory, params));
  const [, of, name, rest] = /^\/api\/(services|traces)\/([^/]+)(\/operations)?$/.exec(path) ?? [];
  if (of === 'services' && rest)
    return counted([...new Set(memory.operations(decodeURIComponent(name!)).map((one) => one.name))]);
  return of === 'traces' && !rest ? byId(memory, decodeURIComponent(name!), params) : null;
};

const counted = (data: readonly unknown[]): Reply => list(data, data.length);

const required = (params: URLSearchParams, name: string): string => {
  const value = param(params, name);
  if (value === null) throw new Refused(400, `parameter '${name}' is required`);
  return value;
};

const operations = (memory: SpanMemory, params: URLSearchParams): unknown[] => {
  const kind = param(params, 'spanKind');
  const all = memory.operations(required(params, 'service'));
  const named = all.map((one) => ({ name: one.name, spanKind: kindName(one.kind) }));
  return named.filter((one) => kind === null || one.spanKind === kind);
};

const NOT_FOUND = 'trace not found';

const byId = (memory: SpanMemory, id: string, params: URLSearchParams): Reply => {
  const trace = memory.trace(traceId(id));
  wholeNumber(params, INT64, 'start');
  wholeNumber(params, INT64, 'end');
  mustBeBoolean(params, 'raw');
  return trace ? list([rendered(trace)]) : error(404, NOT_FOUND);
};

/** A search, or the traces that are asked for by their ids: those not there are errors in an answer that is none. */
const traces = (memory: SpanMemory, params: URLSearchParams): Reply => {
  const asked = search(params);
  const ids = params.getAll('traceID').map(traceId);
  if (ids.length === 0) return list(memory.search({ ...asked, service: required(params, 'service') }).map(rendered));
  const held = ids.map((id) => ({ id, trace: memory.trace(id) }));
  const lost = held.filter((one) => one.trace === null).map(({ id }) => ({ msg: NOT_FOUND, traceID: short(id) }));
  return list(
    held.flatMap(({ trace }) => (trace ? [rendered(trace)] : [])),
    0,
    lost.length > 0 ? lost : null,
  );
};

const DAY_US = 86_400_000_000n;

const search = (params: URLSearchParams): Search => {
  const now = systemClock.now() / 1000n;
  const from = wholeNumber(params, INT64, 'start') ?? now - 2n * DAY_US;
  const until = wholeNumber(params, INT64, 'end') ?? now;
  const [shortest, longest] = [goDuration(params, 'minDuration'), goDuration(params, 'maxDuration')];
  mustBeBoolean(params, 'raw');
  if (shortest !== null && longest !== null && longest < shortest)
    throw new Refused(400, "'maxDuration' should be greater than 'minDuration'");
  return {
    service: param(params, 'service'),
    operation: param(params, 'operation'),
    from: from * 1000n,
    until: until * 1000n,
    shortest,
    longest,
    attributes: tagsAsked(params),
    limit: limit(params),
  };
};

const tagsAsked = (params: URLSearchParams): Readonly<Record<string, string>> => {
  const maps = params.getAll('tags').map((one) => stringMap('tags', one));
  return Object.assign(Object.fromEntries(params.getAll('tag').map(pair)), ...maps);
};

const pair = (tag: string): [string, string] => {
  const colon = tag.indexOf(':');
  if (colon < 0) throw new Refused(400, `malformed 'tag' parameter, expecting key:value, received: ${tag}`);
  return [tag.slice(0, colon), tag.slice(colon + 1)];
};

const limit = (params: URLSearchParams): number => {
  const depth = Number(wholeNumber(params, INT32, 'limit') ?? 100n);
  if (depth < 1 && !params.has('traceID'))
    throw new Refused(500, 'search depth must be greater than 0 and less than max traces');
  return depth;
};

type Call = { readonly parent: string; readonly child: string; readonly callCount: number };

/** Who called whom how often, in the traces that lie wholly within: a span whose parent is there is a call. */
const dependencies = (memory: SpanMemory, params: URLSearchParams): readonly Call[] => {
  const end = wholeNumber(params, INT64, 'endTs') ?? systemClock.now() / 1_000_000n;
  const lookback = wholeNumber(params, INT64, 'lookback') ?? DAY_US / 1000n;
  if (lookback < 0n) throw new Refused(500, 'end time must be greater than start time');
  const calls = new Map<string, Call>();
  for (const { parent, child } of memory.within((end - lookback) * 1_000_000n, end * 1_000_000n).flatMap(callsIn)) {
    const key = JSON.stringify([parent, child]);
    calls.set(key, { parent, child, callCount: (calls.get(key)?.callCount ?? 0) + 1 });
  }
  const service = param(params, 'service');
  return [...calls.values()].filter((one) => service === null || [one.parent, one.child].includes(service));
};

const callsIn = (trace: readonly StoredSpan[]): { readonly parent: string; readonly child: string }[] => {
  const byId = new Map(trace.toReversed().map((it) => [it.span.spanId, it.service]));
  return trace.flatMap(({ span, service }) => {
    const parent = span.parentSpanId && byId.get(span.parentSpanId);
    return parent ? [{ parent, child: service }] : [];
  });
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
    fields: [...eventName(event), ...tags(event.attributes)],
  })),
  processID,
  warnings: null,
});

const string = (key: string, value: string): Tag => ({ key, type: 'string', value });

const eventName = ({ name, attributes }: Event): Tag[] =>
  name === '' || attributes?.some((one) => one.key === 'event') ? [] : [string('event', name)];

// A link to the parent says what kind of reference the parent is; one to no trace is none.
const references = ({ span }: StoredSpan): unknown[] => {
  const toParent = (one: Link): boolean => one.traceId === span.traceId && one.spanId === span.parentSpanId;
  const links = (span.links ?? []).filter(linked);
  const type = links.filter(toParent).map(refType).at(-1) ?? 'CHILD_OF';
  const parent = span.parentSpanId ? [reference(type, span.traceId, span.parentSpanId)] : [];
  const others = links.filter((one) => !toParent(one));
  return [...parent, ...others.map((one) => reference(refType(one), one.traceId, one.spanId))];
};

const reference = (refType: string, id: string, spanID: string): unknown => ({ refType, traceID: short(id), spanID });
const refType = ({ attributes }: Link): string =>
  attribute(attributes, 'opentracing.ref_type') === 'child_of' ? 'CHILD_OF' : 'FOLLOWS_FROM';

const STATUS = ['UNSET', 'OK', 'ERROR'];

// What OTLP has as fields, this API has as tags: https://opentelemetry.io/docs/specs/otel/common/mapping-to-non-otlp/
const spanTags = ({ span, scope }: StoredSpan): Tag[] => {
  const extra: Record<string, string | null | undefined> = {
    'otel.scope.name': scope.name,
    'otel.scope.version': scope.version,
    'span.kind': kindName(span.kind),
    'otel.status_code': span.status?.code ? STATUS[span.status.code] : null,
    'otel.status_description': span.status?.message,
    'w3c.tracestate': span.traceState,
  };
  return [
    ...tags(span.attributes),
    ...Object.entries(extra).flatMap(([key, value]) => (value ? [string(key, value)] : [])),
    ...(span.status?.code === 2 ? [{ key: 'error', type: 'bool', value: true }] : []),
  ];
};

const tags = (attributes: readonly KeyValue[] | undefined): Tag[] =>
  (attributes ?? []).map(({ key, value }) => ({ key, ...typed(value) }));

const typed = (value: AnyValue): { type: string; value: unknown } => {
  if (value.boolValue !== undefined) return { type: 'bool', value: value.boolValue };
  if (value.intValue !== undefined) return { type: 'int64', value: safe(value.intValue) };
  if (value.doubleValue !== undefined) return { type: 'float64', value: value.doubleValue };
  if (value.bytesValue !== undefined) return { type: 'binary', value: value.bytesValue || null };
  return { type: 'string', value: text(value) };
};

// What JavaScript can't hold exactly is sent as text.
const safe = (int: string): number | string => (Number.isSafeInteger(Number(int)) ? Number(int) : int);
