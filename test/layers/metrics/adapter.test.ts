import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { prometheus } from '../../../src/layers/metrics/adapter.ts';
import type { Answer, SampleItem, Window } from '../../../src/model.ts';
import { naming } from '../../../src/naming.ts';
import { platform } from '../../../src/platform.ts';
import { type Recorded, replay } from './replay.ts';

const fixture = (name: string): string =>
  readFileSync(new URL(`../../../fixtures/prometheus/${name}.json`, import.meta.url), 'utf8');
const second = (at: number): bigint => BigInt(Math.round(at * 1000)) * 1_000_000n;
const window: Window = { from: second(1795245432), until: second(1795245446) };
const signal = new AbortController().signal;

const recorded = (path: string): Recorded => {
  const [, metric] = /__name__=~?"(\w+)/.exec(path) ?? [];
  const names: Record<string, string> = {
    up: 'up',
    process_start_time_seconds: 'started',
    http_requests_total: 'requests',
    http_request_duration_seconds: 'duration',
    http_client_requests_total: 'client-requests',
    http_client_request_duration_seconds: 'client-duration',
    process_cpu_seconds_total: 'cpu',
    process_resident_memory_bytes: 'memory',
  };
  return { body: fixture(names[metric ?? ''] ?? 'empty') };
};

const telemetry = (metrics: object = {}) =>
  platform({
    name: 'rig',
    entry: 'order-service',
    components: { 'order-service': { endpoints: {} }, 'market-data': { endpoints: {} } },
    journeys: {},
    telemetry: { metrics },
  }).telemetry;

const look = async (answer: (path: string) => Recorded, metrics?: object): Promise<Answer<SampleItem>> => {
  await using server = await replay(answer);
  await using layer = prometheus({
    url: server.url,
    naming: naming(['order-service', 'market-data'], () => new Map()),
    telemetry: telemetry(metrics),
  });
  return await layer.look(window, signal);
};

