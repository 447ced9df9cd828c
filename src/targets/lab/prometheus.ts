// The lab's metrics backend: the real Prometheus, configured for a short life and a small machine.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../../process.ts';
import type { Pod } from '../target.ts';
import type { ToolPath } from './config.ts';
import type { Rules } from './rules.ts';
import { startServer } from './server.ts';

export type PrometheusOptions = {
  readonly tool: ToolPath;
  /** A folder of its own, for configuration and data; made when it isn't there. */
  readonly dir: string;
  readonly host: string;
  readonly port: number;
  readonly scrapeMs: number;
  readonly evaluationMs: number;
  /** What `writeTargets` writes. */
  readonly targetsFile: string;
  readonly rules: Rules;
  /** Base URLs (http) of those that alerts are sent to. */
  readonly alertmanagers: readonly string[];
  /** Base URL of a Prometheus that every sample is written on to, rules' results and ALERTS included; null: none. */
  readonly remoteWrite: string | null;
  readonly externalLabels: Readonly<Record<string, string>>;
};

export type Prometheus = AsyncDisposable & { readonly url: string };

/** Prometheus reads changed targets at once but acts on them only every so often (discovery's own update interval). */
export const DISCOVERY_MS = 5000;

// The lab lives for minutes: a small heap, little kept, and targets that are acted on as soon as discovery gives them.
const FLAGS = ['--log.level=warn', '--storage.tsdb.retention.time=1d'];
const SOON = '--scrape.discovery-reload-interval=100ms';
const ENVIRONMENT = { GOMEMLIMIT: '256MiB', GOGC: '75', GOMAXPROCS: '2' };

/** Starts Prometheus and resolves when it is ready. Throws Unreachable with its last error when it doesn't start. */
export const startPrometheus = async (options: PrometheusOptions): Promise<Prometheus> => {
  const { tool, dir, host, port } = options;
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, 'rules.json'), ruleFile(options.rules));
  await writeFile(join(dir, 'prometheus.json'), configuration(options));
  const own = [`--config.file=${join(dir, 'prometheus.json')}`, `--storage.tsdb.path=${join(dir, 'data')}`];
  const running = await startServer({
    name: 'prometheus',
    tool,
    args: [
      ...own,
      `--web.listen-address=${host}:${port}`,
      `--web.external-url=http://${host}:${port}`,
      ...FLAGS,
      ...((await knows(tool, SOON)) ? [SOON] : []),
    ],
    env: ENVIRONMENT,
    dir,
    host,
    port,
  });
  return { url: `http://${host}:${port}`, [Symbol.asyncDispose]: () => running.stop() };
};

/** Whether this build has the flag; the hidden ones came and may go. */
const knows = (tool: ToolPath, flag: string): Promise<boolean> =>
  run({ name: 'prometheus', argv: [tool.path, flag, '--version'], env: tool.env }).then(
    () => true,
    () => false,
  );

type Configured = Omit<PrometheusOptions, 'tool' | 'host' | 'port' | 'rules'>;

/** Prometheus's configuration. YAML 1.2 has JSON in it, so that nothing needs quoting rules of its own. */
export const configuration = (options: Configured): string =>
  JSON.stringify({
    global: {
      scrape_interval: `${options.scrapeMs}ms`,
      scrape_timeout: `${options.scrapeMs}ms`,
      evaluation_interval: `${options.evaluationMs}ms`,
      external_labels: options.externalLabels,
    },
    rule_files: [join(options.dir, 'rules.json')],
    alerting: { alertmanagers: options.alertmanagers.map(alertmanagerAt) },
    ...(options.remoteWrite ? { remote_write: [remoteWriteTo(options.remoteWrite)] } : {}),
    scrape_configs: [{ job_name: 'pods', file_sd_configs: [{ files: [options.targetsFile], refresh_interval: '1s' }] }],
  });

const alertmanagerAt = (url: string): object => {
  const { host, pathname } = new URL(url);
  return { api_version: 'v2', timeout: '2s', path_prefix: pathname, static_configs: [{ targets: [host] }] };
};

/**
 * A batch is sent when it is full or half a second old: the default of five seconds would make every look five seconds
 * late. prometheus.io/docs/specs/prw/remote_write_spec
 */
const remoteWriteTo = (url: string): object => ({
  url: `${url}/api/v1/write`,
  remote_timeout: '5s',
  queue_config: { batch_send_deadline: '500ms', min_backoff: '100ms', max_backoff: '2s', max_shards: 4 },
});

/** A rule file (prometheus.io/docs/prometheus/latest/configuration/recording_rules): recordings first, alerts see them. */
export const ruleFile = ({ recording, alerts }: Rules): string =>
  JSON.stringify({
    groups: [
      {
        name: 'firedrill',
        rules: [
          ...recording,
          ...alerts.map(({ name, expr, for: pending, severity, labels, summary }) => ({
            alert: name,
            expr,
            for: pending,
            labels: { severity, ...labels },
            annotations: { summary },
          })),
        ],
      },
    ],
  });

type ScrapedPod = Pick<Pod, 'name' | 'uid' | 'service' | 'ip' | 'port'>;

/**
 * Tells Prometheus whom to scrape, in the format of file-based discovery, by a rename, so that it never reads half a
 * file. Targets are labelled service, pod, uid and instance, and with the profile's own names for the first two.
 */
export const writeTargets = async (
  file: string,
  pods: readonly ScrapedPod[],
  names: { readonly service: string; readonly pod: string } = { service: 'service', pod: 'pod' },
): Promise<void> => {
  const groups = pods.map(({ name, uid, service, ip, port }) => ({
    targets: [`${ip}:${port}`],
    labels: { [names.service]: service, [names.pod]: name, service, pod: name, uid, instance: `${ip}:${port}` },
  }));
  // Synchronously: of two writes the later one must be what stays.
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(`${file}.new`, JSON.stringify(groups));
  renameSync(`${file}.new`, file);
};
