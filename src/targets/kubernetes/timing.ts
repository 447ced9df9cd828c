// The delays of a platform's observers, read from the live configuration of Prometheus and Alertmanager.
import { load } from 'js-yaml';
import { z } from 'zod';
import { address, getJson } from '../../connection.ts';
import { type Access, accessTo } from '../../credentials.ts';
import { oneLine, Unreachable } from '../../errors.ts';
import { askPrometheus } from '../../layers/metrics/api.ts';
import type { Platform } from '../../platform.ts';
import { milliseconds } from '../../time.ts';
import type { Endpoints, Timing } from '../target.ts';
import { mapping } from './mapping.ts';

/**
 * What can't be read from a backend and the profile does not say, in milliseconds, by the exporters' own defaults: OpenTelemetry's batch span processor
 * (OTEL_BSP_SCHEDULE_DELAY, 5 s); Promtail, Alloy, Vector and Fluent Bit (a batch a second, and a second to notice the
 * line); Hubble Relay (--sort-buffer-drain-timeout, 1 s).
 */
export const EXPORT = { spanExport: 5000, logShipping: 2000, flowExport: 1000 } as const;
/** Defaults of the servers, in milliseconds (prometheus.io/docs, "Configuration", of Prometheus and of Alertmanager). */
const INTERVAL = 60_000;
const GROUP_WAIT = 30_000;
const PATIENCE_MS = 15_000;

/**
 * The timing of the layers that there are; a layer that is not there adds no delay. Throws Unreachable, with one line, when
 * a server doesn't tell its configuration.
 */
export const timingOf = async (
  { prometheus, alertmanager }: Pick<Endpoints, 'prometheus' | 'alertmanager'>,
  platform: Platform,
): Promise<Timing> => {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const [metrics, groupWait] = await Promise.all([
    prometheus ? ofPrometheus(prometheus, platform, signal) : { scrape: 0, evaluation: 0, pending: 0 },
    alertmanager ? ofAlertmanager(alertmanager, accessTo(platform.backends, 'alertmanager', alertmanager), signal) : 0,
  ]);
  const { traces, logs } = platform.telemetry;
  return {
    ...metrics,
    groupWait,
    spanExport: traces.exportDelay ? milliseconds(traces.exportDelay) : EXPORT.spanExport,
    logShipping: logs.shippingDelay ? milliseconds(logs.shippingDelay) : EXPORT.logShipping,
    flowExport: EXPORT.flowExport,
  };
};

const ofPrometheus = async (base: string, platform: Platform, signal: AbortSignal) => {
  const access = accessTo(platform.backends, 'prometheus', base);
  const ask = async <T>(path: string, schema: z.ZodType<T>, params = {}): Promise<T> => {
    const url = address(base, path, params);
    const { data } = await askPrometheus(url, signal, access).catch((error: unknown) => {
      throw untold(url, oneLine(error));
    });
    return checked(schema, data, url);
  };
  const [{ yaml }, { activeTargets }, { groups }] = await Promise.all([
    ask('/api/v1/status/config', z.object({ yaml: z.string() })),
    ask('/api/v1/targets', targets, { state: 'active' }),
    ask('/api/v1/rules', rules),
  ]);
  const config = checked(prometheusConfig, parsed(yaml, base), base);
  return { scrape: scrapeOf(config, activeTargets, platform), ...alertingOf(config, groups, platform) };
};

const ofAlertmanager = async (base: string, access: Access, signal: AbortSignal): Promise<number> => {
  const url = address(base, '/api/v2/status');
  const { body } = await getJson(url, signal, access).catch((error: unknown) => {
    throw untold(url, oneLine(error));
  });
  const { config } = checked(z.object({ config: z.object({ original: z.string() }) }), body, url);
  const { route } = checked(z.object({ route: routes }), parsed(config.original, url), url);
  return longestWait(route, GROUP_WAIT);
};

const untold = (url: string, why: string): Unreachable =>
  new Unreachable(`${url}: ${why}; deadlines can't be computed without the intervals that are configured there`);

const checked = <T>(schema: z.ZodType<T>, value: unknown, url: string): T => {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  throw untold(url, `not what was expected at ${path.join('.') || 'its root'}: ${oneLine(message)}`);
};

const parsed = (yaml: string, url: string): unknown => {
  try {
    return load(yaml);
  } catch (error) {
    throw untold(url, `its configuration is not YAML: ${oneLine(error)}`);
  }
};

