import { readdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { until } from '../../../src/poll.ts';
import { startAlertmanager } from '../../../src/targets/lab/alertmanager.ts';
import {
  configuration,
  DISCOVERY_MS,
  type PrometheusOptions,
  ruleFile,
  startPrometheus,
  writeTargets,
} from '../../../src/targets/lab/prometheus.ts';
import type { Rules } from '../../../src/targets/lab/rules.ts';
import { startWebhook } from '../../../src/targets/lab/webhook.ts';
import { backends, freePort, HOST, temporary } from './backends.ts';

const ALERT = { for: '0s', labels: {}, summary: '{{ $labels.pod }} is down', severity: 'critical' } as const;
const RULES: Rules = {
  recording: [{ record: 'own:up', expr: 'sum(up)' }],
  alerts: [{ ...ALERT, name: 'Down', expr: 'up == 0' }],
};
const POD = { name: 'orders-x2', uid: 'u-1', service: 'orders', ip: HOST, port: 1 };

const options = async (dir: string, rest: Partial<PrometheusOptions> = {}): Promise<PrometheusOptions> => ({
  tool: backends!.prometheus,
  dir: join(dir, 'prometheus'),
  host: HOST,
  port: await freePort(),
  scrapeMs: 200,
  evaluationMs: 200,
  targetsFile: join(dir, 'targets.json'),
  rules: RULES,
  alertmanagers: [`http://${HOST}:1`],
  remoteWrite: null,
  externalLabels: { cluster: 'test' },
  ...rest,
});

const metricsServer = async (): Promise<{ readonly port: number } & AsyncDisposable> => {
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end('jobs_total{pod="its own"} 7\n');
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { port: (server.address() as AddressInfo).port, [Symbol.asyncDispose]: stop };
};

type Vector = { readonly metric: Record<string, string>; readonly value: [number, string] };
const query = async (url: string, text: string): Promise<Vector[]> => {
  const { body } = await request(`${url}/api/v1/query?query=${encodeURIComponent(text)}`);
  return ((await body.json()) as { data: { result: Vector[] } }).data.result;
};
const firstOf = async (url: string, text: string): Promise<Vector | undefined> => (await query(url, text))[0];
const SOON = { forMs: 3 * DISCOVERY_MS, everyMs: 100 };

describe('targets', () => {
  test('are written whole and leave no other file', async () => {
    await using dir = await temporary();
    const file = join(dir.path, 'targets.json');
    await Promise.all(
      [1, 2, 3].map((n) =>
        writeTargets(
          file,
          Array.from({ length: n }, () => POD),
        ),
      ),
    );
    expect(JSON.parse(await readFile(file, 'utf8'))).toHaveLength(3);
    expect(await readdir(dir.path)).toEqual(['targets.json']);
  });

  test('have the standard labels and the names of the profile', async () => {
    await using dir = await temporary();
    const file = join(dir.path, 'targets.json');
    await writeTargets(file, [POD], { service: 'app', pod: 'instance_name' });
    const labels = { service: 'orders', app: 'orders', pod: 'orders-x2', instance_name: 'orders-x2' };
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual([
      { targets: ['127.0.0.1:1'], labels: { ...labels, uid: 'u-1', instance: '127.0.0.1:1' } },
    ]);
  });
});

const CONFIGURED = {
  dir: '/d',
  scrapeMs: 1000,
  evaluationMs: 1000,
  targetsFile: '/d/t.json',
  alertmanagers: ['http://198.18.0.1:9093', 'http://198.18.0.1:4319/alertmanager'],
  remoteWrite: 'http://198.18.0.1:4319/prometheus',
  externalLabels: {},
};

test('samples and alerts go on to real backends under the base paths of their URLs', () => {
  const { alerting, remote_write } = JSON.parse(configuration(CONFIGURED));
  expect(
    alerting.alertmanagers.map((one: { path_prefix: string; static_configs: { targets: string[] }[] }) => [
      one.static_configs[0]!.targets,
      one.path_prefix,
    ]),
  ).toEqual([
    [['198.18.0.1:9093'], '/'],
    [['198.18.0.1:4319'], '/alertmanager'],
  ]);
  expect(remote_write).toMatchObject([{ url: 'http://198.18.0.1:4319/prometheus/api/v1/write' }]);
});

test('without a real Prometheus nothing is written on', () => {
  expect(JSON.parse(configuration({ ...CONFIGURED, remoteWrite: null }))).not.toHaveProperty('remote_write');
});

test('the rule file has recordings before alerts, and each alert its severity', () => {
  const { rules } = JSON.parse(ruleFile(RULES)).groups[0];
  expect(rules).toEqual([
    { record: 'own:up', expr: 'sum(up)' },
    {
      alert: 'Down',
      expr: 'up == 0',
      for: '0s',
      labels: { severity: 'critical' },
      annotations: { summary: ALERT.summary },
    },
  ]);
});

(backends ? describe : describe.skip)('a real Prometheus', () => {
  test('scrapes the pods under their labels, evaluates the rules and delivers an alert to the webhook', async () => {
    await using dir = await temporary();
    await using pod = await metricsServer();
    await using webhook = await startWebhook({ host: HOST, port: 0, max: 10 });
    const port = await freePort();
    await using _alertmanager = await startAlertmanager({
      tool: backends!.alertmanager,
      dir: join(dir.path, 'alertmanager'),
      host: HOST,
      port,
      groupWaitMs: 100,
      groupIntervalMs: 1000,
      webhookUrl: webhook.url,
    });
    await using prometheus = await startPrometheus(
      await options(dir.path, { alertmanagers: [`http://${HOST}:${port}`] }),
    );
    await writeTargets(join(dir.path, 'targets.json'), [
      { ...POD, port: pod.port },
      { ...POD, name: 'orders-gone' },
    ]);

    const jobs = await until('a scrape', () => firstOf(prometheus.url, 'jobs_total'), SOON);
    expect(jobs.value[1]).toBe('7');
    expect(jobs.metric).toMatchObject({ service: 'orders', pod: 'orders-x2', uid: 'u-1', exported_pod: 'its own' });
    await until('the recording', () => firstOf(prometheus.url, 'own:up == 1'), SOON);
    const [delivery] = await until(
      'a delivery',
      () => (webhook.deliveries().length > 0 ? webhook.deliveries() : null),
      SOON,
    );
    expect(delivery!.alerts[0]).toMatchObject({
      status: 'firing',
      labels: { alertname: 'Down', pod: 'orders-gone', service: 'orders', severity: 'critical', cluster: 'test' },
      annotations: { summary: 'orders-gone is down' },
    });
  }, 60_000);

  test('says in one line that its port is taken', async () => {
    await using dir = await temporary();
    await using taken = await metricsServer();
    const starting = startPrometheus(await options(dir.path, { port: taken.port }));
    await expect(starting).rejects.toThrow(/^prometheus can't have 127\.0\.0\.1:\d+: .*EADDRINUSE.*$/);
  });

  test('says in one line which rule it did not understand', async () => {
    await using dir = await temporary();
    const rules = { recording: [{ record: 'x', expr: 'rate(((' }], alerts: [] };
    const error = await startPrometheus(await options(dir.path, { rules })).catch((thrown: Error) => thrown);
    expect((error as Error).message).toMatch(/^prometheus ended with \d before it was ready: .*parse error/);
    expect((error as Error).message).not.toContain('\n');
  });

  test('ends when its scope does', async () => {
    await using dir = await temporary();
    const at = await options(dir.path);
    {
      await using prometheus = await startPrometheus(at);
      expect(prometheus.url).toBe(`http://${HOST}:${at.port}`);
    }
    await expect(request(`http://${HOST}:${at.port}/-/ready`)).rejects.toThrow('ECONNREFUSED');
  });
});
