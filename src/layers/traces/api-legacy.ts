// Jaeger's older JSON API, for versions without v3 and for what else speaks it.
import { z } from 'zod';
import type { Window } from '../../model.ts';
import { kindOf, type RawSpan } from './span.ts';

const tags = z
  .array(z.object({ key: z.string(), value: z.unknown() }))
  .nullish()
  .transform((list) => new Map((list ?? []).map(({ key, value }) => [key, String(value ?? '')])));
const reference = z.object({ refType: z.string(), traceID: z.string(), spanID: z.string() });
const hex = z.string().regex(/^[0-9a-f]+$/i);

const span = z.object({
  traceID: hex,
  spanID: hex,
  operationName: z.string().default(''),
  references: z.array(reference).nullish(),
  startTime: z.number().nonnegative(),
  duration: z.number().nonnegative(),
  tags,
  logs: z.array(z.object({ fields: tags })).nullish(),
  processID: z.string(),
});
const process = z.object({ serviceName: z.string(), tags });
const trace = z.object({ traceID: hex, spans: z.array(span).nullish(), processes: z.record(z.string(), process) });
const traces = z.object({ data: z.array(trace).nullable() });
const services = z.object({ data: z.array(z.string()).nullable() });

const micros = (nanos: bigint): string => String(nanos / 1000n);

/** Times are in microseconds. */
export const legacyParams = (service: string, { from, until }: Window, limit: number): Record<string, string> => ({
  service,
  start: micros(from),
  end: micros(until),
  limit: String(limit),
});

/** Service names, or null when this is not the older API's answer. */
export const legacyServices = (body: unknown): string[] | null => {
  const parsed = services.safeParse(body);
  return parsed.success ? (parsed.data.data ?? []) : null;
};

/** The spans of a search, none when nothing was found; null when this is not the older API's answer. */
export const legacySpans = (status: number, body: unknown): RawSpan[] | null => {
  const parsed = traces.safeParse(body);
  if (status !== 200 || !parsed.success) return null;
  return (parsed.data.data ?? []).flatMap(({ spans, processes }) =>
    (spans ?? []).map((one) => rawSpan(one, processes[one.processID])),
  );
};

const rawSpan = (one: z.output<typeof span>, from: z.output<typeof process> | undefined): RawSpan => ({
  traceId: one.traceID,
  spanId: one.spanID,
  parentId: parentOf(one),
  service: from?.serviceName ?? 'unknown_service',
  name: one.operationName,
  kind: kindOf(one.tags.get('span.kind')),
  start: BigInt(Math.round(one.startTime)) * 1000n,
  durationMs: one.duration / 1000,
  error: one.tags.get('otel.status_code') === 'ERROR',
  message: one.tags.get('otel.status_description') || exception(one.logs ?? []),
  attributes: one.tags,
  resource: from?.tags ?? new Map(),
});

const padded = (id: string): string => id.toLowerCase().padStart(32, '0');

// The parent in the same trace; a link to another trace is no parent. A consumer may only "follow from" its producer.
const parentOf = ({ references, traceID }: z.output<typeof span>): string | null => {
  const inside = (references ?? []).filter((one) => padded(one.traceID) === padded(traceID));
  const parent = inside.find((one) => one.refType === 'CHILD_OF') ?? inside[0];
  return parent?.spanID ?? null;
};

const exception = (logs: readonly { readonly fields: ReadonlyMap<string, string> }[]): string =>
  logs.map(({ fields }) => fields.get('exception.message') ?? fields.get('message')).find((one) => one) ?? '';
