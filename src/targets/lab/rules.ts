// Recording rules and alerts that suit any platform, from its profile's metric names alone. No limit is an absolute one
// where the platform's own past can say what is normal, and none is judged on a moment: a window of several scrapes must
// hold both a minimum count and a share, so that a pause of a scrape or two, whatever queues behind it, alerts nobody.
import type { Duration } from '../../model.ts';
import type { Platform } from '../../platform.ts';

type Recording = Platform['recording'][number];
type Alert = Platform['alerts'][number];
export type Rules = { readonly recording: readonly Recording[]; readonly alerts: readonly Alert[] };

/** Labels that every scraped series has from its target, whatever the pod itself exports under these names. */
export const TARGET_LABELS = ['service', 'pod', 'uid', 'instance'];

/** How a rule is written: `range` is so many scrapes as PromQL has it, the rest are names. */
type Context = {
  readonly range: (scrapes: number) => Duration;
  readonly metrics: Platform['telemetry']['metrics'];
  readonly peer: string;
  readonly status: string;
  /** The share of requests that the profile itself lets fail. */
  readonly expected: number;
};

/** A histogram of durations, from the server's side or from its callers'. */
type View = { readonly name: string; readonly by: string; readonly histogram: string; readonly alert: string };

/**
 * The platform's own rules and the standard ones. Alerts name the component they are about as `service`, and as `peer`
 * whom it called. `scrapeMs` is the scrape interval that the windows are counted in.
 */
export const standardRules = (platform: Platform, scrapeMs = 1000): Rules => {
  const context = contextOf(platform, scrapeMs);
  const views = viewsOf(context);
  return {
    recording: [...platform.recording, ...views.flatMap((view) => pastLatency(context, view)), cpu(context)],
    alerts: [
      ...platform.alerts,
      ...presence(context),
      ...errors(context),
      ...views.map((view) => latency(context, view)),
      ...resources(context),
    ],
  };
};

const contextOf = (platform: Platform, scrapeMs: number): Context => {
  const { metrics } = platform.telemetry;
  return {
    range: (scrapes) => `${Math.round(scrapes * scrapeMs)}ms`,
    metrics,
    peer: scraped(metrics.labels.peer),
    status: scraped(metrics.labels.status),
    expected: worstShare(platform),
  };
};

/** A pod's own label that the target has too is renamed by Prometheus (honor_labels: false). */
const scraped = (label: string): string => (TARGET_LABELS.includes(label) ? `exported_${label}` : label);

/** The largest share of failures among the platform's endpoints, failures of what they call included. */
const worstShare = (platform: Platform): number => {
  const share = (component: string, request: string, above: readonly string[]): number => {
    const id = `${component} ${request}`;
    const endpoint = platform.components[component]?.endpoints[request];
    if (!endpoint || above.includes(id)) return 0;
    const needed = endpoint.calls.filter((call) => !call.optional);
    const well = needed.map((call) => 1 - call.share * share(call.to, call.request, [...above, id]));
    return 1 - well.reduce((product, one) => product * one, 1 - endpoint.errors);
  };
  const all = Object.entries(platform.components).flatMap(([name, { endpoints }]) =>
    Object.keys(endpoints).map((request) => share(name, request, [])),
  );
  return Math.max(0, ...all);
};

const alert = (
  name: string,
  severity: Alert['severity'],
  expr: string,
  rest: Partial<Alert> & { summary: string },
): Alert => ({
  name,
  severity,
  expr,
  for: '0s',
  labels: {},
  ...rest,
});

// ---- Presence ----------------------------------------------------------------------------------------------------

/**
 * A pod is down after three failed scrapes of the last six, or after one when it then left service discovery: one lost
 * scrape is a hiccup, but nothing healthy fails a scrape and disappears. The ranges reach past a target's end.
 */