const UNITS = { y: 31_536_000_000, w: 604_800_000, d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
const DURATION = /^(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?$/;

/**
 * Milliseconds in a duration as Prometheus writes it: `1m`, `1h30m`, `1s500ms`, `0`. Null when it is none.
 * Source: github.com/prometheus/common/model, ParseDuration.
 */
export const durationMs = (text: string): number | null => {
  if (text === '0') return 0;
  const match = text === '' ? null : DURATION.exec(text);
  return match && Object.values(UNITS).reduce((sum, unit, i) => sum + Number(match[i + 1] ?? 0) * unit, 0);
};

const duration = z.union([z.string(), z.literal(0)]).transform((text, context) => {
  const ms = durationMs(String(text));
  if (ms === null) context.addIssue(`'${text}' is not a duration`);
  return ms ?? 0;
});

const prometheusConfig = z.object({
  global: z
    .object({ scrape_interval: duration.default(INTERVAL), evaluation_interval: duration.default(INTERVAL) })
    .prefault({}),
  scrape_configs: z.array(z.object({ scrape_interval: duration.optional() })).default([]),
});
type Config = z.output<typeof prometheusConfig>;

const targets = z.object({
  activeTargets: z.array(
    z.object({ labels: z.record(z.string(), z.string()), scrapeInterval: duration.default(INTERVAL) }),
  ),
});
type Targets = z.output<typeof targets>['activeTargets'];

const rules = z.object({
  groups: z.array(
    z.object({
      /** Seconds. */
      interval: z.number(),
      rules: z.array(
        z.object({
          type: z.enum(['alerting', 'recording']),
          name: z.string(),
          query: z.string(),
          /** `for`, in seconds. */
          duration: z.number().default(0),
          labels: z.record(z.string(), z.string()).default({}),
        }),
      ),
    }),
  ),
});
type Groups = z.output<typeof rules>['groups'];
type Rule = Groups[number]['rules'][number];

/** The slowest scrape of those who carry the name of a component or a namespace of the platform; of all, when none does. */
const scrapeOf = ({ global, scrape_configs: jobs }: Config, active: Targets, platform: Platform): number => {
  const own = new Set(ownNames(platform));
  const theirs = active.filter(({ labels }) => Object.values(labels).some((value) => own.has(value)));
  if (theirs.length > 0) return Math.max(...theirs.map(({ scrapeInterval }) => scrapeInterval));
  return Math.max(...jobs.map((job) => job.scrape_interval ?? global.scrape_interval), 0) || global.scrape_interval;
};

const ownNames = (platform: Platform): string[] => [
  ...Object.keys(platform.components),
  ...mapping(platform).namespaces,
];

/**
 * Alerts that speak of the platform: of a component, its namespace, one of its metrics, or of what is recorded from these. A
 * cluster has many others, some pending for hours; when none speaks of the platform, the soonest of the others counts.
 */
const alertingOf = ({ global }: Config, groups: Groups, platform: Platform): Pick<Timing, 'evaluation' | 'pending'> => {
  const speaks = speaking(groups, platform);
  const about = groups.filter((group) => group.rules.some(speaks));
  const alerts = groups.flatMap((group) => group.rules).filter(({ type }) => type === 'alerting');
  const pending = alerts.filter(speaks).map((alert) => alert.duration);
  const soonest = alerts.length > 0 ? Math.min(...alerts.map((alert) => alert.duration)) : 0;
  return {
    evaluation:
      about.length > 0 ? Math.max(...about.map(({ interval }) => interval)) * 1000 : global.evaluation_interval,
    pending: (pending.length > 0 ? Math.max(...pending) : soonest) * 1000,
  };
};

const speaking = (groups: Groups, platform: Platform): ((rule: Rule) => boolean) => {
  const { requests, duration: served, clientRequests, clientDuration } = platform.telemetry.metrics;
  const metrics = [requests, served, clientRequests, clientDuration].flatMap((name) => name ?? []);
  const named = [
    ...ownNames(platform),
    ...metrics.flatMap((name) => [name, `${name}_bucket`, `${name}_sum`, `${name}_count`]),
  ];
  const isAbout = (names: ReadonlySet<string>, { query, labels }: Rule): boolean =>
    [query, ...Object.values(labels)].some((text) => (text.match(/[\w:-]+/g) ?? []).some((word) => names.has(word)));
  const names = new Set(named);
  for (const rule of groups.flatMap((group) => group.rules))
    if (rule.type === 'recording' && isAbout(names, rule)) names.add(rule.name);
  return (rule) => isAbout(names, rule);
};

type Route = { readonly group_wait?: number | undefined; readonly routes?: readonly Route[] | undefined };
const routes: z.ZodType<Route, unknown> = z.lazy(() =>
  z.object({ group_wait: duration.optional(), routes: z.array(routes).optional() }),
);

/** A route without a wait of its own has its parent's. */
const longestWait = ({ group_wait: own, routes: below = [] }: Route, parents: number): number => {
  const wait = own ?? parents;
  return Math.max(wait, ...below.map((route) => longestWait(route, wait)));
};
