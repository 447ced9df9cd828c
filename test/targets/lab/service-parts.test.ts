import { describe, expect, test } from '@jest/globals';
import { isSpanContextValid, trace } from '@opentelemetry/api';
import fc from 'fast-check';
import { platform } from '../../../src/platform.ts';
import { carried, traceHeaders } from '../../../src/targets/lab/service/carried.ts';
import { logfmt, logger } from '../../../src/targets/lab/service/log.ts';
import { startMetrics } from '../../../src/targets/lab/service/metrics.ts';
import { fill, router } from '../../../src/targets/lab/service/routes.ts';
import { logNormal } from '../../../src/targets/lab/service/work.ts';
import type { Clock } from '../../../src/time.ts';
import { random } from '../../../src/traffic/random.ts';

const profile = (telemetry: Parameters<typeof platform>[0]['telemetry']) =>
  platform({
    name: 'p',
    entry: 'a',
    components: { a: { endpoints: { 'GET /x': { work: '1ms' } } } },
    journeys: { j: [{ request: 'GET /x', at: '0s' }] },
    telemetry,
  }).telemetry;

describe('routes', () => {
  const route = router({ 'GET /orders/:id': 1, 'GET /orders/open': 2, 'POST /orders': 3, 'GET /:a/:b/:c': 4 });
  const found = (method: string, path: string) => route(method, path)?.route.endpoint ?? null;

  test('a literal part is preferred to a parameter, whatever the order of the profile', () => {
    expect(found('GET', '/orders/open')).toBe(2);
    expect(found('GET', '/orders/17')).toBe(1);
    expect(route('GET', '/orders/17')?.params).toEqual({ id: '17' });
  });

  test('another method, a longer path and an empty parameter do not match', () => {
    expect(found('PUT', '/orders')).toBeNull();
    expect(found('GET', '/orders/17/lines/3')).toBeNull();
    expect(found('GET', '/orders/')).toBeNull();
  });

  test('a call’s path takes the parameters of the request that caused it, and the fallback for the others', () => {
    expect(fill('/orders/:id/of/:user', { id: '17' }, 'r/1')).toBe('/orders/17/of/r%2F1');
  });
});

describe('what a request carries', () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03';

  test('identity, run and trace are read and passed on', () => {
    const it = carried({
      'x-request-id': 'r1',
      'x-correlation-id': 'firedrill-run-1',
      'x-firedrill-run': 'run',
      'x-user-id': 'ann',
      'x-session-id': 's1',
      baggage: 'firedrill.run_id=run',
      cookie: 'secret',
      traceparent,
    });
    expect(it).toMatchObject({ requestId: 'r1', user: 'ann', session: 's1' });
    expect(it.headers).toEqual({
      'x-request-id': 'r1',
      'x-correlation-id': 'firedrill-run-1',
      'x-firedrill-run': 'run',
      'x-user-id': 'ann',
      'x-session-id': 's1',
      baggage: 'firedrill.run_id=run',
    });
    expect(trace.getSpanContext(it.parent)).toMatchObject({
      traceId: '0af7651916cd43dd8448eb211c80319c',
      spanId: 'b7ad6b7169203331',
      traceFlags: 1,
      isRemote: true,
    });
  });

  test('a request without an id gets one, and each its own', () => {
    expect(carried({}).requestId).not.toBe(carried({}).requestId);
    expect(carried({}).headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('user and session are found in baggage when no header has them', () => {
    expect(carried({ baggage: 'user.id=ann%20b;p=1, session.id=s1' })).toMatchObject({ user: 'ann b', session: 's1' });
  });

  test.each([
    ['an unknown, higher version is read', `${traceparent.replace(/^00/, 'cc')}-more`, true],
    ['version ff is refused', traceparent.replace(/^00/, 'ff'), false],
    ['an all-zero trace id is refused', `00-${'0'.repeat(32)}-b7ad6b7169203331-01`, false],
    ['capital digits are refused', traceparent.toUpperCase(), false],
    ['nonsense is refused', 'x', false],
  ])('traceparent: %s', (_, header, accepted) => {
    expect(trace.getSpanContext(carried({ traceparent: header }).parent) !== undefined).toBe(accepted);
  });

  test('any header yields no span or a valid one, and never throws', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (a, b, c) => {
        const span = trace.getSpanContext(carried({ traceparent: a, baggage: b, tracestate: c }).parent);
        expect(span === undefined || isSpanContextValid(span)).toBe(true);
      }),
    );
  });

  test('the header for the next hop names this span and keeps the trace state', () => {
    const parent = trace.getSpanContext(carried({ traceparent, tracestate: 'ot=th:c' }).parent)!;
    expect(traceHeaders(parent)).toEqual({
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'ot=th:c',
    });
  });
});