const presence = ({ range }: Context): Alert[] => {
  const failed = `(count_over_time(up[${range(6)}]) - sum_over_time(up[${range(6)}]))`;
  const seen = `count_over_time(up{service!=""}[5m])`;
  // Discovery may tell of a new pod ten seconds late; the process that counts as new must be older than that allows.
  const lately = range(20 + 10_000 / milliseconds(range(1)));
  const started = 'max by (service) (process_start_time_seconds{service!=""}';
  return [
    alert('PodDown', 'critical', `${failed} >= 3 or (${failed} >= 1 unless on (service, pod, uid) up)`, {
      summary: '{{ $labels.pod }} of {{ $labels.service }} is down',
    }),
    alert('ServiceAbsent', 'critical', `group by (service) (${seen}) unless on (service) group by (service) (up)`, {
      for: range(2),
      summary: '{{ $labels.service }} has no pods left',
    }),
    alert(
      'ServiceRestarted',
      'info',
      `${started}) > time() - ${milliseconds(lately) / 1000} and on (service) ${started} offset ${lately})`,
      { summary: 'a process of {{ $labels.service }} was restarted' },
    ),
  ];
};

const milliseconds = (range: Duration): number => Number.parseFloat(range);

// ---- Errors ------------------------------------------------------------------------------------------------------

/**
 * A long window sees a small share, a short one a large share soon (multi-window alerting, The Site Reliability Workbook,
 * chapter 5). The share is also what makes a burst harmless: a quarter of eight scrapes is two whole ones of nothing but
 * errors. Five errors at least, so that single ones at a low rate are not a share.
 */
const ERROR_WINDOWS = [
  { scrapes: 8, share: 0.25 },
  { scrapes: 32, share: 0.1 },
];
const FEWEST_ERRORS = 5;

/** A status that a server answers with when it failed, and what clients write where there was no answer. */
const FAILED = '5..';
const UNANSWERED = '(?i)0+|.*(error|fail|timeout|exceeded|unavailable|refused|reset|abort|unreachable).*';

const errors = (context: Context): Alert[] => {
  const { peer, expected } = context;
  const { requests, clientRequests } = context.metrics;
  const calls = {
    by: `service, ${peer}`,
    labels: peerLabel(peer),
    to: `{{ $labels.service }}'s calls to {{ $labels.${peer} }}`,
  };
  const served = alert(
    'HighErrorRate',
    'critical',
    failing(context, requests, 'service', `${FAILED}|${UNANSWERED}`, expected),
    {
      for: context.range(2),
      summary: '{{ $labels.service }} answers with errors',
    },
  );
  if (!clientRequests) return [served];
  return [
    served,
    alert('CallErrors', 'critical', failing(context, clientRequests, calls.by, FAILED, expected), {
      for: context.range(2),
      labels: calls.labels,
      summary: `${calls.to} are answered with errors`,
    }),
    alert('CallsUnanswered', 'critical', failing(context, clientRequests, calls.by, UNANSWERED, 0), {
      for: context.range(2),
      labels: calls.labels,
      summary: `${calls.to} get no answer: unreachable or timeout`,
    }),
  ];
};

const failing = ({ range, status }: Context, metric: string, by: string, statuses: string, expected: number): string =>
  ERROR_WINDOWS.map(({ scrapes, share }) => {
    const failed = `sum by (${by}) (increase(${metric}{${status}=~"${statuses}"}[${range(scrapes)}]))`;
    const all = `sum by (${by}) (increase(${metric}[${range(scrapes)}]))`;
    return `(${failed} / ${all} > ${round(share + 2 * expected)} and ${failed} >= ${FEWEST_ERRORS})`;
  }).join(' or ');

const peerLabel = (label: string): Record<string, string> =>
  label === 'peer' ? {} : { peer: `{{ $labels.${label} }}` };
const round = (share: number): number => Number(Math.min(share, 0.9).toFixed(4));

// ---- Latency -----------------------------------------------------------------------------------------------------

/**
 * Slow is what is slower than before: a quantile of now beyond twice a higher quantile of the past. The gap between the
 * two quantiles is the effect (five times as many slow requests), `atLeast` makes it a dozen slow requests, and the
 * share of the window makes a burst of up to three scrapes harmless. The last row is for rates of about one a second.
 */
const TAILS = [
  { now: 0.5, past: 0.9, scrapes: 8, atLeast: 24 },
  { now: 0.75, past: 0.95, scrapes: 16, atLeast: 48 },
  { now: 0.9, past: 0.98, scrapes: 32, atLeast: 120 },
  { now: 0.5, past: 0.9, scrapes: 32, atLeast: 24 },
];
const FACTOR = 2;
/** On top of the factor, since a busy machine's scheduler alone moves a latency of a few milliseconds that much. */
const FLOOR_MS = 10;
/** What the past must hold before it is compared with: fewer requests have no 98th percentile. */
const PAST = { range: '5m', requests: 50, settledScrapes: 10 };
/** The past ends before the present begins to weigh on the alert, which then keeps it from moving. */
const PAST_OFFSET = 8;

