// Prometheus's wire format turned into samples: only what the analyzer needs, under the platform's own names.
import type { Access } from '../../credentials.ts';
import { oneLine } from '../../errors.ts';
import type { Answer, Gap, LayerAdapter, Nanos, Query, SampleItem, Window } from '../../model.ts';
import type { Naming } from '../../naming.ts';
import type { Telemetry } from '../../platform.ts';
import { iso, SECOND } from '../../time.ts';
import { askRaw, type Labels, type Raw, type RawSeries, rawQuery } from './matrix.ts';

export type PrometheusSource = {
  /** Prometheus's base URL, with its route prefix if it has one. */
  readonly url: string;
  readonly access?: Access;
  readonly naming: Naming;
  readonly telemetry: Telemetry;
};

/** Samples of one look at most: enough for a hundred pods scraped every second for a minute. */
const MAX_ITEMS = 400_000;

/** What a metric's name means; `scale` turns its unit into seconds. */
type Meaning = { readonly metric: SampleItem['metric']; readonly scale: number };

/**
 * Reads a Prometheus (or what speaks its HTTP API). A look asks for the raw samples of `up`, process_start_time_seconds,
 * the profile's request counters and duration histograms, and the processes' CPU and memory. Series that differ only in
 * labels that nobody needs (method, path) are added up, scrape by scrape, so values stay cumulative. Of buckets only
 * one scrape every two seconds is kept.
 * Durations and `le` are in seconds whatever the profile's unit is. Series of none of the platform's components are left out.
 */
export const prometheus = (source: PrometheusSource): LayerAdapter<SampleItem> => ({
  layer: 'metrics',
  look: async (window, signal) =>
    merge(await Promise.all(asked(source).map((one) => answer(one, window, signal))), window),
  [Symbol.asyncDispose]: async () => {},
});

type Asked = PrometheusSource & { readonly selector: string; readonly means: ReadonlyMap<string, Meaning> };

const asked = (source: PrometheusSource): Asked[] => {
  const { requests, duration, clientRequests, clientDuration, unit } = source.telemetry.metrics;
  const plain = (name: string, metric: Meaning['metric']): Asked => ({
    ...source,
    selector: `{__name__=${JSON.stringify(name)}}`,
    means: new Map([[name, { metric, scale: 1 }]]),
  });
  return [
    plain('up', 'up'),
    plain('process_start_time_seconds', 'started'),
    plain(requests, 'requests'),
    histogram(source, duration, 'duration', unit),
    ...(clientRequests ? [plain(clientRequests, 'clientRequests')] : []),
    ...(clientDuration ? [histogram(source, clientDuration, 'clientDuration', unit)] : []),
    plain('process_cpu_seconds_total', 'cpu'),
    plain('process_resident_memory_bytes', 'memory'),
  ];
};

const histogram = (
  source: PrometheusSource,
  name: string,
  metric: 'duration' | 'clientDuration',
  unit: 'seconds' | 'milliseconds',
): Asked => {
  const scale = unit === 'milliseconds' ? 1000 : 1;
  const pattern = `${name.replace(/[^\w:]/g, '\\$&')}(_sum|_count|_bucket)?`;
  return {
    ...source,
    // The bare name is asked for too: it is there when the histogram is a native one.
    selector: `{__name__=~${JSON.stringify(pattern)}}`,
    means: new Map([
      [`${name}_sum`, { metric: `${metric}Sum`, scale }],
      [`${name}_count`, { metric: `${metric}Count`, scale: 1 }],
      [`${name}_bucket`, { metric: `${metric}Bucket`, scale }],
    ]),
  };
};

const answer = async (one: Asked, window: Window, signal: AbortSignal): Promise<Answer<SampleItem>> => {
  const query = rawQuery(one.url, one.selector, window);
  try {
    const raw = await askRaw(query, window, signal, one.access);
    return { items: samples(one, raw.series), queries: [query], gaps: gaps(query, window, raw) };
  } catch (error) {
    return { items: [], queries: [query], gaps: [gap(query, window, oneLine(error))] };
  }
};

const gap = (query: Query, window: Window, why: string): Gap => ({ layer: 'metrics', query: query.text, window, why });

const gaps = (query: Query, window: Window, { doubts, native }: Raw): Gap[] => [
  ...doubts.map((doubt) => gap(query, window, doubt)),
  ...(native > 0 ? [gap(query, window, `${native} series are native histograms, which are not read`)] : []),
];

