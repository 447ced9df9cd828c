// Protobuf's wire format ⇄ the JSON shape of OTLP, by tables of field numbers taken from
// opentelemetry-proto v1.11.0: collector/trace/v1, trace/v1, common/v1, resource/v1.
import protobuf from 'protobufjs/minimal.js';
import { type ExportRequest, exportRequest } from './trace-store-otlp.ts';

type Reader = protobuf.Reader;
type Field = {
  readonly name: string;
  readonly wire: number;
  readonly read: (reader: Reader) => unknown;
  readonly list?: true;
};
type Shape = () => Readonly<Record<number, Field>>;

const [VARINT, FIXED64, BYTES, FIXED32] = [0, 1, 2, 5];

const hex = (reader: Reader): string => Buffer.from(reader.bytes()).toString('hex');
const nanos = (reader: Reader): string => {
  const low = BigInt(reader.fixed32());
  return String(low | (BigInt(reader.fixed32()) << 32n));
};
const finite = (value: number): number | string => (Number.isFinite(value) ? value : String(value));

const string = (name: string): Field => ({ name, wire: BYTES, read: (reader) => reader.string() });
const id = (name: string): Field => ({ name, wire: BYTES, read: hex });
const int = (name: string): Field => ({ name, wire: VARINT, read: (reader) => reader.int32() });
const time = (name: string): Field => ({ name, wire: FIXED64, read: nanos });
const uint = (name: string): Field => ({ name, wire: VARINT, read: (reader) => reader.uint32() });
const flags = (name: string): Field => ({ name, wire: FIXED32, read: (reader) => reader.fixed32() });
const one = (name: string, shape: Shape): Field => ({
  name,
  wire: BYTES,
  read: (reader) => decode(shape, reader, reader.uint32()),
});
const many = (name: string, shape: Shape): Field => ({ ...one(name, shape), list: true });

const anyValue: Shape = () => ANY_VALUE;
const values: Shape = () => VALUES;
const keyValue: Shape = () => KEY_VALUE;
const keyValues: Shape = () => KEY_VALUES;

const ANY_VALUE: Readonly<Record<number, Field>> = {
  1: string('stringValue'),
  2: { name: 'boolValue', wire: VARINT, read: (reader) => reader.bool() },
  3: { name: 'intValue', wire: VARINT, read: (reader) => reader.int64().toString() },
  4: { name: 'doubleValue', wire: FIXED64, read: (reader) => finite(reader.double()) },
  5: one('arrayValue', values),
  6: one('kvlistValue', keyValues),
  7: { name: 'bytesValue', wire: BYTES, read: (reader) => Buffer.from(reader.bytes()).toString('base64') },
};
const VALUES = { 1: many('values', anyValue) };
const KEY_VALUE = { 1: string('key'), 2: one('value', anyValue) };
const KEY_VALUES = { 1: many('values', keyValue) };
const EVENT = {
  1: time('timeUnixNano'),
  2: string('name'),
  3: many('attributes', keyValue),
  4: uint('droppedAttributesCount'),
};
const LINK = {
  1: id('traceId'),
  2: id('spanId'),
  3: string('traceState'),
  4: many('attributes', keyValue),
  5: uint('droppedAttributesCount'),
  6: flags('flags'),
};
const STATUS = { 2: string('message'), 3: int('code') };
const SPAN = {
  1: id('traceId'),
  2: id('spanId'),
  3: string('traceState'),
  4: id('parentSpanId'),
  5: string('name'),
  6: int('kind'),
  7: time('startTimeUnixNano'),
  8: time('endTimeUnixNano'),
  9: many('attributes', keyValue),
  10: uint('droppedAttributesCount'),
  11: many('events', () => EVENT),
  12: uint('droppedEventsCount'),
  13: many('links', () => LINK),
  14: uint('droppedLinksCount'),
  15: one('status', () => STATUS),
  16: flags('flags'),
};
const SCOPE = {
  1: string('name'),
  2: string('version'),
  3: many('attributes', keyValue),
  4: uint('droppedAttributesCount'),
};
const SCOPE_SPANS = { 1: one('scope', () => SCOPE), 2: many('spans', () => SPAN) };
const RESOURCE = { 1: many('attributes', keyValue), 2: uint('droppedAttributesCount') };
const RESOURCE_SPANS = { 1: one('resource', () => RESOURCE), 2: many('scopeSpans', () => SCOPE_SPANS) };
const REQUEST = { 1: many('resourceSpans', () => RESOURCE_SPANS) };

const decode = (shape: Shape, reader: Reader, length: number): Record<string, unknown> => {
  const fields = shape();
  const end = reader.pos + length;
  if (end > reader.len) throw new RangeError(`message of ${length} bytes goes past the end`);
  const message: Record<string, unknown> = {};
  while (reader.pos < end) {
    const tag = reader.uint32();
    const field = fields[tag >>> 3];
    if (!field) reader.skipType(tag & 7);
    else put(message, field, tag & 7, reader);
  }
  if (reader.pos !== end) throw new RangeError('a field goes past the end of its message');
  return message;
};

const put = (message: Record<string, unknown>, field: Field, wire: number, reader: Reader): void => {
  if (wire !== field.wire) throw new TypeError(`field ${field.name} has wire type ${wire}, not ${field.wire}`);
  const value = field.read(reader);
  if (!field.list) message[field.name] = value;
  else if (Array.isArray(message[field.name])) (message[field.name] as unknown[]).push(value);
  else message[field.name] = [value];
};

/** Reads an ExportTraceServiceRequest; throws when the bytes are not one. */
export const decodeExportRequest = (body: Uint8Array): ExportRequest =>
  exportRequest(decode(() => REQUEST, protobuf.Reader.create(body), body.length));

/** An ExportTraceServiceResponse; with nothing rejected it is empty. */
export const encodeExportResponse = (rejected: number, message: string): Uint8Array => {
  const writer = protobuf.Writer.create();
  if (rejected > 0) writer.uint32(10).fork().uint32(8).int64(rejected).uint32(18).string(message).ldelim();
  return writer.finish();
};

/** A google.rpc.Status, which is what OTLP/HTTP answers errors with. */
export const encodeStatus = (code: number, message: string): Uint8Array =>
  protobuf.Writer.create().uint32(8).int32(code).uint32(18).string(message).finish();
