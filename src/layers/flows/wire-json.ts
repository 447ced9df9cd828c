// Hubble's messages as JSON lines (protobuf's JSON mapping), as values of the wire.
import protobuf from 'protobufjs';
import { fromIso } from '../../time.ts';
import { toWireTime, type WireResponse } from './wire.ts';
import { schema } from './wire-proto.ts';

type Json = Readonly<Record<string, unknown>>;

/**
 * One line of `hubble observe -o json` (or jsonpb, or of the agent's flow exporter), parsed: the message that gRPC brings for
 * the same event. Takes the proto's field names and their camelCase forms, enums by name or number, 64-bit numbers as text or
 * number, wrappers bare or as `{value}`, and, as older clients wrote them, a bare flow. Fields and kinds of events that the
 * proto doesn't have are left out; enum names that it doesn't have are kept. Throws TypeError or RangeError, in one line, when
 * it is none of that. (protobuf.dev/programming-guides/json)
 */
export const fromJson = (json: unknown): WireResponse => {
  const line = object(json, 'the line');
  if (Object.keys(line).some((key) => EVENTS.has(key)))
    return message(schema().lookupType('observer.GetFlowsResponse'), line, '') as WireResponse;
  if (!Object.keys(line).some((key) => FLOW_ONLY.has(key))) throw new TypeError('no event of Hubble');
  const bare = message(schema().lookupType('flow.Flow'), line, '') as NonNullable<WireResponse['flow']>;
  return {
    flow: bare,
    ...(bare.node_name ? { node_name: bare.node_name } : {}),
    ...(bare.time && { time: bare.time }),
  };
};

/** What an envelope may hold (observer.GetFlowsResponse and observer.ExportEvent). */
const EVENTS = new Set(
  ['flow', 'node_status', 'lost_events', 'agent_event', 'debug_event'].flatMap((name) => [name, camelCase(name)]),
);
/** Fields that only a flow has. */
const FLOW_ONLY = new Set(['verdict', 'IP', 'l4', 'l7', 'uuid', 'event_type', 'eventType', 'Type']);

/** A field, and what protobuf's JSON mapping makes of its type. */
type Known = { readonly field: protobuf.Field; readonly kind: 'scalar' | 'enum' | 'time' | 'wrapper' | 'message' };

/** What a proto3 sender leaves out is left out, however the line words it. */
const message = (type: protobuf.Type, json: Json, at: string): Json => {
  const fields = fieldsOf(type);
  const read: Record<string, unknown> = {};
  for (const key of Object.keys(json)) {
    const known = fields.get(key);
    const sent = json[key];
    if (!known || sent === undefined || sent === null) continue;
    const { name, repeated } = known.field;
    const value = repeated ? list(known, sent, at + name) : single(known, sent, at + name);
    if (!isDefault(value, known)) read[name] = value;
  }
  return read;
};

const seen = new WeakMap<protobuf.Type, ReadonlyMap<string, Known>>();

/** A message's fields by both of their names, but for extensions, whose types only their makers know. */
const fieldsOf = (type: protobuf.Type): ReadonlyMap<string, Known> => {
  const before = seen.get(type);
  if (before) return before;
  const fields = type.fieldsArray.filter(({ resolvedType }) => resolvedType?.fullName !== '.google.protobuf.Any');
  const known = new Map(
    fields.flatMap((field) =>
      [camelCase(field.name), field.name].map((name) => [name, { field, kind: kindOf(field) }] as const),
    ),
  );
  seen.set(type, known);
  return known;
};

const kindOf = ({ resolvedType }: protobuf.Field): Known['kind'] => {
  if (!resolvedType) return 'scalar';
  if (resolvedType instanceof protobuf.Enum) return 'enum';
  if (resolvedType.fullName === '.google.protobuf.Timestamp') return 'time';
  return /^\.google\.protobuf\..+Value$/.test(resolvedType.fullName) ? 'wrapper' : 'message';
};

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

const list = (known: Known, json: unknown, at: string): unknown[] => {
  if (!Array.isArray(json)) throw new TypeError(`${at} is no list`);
  return json.map((one, index) => single(known, one, `${at}[${index}]`));
};

const isDefault = (value: unknown, { field, kind }: Known): boolean => {
  if (Array.isArray(value)) return value.length === 0;
  if (kind === 'enum') return value === 0 || (field.resolvedType as protobuf.Enum).values[value as string] === 0;
  return value === 0 || value === '' || value === false || (value === '0' && field.type !== 'string');
};

const single = ({ field, kind }: Known, json: unknown, at: string): unknown => {
  switch (kind) {
    case 'scalar':
      return scalar(field.type, json, at);
    case 'enum':
      return enumerator(field.resolvedType as protobuf.Enum, json, at);
    case 'time':
      return time(json, at);
    case 'wrapper':
      return wrapper(field.resolvedType as protobuf.Type, json, at);
    case 'message':
      return message(field.resolvedType as protobuf.Type, object(json, at), `${at}.`);
  }
};

/** A name that is newer than the proto stays a name, a number a number. */
const enumerator = (type: protobuf.Enum, json: unknown, at: string): string | number => {
  if (typeof json === 'number' && Number.isInteger(json)) return type.valuesById[json] ?? json;
  if (typeof json === 'string' && json !== '') return json;
  throw new TypeError(`${at} is no value of ${type.name}`);
};

const wrapper = (type: protobuf.Type, json: unknown, at: string): Json =>
  message(type, typeof json === 'object' && json !== null ? object(json, at) : { value: json }, `${at}.`);

const time = (json: unknown, at: string): Json => {
  if (typeof json === 'string') return withoutZeros(toWireTime(fromIso(json)));
  const { seconds = 0, nanos = 0 } = object(json, at);
  return withoutZeros({ seconds: scalar('int64', seconds, at), nanos: scalar('int32', nanos, at) });
};

const withoutZeros = (json: object): Json =>
  Object.fromEntries(Object.entries(json).filter(([, value]) => Number(value) !== 0));

const object = (json: unknown, at: string): Json => {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new TypeError(`${at} is no object`);
  return json as Json;
};

const scalar = (type: string, json: unknown, at: string): string | number | boolean => {
  const wanted = SCALARS[type];
  const value = wanted?.(json) ?? null;
  if (value === null) throw new TypeError(`${at} is no ${type}`);
  return value;
};

const integer = (json: unknown): bigint | null => {
  if (typeof json === 'number') return Number.isInteger(json) ? BigInt(json) : null;
  return typeof json === 'string' && /^-?\d{1,20}$/.test(json) ? BigInt(json) : null;
};

const short = (min: bigint, max: bigint) => (json: unknown) => {
  const value = integer(json);
  return value === null || value < min || value > max ? null : Number(value);
};

const long = (json: unknown): string | null => integer(json)?.toString() ?? null;

const SCALARS: Readonly<Record<string, (json: unknown) => string | number | boolean | null>> = {
  string: (json) => (typeof json === 'string' ? json : null),
  bool: (json) => (typeof json === 'boolean' ? json : null),
  uint32: short(0n, 4_294_967_295n),
  int32: short(-2_147_483_648n, 2_147_483_647n),
  uint64: long,
  int64: long,
};