describe('prometheus', () => {
  test('keeps the true time of every scrape, and no series of others', async () => {
    const { items, gaps } = await look(recorded);
    const ups = items.filter(({ metric, pod }) => metric === 'up' && pod === 'order-service-b2');
    expect(gaps).toEqual([]);
    expect(ups[0]).toMatchObject({ service: 'order-service', at: second(1795245433.287), value: 1 });
    expect(ups.filter(({ value }) => value === 0)).toHaveLength(6);
    expect(new Set(items.map(({ service }) => service))).toEqual(new Set(['order-service', 'market-data']));
  });

  test('a killed pod has no samples but its failed scrapes: nothing is repeated up to the lookback', async () => {
    const { items } = await look(recorded);
    const last = items.filter(({ metric, pod }) => metric === 'requests' && pod === 'order-service-b2').at(-1);
    expect(last?.at).toBe(second(1795245439.287));
  });

  test('adds methods and paths up, scrape by scrape, but not statuses and pods', async () => {
    const { items } = await look(recorded);
    const at = items.find(({ metric }) => metric === 'requests')!.at;
    const together = items.filter((item) => item.metric === 'requests' && item.at === at);
    expect(together.map(({ status }) => status)).toEqual(['200', '500']);
    const raw = JSON.parse(fixture('requests')).data.result as {
      values: [number, string][];
      metric: { status: string };
    }[];
    const expected = raw
      .filter(({ metric }) => metric.status === '200')
      .flatMap(({ values }) => values.filter(([time]) => second(time) === at).map(([, value]) => Number(value)));
    expect(expected.length).toBe(2);
    expect(together[0]!.value).toBe(expected[0]! + expected[1]!);
  });

  test('names whom a client metric calls', async () => {
    const { items } = await look(recorded);
    const called = items.filter(({ metric }) => metric === 'clientRequests');
    expect(called.length).toBeGreaterThan(0);
    expect(called.every(({ service, peer }) => service === 'order-service' && peer === 'market-data')).toBe(true);
  });

  test('has a bucket for every limit and for infinity, in seconds', async () => {
    const { items } = await look(recorded);
    const buckets = items.filter(({ metric }) => metric === 'durationBucket');
    expect(new Set(buckets.map(({ le }) => le))).toEqual(
      new Set(['0.005', '0.01', '0.05', '0.1', '0.5', '1', 'Infinity']),
    );
    const inMs = await look(recorded, { unit: 'milliseconds' });
    expect(inMs.items.filter(({ le }) => le !== null).map(({ le }) => le)).toContain('0.00005');
  });

  test('ids are stable, unique and say the series and the scrape', async () => {
    const [once, again] = [await look(recorded), await look(recorded)];
    expect(once.items.map(({ id }) => id)).toEqual(again.items.map(({ id }) => id));
    expect(new Set(once.items.map(({ id }) => id)).size).toBe(once.items.length);
  });

  test('a platform without client metrics is not asked for them', async () => {
    await using server = await replay(recorded);
    await using layer = prometheus({
      url: `${server.url}/`,
      naming: naming(['order-service'], () => new Map()),
      telemetry: telemetry({ clientRequests: null, clientDuration: null }),
    });
    const { queries } = await layer.look(window, signal);
    expect(server.asked.filter((path) => path.includes('client'))).toEqual([]);
    expect(queries).toHaveLength(server.asked.length);
    expect(queries[0]).toMatchObject({ text: '{__name__="up"}[14001ms]' });
  });

  test.each([
    [
      'an error of Prometheus',
      { status: 400, body: fixture('bad-query') },
      /^HTTP 400 bad_data: .*unclosed left bracket/,
    ],
    [
      'HTML',
      { status: 502, type: 'text/html', body: '<html>Bad Gateway</html>' },
      /^HTTP 502 with HTML instead of JSON$/,
    ],
    ['half a JSON', { body: fixture('up').slice(0, 300) }, /^HTTP 200 with broken or cut off JSON/],
    ['nothing', { status: 503, body: '' }, /^HTTP 503 with an empty body/],
    ['another JSON', { body: '{"ok":true}' }, /not Prometheus's envelope/],
    ['a vector', { body: '{"status":"success","data":{"resultType":"vector","result":[]}}' }, /not a matrix/],
  ])('%s is a gap for every query, never an exception', async (_, answer, why) => {
    const { items, queries, gaps } = await look(() => answer);
    expect(items).toEqual([]);
    expect(gaps).toHaveLength(queries.length);
    for (const gap of gaps) expect(gap.why).toMatch(why);
    expect(gaps[0]).toMatchObject({ layer: 'metrics', window });
  });

  test('nobody there is a gap', async () => {
    await using layer = prometheus({
      url: 'http://127.0.0.1:9',
      naming: naming(['order-service'], () => new Map()),
      telemetry: telemetry(),
    });
    const { gaps } = await layer.look(window, signal);
    expect(gaps[0]!.why).toMatch(/^no answer: .*ECONNREFUSED/);
  });

  test('a warning and native histograms are told as gaps beside the answer', async () => {
    const native = { metric: { __name__: 'http_request_duration_seconds', service: 'order-service' }, histograms: [] };
    const body = {
      status: 'success',
      data: { resultType: 'matrix', result: [native] },
      warnings: ['results truncated'],
    };
    const { gaps } = await look(() => ({ body: JSON.stringify(body) }));
    expect(new Set(gaps.map(({ why }) => why))).toEqual(
      new Set(['Prometheus warns: results truncated', '1 series are native histograms, which are not read']),
    );
  });

  test('NaN and infinities are no samples', async () => {
    const values = [1795245440, 1795245441, 1795245442].map((at, i) => [at, ['NaN', '+Inf', '-Inf'][i]]);
    const result = [{ metric: { __name__: 'up', service: 'order-service' }, values }];
    const { items, gaps } = await look(() => ({
      body: JSON.stringify({ status: 'success', data: { resultType: 'matrix', result } }),
    }));
    expect([items, gaps]).toEqual([[], []]);
  });

  test('whatever is answered, look resolves, and what it could not read is a gap', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.json(), fc.string()), async (body) => {
        const { items, gaps, queries } = await look(() => ({ body }));
        expect([items.length, gaps.length]).toEqual([0, queries.length]);
      }),
      { numRuns: 25 },
    );
  });
});
