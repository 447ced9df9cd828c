// OTLP/HTTP as a client sends it: JSON as it is, protobuf by the published message definitions.
import { gzipSync } from 'node:zlib';
import protobuf from 'protobufjs';
import type { Export } from './jaeger-spans.ts';

// The messages of a trace export, from opentelemetry-proto v1.11.0 (collector/trace/v1, trace/v1, common/v1, resource/v1).
const { root } = protobuf.parse(
  `syntax = "proto3";
  message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
  message ScopeSpans { InstrumentationScope scope = 1; repeated Span spans = 2; string schema_url = 3; }
  message Span {
    message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
    message Link {
      bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated KeyValue attributes = 4;
      uint32 dropped_attributes_count = 5; fixed32 flags = 6;
    }
    bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; fixed32 flags = 16;
    string name = 5; int32 kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8;
    repeated KeyValue attributes = 9; uint32 dropped_attributes_count = 10;
    repeated Event events = 11; uint32 dropped_events_count = 12;
    repeated Link links = 13; uint32 dropped_links_count = 14; Status status = 15;
  }
  message Status { string message = 2; int32 code = 3; }
  message InstrumentationScope { string name = 1; string version = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
  message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue {
    oneof value {
      string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
      ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7;
    }
  }
  message ArrayValue { repeated AnyValue values = 1; }
  message KeyValueList { repeated KeyValue values = 1; }`,
);
const REQUEST = root.lookupType('ExportTraceServiceRequest');

const IDS = ['traceId', 'spanId', 'parentSpanId'];

// OTLP's JSON has ids in hex where protobuf's own mapping would have base64, and NaN as a word.
const forProtobuf = (value: unknown): unknown => {
  if (Array.isArray(value)) return value.map(forProtobuf);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => {
      if (IDS.includes(key)) return [key, Buffer.from(String(inner), 'hex')];
      return [key, key === 'doubleValue' ? Number(inner) : forProtobuf(inner)];
    }),
  );
};

const [JSON_TYPE, PROTOBUF] = ['application/json', 'application/x-protobuf'];

/** One request to /v1/traces. */
export type Sent = {
  readonly method?: 'POST' | 'GET' | 'PUT';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Buffer | string;
};

const json = (body: Buffer | string): Sent => ({ headers: { 'content-type': JSON_TYPE }, body });
const protobufOf = (body: Buffer): Sent => ({ headers: { 'content-type': PROTOBUF }, body });

export const asJson = (it: Export): Sent => json(JSON.stringify(it));
export const asProtobuf = (it: Export): Sent =>
  protobufOf(Buffer.from(REQUEST.encode(REQUEST.fromObject(forProtobuf(it) as object)).finish()));

const TRACE = { traceId: 'fe'.repeat(16), spanId: '2'.repeat(16), name: 'odd' };
const odd = (span: object): Sent =>
  json(JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [{ ...TRACE, ...span }] }] }] }));
const oddValue = (value: unknown): Sent => odd({ attributes: [{ key: 'odd', value }] });
const encoded = (encoding: string, body: Buffer | string): Sent => ({
  headers: { 'content-type': JSON_TYPE, 'content-encoding': encoding },
  body,
});

/** Requests of which some are to be taken and some refused, by what is odd in them. */
export const ODD: Readonly<Record<string, Sent>> = {
  'no request body': json(''),
  'an empty object': json('{}'),
  null: json('null'),
  'a list': json('[]'),
  'no JSON': json('zzz'),
  'an unknown field': json('{"x":1}'),
  'a text for a list': json('{"resourceSpans":"x"}'),
  'a parameter in the media type': { headers: { 'content-type': `${JSON_TYPE}; charset=utf-8` }, body: '{}' },
  'a media type in capitals': { headers: { 'content-type': 'Application/JSON' }, body: '{}' },
  'another media type': { headers: { 'content-type': 'text/plain' }, body: 'x' },
  'no media type': { headers: {}, body: 'x' },
  GET: { method: 'GET', headers: {} },
  PUT: { ...json('{}'), method: 'PUT' },
  gzip: encoded('gzip', gzipSync('{}')),
  'gzip that is none': encoded('gzip', 'zz'),
  'another encoding': encoded('br', '{}'),
  'empty protobuf': protobufOf(Buffer.alloc(0)),
  'protobuf with an unknown field': protobufOf(Buffer.from([0x78, 1])),
  'protobuf that ends too early': protobufOf(Buffer.from([0x0a, 9, 1])),
  'protobuf of another wire type': protobufOf(Buffer.from([0x08, 1])),
  'protobuf with a trace id of one byte': protobufOf(Buffer.from([0x0a, 7, 0x12, 5, 0x12, 3, 0x0a, 1, 1])),
  'a short trace id': odd({ traceId: '11' }),
  'a trace id that is not hex': odd({ traceId: 'z'.repeat(32) }),
  'a short span id': odd({ spanId: '11' }),
  'a short id in a link': odd({ links: [{ traceId: '11', spanId: '22' }] }),
  'a kind by its name': odd({ kind: 'SPAN_KIND_SERVER' }),
  'a status by its name': odd({ status: { code: 'STATUS_CODE_ERROR' } }),
  'a kind that there is not': odd({ kind: 9 }),
  'a time as a number': odd({ startTimeUnixNano: 5 }),
  'a time that is none': odd({ startTimeUnixNano: 'x' }),
  'null for a name': odd({ name: null }),
  'a number for a name': odd({ name: 7 }),
  'null for a list': odd({ attributes: null }),
  'null for a value': oddValue(null),
  'a fraction for a whole number': oddValue({ intValue: 1.5 }),
  'a text for a fraction': oddValue({ doubleValue: '1.5' }),
  'a word for a fraction': oddValue({ doubleValue: 'x' }),
};
