// Numbers, durations and sizes as Go and Loki read them, and what they say of a text that is none.

const SECONDS: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  µs: 1e-6,
  μs: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  y: 31_536_000,
};

/** Seconds in `1h30m`, `-1.5s`, `300ms`, `2d` of a query; null when it is no duration (a bare number has no unit: null). */
export const seconds = (text: string): number | null => {
  const match = /^([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|[smhdwy]))+$/.exec(text);
  if (!match) return null;
  const parts = [...text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|[smhdwy])/g)];
  const sum = parts.reduce((total, [, number, unit]) => total + Number(number) * SECONDS[unit!]!, 0);
  return match[1] === '-' ? -sum : sum;
};

/** What a label's text says: a number, or why it is none in Go's words. */
export type Reading = { readonly value: number } | { readonly error: string };

/** A text as Go quotes it in an error (strconv.Quote, or `time`'s own way, which shows bytes). */
const quoted = (text: string): string => JSON.stringify(text);
const bytewise = (text: string): string =>
  `"${[...Buffer.from(text)].map((byte) => (byte === 34 || byte === 92 ? `\\${String.fromCharCode(byte)}` : byte < 32 || byte > 126 ? `\\x${byte.toString(16).padStart(2, '0')}` : String.fromCharCode(byte))).join('')}"`;

// An underscore may stand between two digits.
const NUMBER = /^[+-]?(?:\d+(?:_\d+)*(?:\.(?:\d+(?:_\d+)*)?)?|\.\d+(?:_\d+)*)(?:e[+-]?\d+(?:_\d+)*)?$/i;
const INFINITE = /^([+-]?)inf(?:inity)?$/i;

/** Go's strconv.ParseFloat, without hexadecimal. */
export const float = (text: string): Reading => {
  if (NUMBER.test(text)) {
    const value = Number(text.replaceAll('_', ''));
    return Number.isFinite(value)
      ? { value }
      : { error: `strconv.ParseFloat: parsing ${quoted(text)}: value out of range` };
  }
  const infinite = INFINITE.exec(text);
  if (infinite) return { value: infinite[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY };
  if (/^nan$/i.test(text)) return { value: Number.NaN };
  return { error: `strconv.ParseFloat: parsing ${quoted(text)}: invalid syntax` };
};

const PART = /^(\d+\.?\d*|\.\d+)([^.\d]*)/;

/** Go's time.ParseDuration, in seconds. It knows no days. */
export const duration = (text: string): Reading => {
  const unsigned = text.replace(/^[+-]/, '');
  if (unsigned === '0') return { value: 0 };
  let [rest, sum] = [unsigned, 0];
  do {
    const part = PART.exec(rest);
    if (!part) return { error: `time: invalid duration ${bytewise(text)}` };
    if (part[2] === '') return { error: `time: missing unit in duration ${bytewise(text)}` };
    const unit = SECONDS[part[2]!];
    if (unit === undefined || unit > 3600)
      return { error: `time: unknown unit ${bytewise(part[2]!)} in duration ${bytewise(text)}` };
    sum += Number(part[1]) * unit;
    rest = rest.slice(part[0].length);
  } while (rest !== '');
  return { value: text.startsWith('-') ? -sum : sum };
};

const PREFIXES = 'kmgtpe';

/** Bytes in `3KB`, `1.5 MiB`, `12B`, `7` (github.com/dustin/go-humanize). KB is 1000, KiB is 1024; no fractions of a byte. */
export const size = (text: string): Reading => {
  const [, digits, rest] = /^([\d.,]*)(.*)$/s.exec(text)!;
  const number = float(digits!.replaceAll(',', ''));
  if ('error' in number) return number;
  const unit = rest!.trim().toLowerCase();
  const known = /^(?:b|([kmgtpe])(i?)b?)?$/.exec(unit);
  if (!known) return { error: `unhandled size name: ${unit}` };
  const power = known[1] ? PREFIXES.indexOf(known[1]) + 1 : 0;
  return { value: Math.trunc(number.value * (known[2] ? 1024 : 1000) ** power) };
};
