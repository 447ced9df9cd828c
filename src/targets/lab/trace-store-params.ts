// Query parameters as Jaeger, and the Go library under it, reads them.
import { fromIso } from '../../time.ts';

/** What is answered instead of an answer: HTTP status and message, with the parameter that can't be read, if it is one. */
export class Refused extends Error {
  readonly status: number;
  readonly parameter: string | null;
  constructor(status: number, message: string, parameter: string | null = null) {
    super(message);
    this.status = status;
    this.parameter = parameter;
  }
}

type Given = { readonly name: string; readonly value: string };

/** The first of the names that is there, and not empty: camelCase and the older snake_case mean the same. */
const given = (params: URLSearchParams, names: readonly string[]): Given | null => {
  for (const name of names) {
    const value = params.get(name);
    if (value) return { name, value };
  }
  return null;
};

export const param = (params: URLSearchParams, ...names: string[]): string | null =>
  given(params, names)?.value ?? null;

const malformed = ({ name, value }: Given, what: string): Refused =>
  new Refused(400, `${JSON.stringify(value)} is not ${what}`, name);

export type Range = readonly [least: bigint, most: bigint];
export const INT64: Range = [-(2n ** 63n), 2n ** 63n - 1n];
export const INT32: Range = [-(2n ** 31n), 2n ** 31n - 1n];
export const UINT32: Range = [0n, 2n ** 32n - 1n];

/** A whole number within a range; null when it isn't there. */
export const wholeNumber = (params: URLSearchParams, [least, most]: Range, ...names: string[]): bigint | null => {
  const there = given(params, names);
  if (there === null) return null;
  const number = /^[+-]?\d+$/.test(there.value) ? BigInt(there.value.replace('+', '')) : null;
  if (number === null || number < least || number > most)
    throw malformed(there, `a whole number from ${least} to ${most}`);
  return number;
};

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d([.,]\d+)?(Z|[+-]\d\d:\d\d)$/;

/** An RFC 3339 time in nanoseconds; null when it isn't there. */
export const instant = (params: URLSearchParams, ...names: string[]): bigint | null => {
  const there = given(params, names);
  if (there === null) return null;
  try {
    if (RFC3339.test(there.value)) return fromIso(there.value.replace(',', '.'));
  } catch {
    // Said below: digits that are no date.
  }
  throw malformed(there, 'an RFC 3339 time');
};

const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  '\u00b5s': 1e3,
  '\u03bcs': 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};
const PART = '(\\d+\\.?\\d*|\\.\\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h)';
const PARTS = new RegExp(PART, 'g');
const DURATION = new RegExp(`^[+-]?(0|(${PART})+)$`);

/** A Go duration (`1m30s`, `1.5s`, `-100us`, `0`) in nanoseconds; null when it isn't there, or nothing. */
export const goDuration = (params: URLSearchParams, ...names: string[]): bigint | null => {
  const there = given(params, names);
  if (there === null) return null;
  const sum = [...there.value.matchAll(PARTS)].reduce((all, [, n, unit]) => all + Number(n) * UNITS[unit!]!, 0);
  if (!DURATION.test(there.value) || sum >= 2 ** 63) throw malformed(there, 'a duration');
  const nanos = BigInt(Math.round(sum));
  return nanos === 0n ? null : there.value.startsWith('-') ? -nanos : nanos;
};

const BOOLEAN = /^(1|t|T|true|TRUE|True|0|f|F|false|FALSE|False)$/;

/** Go's true or false; null when it is neither. */
export const goBoolean = (text: string): boolean | null => (BOOLEAN.test(text) ? /^[1tT]/.test(text) : null);

/** Refuses a flag that is neither true nor false. */
export const mustBeBoolean = (params: URLSearchParams, ...names: string[]): void => {
  const there = given(params, names);
  if (there !== null && goBoolean(there.value) === null) throw malformed(there, 'true or false');
};

/** A JSON object of strings, as in `{"http.status_code":"503"}`; Go takes null for nothing. */
export const stringMap = (name: string, value: string): Readonly<Record<string, string>> => {
  try {
    const map: unknown = JSON.parse(value);
    if (map === null) return {};
    const pairs = Object.entries(map as object).map(([key, one]) => [key, one ?? '']);
    if (typeof map === 'object' && !Array.isArray(map) && pairs.every(([, one]) => typeof one === 'string'))
      return Object.fromEntries(pairs);
  } catch {
    // Said below, as for JSON of another shape.
  }
  throw malformed({ name, value }, 'a JSON object of strings');
};

/** A trace id of up to 32 hex digits, filled up with zeroes. */
export const traceId = (text: string): string => {
  if (!/^[0-9a-f]{1,32}$/i.test(text))
    throw malformed({ name: 'trace_id', value: text }, 'a trace id of up to 32 hex digits');
  return text.toLowerCase().padStart(32, '0');
};
