// Claims about timing: deadlines come from what the servers say of themselves, and only from what concerns the platform.
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { platform } from '../../../src/platform.ts';
import { durationMs, EXPORT, timingOf } from '../../../src/targets/kubernetes/timing.ts';
import { type Recorded, replay } from '../../layers/metrics/replay.ts';

const fixture = (name: string): string =>
  readFileSync(new URL(`../../../fixtures/${name}.json`, import.meta.url), 'utf8');

const of = (components: readonly string[], requests = 'http_requests_total', name = 'shop') =>
  platform({
    name,
    entry: components[0]!,
    components: Object.fromEntries(components.map((name) => [name, { endpoints: {} }])),
    journeys: {},
    telemetry: { metrics: { requests } },
  });
const shop = of(['order-service', 'market-data']);
const bare = { name: 'bare', entry: 'a', components: { a: { endpoints: {} } }, journeys: {} };

type Paths = { readonly [path: string]: Recorded };
const PROMETHEUS: Paths = {
  '/api/v1/status/config': { body: fixture('prometheus/config') },
  '/api/v1/targets': { body: fixture('prometheus/targets') },
  '/api/v1/rules': { body: fixture('prometheus/rules') },
  '/api/v2/status': { body: fixture('alertmanager/status') },
};
const BARE: Paths = {
  '/api/v1/status/config': { body: fixture('prometheus/default-config') },
  '/api/v1/targets': { body: fixture('prometheus/default-targets') },
  '/api/v1/rules': { body: '{"status":"success","data":{"groups":[]}}' },
  '/api/v2/status': { body: fixture('alertmanager/default-status') },
};

const read = async (paths: Paths, profile = shop) => {
  await using server = await replay(
    (path) => paths[path.replace(/\?.*/, '')] ?? { status: 404, type: 'text/plain', body: '404 page not found' },
  );
  return await timingOf({ prometheus: server.url, alertmanager: server.url }, profile);
};
const rule = (more: object) => ({ type: 'alerting', name: 'A', query: 'x > 1', duration: 0, labels: {}, ...more });
const withRules = (...groups: object[]): Paths => ({
  ...PROMETHEUS,
  '/api/v1/rules': { body: JSON.stringify({ status: 'success', data: { groups } }) },
});

describe('timingOf', () => {
  test('the platform’s own targets and alerts are what counts, not the slower ones of the cluster around it', async () => {
    // Others are scraped every 90 s, and an alert of theirs is pending for 12 hours.
    expect(await read(PROMETHEUS)).toEqual({
      scrape: 2000,
      evaluation: 5000,
      pending: 90_000,
      groupWait: 60_000,
      ...EXPORT,
    });
  });

  test('what the profile says of its exporters goes before what exporters usually do', async () => {
    const telemetry = { traces: { exportDelay: '250ms' }, logs: { shippingDelay: '3s' } } as const;
    const timing = await read(PROMETHEUS, { ...shop, telemetry: platform({ ...bare, telemetry }).telemetry });
    expect(timing).toMatchObject({ spanExport: 250, logShipping: 3000, flowExport: EXPORT.flowExport });
  });

  test('servers that configure nothing have their documented defaults', async () => {
    expect(await read(BARE)).toMatchObject({
      scrape: 60_000,
      evaluation: 60_000,
      pending: 0,
      groupWait: 30_000,
    });
  });

  test('a platform that no target and no alert names goes by the slowest job and the soonest alert', async () => {
    expect(await read(PROMETHEUS, of(['till'], 'other_requests', 'elsewhere'))).toMatchObject({
      scrape: 90_000,
      evaluation: 10_000,
      pending: 0,
    });
  });

  test('an alert on what is recorded from the platform’s metrics is about the platform', async () => {
    const recording = rule({ type: 'recording', name: 'job:failures', query: 'rate(http_requests_total[1m])' });
    const alert = rule({ query: 'job:failures > 1', duration: 42 });
    const timing = await read(withRules({ interval: 7, rules: [recording, alert] }));
    expect(timing).toMatchObject({ evaluation: 7000, pending: 42_000 });
  });

  test('a component’s name inside of a longer word is another word', async () => {
    const other = rule({ query: 'up{job="order-service-canary"} == 0', duration: 3600 });
    const own = rule({ query: 'up{job="order-service"} == 0', duration: 5 });
    expect((await read(withRules({ interval: 1, rules: [other, own] }))).pending).toBe(5000);
  });

  test('a layer that is not there adds no delay', async () => {
    const timing = await timingOf({ prometheus: null, alertmanager: null }, shop);
    expect(timing).toEqual({ scrape: 0, evaluation: 0, pending: 0, groupWait: 0, ...EXPORT });
  });

  test.each([
    ['HTML', { body: '<html>sign in</html>', type: 'text/html' }, /api\/v1\/status\/config: HTTP 200 with HTML/],
    ['another JSON', { body: '{"hello":1}' }, /not Prometheus's envelope/],
    ['a text', { status: 404, body: 'no' }, /HTTP 404: no$|HTTP 404: no;/],
    ['data of another shape', { body: '{"status":"success","data":{}}' }, /not what was expected at yaml/],
    ['broken YAML', { body: '{"status":"success","data":{"yaml":"a: [b"}}' }, /is not YAML/],
    [
      'a duration that is none',
      { body: JSON.stringify({ status: 'success', data: { yaml: 'global: { scrape_interval: soon }' } }) },
      /global.scrape_interval: 'soon' is not a duration/,
    ],
  ] as [string, Recorded, RegExp][])('%s in place of the configuration is one line', async (_what, answer, says) => {
    const reading = read({ ...PROMETHEUS, '/api/v1/status/config': answer });
    await expect(reading).rejects.toMatchObject({ name: 'Unreachable', message: expect.stringMatching(says) });
    await expect(reading).rejects.not.toThrow(/\n/);
  });

  test('an Alertmanager that answers nonsense is one line, too', async () => {
    const reading = read({ ...PROMETHEUS, '/api/v2/status': { body: '[]' } });
    await expect(reading).rejects.toThrow(/api\/v2\/status: not what was expected at its root/);
  });
});

describe('durations as Prometheus writes them', () => {
  const UNITS = [
    ['h', 3_600_000],
    ['m', 60_000],
    ['s', 1000],
    ['ms', 1],
  ] as const;

  test('the sum of the parts, whichever there are', () => {
    const parts = fc.tuple(...UNITS.map(() => fc.option(fc.nat(999), { nil: null })));
    fc.assert(
      fc.property(parts, (numbers) => {
        const text = numbers.map((n, i) => (n === null ? '' : `${n}${UNITS[i]![0]}`)).join('');
        const sum = numbers.reduce<number>((all, n, i) => all + (n ?? 0) * UNITS[i]![1], 0);
        expect(durationMs(text)).toBe(text === '' ? null : sum);
      }),
    );
  });

  test('nothing else is one', () => {
    for (const text of ['', '5', '1s1m', 's', '1.5s', '-1s', '1 s', '1h ']) expect(durationMs(text)).toBeNull();
    expect(durationMs('0')).toBe(0);
  });
});
