import { describe, expect, test } from '@jest/globals';
import { jaeger } from '../../../src/layers/traces/adapter.ts';
import type { Window } from '../../../src/model.ts';
import { naming } from '../../../src/naming.ts';
import type { Telemetry } from '../../../src/platform.ts';
import { startTraceStore } from '../../../src/targets/lab/trace-store.ts';
import { fromIso } from '../../../src/time.ts';
import { recorded, serving } from './recorded.ts';

const services = ['gateway', 'quotes', 'orders'];
const names = naming(services, () => new Map());
const telemetry = {
  traces: { user: 'user.id', session: 'session.id', peer: ['peer.service', 'server.address'] },
} as Telemetry;
const window: Window = { from: fromIso('2026-11-21T04:00:00Z'), until: fromIso('2026-11-21T08:00:00Z') };
const { signal } = new AbortController();

const look = async (url: string, within = window) => {
  await using adapter = jaeger({ url, naming: names, telemetry, services });
  return adapter.look(within, signal);
};

const v3 = (path: string) => recorded(path.startsWith('/api/v3/services') ? 'v3-services' : 'v3-traces');
const legacy = (path: string) => {
  if (path.startsWith('/api/v3/')) return recorded('unknown');
  return recorded(path.startsWith('/api/services') ? 'services' : 'traces');
};

describe('a recorded Jaeger', () => {
  test('spans of API v3 become items, once each and ordered by time', async () => {
    await using server = await serving(v3);
    const { items, gaps } = await look(server.url);
    expect(gaps).toEqual([]);
    expect(items.map((one) => one.spanId.slice(0, 2))).toEqual(['11', '22', '33', '44', '55']);
    expect(items[1]).toEqual({
      id: '0000000000000000a1b2c3d4e5f60718/2222222222222222',
      at: 1795240800005000001n,
      traceId: '0000000000000000a1b2c3d4e5f60718',
      spanId: '2222222222222222',
      parentId: '1111111111111111',
      service: 'gateway',
      pod: 'gateway-7d9f-abcde',
      name: 'GET quotes',
      kind: 'client',
      durationMs: 20,
      error: false,
      status: 200,
      message: '',
      peer: 'quotes',
    });
    expect(items[2]).toMatchObject({
      service: 'quotes',
      pod: 'quotes-5c5-xyz',
      kind: 'server',
      status: 200,
      peer: null,
    });
    expect(items[4]).toMatchObject({ kind: 'client', error: true, status: null, message: 'timeout', peer: 'orders' });
  });

  test('the older API gives the same items, down to its microseconds', async () => {
    await using newer = await serving(v3);
    await using older = await serving(legacy);
    const coarse = (items: Awaited<ReturnType<typeof look>>['items']) =>
      items.map((one) => ({ ...one, at: one.at / 1000n, durationMs: Math.floor(one.durationMs * 1000) / 1000 }));
    expect(coarse((await look(older.url)).items)).toEqual(coarse((await look(newer.url)).items));
  });

  test('every query can be repeated from its url', async () => {
    await using server = await serving(v3);
    const { queries } = await look(server.url);
    expect(queries.map((one) => one.url)).toEqual(server.asked.map((path) => server.url + path));
    expect(queries[1]!.text).toContain('gateway');
  });

  test('the 404 of an empty search is no gap', async () => {
    await using server = await serving((path) =>
      recorded(path.includes('/services') ? 'v3-services' : 'v3-traces-empty'),
    );
    expect(await look(server.url)).toMatchObject({ items: [], gaps: [] });
  });

  test('a Jaeger without any service has nothing, and that is no gap', async () => {
    await using server = await serving(() => recorded('v3-services-empty'));
    expect(await look(server.url)).toMatchObject({ items: [], gaps: [] });
  });

  test("an error is a gap with Jaeger's own words", async () => {
    await using server = await serving((path) =>
      recorded(path.includes('/services') ? 'v3-services' : 'v3-traces-no-depth'),
    );
    const { gaps } = await look(server.url);
    expect(gaps[0]).toMatchObject({ layer: 'traces', window });
    expect(gaps[0]!.why).toBe('HTTP 500 search depth must be greater than 0 and less than max traces');
  });
});

describe('what is no answer is a gap', () => {
  const said = async (answer: { status: number; type: string; body: string }) => {
    await using server = await serving((path) => (path.includes('/services') ? recorded('v3-services') : answer));
    const { items, gaps } = await look(server.url);
    expect(items).toEqual([]);
    expect(gaps.every(({ why }) => !why.includes('\n'))).toBe(true);
    return gaps[0]!.why;
  };

  test('HTML', async () => expect(await said(recorded('unknown'))).toMatch(/HTML instead of JSON/));
  test('half a JSON', async () => {
    const { body, ...rest } = recorded('v3-traces');
    expect(await said({ ...rest, body: body.slice(0, 700) })).toMatch(/cut off JSON/);
  });
  test('JSON of something else', async () =>
    expect(await said({ status: 200, type: 'application/json', body: '{"status":"success"}' })).toMatch(
      /not Jaeger's/,
    ));
  test('a missing endpoint, which is not an empty search', async () =>
    expect(await said({ status: 404, type: 'text/plain', body: '404 page not found' })).toMatch(
      /HTTP 404: 404 page not found/,
    ));
  test('nobody there', async () => {
    const server = await serving(v3);
    await server[Symbol.asyncDispose]();
    const { gaps } = await look(server.url);
    expect(gaps).toHaveLength(1);
    expect(gaps[0]!.why).toMatch(/ECONNREFUSED/);
  });
});

const SECOND = 1_000_000_000n;
/** As many traces of one span each, `apartNs` apart. */
const push = (url: string, count: number, apartNs: bigint) => {
  const spans = Array.from({ length: count }, (_, n) => ({
    traceId: (n + 1).toString(16).padStart(32, '0'),
    spanId: (n + 1).toString(16).padStart(16, '0'),
    name: 'GET /',
    kind: 2,
    startTimeUnixNano: String(window.from + BigInt(n) * apartNs),
    endTimeUnixNano: String(window.from + BigInt(n) * apartNs + 1000n),
  }));
  const resource = { attributes: [{ key: 'service.name', value: { stringValue: 'gateway' } }] };
  const body = JSON.stringify({ resourceSpans: [{ resource, scopeSpans: [{ spans }] }] });
  return fetch(`${url}/v1/traces`, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
};

describe('more traces than one answer takes', () => {
  test('the window is halved until all of them have come', async () => {
    await using store = await startTraceStore({ host: '127.0.0.1', port: 0, maxSpans: 10_000 });
    await push(store.url, 1700, SECOND / 100n);
    const { items, gaps } = await look(store.url, { from: window.from, until: window.from + 20n * SECOND });
    expect(gaps).toEqual([]);
    expect(items).toHaveLength(1700);
  });

  test('what no halving helps is a gap, never a silent loss', async () => {
    await using store = await startTraceStore({ host: '127.0.0.1', port: 0, maxSpans: 10_000 });
    await push(store.url, 700, 1n);
    const { gaps } = await look(store.url, { from: window.from, until: window.from + SECOND });
    expect(gaps[0]!.why).toMatch(/^500 traces or more in \d+ ms: some are missing$/);
  });
});
