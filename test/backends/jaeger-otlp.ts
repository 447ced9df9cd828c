// OTLP/HTTP as a client sends it: JSON as it is, protobuf by the published message definitions.
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

export type Body = { readonly type: string; readonly body: Buffer };

export const asJson = (it: Export): Body => ({ type: 'application/json', body: Buffer.from(JSON.stringify(it)) });
export const asProtobuf = (it: Export): Body => ({
  type: 'application/x-protobuf',
  body: Buffer.from(REQUEST.encode(REQUEST.fromObject(forProtobuf(it) as object)).finish()),
});
