// OTLP trace data as the store keeps it: the shape of OTLP's JSON encoding, whichever encoding it came in.
// https://github.com/open-telemetry/opentelemetry-proto/blob/v1.11.0/docs/specification.md
import { z } from 'zod';

export type AnyValue = {
  readonly stringValue?: string | undefined;
  readonly boolValue?: boolean | undefined;
  readonly intValue?: string | undefined;
  readonly doubleValue?: number | 'NaN' | 'Infinity' | '-Infinity' | undefined;
  readonly arrayValue?: { readonly values?: readonly AnyValue[] | undefined } | undefined;
  readonly kvlistValue?: { readonly values?: readonly KeyValue[] | undefined } | undefined;
  readonly bytesValue?: string | undefined;
};
export type KeyValue = { readonly key: string; readonly value?: AnyValue | undefined };

// 64-bit integers are strings in OTLP's JSON; protobuf's own JSON mapping takes numbers too.
const integer = z.union([z.string().regex(/^-?\d+$/), z.int().transform(String)]);
const id = z
  .string()
  .regex(/^([0-9a-f]{2})*$/i, 'must be hex')
  .transform((hex) => hex.toLowerCase());
const double = z.union([z.number(), z.enum(['NaN', 'Infinity', '-Infinity'])]);

const anyValue: z.ZodType<AnyValue> = z.lazy(() =>
  z.object({
    stringValue: z.string().optional(),
    boolValue: z.boolean().optional(),
    intValue: integer.optional(),
    doubleValue: double.optional(),
    arrayValue: z.object({ values: z.array(anyValue).optional() }).optional(),
    kvlistValue: z.object({ values: z.array(keyValue).optional() }).optional(),
    bytesValue: z.string().optional(),
  }),
);
const keyValue: z.ZodType<KeyValue> = z.lazy(() => z.object({ key: z.string(), value: anyValue.optional() }));
const attributes = z.array(keyValue).optional();

const span = z.object({
  traceId: id.default(''),
  spanId: id.default(''),
  parentSpanId: id.optional(),
  traceState: z.string().optional(),
  flags: z.int().optional(),
  name: z.string().default(''),
  kind: z.int().default(0),
  startTimeUnixNano: integer.default('0'),
  endTimeUnixNano: integer.default('0'),
  attributes,
  events: z
    .array(z.object({ timeUnixNano: integer.default('0'), name: z.string().default(''), attributes }))
    .optional(),
  links: z.array(z.object({ traceId: id.default(''), spanId: id.default(''), attributes })).optional(),
  status: z.object({ code: z.int().optional(), message: z.string().optional() }).optional(),
});
const resource = z.object({ attributes });
const scope = z.object({ name: z.string().optional(), version: z.string().optional(), attributes });
const request = z.object({
  resourceSpans: z
    .array(
      z.object({
        resource: resource.default({}),
        scopeSpans: z.array(z.object({ scope: scope.default({}), spans: z.array(span).default([]) })).default([]),
      }),
    )
    .default([]),
});

export type Span = z.output<typeof span>;
export type Resource = z.output<typeof resource>;
export type Scope = z.output<typeof scope>;
export type ExportRequest = z.output<typeof request>;

/** A span with what it was sent under; `start` and `end` are nanoseconds since the epoch. */
export type StoredSpan = {
  readonly service: string;
  readonly resource: Resource;
  readonly scope: Scope;
  readonly span: Span;
  readonly start: bigint;
  readonly end: bigint;
};

/** Checks an ExportTraceServiceRequest in OTLP's JSON shape; unknown fields are ignored. Throws ZodError. */
export const exportRequest = (value: unknown): ExportRequest => request.parse(value);

/** Text of an attribute's value as searches compare it; null when the attribute is not there. */
export const attribute = (list: readonly KeyValue[] | undefined, key: string): string | null => {
  const value = list?.find((one) => one.key === key)?.value;
  return value ? text(value) : null;
};

/** A value as one line of text: JSON for lists and maps, base64 for bytes. */
export const text = (value: AnyValue): string => {
  const whole = plain(value);
  return typeof whole === 'object' ? JSON.stringify(whole) : String(whole);
};

const plain = (value: AnyValue): unknown => {
  if (value.arrayValue) return (value.arrayValue.values ?? []).map(plain);
  if (value.kvlistValue)
    return Object.fromEntries((value.kvlistValue.values ?? []).map((one) => [one.key, plain(one.value ?? {})]));
  if (value.intValue !== undefined) return Number(value.intValue);
  return value.stringValue ?? value.boolValue ?? value.doubleValue ?? value.bytesValue ?? '';
};

const sizes = { traceId: 32, spanId: 16 } as const;
const valid = (it: Span): boolean =>
  (Object.keys(sizes) as (keyof typeof sizes)[]).every((key) => it[key].length === sizes[key] && /[^0]/.test(it[key]));

/** The request's spans, and how many had an id that OTLP calls invalid (wrong length, or all zeroes). */
export const storedSpans = (it: ExportRequest): { readonly spans: StoredSpan[]; readonly rejected: number } => {
  const spans: StoredSpan[] = [];
  let rejected = 0;
  for (const { resource, scopeSpans } of it.resourceSpans) {
    const service = attribute(resource.attributes, 'service.name') ?? 'unknown_service';
    for (const { scope, spans: sent } of scopeSpans) {
      for (const one of sent) {
        if (valid(one)) spans.push(stored(service, resource, scope, one));
        else rejected++;
      }
    }
  }
  return { spans, rejected };
};

const stored = (service: string, resource: Resource, scope: Scope, span: Span): StoredSpan => ({
  service,
  resource,
  scope,
  span,
  start: BigInt(span.startTimeUnixNano),
  end: BigInt(span.endTimeUnixNano),
});