const viewsOf = ({ metrics, peer }: Context): View[] => [
  { name: 'service', by: 'service', histogram: metrics.duration, alert: 'HighLatency' },
  ...(metrics.clientDuration
    ? [{ name: 'call', by: `service, ${peer}`, histogram: metrics.clientDuration, alert: 'HighCallLatency' }]
    : []),
];

const quantile = (q: number, { histogram, by }: View, range: string): string =>
  `histogram_quantile(${q}, sum by (${by}, le) (increase(${histogram}_bucket[${range}])))`;
const pastName = (view: View, q: number): string => `firedrill:${view.name}_past_latency:p${q * 100}`;

/**
 * Quantiles of the past five minutes, kept as they were while the alert that compares with them is pending or firing:
 * otherwise a lasting fault would become the normal that it is compared with.
 */
const pastLatency = ({ range }: Context, view: View): Recording[] =>
  [...new Set(TAILS.map(({ past }) => past))].map((q) => {
    const { histogram, by } = view;
    const then = `${PAST.range}] offset ${range(PAST_OFFSET)}`;
    const before = `histogram_quantile(${q}, sum by (${by}, le) (increase(${histogram}_bucket[${then})))`;
    const enough = `sum by (${by}) (increase(${histogram}_count[${then})) >= ${PAST.requests}`;
    const settled = `group by (${by}) (${histogram}_count offset ${range(PAST_OFFSET + PAST.settledScrapes)})`;
    const quiet = `unless on (${by}) ALERTS{alertname="${view.alert}"}`;
    const record = pastName(view, q);
    return { record, expr: `(${before} and ${enough} and ${settled} ${quiet}) or ${record}` };
  });

const latency = ({ range, metrics, peer }: Context, view: View): Alert => {
  const floor = metrics.unit === 'seconds' ? FLOOR_MS / 1000 : FLOOR_MS;
  const expr = TAILS.map(({ now, past, scrapes, atLeast }) => {
    const enough = `sum by (${view.by}) (increase(${view.histogram}_count[${range(scrapes)}])) >= ${atLeast}`;
    return `(${quantile(now, view, range(scrapes))} > ${FACTOR} * ${pastName(view, past)} + ${floor} and ${enough})`;
  }).join(' or ');
  const isCall = view.name === 'call';
  return alert(view.alert, 'warning', expr, {
    for: range(2),
    labels: isCall ? peerLabel(peer) : {},
    summary: isCall
      ? `{{ $labels.service }}'s calls to {{ $labels.${peer} }} are slow`
      : '{{ $labels.service }} is slow',
  });
};

// ---- Resources ---------------------------------------------------------------------------------------------------

const CPU = 'firedrill:pod_cpu_cores:rate';

/** Only over whole windows: a young series' rate counts the time before it as idle. */
const cpu = ({ range }: Context): Recording => ({
  record: CPU,
  expr: `rate(process_cpu_seconds_total{service!=""}[${range(8)}]) and process_cpu_seconds_total offset ${range(8)}`,
});

/** Most of a core, and twice the usual; twice the least memory of late and more than a runtime's heap grows by in use. */
const resources = ({ range }: Context): Alert[] => {
  const past = `${CPU}[5m] offset ${range(8)}`;
  const busy = `${CPU} > 0.8 and ${CPU} > 2 * quantile_over_time(0.5, ${past}) and count_over_time(${past}) >= 10`;
  const memory = 'process_resident_memory_bytes';
  const grown = `${memory}{service!=""} > 2 * min_over_time(${memory}[5m]) + ${128 * 1024 * 1024}`;
  return [
    alert('HighCpu', 'warning', busy, {
      for: range(2),
      summary: '{{ $labels.pod }} of {{ $labels.service }} uses most of a core',
    }),
    alert('HighMemory', 'warning', grown, {
      for: range(2),
      summary: '{{ $labels.pod }} of {{ $labels.service }} uses far more memory than before',
    }),
  ];
};
