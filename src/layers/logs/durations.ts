// Numbers in a line that measure time, in milliseconds.
import type { Parsed } from './fields.ts';

/** `name` says which number of the line it is. `unit` is false when the line does not say the unit; then it is taken for ms. */
export type Measured = { readonly name: string; readonly ms: number; readonly unit: boolean };

const TIME_NAME =
  /(?:^|[._-])(?:duration|latency|elapsed|took|response_?time|request_?time|process(?:ing)?_?time|rtt)/i;
const MILLIS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  millis: 1,
  milliseconds: 1,
  msec: 1,
  s: 1000,
  sec: 1000,
  secs: 1000,
  seconds: 1000,
};
// `duration_ms`, `http.latency.seconds`, `elapsedMs`; not `status`, not `items`.
const UNIT_NAME = /[._-](ns|us|ms|msec|millis|milliseconds|s|secs?|seconds)$|[a-z](Ns|Us|Ms|Millis|Secs?|Seconds)$/;
const WITH_UNIT = /(?<![\w.])(\d+(?:\.\d+)?) ?(ns|us|µs|ms|msec|milliseconds|s|secs?|seconds)(?![\w])/g;

/** Fields named or written as times, and times with a unit in the message. */
export const durationsOf = ({ message, fields }: Parsed): Measured[] => [...ofFields(fields), ...ofText(message)];

const ofFields = (fields: Parsed['fields']): Measured[] =>
  [...fields].flatMap(([key, value]) => {
    const measured = typeof value === 'number' ? ofNumber(key, value) : ofWord(value);
    return measured ? [{ name: key, ...measured }] : [];
  });

const unitIn = (key: string): string | undefined => {
  const match = UNIT_NAME.exec(key);
  return (match?.[1] ?? match?.[2])?.toLowerCase();
};

const ofNumber = (key: string, value: number): Omit<Measured, 'name'> | null => {
  const unit = unitIn(key);
  if (value < 0 || !(unit || TIME_NAME.test(key)) || /timestamp|(^|[._])(ts|time|epoch)$/i.test(key)) return null;
  return { ms: value * (unit ? MILLIS[unit]! : 1), unit: unit !== undefined };
};

const ofWord = (value: string): Omit<Measured, 'name'> | null => {
  const match = /^(\d+(?:\.\d+)?) ?(ns|us|µs|ms|s)$/.exec(value);
  return match && { ms: Number(match[1]) * MILLIS[match[2]!]!, unit: true };
};

const ofText = (message: string): Measured[] =>
  [...message.matchAll(WITH_UNIT)].map(([, number, unit], index) => ({
    name: `time ${index + 1} of the message`,
    ms: Number(number) * MILLIS[unit!]!,
    unit: true,
  }));
