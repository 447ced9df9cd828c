// Real backends for the live suite: those that the environment names, else programs started here on free ports.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { request } from 'undici';
import { until } from '../../src/poll.ts';
import { type Command, start } from '../../src/process.ts';
import { backends, freePort, HOST, temporary } from '../targets/lab/backends.ts';

/** Base URLs by option's name: `{ loki: 'http://…' }`. */
export type Real = AsyncDisposable & { readonly at: Readonly<Record<string, string>> };

const { env } = process;

/** Why Prometheus and Alertmanager can't be had, or null. */
export const noMetricsOrAlerts = (): string | null => (backends ? null : 'needs Prometheus and Alertmanager');

const given = (at: Real['at']): Real => ({ at, [Symbol.asyncDispose]: async () => undefined });

/** Starts a program in a folder of its own, and resolves once `url` answers 200; all of it goes with the scope. */
const started = async (
  at: Real['at'],
  ready: string,
  command: Command,
  files: Readonly<Record<string, unknown>>,
  dir: Folder,
): Promise<Real> => {
  for (const [name, content] of Object.entries(files)) await writeFile(join(dir.path, name), JSON.stringify(content));
  const running = await start({ ...command, cwd: dir.path, stdio: ['ignore', 'ignore', 'pipe'] });
  const dispose = async (): Promise<void> => {
    await running.stop();
    await dir[Symbol.asyncDispose]();
  };
  try {
    await until(command.name, () => answers(ready), { forMs: 60_000, everyMs: 200 });
    return { at, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
};

type Folder = Awaited<ReturnType<typeof temporary>>;

const answers = async (url: string): Promise<true | null> => {
  const { statusCode, body } = await request(url, { reset: true });
  await body.dump();
  return statusCode === 200 ? true : null;
};

/** Jaeger 2 (jaegertracing.io/docs/latest/configuration). */
export const realJaeger = async (): Promise<Real> => {
  if (env.JAEGER_URL) return given({ jaeger: env.JAEGER_URL, ...(env.OTLP_URL ? { otlp: env.OTLP_URL } : {}) });
  const [query, grpc, otlp] = [await freePort(), await freePort(), await freePort()];
  const config = {
    service: {
      extensions: ['jaeger_storage', 'jaeger_query'],
      pipelines: { traces: { receivers: ['otlp'], processors: ['batch'], exporters: ['jaeger_storage_exporter'] } },
      telemetry: { metrics: { level: 'none' }, logs: { level: 'error' } },
    },
    extensions: {
      jaeger_storage: { backends: { memory: { memory: { max_traces: 100_000 } } } },
      jaeger_query: {
        storage: { traces: 'memory' },
        http: { endpoint: `${HOST}:${query}` },
        grpc: { endpoint: `${HOST}:${grpc}` },
      },
    },
    receivers: { otlp: { protocols: { http: { endpoint: `${HOST}:${otlp}` } } } },
    processors: { batch: { timeout: '200ms' } },
    exporters: { jaeger_storage_exporter: { trace_storage: 'memory' } },
  };
  const at = { jaeger: `http://${HOST}:${query}`, otlp: `http://${HOST}:${otlp}` };
  const command: Command = { name: 'jaeger', argv: [env.FIREDRILL_JAEGER!, '--config=jaeger.json'] };
  return started(at, `${at.jaeger}/api/v3/services`, command, { 'jaeger.json': config }, await temporary());
};

/** Loki 3, alone (grafana.com/docs/loki/latest/configure), with its default limits but for those given. */
export const realLoki = async (limits: object = {}, program = env.FIREDRILL_LOKI): Promise<Real> => {
  if (env.LOKI_URL) return given({ loki: env.LOKI_URL });
  const port = await freePort();
  const schema = {
    from: '2024-01-01',
    store: 'tsdb',
    object_store: 'filesystem',
    schema: 'v13',
    index: { prefix: 'index_', period: '24h' },
  };
  const config = {
    auth_enabled: false,
    server: {
      http_listen_address: HOST,
      http_listen_port: port,
      grpc_listen_address: HOST,
      grpc_listen_port: 0,
      log_level: 'error',
    },
    common: {
      path_prefix: 'data',
      replication_factor: 1,
      instance_addr: HOST,
      ring: { kvstore: { store: 'inmemory' } },
      storage: { filesystem: { chunks_directory: 'data/chunks', rules_directory: 'data/rules' } },
    },
    schema_config: { configs: [schema] },
    ingester: { lifecycler: { min_ready_duration: '0s' } },
    limits_config: limits,
    analytics: { reporting_enabled: false },
  };
  const at = { loki: `http://${HOST}:${port}` };
  const command: Command = { name: 'loki', argv: [program!, '-config.file=loki.json'] };
  return started(at, `${at.loki}/ready`, command, { 'loki.json': config }, await temporary());
};

/** A Prometheus that scrapes nothing and takes remote write, or one that does not take it. */
export const realPrometheus = async (takes: boolean): Promise<Real> => {
  const port = await freePort();
  const { path, env: own } = backends!.prometheus;
  const flags = ['--config.file=prometheus.json', '--storage.tsdb.path=data', '--log.level=error'];
  const argv: Command['argv'] = [
    path,
    ...flags,
    `--web.listen-address=${HOST}:${port}`,
    ...(takes ? ['--web.enable-remote-write-receiver'] : []),
  ];
  const at = { prometheus: `http://${HOST}:${port}` };
  return started(
    at,
    `${at.prometheus}/-/ready`,
    { name: 'prometheus', argv, env: own },
    { 'prometheus.json': {} },
    await temporary(),
  );
};

/** An Alertmanager that tells nobody. */
export const realAlertmanager = async (): Promise<Real> => {
  const port = await freePort();
  const { path, env: own } = backends!.alertmanager;
  const flags = [
    '--config.file=alertmanager.json',
    '--storage.path=data',
    '--cluster.listen-address=',
    '--log.level=error',
  ];
  const argv: Command['argv'] = [path, ...flags, `--web.listen-address=${HOST}:${port}`];
  const config = { route: { receiver: 'nobody' }, receivers: [{ name: 'nobody' }] };
  const at = { alertmanager: `http://${HOST}:${port}` };
  return started(
    at,
    `${at.alertmanager}/-/ready`,
    { name: 'alertmanager', argv, env: own },
    { 'alertmanager.json': config },
    await temporary(),
  );
};

/** Options of the command line that swap these in. */
export const options = (...real: readonly Real[]): string[] =>
  real.flatMap(({ at }) => Object.entries(at).flatMap(([name, url]) => [`--${name}`, url]));
