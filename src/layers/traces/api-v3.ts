// Jaeger's API v3: parameters, and OTLP's JSON as payload.
import { z } from 'zod';
import type { Window } from '../../model.ts';
import { iso } from '../../time.ts';
import { kindOf, type RawSpan } from './span.ts';

const anyValue = z.object({
  stringValue: z.string().optional(),
  boolValue: z.boolean().optional(),
  intValue: z.union([z.string(), z.number()]).optional(),
  doubleValue: z.union([z.number(), z.string()]).optional(),
});
const attributes = z
  .array(z.object({ key: z.string(), value: anyValue.optional() }))
  .default([])
  .transform((list) => new Map(list.map(({ key, value }) => [key, text(value ?? {})])));
const nanos = z.union([z.string().regex(/^\d+$/), z.int()]).transform(BigInt);
const hex = z.string().regex(/^[0-9a-f]+$/i);

const span = z.object({
  traceId: hex,
  spanId: hex,
  parentSpanId: z.string().default(''),
  name: z.string().default(''),
  kind: z.int().default(0),
  startTimeUnixNano: nanos,
  endTimeUnixNano: nanos,
  attributes,
  events: z.array(z.object({ name: z.string().default(''), attributes })).default([]),
  status: z.object({ code: z.int().default(0), message: z.string().default('') }).prefault({}),
});
const resourceSpans = z.object({
  resource: z.object({ attributes }).prefault({}),
  scopeSpans: z.array(z.object({ spans: z.array(span).default([]) })).default([]),
});
const traces = z.object({ result: z.object({ resourceSpans: z.array(resourceSpans).default([]) }) });
const services = z.object({ services: z.array(z.string()).nullish() });
const nothing = z.object({ error: z.object({ httpCode: z.literal(404), message: z.string() }) });

type Value = z.output<typeof anyValue>;
const text = (value: Value): string =>
  String(value.stringValue ?? value.boolValue ?? value.intValue ?? value.doubleValue ?? '');

/** Since 2.19 names are in camelCase, before they were in snake_case; each version passes over what it doesn't know. */
export const v3Params = (service: string, { from, until }: Window, limit: number): Record<string, string> => ({
  'query.serviceName': service,
  'query.service_name': service,
  'query.startTimeMin': iso(from),
  'query.start_time_min': iso(from),
  'query.startTimeMax': iso(until),
  'query.start_time_max': iso(until),
  'query.searchDepth': String(limit),
  'query.num_traces': String(limit),
});

/** Service names, or null when this is not v3's answer. A Jaeger that has none leaves the list out. */
export const v3Services = (body: unknown): string[] | null => {
  const parsed = services.safeParse(body);
  return parsed.success ? (parsed.data.services ?? []) : null;
};

/** The spans of a search; null when this is not v3's answer. Nothing found is a 404 with v3's own error in JSON. */
export const v3Spans = (status: number, body: unknown): RawSpan[] | null => {
  if (status === 404 && nothing.safeParse(body).success) return [];
  const parsed = traces.safeParse(body);
  if (status !== 200 || !parsed.success) return null;
  return parsed.data.result.resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) => spans.map((one) => rawSpan(one, resource.attributes))),
  );
};

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];

const rawSpan = (one: z.output<typeof span>, resource: ReadonlyMap<string, string>): RawSpan => ({
  traceId: one.traceId,
  spanId: one.spanId,
  parentId: /[^0]/.test(one.parentSpanId) ? one.parentSpanId : null,
  service: resource.get('service.name') ?? 'unknown_service',
  name: one.name,
  kind: kindOf(KINDS[one.kind]),
  start: one.startTimeUnixNano,
  durationMs: Math.max(0, Number(one.endTimeUnixNano - one.startTimeUnixNano) / 1e6),
  error: one.status.code === 2,
  message: one.status.message || exception(one.events),
  attributes: one.attributes,
  resource,
});

const exception = (events: readonly { readonly attributes: ReadonlyMap<string, string> }[]): string =>
  events.map((event) => event.attributes.get('exception.message')).find((message) => message) ?? '';
