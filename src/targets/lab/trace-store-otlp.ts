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
export type KeyValue = { readonly key: string; readonly value: AnyValue };

// 64-bit integers are strings in OTLP's JSON; protobuf's own JSON mapping takes numbers too.
const integer = z.union([z.string().regex(/^-?\d+$/), z.int().transform(String)]);
// Ids of another length are an error, and not just ids that lead nowhere.
const id = (digits: 16 | 32) =>
  z
    .string()
    .regex(new RegExp(`^([0-9a-f]{${digits}})?$`, 'i'), `must be ${digits} hex digits`)
    .transform((hex) => hex.toLowerCase());
const double = z.union([
  z.number(),
  z.enum(['NaN', 'Infinity', '-Infinity']),
  z
    .string()
    .regex(/^-?\d+(\.\d+)?(e[+-]?\d+)?$/i)
    .transform(Number),
]);
// OTLP has enums as numbers; the Collector takes their names too.
const enumerated = (prefix: string, names: readonly string[]) =>
  z.union([
    z.int(),
    z.enum(names.map((one) => `${prefix}_${one}`)).transform((one) => names.indexOf(one.slice(prefix.length + 1))),
  ]);
const KIND = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'];
const CODE = ['UNSET', 'OK', 'ERROR'];

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
const keyValue: z.ZodType<KeyValue> = z.lazy(() =>
  z.object({ key: z.string().default(''), value: anyValue.default({}) }),
);
const attributes = z.array(keyValue).optional();
const dropped = z.int().optional();

const event = z.object({
  timeUnixNano: integer.default('0'),
  name: z.string().default(''),
  attributes,
  droppedAttributesCount: dropped,
});
const link = z.object({
  traceId: id(32).default(''),
  spanId: id(16).default(''),
  traceState: z.string().optional(),
  attributes,
  droppedAttributesCount: dropped,
  flags: z.int().optional(),
});
const span = z.object({
  traceId: id(32).default(''),
  spanId: id(16).default(''),
  parentSpanId: id(16).optional(),
  traceState: z.string().optional(),
  flags: z.int().optional(),
  name: z.string().default(''),
  kind: enumerated('SPAN_KIND', KIND).default(0),
  startTimeUnixNano: integer.default('0'),
  endTimeUnixNano: integer.default('0'),
  attributes,
  droppedAttributesCount: dropped,
  events: z.array(event).optional(),
  droppedEventsCount: dropped,
  links: z.array(link).optional(),
  droppedLinksCount: dropped,
  status: z.object({ code: enumerated('STATUS_CODE', CODE).optional(), message: z.string().optional() }).optional(),
});
const resource = z.object({ attributes, droppedAttributesCount: dropped });
const scope = z.object({
  name: z.string().optional(),
  version: z.string().optional(),
  attributes,
  droppedAttributesCount: dropped,
});
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

export type Event = z.output<typeof event>;
export type Link = z.output<typeof link>;
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

/** Jaeger's word for a span's kind, which is none for the unspecified one. */
export const kindName = (kind: number): string => (kind > 0 ? (KIND[kind]?.toLowerCase() ?? '') : '');

/** Whether a link leads to a trace; Jaeger leaves out those that don't. */
export const linked = (one: Link): boolean => /[^0]/.test(one.traceId);

const valid = ({ traceId, spanId }: Span): boolean => /[^0]/.test(traceId) && /[^0]/.test(spanId);

/** The request's spans, and how many had an id that OTLP calls invalid (none, or all zeroes). */
export const storedSpans = (it: ExportRequest): { readonly spans: StoredSpan[]; readonly rejected: number } => {
  const spans: StoredSpan[] = [];
  let rejected = 0;
  for (const { resource: sent, scopeSpans } of it.resourceSpans) {
    const { service, resource } = withService(sent);
    for (const { scope, spans: inScope } of scopeSpans) {
      for (const one of inScope) {
        if (valid(one)) spans.push(stored(service, resource, scope, one));
        else rejected++;
      }
    }
  }
  return { spans, rejected };
};

const SERVICE = 'service.name';

// What Jaeger calls a service that does not say, or not as text, what it is called; it writes that into the resource too.
const withService = (resource: Resource): { readonly service: string; readonly resource: Resource } => {
  const value = resource.attributes?.find((one) => one.key === SERVICE)?.value;
  if (value?.stringValue) return { service: value.stringValue, resource };
  const placeholder =
    value?.stringValue === '' ? 'empty-service-name' : value ? 'service-name-wrong-type' : 'missing-service-name';
  const others = (resource.attributes ?? []).filter((one) => one.key !== SERVICE);
  const attributes = [...others, { key: SERVICE, value: { stringValue: placeholder } }];
  return { service: placeholder, resource: { ...resource, attributes } };
};

// Jaeger lets no span end before a nanosecond is over.
const stored = (service: string, resource: Resource, scope: Scope, sent: Span): StoredSpan => {
  const start = BigInt(sent.startTimeUnixNano);
  const later = BigInt(sent.endTimeUnixNano) > start;
  const span = later ? sent : { ...sent, endTimeUnixNano: String(start + 1n) };
  return { service, resource, scope, span, start, end: BigInt(span.endTimeUnixNano) };
};
