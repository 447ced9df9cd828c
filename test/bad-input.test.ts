// Claims about every adapter over HTTP at once: whatever a backend does, a look resolves, and what it could not read is a gap.
import { describe, expect, test } from '@jest/globals';
import { alertmanager } from '../src/layers/alerts/adapter.ts';
import { loki } from '../src/layers/logs/adapter.ts';
import { prometheus } from '../src/layers/metrics/adapter.ts';
import { jaeger } from '../src/layers/traces/adapter.ts';
import type { Answer, LayerAdapter, LogItem, SampleItem, SpanItem, Window } from '../src/model.ts';
import { naming } from '../src/naming.ts';
import { platform } from '../src/platform.ts';
import { fromIso } from '../src/time.ts';
import {
  atAnotherTime,
  endless,
  latin1,
  type Misbehaving,
  misbehaving,
  page,
  refusing,
  stalled,
  truncated,
} from './helpers/misbehaving.ts';

const window: Window = { from: fromIso('2026-11-21T07:00:00Z'), until: fromIso('2026-11-21T07:01:00Z') };
const { telemetry } = platform({ name: 'shop', entry: 'web', components: { web: { endpoints: {} } }, journeys: {} });
const names = naming(['web', 'shop'], () => new Map());
const services = ['web', 'shop'];

const ADAPTERS: Readonly<Record<string, (url: string) => LayerAdapter>> = {
  traces: (url) => jaeger({ url, naming: names, telemetry, services }),
  metrics: (url) => prometheus({ url, naming: names, telemetry }),
  alerts: (url) => alertmanager({ prometheusUrl: url, alertmanagerUrl: url, webhookUrl: null, naming: names }),
  logs: (url) => loki({ url, naming: names, telemetry }),
};
/** What each of them is told by a backend that has nothing. */
const NOTHING: Readonly<Record<string, (path: string) => unknown>> = {
  traces: (path) => (path.endsWith('/services') ? { services: ['web'] } : { result: { resourceSpans: [] } }),
  metrics: () => ({ status: 'success', data: { resultType: 'matrix', result: [] } }),
  alerts: (path) => {
    if (path.startsWith('/api/v2/')) return [];
    return {
      status: 'success',
      data: path.startsWith('/api/v1/alerts') ? { alerts: [] } : { resultType: 'matrix', result: [] },
    };
  },
  logs: () => ({ status: 'success', data: { resultType: 'streams', result: [] } }),
};

const lookAt = async (layer: string, { url }: Misbehaving, patienceMs = 20_000): Promise<Answer> => {
  await using adapter = ADAPTERS[layer]!(url);
  return await adapter.look(window, AbortSignal.timeout(patienceMs));
};

describe.each(Object.keys(ADAPTERS))('%s', (layer) => {
  test.each([
    ['is cut off', truncated, /before the connection ended/],
    // Whichever bound it meets first: that each of them holds is claimed of the connection, one answer at a time.
    ['streams for ever', endless, /more than 32 MB|of whose body only \d+ kB came within 10 s/],
    ['stalls', stalled, /the time of this look is over/],
    ['is not UTF-8', latin1, /not UTF-8/],
    ['is HTML', page, /HTML instead of JSON/],
    [
      'is 429 until much later',
      refusing(429, { 'retry-after': '300' }),
      /HTTP 429, to be asked again in 300 s: slow down/,
    ],
    ['is 503', refusing(503), /HTTP 503: slow down/],
    ['is 401', refusing(401), /HTTP 401 and no credential was sent/],
  ] as [string, typeof endless, RegExp][])(
    'an answer that %s is a gap over the whole window',
    async (_, sends, words) => {
      await using backend = await misbehaving((__, response) => sends(response));
      const { items, gaps, queries } = await lookAt(layer, backend, sends === stalled ? 300 : 20_000);
      expect(items).toEqual([]);
      expect(gaps.length).toBeGreaterThan(0);
      for (const gap of gaps) expect(gap).toMatchObject({ layer, window, why: expect.stringMatching(words) });
      expect(queries.every(({ url }) => url.startsWith(backend.url))).toBe(true);
    },
    30_000,
  );

  test('a backend that has nothing has no gap; one whose clock is an hour off has', async () => {
    const body = (path: string): string => JSON.stringify(NOTHING[layer]!(path));
    await using right = await misbehaving((request, response) => void response.end(body(request.url!)));
    expect(await lookAt(layer, right)).toMatchObject({ items: [], gaps: [] });
    await using ahead = await misbehaving((request, response) =>
      atAnotherTime(3_600_000, body(request.url!))(response),
    );
    const { gaps } = await lookAt(layer, ahead);
    expect(gaps.length).toBeGreaterThan(0);
    for (const { why } of gaps) expect(why).toMatch(/^its clock is 3\d\d\d s ahead of ours/);
  });
});

const answered = async (layer: string, body: (path: string) => unknown): Promise<Answer> => {
  await using backend = await misbehaving((request, response) => void response.end(JSON.stringify(body(request.url!))));
  return await lookAt(layer, backend);
};
const ns = (offsetMs: number): string => String(window.from + BigInt(offsetMs) * 1_000_000n);

