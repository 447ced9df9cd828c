// Attributes as text, the way that the OpenTelemetry Collector writes them: Jaeger compares and prints that text.
// https://pkg.go.dev/go.opentelemetry.io/collector/pdata/pcommon#Value.AsString
import type { AnyValue, KeyValue } from './trace-store-otlp.ts';

/** Text of an attribute's value; null when the attribute is not there. */
export const attribute = (list: readonly KeyValue[] | undefined, key: string): string | null => {
  const value = list?.find((one) => one.key === key)?.value;
  return value ? text(value) : null;
};

/** A value as one line of text: JSON for lists and maps, base64 for bytes, nothing for no value. */
export const text = (value: AnyValue): string => {
  if (value.arrayValue || value.kvlistValue) return notFinite(value) ? '' : json(value);
  if (value.doubleValue !== undefined) return double(value.doubleValue);
  return String(value.stringValue ?? value.boolValue ?? value.intValue ?? value.bytesValue ?? '');
};

const WORDS: Readonly<Record<string, string>> = { NaN: 'NaN', Infinity: '+Inf', '-Infinity': '-Inf' };

const double = (value: number | string): string => {
  if (typeof value === 'string') return `json: unsupported value: ${WORDS[value]}`;
  return Object.is(value, -0) ? '-0' : String(value);
};

// JSON has no such numbers: Go then writes nothing at all.
const notFinite = (value: AnyValue): boolean =>
  typeof value.doubleValue === 'string' ||
  (value.arrayValue?.values ?? []).some(notFinite) ||
  (value.kvlistValue?.values ?? []).some((one) => notFinite(one.value));

const json = (value: AnyValue): string => {
  if (value.arrayValue) return `[${(value.arrayValue.values ?? []).map(json).join(',')}]`;
  if (value.kvlistValue) return object(value.kvlistValue.values ?? []);
  if (value.intValue !== undefined || value.boolValue !== undefined || value.doubleValue !== undefined)
    return text(value);
  // Go takes no bytes for nothing.
  const string = value.stringValue ?? (value.bytesValue || null);
  return string === null ? 'null' : quoted(string);
};

// Go's maps come out in the order of their keys' bytes; of equal keys the last one counts.
const object = (pairs: readonly KeyValue[]): string => {
  const members = [...new Map(pairs.map((one) => [one.key, one.value]))];
  members.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return `{${members.map(([key, value]) => `${quoted(key)}:${json(value)}`).join(',')}}`;
};

const quoted = (string: string): string =>
  JSON.stringify(string).replace(
    /[<>&\u2028\u2029]/g,
    (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
