// Claims about pushed outcomes: one group a drill, in which only the last run is left; a Pushgateway that is down is one line.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from '@jest/globals';
import { metricsOf, push, pushUrl } from '../src/push.ts';
import { type Verdict, verdict } from '../src/verdict.ts';
import { stored } from './reporters/stored.ts';

const judged: Verdict = verdict(stored());
const bracket = { atLeast: 1500, atMost: 3500 };
const passed: Verdict = {
  ...judged,
  outcome: 'pass',
  exitCode: 0,
  layers: {
    ...judged.layers,
    traces: { ...judged.layers.traces, grade: 'explained', wanted: 'located', timeToDetect: bracket },
    logs: { ...judged.layers.logs, grade: 'blind', wanted: null, timeToDetect: null },
  },
};

/** Samples as `name{labels}` to value. */
const samples = async (of: Verdict): Promise<Record<string, number>> => {
  const lines = (await metricsOf(of).metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => [line.replace(/ [^ ]+$/, ''), Number(line.split(' ').at(-1))]));
};

type Pushed = { readonly method: string; readonly path: string; readonly body: string };
const gateway = async (status: number) => {
  const pushed: Pushed[] = [];
  const server = createServer(async (request, response) => {
    pushed.push({ method: request.method!, path: request.url!, body: await text(request) });
    response.writeHead(status, { connection: 'close' }).end(status < 400 ? '' : 'pushed metrics are invalid\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    pushed,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
};

const labelsOf = (path: string): Record<string, string> =>
  Object.fromEntries(
    [...path.matchAll(/\/(\w+)(?:@|%40)base64\/([\w-]+)/g)].map(([, name, value]) => [
      name!,
      Buffer.from(value!, 'base64url').toString(),
    ]),
  );

describe('metricsOf', () => {
  test('the outcome that it was is 1 and every other is 0', async () => {
    const all = Object.entries(await samples(passed)).filter(([name]) => name.startsWith('firedrill_drill_outcome'));
    expect(all.length).toBe(7);
    expect(all.filter(([, value]) => value === 1)).toEqual([['firedrill_drill_outcome{outcome="pass"}', 1]]);
  });

  test('grades are steps of the ladder, times are seconds, and what nobody knows is not there', async () => {
    const all = await samples(passed);
    expect(all).toMatchObject({
      firedrill_drill_exit_code: 0,
      'firedrill_layer_grade{layer="traces"}': 4,
      'firedrill_layer_grade_wanted{layer="traces"}': 3,
      'firedrill_layer_time_to_detect_seconds{layer="traces",bound="at_least"}': 1.5,
      'firedrill_layer_time_to_detect_seconds{layer="traces",bound="at_most"}': 3.5,
      'firedrill_layer_grade{layer="logs"}': 0,
    });
    expect(Object.keys(all).filter((name) => /logs/.test(name))).toEqual(['firedrill_layer_grade{layer="logs"}']);
  });
});

describe('push', () => {
  test('each drill replaces the last one of its own group and no other’s', async () => {
    await using there = await gateway(200);
    const other = { ...passed, scenario: 'a/b: 50 % slower', platform: 'shop' };
    await push(`${there.url}/`, [passed, other]);
    expect(there.pushed.map(({ method }) => method)).toEqual(['PUT', 'PUT']);
    expect(there.pushed.map(({ path }) => labelsOf(path))).toEqual([
      { scenario: passed.scenario, target: passed.target, platform: passed.platform },
      { scenario: 'a/b: 50 % slower', target: passed.target, platform: 'shop' },
    ]);
    expect(there.pushed[0]!.path).toMatch(/^\/metrics\/job\/firedrill\//);
    expect(there.pushed[0]!.body).toContain('firedrill_drill_outcome{outcome="pass"} 1\n');
  });

  test('a Pushgateway that refuses, and one that is not there, are one line each', async () => {
    const there = await gateway(400);
    const says = async (): Promise<string> => push(there.url, [passed]).then(String, (error: Error) => error.message);
    expect(await says()).toBe(
      `outcomes were not pushed to ${there.url}: push failed with status 400, pushed metrics are invalid`,
    );
    await there[Symbol.asyncDispose]();
    expect(await says()).toMatch(/^outcomes were not pushed to http:\S+: [^\n]*connect ECONNREFUSED [\d.:]+$/);
  });

  test('what is no URL of a Pushgateway is refused before anything runs', () => {
    for (const text of ['pushgateway:9091', 'ftp://here', 'http://here/?a=b', ''])
      expect(() => pushUrl(text)).toThrow(/--push .*must be an http or https URL/);
    expect(pushUrl('https://there.example/gateway/')).toBe('https://there.example/gateway');
  });
});
