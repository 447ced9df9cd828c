import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { expect, test } from '@jest/globals';
import { HTML, listener, NOBODY } from '../targets/lab/listener.ts';
import { noMetricsOrAlerts, options, realPrometheus } from './real.ts';
import { folder, launch, type Ran, runsIn } from './tool.ts';

const MINUTES = 60_000;

/** Tests that say in their name why they are skipped. */
const when = (why: string | null) => (name: string, body: () => Promise<void>, ms: number) =>
  why ? test.skip(`${name} # ${why}`, body) : test(name, body, ms);

/** Runs firedrill, which must leave nothing of its own; other labs may be on this machine. */
const alone = async (args: readonly string[]): Promise<Ran> => {
  const tool = await launch(args);
  const ran = await tool.ended;
  expect((await readdir(tmpdir())).filter((name) => name.startsWith(`firedrill-${tool.pid}-`))).toEqual([]);
  return ran;
};

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
