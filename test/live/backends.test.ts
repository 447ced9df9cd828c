import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { readEvidence } from '../../src/evidence.ts';
import { LAYERS, type LayerName } from '../../src/model.ts';
import { FILES } from '../../src/stored.ts';
import type { Verdict } from '../../src/verdict.ts';
import { HTML, listener, NOBODY } from '../targets/lab/listener.ts';
import {
  noMetricsOrAlerts,
  noTracesOrLogs,
  options,
  type Real,
  realAlertmanager,
  realJaeger,
  realLoki,
  realPrometheus,
} from './real.ts';
import { folder, launch, noLab, type Ran, runsIn } from './tool.ts';

const MINUTES = 60_000;
const lab = await noLab('me');

/** Tests that say in their name why they are skipped. */
const when = (why: string | null) => (name: string, body: () => Promise<void>, ms: number) =>
  why ? test.skip(`${name} # ${why}`, body) : test(name, body, ms);

const tale = (one: Verdict): string =>
  [one.because, ...LAYERS.map((layer) => `${layer} ${one.layers[layer].grade}: ${one.layers[layer].why}`)].join('\n');

/** Runs firedrill, which must leave nothing of its own; other labs may be on this machine. */
const alone = async (args: readonly string[]): Promise<Ran> => {
  const tool = await launch(args);
  const ran = await tool.ended;
  expect((await readdir(tmpdir())).filter((name) => name.startsWith(`firedrill-${tool.pid}-`))).toEqual([]);
  return ran;
};

/** Drills `blocked-edge` on these backends: every layer must blame the right place, and be read where it was swapped to. */
const drill = async (read: Readonly<Partial<Record<LayerName, string>>>, ...real: readonly Real[]): Promise<void> => {
  await using out = await folder();
  const ran = await alone(['run', 'blocked-edge', '--out', out.path, '--seed', '3', ...options(...real)]);
  const run = (await runsIn(out.path))[0]!;
  const verdict: Verdict = JSON.parse(await readFile(join(run, FILES.verdict), 'utf8'));
  expect({ code: ran.code, tale: tale(verdict) }).toEqual({ code: 0, tale: tale(verdict) });
  expect(ran.err).not.toMatch(/did not (take|get)/);
  const { looks } = await readEvidence(join(run, FILES.evidence));
  for (const [layer, url] of Object.entries(read)) {
    const asked = looks
      .filter((look) => look.layer === layer)
      .flatMap(({ queries }) => queries.map((query) => query.url));
    expect(asked.filter((one) => one.startsWith(`${url}/`)).length).toBeGreaterThan(0);
  }
};

when(lab ?? noTracesOrLogs())(
  'a real Jaeger and a real Loki show a blocked edge as the lab’s own stores do',
  async () => {
    await using jaeger = await realJaeger();
    await using loki = await realLoki();
    await drill({ traces: jaeger.at.jaeger!, logs: loki.at.loki! }, jaeger, loki);
  },
  4 * MINUTES,
);

when(lab ?? noMetricsOrAlerts())(
  'a real Prometheus, by remote write, and a real Alertmanager show a blocked edge as the lab’s own do',
  async () => {
    await using prometheus = await realPrometheus(true);
    await using alertmanager = await realAlertmanager();
    const { prometheus: metrics } = prometheus.at;
    await drill({ metrics: metrics!, alerts: alertmanager.at.alertmanager! }, prometheus, alertmanager);
  },
  4 * MINUTES,
);

/** What a refused command says, with the promise that nothing was started or left. */
const refused = async (args: readonly string[]): Promise<string> => {
  await using out = await folder();
  const ran = await alone(['run', 'blocked-edge', '--out', out.path, ...args]);
  expect({ code: ran.code, out: ran.out, runs: await runsIn(out.path) }).toEqual({ code: 2, out: '', runs: [] });
  expect(ran.err.trim()).not.toContain('\n');
  return ran.err;
};

test('a backend that is not there is told at once, with its layer and URL, and nothing is started', async () => {
  expect(await refused(['--loki', NOBODY])).toMatch(
    new RegExp(`^firedrill: logs: --loki ${NOBODY} can't be read: .*ECONNREFUSED`),
  );
});

test('a web page in place of a backend is told at once', async () => {
  await using page = await listener(() => HTML);
  expect(await refused(['--jaeger', page.url, '--otlp', page.url])).toMatch(
    /^firedrill: traces: --jaeger .*HTML instead of JSON/,
  );
});

when(noMetricsOrAlerts())(
  'a real Prometheus that takes no remote write is told how to take it',
  async () => {
    await using prometheus = await realPrometheus(false);
    expect(await refused(options(prometheus))).toContain(
      'start that Prometheus with --web.enable-remote-write-receiver',
    );
  },
  MINUTES,
);
