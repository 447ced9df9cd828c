// Query parameters as Jaeger reads them. A parameter that can't be read is a BadRequest: HTTP 400 with its message.
import { fromIso } from '../../time.ts';

export class BadRequest extends Error {}

/** The first of the names that is there, and not empty: camelCase and the older snake_case mean the same. */
export const param = (params: URLSearchParams, ...names: string[]): string | null => {
  for (const name of names) {
    const value = params.get(name);
    if (value) return value;
  }
  return null;
};

const malformed = (name: string, value: string, what: string): BadRequest =>
  new BadRequest(`malformed parameter ${name}: '${value}' is not ${what}`);

export const wholeNumber = (params: URLSearchParams, fallback: bigint, ...names: string[]): bigint => {
  const value = param(params, ...names);
  if (value === null) return fallback;
  if (!/^-?\d+$/.test(value)) throw malformed(names[0]!, value, 'a whole number');
  return BigInt(value);
};

export const flag = (params: URLSearchParams, ...names: string[]): boolean => param(params, ...names) === 'true';

/** An RFC 3339 time in nanoseconds; null when it isn't there. */
export const instant = (params: URLSearchParams, ...names: string[]): bigint | null => {
  const value = param(params, ...names);
  try {
    return value === null ? null : fromIso(value);
  } catch {
    throw malformed(names[0]!, value ?? '', 'an RFC 3339 time');
  }
};

const UNITS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };

/** A Go duration (`1m30s`, `1.5s`, `100us`) in nanoseconds; null when it isn't there. */
export const goDuration = (params: URLSearchParams, ...names: string[]): bigint | null => {
  const value = param(params, ...names);
  if (value === null) return null;
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(value)) throw malformed(names[0]!, value, 'a duration');
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  return BigInt(Math.round(parts.reduce((sum, part) => sum + Number(part[1]) * UNITS[part[2]!]!, 0)));
};

/** A JSON object of strings, as in `{"http.status_code":"503"}`. */
export const stringMap = (params: URLSearchParams, ...names: string[]): Record<string, string> => {
  const value = param(params, ...names);
  if (value === null) return {};
  try {
    const map: unknown = JSON.parse(value);
    if (map !== null && typeof map === 'object' && Object.values(map).every((one) => typeof one === 'string'))
      return map as Record<string, string>;
  } catch {
    // Said below, as for JSON of another shape.
  }
  throw malformed(names[0]!, value, 'a JSON object of strings');
};

/** A trace id of up to 32 hex digits, filled up with zeroes. */
export const traceId = (text: string): string => {
  if (!/^[0-9a-f]{1,32}$/i.test(text)) throw malformed('trace_id', text, 'a trace id of up to 32 hex digits');
  return text.toLowerCase().padStart(32, '0');
};