const samples = (one: Asked, series: readonly RawSeries[]): SampleItem[] => {
  const merged = new Map<string, SampleItem>();
  for (const raw of series) {
    const describes = identity(one, raw);
    if (!describes) continue;
    for (const { at, value } of raw.samples) {
      const id = `${describes.series}@${at / 1_000_000n}`;
      const before = merged.get(id)?.value ?? 0;
      merged.set(id, { ...describes, id, at, value: before + value / scaleOf(one, raw) });
    }
  }
  return thinned([...merged.values()].sort(byTime));
};

const byTime = (a: SampleItem, b: SampleItem): number => Number(a.at - b.at);

/** Sums are in the profile's unit; counts, and values that are no duration, are not. */
const scaleOf = (one: Asked, { name }: RawSeries): number =>
  name.endsWith('_sum') ? (one.means.get(name)?.scale ?? 1) : 1;

type Identity = Omit<SampleItem, 'id' | 'at' | 'value'>;

const identity = (one: Asked, { name, labels }: RawSeries): Identity | null => {
  const meaning = one.means.get(name);
  const service = meaning ? serviceOf(one, labels) : null;
  if (!meaning || !service) return null;
  const { metric } = meaning;
  const bucket = metric.endsWith('Bucket');
  const names = one.telemetry.metrics.labels;
  const found = {
    metric,
    service,
    pod: first(labels, [names.pod, 'pod', 'kubernetes_pod_name', 'instance']),
    peer: metric.startsWith('client') ? peerOf(one, labels) : null,
    status: bucket ? null : first(labels, [...exported(names.status), ...STATUS]),
    le: bucket ? `${Number((labels.le ?? '').replace('Inf', 'Infinity')) / meaning.scale}` : null,
  };
  // The target is part of the series: two targets of one pod are scraped at different times and must not be added up.
  const target = [labels.job, labels.instance];
  return { ...found, series: [...Object.values(found), ...target].join('|') };
};

const STATUS = [
  'status',
  'code',
  'status_code',
  'http_status',
  'http_status_code',
  'http_response_status_code',
  'response_code',
];
const SERVICE = [
  'service',
  'app',
  'app_kubernetes_io_name',
  'kubernetes_name',
  'service_name',
  'deployment',
  'container',
  'job',
  'pod',
  'kubernetes_pod_name',
  'instance',
];
const PEER = [
  'peer',
  'peer_service',
  'destination',
  'destination_service',
  'upstream',
  'server_address',
  'target',
  'host',
];

/** Prometheus renames a label of the pod's own that its target has too (`honor_labels: false`); the pod's own is meant. */
const exported = (label: string): string[] => [`exported_${label}`, label];

const first = (labels: Labels, names: readonly string[]): string | null =>
  names.map((name) => labels[name]).find((value) => value) ?? null;

const serviceOf = ({ naming, telemetry }: Asked, labels: Labels): string | null =>
  [telemetry.metrics.labels.service, ...SERVICE].map((name) => naming.component(labels[name])).find(Boolean) ?? null;

/** The component that is called, or, for a callee outside of the platform, its own name. */
const peerOf = ({ naming, telemetry }: Asked, labels: Labels): string | null => {
  const names = [...exported(telemetry.metrics.labels.peer), ...PEER];
  return names.map((name) => naming.component(labels[name])).find(Boolean) ?? first(labels, names);
};

/** Buckets are many and are compared over seconds: one scrape in each slot is enough, and the same one for all of them. */
const SLOT = 2n * SECOND;

const thinned = (items: readonly SampleItem[]): SampleItem[] => {
  const taken = new Map<string, Nanos>();
  return items.filter((item) => {
    if (item.le === null) return true;
    const slot = `${item.series} ${item.at / SLOT}`;
    if (!taken.has(slot)) taken.set(slot, item.at);
    return taken.get(slot) === item.at;
  });
};

const merge = (answers: readonly Answer<SampleItem>[], window: Window): Answer<SampleItem> => {
  const items = answers.flatMap((one) => one.items).sort(byTime);
  const queries = answers.flatMap((one) => one.queries);
  const dropped = items.slice(MAX_ITEMS);
  return {
    items: items.slice(0, MAX_ITEMS),
    queries,
    gaps: [...answers.flatMap((one) => one.gaps), ...(dropped.length > 0 ? [overflow(dropped, window)] : [])],
  };
};

const overflow = (dropped: readonly SampleItem[], { until }: Window): Gap => ({
  layer: 'metrics',
  query: 'all of them',
  window: { from: dropped[0]!.at, until },
  why: `more than ${MAX_ITEMS} samples; ${dropped.length} from ${iso(dropped[0]!.at)} on were dropped`,
});
