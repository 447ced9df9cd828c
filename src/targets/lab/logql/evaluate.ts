// Metric queries evaluated at a row of instants, as Loki's engine does it: a range looks back over (t - range, t].
import type { Nanos } from '../../../model.ts';
import { fromMs } from '../../../time.ts';
import { BadQuery } from './errors.ts';
import { COMPARISONS } from './filters.ts';
import type { Grouping } from './hints.ts';
import type { Labels } from './match.ts';
import type { LogQuery, Metric } from './query.ts';
import { ERROR, KEPT_ERROR, type Row, rowOf, shown } from './row.ts';

/** A line as the store hands it out: `labels` are its stream's (`own`) and those of its structured metadata. */
export type Entry = { readonly at: Nanos; readonly line: string; readonly own: Labels; readonly labels: Labels };
/** The entries of the streams that match, ordered by time, with `from` <= at < `until`. */
export type Select = (query: LogQuery, from: Nanos, until: Nanos) => Iterable<Entry>;

/** One value an instant; undefined where the series has none. */
export type Series = { readonly labels: Labels; readonly values: (number | undefined)[] };
type Value = number | Series[];
type RangeMetric = Extract<Metric, { is: 'range' }>;
type VectorMetric = Extract<Metric, { is: 'vector' }>;
type BinaryMetric = Extract<Metric, { is: 'binary' }>;

const MAX_SERIES = 500;

/** The series of a metric query at `times` (ascending). A number stands for itself. Throws BadQuery. */
export const evaluate = (metric: Metric, times: readonly Nanos[], select: Select): Value => {
  if (metric.is === 'number') return metric.value;
  if (metric.is === 'range') return range(metric, times, select);
  if (metric.is === 'vector') return aggregate(metric, evaluate(metric.of, times, select));
  return binary(metric, evaluate(metric.left, times, select), evaluate(metric.right, times, select));
};

/** Labels as one text, the same for the same labels. */
export const labelKey = (labels: Labels): string => JSON.stringify([...labels].sort(([a], [b]) => (a < b ? -1 : 1)));

const grouped = (labels: Labels, { by, names }: Grouping): Labels =>
  new Map([...labels].filter(([name]) => names.includes(name) === by));

/** Without the empty labels, which `without` takes along. */
const filled = (labels: Labels): Labels =>
  [...labels.values()].includes('') ? new Map([...labels].filter(([, value]) => value !== '')) : labels;

const vectorLabels = (labels: Labels, grouping: Grouping): Labels =>
  grouping.by ? grouped(labels, grouping) : filled(grouped(labels, grouping));

// ---- Range aggregations --------------------------------------------------------------------------------------------

type Samples = { readonly labels: Labels; readonly at: Nanos[]; readonly values: number[] };

const range = (metric: RangeMetric, times: readonly Nanos[], select: Select): Series[] => {
  const back = fromMs(metric.seconds * 1000);
  const shift = fromMs(metric.offset * 1000);
  const entries = select(metric.log, times[0]! - shift - back + 1n, times.at(-1)! - shift + 1n);
  const series = collect(metric, entries).map(({ labels, at, values }) => ({
    labels,
    values: slide(at, values, times, shift, back, REDUCE[metric.op]!, metric),
  }));
  refuseErrors(series);
  return series;
};

const collect = (metric: RangeMetric, entries: Iterable<Entry>): Samples[] => {
  const all = new Map<string, Samples>();
  const keys = new Map<Labels, string>();
  for (const { at, line, own, labels: full } of entries) {
    const row = metric.log.stage(rowOf(line, own, full));
    const sample = row && metric.sample(row);
    if (!sample) continue;
    const labels = seriesLabels(metric, sample.row);
    const key = keys.get(labels) ?? labelKey(labels);
    if (labels === own) keys.set(own, key);
    const series = all.get(key) ?? { labels, at: [], values: [] };
    series.at.push(at);
    series.values.push(sample.value);
    all.set(key, series);
    if (all.size > MAX_SERIES) throw tooManySeries();
  }
  return [...all.values()];
};

/** An error must not get lost in a group: its row keeps all of its labels. */
const seriesLabels = ({ grouping, merged }: RangeMetric, row: Row): Labels => {
  const labels = grouping && !row.error ? grouped(row.labels, grouping) : shown(row);
  return merged ? filled(labels) : labels;
};

const refuseErrors = (all: readonly Series[]): void => {
  const bad = all.find(
    ({ labels, values }) => labels.has(ERROR) && !labels.has(KEPT_ERROR) && values.some((one) => one !== undefined),
  );
  if (bad) throw pipelineError(bad.labels);
};

const slide = (
  at: readonly Nanos[],
  values: readonly number[],
  times: readonly Nanos[],
  shift: Nanos,
  back: Nanos,
  reduce: Reduce,
  metric: RangeMetric,
): (number | undefined)[] => {
  let [first, next] = [0, 0];
  return times.map((time) => {
    while (next < at.length && at[next]! <= time - shift) next++;
    while (first < next && at[first]! <= time - shift - back) first++;
    return first === next ? undefined : reduce(values.slice(first, next), metric);
  });
};

type Reduce = (values: number[], metric: RangeMetric) => number;

const sum: Reduce = (values) => values.reduce((total, value) => total + value, 0);
const perSecond: Reduce = (values, metric) => sum(values, metric) / metric.seconds;