describe('spans', () => {
  const span = (spanId: string, more: object = {}) => ({
    traceId: '0'.repeat(31).concat('1'),
    spanId: spanId.repeat(16),
    name: 'GET /',
    startTimeUnixNano: ns(10),
    endTimeUnixNano: ns(20),
    ...more,
  });
  const spansOf = async (...spans: object[]): Promise<SpanItem[]> => {
    const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'web' } }] };
    const found = { result: { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] } };
    const { items, gaps } = await answered('traces', (path) =>
      path.endsWith('/services') ? { services: ['web'] } : found,
    );
    expect(gaps).toEqual([]);
    return items as SpanItem[];
  };

  test('that come twice are there once', async () => {
    expect(await spansOf(span('a'), span('a'), span('b'))).toHaveLength(2);
  });

  test('without a parent, or with one that never came, are kept', async () => {
    const items = await spansOf(span('a', { parentSpanId: '' }), span('b', { parentSpanId: 'c'.repeat(16) }));
    expect(items.map(({ parentId }) => parentId)).toEqual([null, 'c'.repeat(16)]);
  });

  test('that end before they begin last no time', async () => {
    expect((await spansOf(span('a', { endTimeUnixNano: ns(1) })))[0]!.durationMs).toBe(0);
  });

  test('with quotes in names and values are as they were sent', async () => {
    expect((await spansOf(span('a', { name: 'say "hi" \\ {x="y"}' })))[0]!.name).toBe('say "hi" \\ {x="y"}');
  });
});

describe('log lines', () => {
  const lines = async (...values: [string, string][]): Promise<LogItem[]> => {
    const stream = { service: 'web', path: 'say "hi"' };
    const { items, gaps } = await answered('logs', () => ({
      data: { resultType: 'streams', result: [{ stream, values }] },
    }));
    expect(gaps).toEqual([]);
    return items as LogItem[];
  };

  test('out of order are ordered by their time', async () => {
    expect((await lines([ns(30), 'c'], [ns(10), 'a'], [ns(20), 'b'])).map(({ line }) => line)).toEqual(['a', 'b', 'c']);
  });

  test('that come twice are there once, and labels keep their quotes', async () => {
    const items = await lines([ns(10), 'a'], [ns(10), 'a']);
    expect(items.map(({ labels }) => labels.path)).toEqual(['say "hi"']);
  });

  test('dated by what is no number are a gap', async () => {
    const { gaps } = await answered('logs', () => ({
      data: { resultType: 'streams', result: [{ stream: { service: 'web' }, values: [['yesterday', 'a']] }] },
    }));
    expect(gaps[0]!.why).toMatch(/^the answer is not one of Loki's range queries/);
  });

  test('too long for one answer come in shorter pages', async () => {
    const long = 'x'.repeat(20_000);
    const all = Array.from({ length: 3000 }, (_, n): [string, string] => [ns(n), `${n} ${long}`]);
    await using backend = await misbehaving((request, response) => {
      const params = new URL(request.url!, 'http://h').searchParams;
      const after = all.filter(([at]) => BigInt(at) >= BigInt(params.get('start')!));
      const values = after.slice(0, Number(params.get('limit')));
      response.end(
        JSON.stringify({ data: { resultType: 'streams', result: [{ stream: { service: 'web' }, values }] } }),
      );
    });
    const { items, gaps } = await lookAt('logs', backend);
    expect(gaps).toEqual([]);
    expect(items).toHaveLength(3000);
  }, 30_000);
});

describe('samples', () => {
  test('that are NaN or infinite are left out, and labels keep their quotes', async () => {
    const seconds = Number(window.from / 1_000_000_000n);
    const values = ['NaN', '+Inf', '-Inf', '7'].map((value, i) => [seconds + i, value]);
    const metric = { __name__: 'up', service: 'web', pod: 'a"b\\c' };
    const { items, gaps } = await answered('metrics', (path) => ({
      status: 'success',
      data: { resultType: 'matrix', result: path.includes('%22up%22') ? [{ metric, values }] : [] },
    }));
    expect(gaps).toEqual([]);
    expect((items as SampleItem[]).map(({ value, pod }) => [value, pod])).toEqual([[7, 'a"b\\c']]);
  });
});

test('traces too long for one answer are asked for in shorter windows', async () => {
  const half = (window.from + window.until) / 2n;
  const body = (path: string): string => {
    if (path.endsWith('/services')) return JSON.stringify({ services: ['web'] });
    const params = new URL(path, 'http://h').searchParams;
    const [from, until] = ['query.startTimeMin', 'query.startTimeMax'].map((name) => fromIso(params.get(name)!));
    const spans = [window.from, half].flatMap((at, n) =>
      at >= from! && at < until!
        ? [
            {
              traceId: `${n + 1}`.padStart(32, '0'),
              spanId: 'a'.repeat(16),
              startTimeUnixNano: `${at}`,
              endTimeUnixNano: `${at}`,
              name: 'x'.repeat(20e6),
            },
          ]
        : [],
    );
    const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'web' } }] };
    return JSON.stringify({ result: { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] } });
  };
  await using backend = await misbehaving((request, response) => void response.end(body(request.url!)));
  const { items, gaps } = await lookAt('traces', backend);
  expect(gaps).toEqual([]);
  expect(items).toHaveLength(2);
}, 30_000);
