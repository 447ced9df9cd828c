// The parameters of Loki's query API, with its defaults, its limits and its words for what is wrong.
// Reference: https://grafana.com/docs/loki/latest/reference/loki-http-api/
import type { Nanos, Window } from '../../model.ts';
import { fromIso, fromMs, SECOND } from '../../time.ts';
import { BadQuery } from './logql/errors.ts';
import { float, seconds } from './logql/units.ts';

export const MAX_ENTRIES = 5000;
const DEFAULT_ENTRIES = 100;
const MAX_POINTS = 11_000n;
const MAX_LENGTH = (30n * 24n + 1n) * 3600n * SECOND;
const HOUR = 3600n * SECOND;

/** An integer is nanoseconds (up to ten digits: seconds), a decimal seconds, and there is RFC 3339. */
export const instant = (text: string | null, otherwise: Nanos): Nanos => {
  if (!text) return otherwise;
  if (/^[+-]?\d+$/.test(text)) return text.length <= 10 ? BigInt(text) * SECOND : BigInt(text);
  const decimal = /^(-?\d+)\.(\d*)$/.exec(text);
  if (decimal) return BigInt(decimal[1]!) * SECOND + BigInt(decimal[2]!.padEnd(9, '0').slice(0, 9));
  try {
    return fromIso(text);
  } catch {
    throw new BadQuery(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
};

/** What `read` gives; what it throws names the parameter. */
const named = <T>(name: string, read: () => T): T => {
  try {
    return read();
  } catch (error) {
    throw error instanceof BadQuery ? new BadQuery(`could not parse '${name}' parameter: ${error.message}`) : error;
  }
};

/** `start` and `end`, or `since` before the end; the last hour when nothing is said. */
export const span = (params: URLSearchParams, now: Nanos): Window => {
  const since = params.get('since');
  const back = since ? named('since', () => fromMs(prometheusDuration(since) * 1000)) : HOUR;
  const until = named('end', () => instant(params.get('end'), now));
  const from = named('start', () => instant(params.get('start'), (until < now ? until : now) - back));
  return { from, until };
};

/** The span of a range query, which must not run backwards or be too long. */
export const rangeSpan = (params: URLSearchParams, now: Nanos): Window => {
  const { from, until } = span(params, now);
  if (until < from) throw new BadQuery('end timestamp must not be before or equal to start time');
  if (until - from > MAX_LENGTH)
    throw new BadQuery(
      `the query time range exceeds the limit (query length: ${goDuration(until - from)}, limit: 30d1h)`,
    );
  return { from, until };
};

/** The span of a question about labels. */
export const labelSpan = (params: URLSearchParams, now: Nanos): Window => {
  const { from, until } = span(params, now);
  if (until < from) throw new BadQuery('this data is no longer available, it is past now - max_query_lookback (0s)');
  return { from, until };
};

const goDuration = (length: Nanos): string => {
  const all = length / SECOND;
  return `${all / 3600n}h${(all / 60n) % 60n}m${all % 60n}s`;
};

const PROMETHEUS = /^(?=\d)(?:\d+y)?(?:\d+w)?(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?(?:\d+ms)?$/;

/** Seconds in `1h30m`: whole numbers with units from the largest to the smallest. */
const prometheusDuration = (text: string): number => {
  const value = PROMETHEUS.test(text) ? seconds(text) : null;
  const unit = /^\d+([^\d]+)/.exec(text)?.[1];
  if (value !== null) return value;
  if (unit && seconds(`1${unit}`) === null)
    throw new BadQuery(`unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`);
  throw new BadQuery(`not a valid duration string: ${JSON.stringify(text)}`);
};

const duration = (text: string): number => {
  const number = float(text);
  if ('value' in number && Number.isFinite(number.value)) return number.value;
  if (PROMETHEUS.test(text)) return seconds(text)!;
  throw new BadQuery(`cannot parse ${JSON.stringify(text)} to a valid duration`);
};

/** The least time between two lines that are told, `interval`; 0 tells all. */
export const interval = (params: URLSearchParams): Nanos => {
  const text = params.get('interval');
  const value = text ? fromMs(duration(text) * 1000) : 0n;
  if (value < 0n) throw new BadQuery('interval must be >= 0');
  return value;
};

/** Most entries to answer with, and from which end. */
export const limit = (params: URLSearchParams): number => {
  const text = params.get('limit') || String(DEFAULT_ENTRIES);
  if (!/^[+-]?\d+$/.test(text)) throw new BadQuery(`strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  if (Number(text) <= 0) throw new BadQuery('limit must be a positive value');
  if (Number(text) > MAX_ENTRIES)
    throw new BadQuery(
      `max entries limit per query exceeded, limit > max_entries_limit_per_query (${text} > ${MAX_ENTRIES})`,
    );
  return Number(text);
};

export const forward = (params: URLSearchParams): boolean => {
  const text = params.get('direction') || 'backward';
  if (!['forward', 'backward'].includes(text.toLowerCase())) throw new BadQuery(`invalid direction '${text}'`);
  return text.toLowerCase() === 'forward';
};

/** The instants of a range query: like Loki the start is rounded down to a multiple of the step and the end up. */
export const steps = (params: URLSearchParams, { from, until }: Window): Nanos[] => {
  const text = params.get('step');
  const step = text ? fromMs(duration(text) * 1000) : defaultStep(until - from);
  if (step <= 0n)
    throw new BadQuery('zero or negative query resolution step widths are not accepted. Try a positive integer');
  if ((until - from) / step > MAX_POINTS)
    throw new BadQuery(
      'exceeded maximum resolution of 11,000 points per time series. Try increasing the value of the step parameter',
    );
  const first = from - (from % step);
  const count = Number((until - first + step - 1n) / step) + 1;
  return Array.from({ length: count }, (_, index) => first + BigInt(index) * step);
};

// At most about 250 points, at least a second apart.
const defaultStep = (length: Nanos): Nanos => {
  const whole = length / 250n / SECOND;
  return (whole < 1n ? 1n : whole) * SECOND;
};
