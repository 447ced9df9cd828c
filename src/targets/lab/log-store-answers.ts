// The answers of Loki's query API, in its shapes.

import type { Nanos } from '../../model.ts';
import type { Clock } from '../../time.ts';
import { toMs } from '../../time.ts';
import { forward, instant, interval, labelSpan, limit, rangeSpan, steps } from './log-store-params.ts';
import type { Streams } from './log-store-streams.ts';
import { BadQuery } from './logql/errors.ts';
import { evaluate, labelKey, type Select, type Series } from './logql/evaluate.ts';
import type { Labels } from './logql/match.ts';
import { compile, compileSelector, type LogQuery, type Metric } from './logql/query.ts';
import { rowOf, shown } from './logql/row.ts';

type Params = URLSearchParams;
type Data = { readonly resultType: string; readonly result: unknown };

const success = (data: unknown): unknown => ({ status: 'success', data });

const selectFrom =
  (streams: Streams): Select =>
  ({ matchers }, from, until) =>
    streams.select(matchers, from, until);

/** query_range: `streams` for a log query, `matrix` for a metric query. */
export const queryRange = (streams: Streams, params: Params, clock: Clock): unknown => {
  const window = rangeSpan(params, clock.now());
  const wanted = { most: limit(params), ahead: forward(params), apart: interval(params) };
  const query = compile(params.get('query') ?? '');
  const data =
    query.is === 'log'
      ? { resultType: 'streams', result: logStreams(streams, query, window, wanted) }
      : matrix(query, steps(params, window), selectFrom(streams));
  return success({ ...data, stats: {} });
};

/** query: one instant of a metric query, as `vector` or `scalar`. */
export const query = (streams: Streams, params: Params, clock: Clock): unknown => {
  limit(params);
  const at = instant(params.get('time'), clock.now());
  forward(params);
  const compiled = compile(params.get('query') ?? '');
  if (compiled.is === 'log')
    throw new BadQuery(
      'log queries are not supported as an instant query type, please change your query to a range query type',
    );
  return success({ ...vector(compiled, at, selectFrom(streams)), stats: {} });
};

export const labelNames = (streams: Streams, params: Params, clock: Clock): unknown =>
  listed(found(streams, params, clock).flatMap((labels) => [...labels.keys()]));

export const labelValues = (streams: Streams, params: Params, clock: Clock, name: string): unknown =>
  listed(found(streams, params, clock).flatMap((labels) => labels.get(name) ?? []));

export const series = (streams: Streams, params: Params, clock: Clock): unknown => {
  const { from, until } = labelSpan(params, clock.now());
  const selectors = [...params.getAll('match[]'), ...params.getAll('match')].map(compileSelector);
  const all = (selectors.length > 0 ? selectors : [[]]).flatMap((one) => streams.labels(one, from, until));
  const unique = new Map(all.map((labels) => [labelKey(labels), Object.fromEntries(labels)]));
  return success([...unique.values()]);
};

const found = (streams: Streams, params: Params, clock: Clock): Labels[] => {
  const { from, until } = labelSpan(params, clock.now());
  const selector = params.get('query');
  return streams.labels(selector ? compileSelector(selector) : [], from, until);
};

// Loki leaves `data` out when there is nothing.
const listed = (names: readonly string[]): unknown =>
  names.length === 0 ? { status: 'success' } : success([...new Set(names)].sort());

type Wanted = { readonly most: number; readonly ahead: boolean; readonly apart: Nanos };

/** Like Loki: a line that a format has made equal to another of its stream, labels and instant is not told twice. */
const once = (): ((stream: Labels, at: Nanos, told: string) => boolean) => {
  let [now, seen] = [-1n, new Map<Labels, Set<string>>()];
  return (stream, at, told) => {
    if (at !== now) [now, seen] = [at, new Map()];
    const all = seen.get(stream) ?? new Set();
    seen.set(stream, all);
    return all.size < all.add(told).size;
  };
};

const logStreams = (
  streams: Streams,
  { matchers, stage }: LogQuery,
  { from, until }: { from: Nanos; until: Nanos },
  { most, ahead, apart }: Wanted,
): unknown => {
  const entries = streams.select(matchers, from, until);
  const groups = new Map<string, { stream: Record<string, string>; values: [string, string][] }>();
  const keys = new Map<Labels, string>();
  const fresh = once();
  let [left, last] = [most, null as Nanos | null];
  for (const entry of ahead ? entries : entries.reverse()) {
    if (left === 0) break;
    const row = stage(rowOf(entry.line, entry.own, entry.labels));
    if (!row) continue;
    const labels = shown(row);
    const key = keys.get(labels) ?? labelKey(labels);
    if (labels === entry.own) keys.set(labels, key);
    if (!fresh(entry.own, entry.at, `${key}\n${row.line}`)) continue;
    // The limit counts what is found, told or not.
    left--;
    if (last !== null && (ahead ? entry.at - last : last - entry.at) < apart) continue;
    last = entry.at;
    const group = groups.get(key) ?? { stream: Object.fromEntries(labels), values: [] };
    group.values.push([String(entry.at), row.line]);
    groups.set(key, group);
  }
  return [...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
};

const unixSeconds = (at: Nanos): number => toMs(at) / 1000;

const EXPONENT = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/;

/** Go's shortest decimal form without an exponent. */
const decimal = (value: number): string => {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  const found = EXPONENT.exec(String(value));
  if (!found) return String(value);
  const [, sign, first, more = '', exponent] = found;
  const digits = `${first}${more}`;
  const shift = Number(exponent);
  return `${sign}${shift > 0 ? digits.padEnd(shift + 1, '0') : `0.${'0'.repeat(-shift - 1)}${digits}`}`;
};

const matrix = (metric: Metric, times: readonly Nanos[], select: Select): Data => {
  const value = evaluate(metric, times, select);
  const all = typeof value === 'number' ? [{ labels: new Map(), values: times.map(() => value) }] : value;
  const result = all.map(({ labels, values }) => ({
    metric: Object.fromEntries(labels),
    values: values.flatMap((one, step) => (one === undefined ? [] : [[unixSeconds(times[step]!), decimal(one)]])),
  }));
  return { resultType: 'matrix', result: result.filter(({ values }) => values.length > 0) };
};

const vector = (metric: Metric, at: Nanos, select: Select): Data => {
  const value = evaluate(metric, [at], select);
  if (typeof value === 'number') return { resultType: 'scalar', result: [unixSeconds(at), decimal(value)] };
  const present = value.filter(({ values }: Series) => values[0] !== undefined);
  const result = present.map(({ labels, values }) => ({
    metric: Object.fromEntries(labels),
    value: [unixSeconds(at), decimal(values[0]!)],
  }));
  return { resultType: 'vector', result };
};