const REDUCE: Readonly<Record<string, Reduce>> = {
  rate: perSecond,
  bytes_rate: perSecond,
  count_over_time: sum,
  bytes_over_time: sum,
  sum_over_time: sum,
  avg_over_time: (values, metric) => sum(values, metric) / values.length,
  min_over_time: (values) => values.reduce((a, b) => Math.min(a, b)),
  max_over_time: (values) => values.reduce((a, b) => Math.max(a, b)),
  first_over_time: (values) => values[0]!,
  last_over_time: (values) => values.at(-1)!,
  quantile_over_time: (values, { parameter }) =>
    quantile(
      values.sort((a, b) => a - b),
      parameter,
    ),
};

/** Linear between the two nearest ranks, as Prometheus and Loki have it; out of 0..1 it is an infinity. */
const quantile = (sorted: readonly number[], q: number): number => {
  if (q < 0 || q > 1) return q < 0 ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const rank = q * (sorted.length - 1);
  const [low, high] = [sorted[Math.floor(rank)]!, sorted[Math.ceil(rank)]!];
  return low + (high - low) * (rank - Math.floor(rank));
};

const pipelineError = (labels: Labels): BadQuery => {
  const error = labels.get(ERROR);
  const series = [...labels]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    .join(', ');
  return new BadQuery(
    `pipeline error: '${error}' for series: '{${series}}'.\nUse a label filter to intentionally skip this error. (e.g | __error__!="${error}").\nTo skip all potential errors you can match empty errors.(e.g __error__="")\nThe label filter can also be specified after unwrap. (e.g | unwrap latency | __error__="" )\n`,
  );
};

const tooManySeries = (): BadQuery =>
  new BadQuery(
    `maximum number of series (${MAX_SERIES}) reached for a single query; consider reducing query cardinality by adding more specific stream selectors, reducing the time range, or aggregating results with functions like sum(), count() or topk()`,
  );

// ---- Vector aggregations -------------------------------------------------------------------------------------------

const aggregate = (metric: VectorMetric, of: Value): Series[] => {
  if (typeof of === 'number') throw new BadQuery('parse error : expected a vector, got a number');
  const groups = Map.groupBy(of, ({ labels }) => labelKey(vectorLabels(labels, metric.grouping)));
  return [...groups.values()].flatMap((group) =>
    metric.op.endsWith('k') ? strongest(metric, group) : [fold(metric, group)],
  );
};

const FOLD: Readonly<Record<string, (values: number[]) => number>> = {
  sum: (values) => values.reduce((a, b) => a + b, 0),
  avg: (values) => values.reduce((a, b) => a + b, 0) / values.length,
  min: (values) => values.reduce((a, b) => Math.min(a, b)),
  max: (values) => values.reduce((a, b) => Math.max(a, b)),
  count: (values) => values.length,
};

const fold = (metric: VectorMetric, group: readonly Series[]): Series => ({
  labels: vectorLabels(group[0]!.labels, metric.grouping),
  values: group[0]!.values.map((_, step) => {
    const present = group.map(({ values }) => values[step]).filter((value) => value !== undefined);
    return present.length === 0 ? undefined : FOLD[metric.op]!(present);
  }),
});

/** topk and bottomk choose anew at every instant; a series keeps only the instants at which it was chosen. */
const strongest = (metric: VectorMetric, group: readonly Series[]): Series[] => {
  const sign = metric.op === 'topk' ? -1 : 1;
  const kept = group.map(({ labels, values }) => ({ labels, values: values.map((): number | undefined => undefined) }));
  for (const step of group[0]!.values.keys()) {
    const present = [...group.keys()].filter((one) => group[one]!.values[step] !== undefined);
    present.sort((a, b) => sign * (group[a]!.values[step]! - group[b]!.values[step]!));
    for (const one of present.slice(0, metric.parameter)) kept[one]!.values[step] = group[one]!.values[step];
  }
  return kept;
};

// ---- Binary operations ---------------------------------------------------------------------------------------------

const ARITHMETIC: Readonly<Record<string, (a: number, b: number) => number>> = {
  '+': (a, b) => a + b,
  '-': (a, b) => a - b,
  '*': (a, b) => a * b,
  // Loki has no infinities here.
  '/': (a, b) => (b === 0 ? Number.NaN : a / b),
  '%': (a, b) => a % b,
  '^': (a, b) => a ** b,
};

/** What two numbers give; `kept` is what a comparison that holds passes on. */
const apply = ({ op, bool }: BinaryMetric, a: number, b: number, kept: number): number | undefined => {
  const compare = COMPARISONS[op];
  if (!compare) return ARITHMETIC[op]!(a, b);
  if (bool) return compare(a, b) ? 1 : 0;
  return compare(a, b) ? kept : undefined;
};

const each = (series: Series[], change: (value: number, step: number) => number | undefined): Series[] =>
  series.map(({ labels, values }) => ({
    labels,
    values: values.map((value, step) => (value === undefined ? undefined : change(value, step))),
  }));

const binary = (metric: BinaryMetric, left: Value, right: Value): Value => {
  if (typeof left === 'number' && typeof right === 'number')
    return apply({ ...metric, bool: true }, left, right, left)!;
  if (typeof right === 'number') return each(left as Series[], (value) => apply(metric, value, right, value));
  if (typeof left === 'number') return each(right, (value) => apply(metric, left, value, value));
  const others = new Map(right.map((one) => [labelKey(one.labels), one.values]));
  return left.flatMap((one) => {
    const other = others.get(labelKey(one.labels));
    if (!other) return [];
    return each([one], (value, step) =>
      other[step] === undefined ? undefined : apply(metric, value, other[step], value),
    );
  });
};