describe('log lines', () => {
  const clock: Clock = { now: () => 1_700_000_000_123_456_789n, sleepUntil: async () => {} };
  const lines = (telemetry: Parameters<typeof platform>[0]['telemetry']): string[] => {
    const out: string[] = [];
    const log = logger(profile(telemetry).logs, 'order-service', (line) => out.push(line), clock);
    log('ERROR', 'call failed', { requestId: 'r1', user: 'ann' }, { peer: 'b', error: 'read "x"', status: null });
    return out;
  };

  test('JSON has the context in a field of its own', () => {
    const [line] = lines({});
    expect(line!.endsWith('}\n')).toBe(true);
    expect(JSON.parse(line!)).toEqual({
      timestamp: '2023-11-14T22:13:20.123456789Z',
      level: 'ERROR',
      service: 'order-service',
      request_id: 'r1',
      username: 'ann',
      message: 'call failed',
      context: { peer: 'b', error: 'read "x"', status: null },
    });
  });

  test('logfmt has everything on one level, under the profile’s names, without what has no value', () => {
    const [line] = lines({ logs: { format: 'logfmt', fields: { message: 'event', requestId: 'rid' } } });
    expect(line).toBe(
      'timestamp=2023-11-14T22:13:20.123456789Z level=ERROR service=order-service rid=r1 username=ann event="call failed" peer=b error="read \\"x\\""\n',
    );
  });

  test('a logfmt value never breaks its line nor runs into the next key', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const line = logfmt({ a: value, b: 1 });
        expect(line).not.toMatch(/[\r\n]/);
        const first = /^a=(".*"|[^\s"=]*) b=1$/s.exec(line)![1]!;
        expect(first.startsWith('"') ? JSON.parse(first) : first).toBe(value);
      }),
    );
  });
});

describe('metrics', () => {
  const GET = { method: 'GET', path: '/x/:id' };

  test('requests and calls are counted under the profile’s names, in its unit', async () => {
    const metrics = startMetrics(
      profile({
        metrics: {
          requests: 'reqs',
          duration: 'took_ms',
          unit: 'milliseconds',
          labels: { path: 'endpoint', peer: 'to' },
        },
      }).metrics,
    );
    metrics.served(GET, 200, 12);
    metrics.called('b', GET, 'timeout', 300);
    const { text } = await metrics.expose();
    expect(text).toContain('reqs{method="GET",endpoint="/x/:id",status="200"} 1');
    expect(text).toContain('took_ms_sum{method="GET",endpoint="/x/:id"} 12');
    expect(text).toContain('took_ms_bucket{le="15",method="GET",endpoint="/x/:id"} 1');
    expect(text).toContain('took_ms_bucket{le="10",method="GET",endpoint="/x/:id"} 0');
    expect(text).toContain('http_client_requests_total{to="b",method="GET",status="timeout"} 1');
  });

  test('the process is described by the standard metrics, and its start stays the same', async () => {
    const metrics = startMetrics(profile({}).metrics);
    const value = async (name: string): Promise<number> =>
      Number(new RegExp(`^${name} (\\S+)$`, 'm').exec((await metrics.expose()).text)?.[1]);
    const cpu = await value('process_cpu_seconds_total');
    const started = await value('process_start_time_seconds');
    expect(started).toBeGreaterThan(1.7e9);
    expect(await value('process_resident_memory_bytes')).toBeGreaterThan(1e6);
    expect(await value('process_cpu_seconds_total')).toBeGreaterThan(cpu);
    expect(await value('process_start_time_seconds')).toBe(started);
  });

  test('when the histogram’s count is the counter of requests, the histogram has the status', async () => {
    const metrics = startMetrics(profile({ metrics: { requests: 'took_count', duration: 'took' } }).metrics);
    metrics.served(GET, 500, 12);
    const { text } = await metrics.expose();
    expect(text.match(/^took_count.*/gm)).toEqual(['took_count{method="GET",path="/x/:id",status="500"} 1']);
  });

  test('a platform without client metrics exposes none', async () => {
    const metrics = startMetrics(profile({ metrics: { clientRequests: null, clientDuration: null } }).metrics);
    metrics.called('b', GET, '200', 1);
    expect((await metrics.expose()).text).not.toContain('peer=');
  });
});

test('work has the median and the 99th percentile that were asked for', () => {
  const draw = random(7, 0);
  const times = Array.from({ length: 20_000 }, () => logNormal(draw, 10, 40)).sort((a, b) => a - b);
  expect(times[10_000]).toBeGreaterThan(9.7);
  expect(times[10_000]).toBeLessThan(10.3);
  expect(times[19_800]).toBeGreaterThan(36);
  expect(times[19_800]).toBeLessThan(44);
  expect(logNormal(draw, 0, 0)).toBe(0);
  expect(logNormal(draw, 5, 5)).toBe(5);
});
