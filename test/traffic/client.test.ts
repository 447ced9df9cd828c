import type { IncomingMessage } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { fromIso, systemClock, toMs } from '../../src/time.ts';
import { identities } from '../../src/traffic/identity.ts';
import { every, planAt, sent, serve, serveTcp, summarise } from './helpers.ts';

const outcome = ({ status, error }: { status: number | null; error: string | null }): number | string | null =>
  status ?? error;

describe('the client', () => {
  test('sends every planned request once, tagged, and records the very socket that it used', async () => {
    const seen = new Map<string, IncomingMessage>();
    const ports = new Map<string, number | undefined>();
    await using server = await serve((request, response) => {
      seen.set(String(request.headers['x-request-id']), request);
      ports.set(String(request.headers['x-request-id']), request.socket.remotePort);
      response.end('{}');
    });
    const plan = planAt(`${server.url}/base/`, every(5, 20), 2000);
    const posts = { ...plan.requests[3]!, method: 'POST', path: '/orders?full=1', body: '{"user":"u"}' };
    const records = await sent({ ...plan, requests: plan.requests.map((one) => (one.n === 3 ? posts : one)) });
    const idsOf = identities('run-1');
    expect(records.map(({ n }) => n)).toEqual(plan.requests.map(({ n }) => n));
    expect(records.map(outcome)).toEqual(records.map(() => 200));
    for (const record of records) {
      expect(record).toMatchObject(idsOf(record.n));
      expect(record.local).toEqual({ ip: '127.0.0.1', port: ports.get(record.requestId) });
      expect(record.remote).toEqual({ ip: '127.0.0.1', port: Number(new URL(server.url).port) });
    }
    const ids = idsOf(3);
    expect(seen.get(ids.requestId)).toMatchObject({ method: 'POST', url: '/base/orders?full=1' });
    expect(seen.get(ids.requestId)!.headers).toMatchObject({
      'user-agent': expect.stringMatching(/^firedrill\/\d+\.\d+\.\d+\S* \(synthetic; run run-1\)$/),
      'x-correlation-id': ids.correlationId,
      'x-firedrill-run': 'run-1',
      traceparent: `00-${ids.traceId}-${ids.spanId}-03`,
      baggage: 'firedrill.run_id=run-1',
      'x-user-id': 'firedrill-user-1',
      'x-session-id': 'session-3',
      'content-type': 'application/json',
      'content-length': '12',
    });
  });

  test('a stall of the server shows in the latency of all that were due meanwhile, and sends go on through it', async () => {
    let stallEnds = 0;
    let during = 0;
    await using server = await serve((_request, response) => {
      stallEnds ||= performance.now() + 700;
      const wait = performance.now() < stallEnds - 500 ? 0 : Math.max(0, stallEnds - performance.now());
      if (wait > 0) during += 1;
      setTimeout(() => response.end(), wait);
    });
    const plan = planAt(server.url, every(20, 50), 5000);
    const records = await sent(plan);
    const begin = fromIso(records[0]!.sent!);
    const stalled = records.filter((record) => {
      const at = toMs(fromIso(record.intended) - begin);
      return at > 250 && at < 650;
    });
    expect(stalled.length).toBeGreaterThanOrEqual(19);
    for (const record of stalled) {
      const left = 700 - toMs(fromIso(record.intended) - begin);
      expect(record.latencyMs).toBeGreaterThanOrEqual(left - 5);
    }
    expect(during).toBeGreaterThanOrEqual(stalled.length);
    expect(records.map(outcome)).toEqual(records.map(() => 200));
    expect(records.every((record) => record.sent !== null)).toBe(true);
  });

  test('a connection is kept and used again after each answer', async () => {
    await using server = await serve((_request, response) => void response.end());
    const records = await sent(planAt(server.url, every(20, 20), 20_000), { connections: 1 });
    expect(records.map(outcome)).toEqual(records.map(() => 200));
    expect(new Set(records.map(({ local }) => local?.port)).size).toBe(1);
  });

  test('a server that closes after each answer is answered by new connections', async () => {
    await using server = await serve((_request, response) => void response.setHeader('connection', 'close').end());
    const records = await sent(planAt(server.url, every(10, 10), 2000));
    expect(records.map(outcome)).toEqual(records.map(() => 200));
    expect(new Set(records.map(({ local }) => local?.port)).size).toBe(10);
  });
});

describe('what goes wrong is recorded in words', () => {
  test('an error status is an answer', async () => {
    await using server = await serve((_request, response) => void response.writeHead(500).end('no'));
    expect((await sent(planAt(server.url, [0, 10], 2000))).map(outcome)).toEqual([500, 500]);
  });

  test('a hanging server times out, counted from when the request was due, and is no fault of the client', async () => {
    await using server = await serve(() => {});
    const plan = planAt(server.url, every(10, 40), 300);
    const records = await sent(plan);
    expect(records.map(outcome)).toEqual(records.map(() => 'timeout'));
    for (const { latencyMs } of records) expect(latencyMs).toBeGreaterThanOrEqual(300);
    expect(records.every(({ local, sent: at }) => local !== null && at !== null)).toBe(true);
    expect(summarise(records, plan)).toMatchObject({ sent: 40, answered: 0, failed: 40 });
  });

  test('a handshake that nobody answers times out as well, though no request was written', async () => {
    await using server = await serveTcp(() => {});
    const records = await sent(planAt(server.url.replace('http', 'https'), [0, 10, 20], 200));
    expect(records.map(outcome)).toEqual(['timeout', 'timeout', 'timeout']);
    expect(records.every(({ sent: at }) => at !== null)).toBe(true);
  });

  test('nobody listening is ECONNREFUSED, with the address that was tried', async () => {
    const gone = await serve(() => {});
    await gone[Symbol.asyncDispose]();
    const plan = planAt(gone.url, every(10, 10), 1000);
    const records = await sent(plan);
    expect(records.map(outcome)).toEqual(records.map(() => 'ECONNREFUSED'));
    expect(records[9]).toMatchObject({
      local: null,
      remote: { ip: '127.0.0.1', port: Number(new URL(gone.url).port) },
    });
    expect(summarise(records, plan)).toMatchObject({ sent: 10, failed: 10 });
  });

  test.each([
    ['a reset', (socket: import('node:net').Socket) => void socket.resetAndDestroy(), 'ECONNRESET'],
    ['a close without an answer', (socket: import('node:net').Socket) => void socket.end(), 'connection closed'],
    [
      'an answer cut short',
      (socket: import('node:net').Socket) => void socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf'),
      'connection closed',
    ],
    [
      'an answer that is no HTTP',
      (socket: import('node:net').Socket) => void socket.end('220 mail ready\r\n'),
      'malformed response',
    ],
  ])('%s', async (_name, misbehave, word) => {
    await using server = await serveTcp((socket) => socket.once('data', () => misbehave(socket)));
    const records = await sent(planAt(server.url, every(10, 5), 2000));
    expect(records.map(outcome)).toEqual(records.map(() => word));
    expect(records.every(({ local, remote }) => local !== null && remote !== null)).toBe(true);
  });

  test('a request that HTTP does not allow fails alone', async () => {
    await using server = await serve((_request, response) => void response.end());
    const plan = planAt(server.url, [0, 10], 1000);
    const requests = plan.requests.map((one) => (one.n === 0 ? { ...one, path: '/orders/Ω' } : one));
    expect((await sent({ ...plan, requests })).map(outcome)).toEqual(['invalid request', 200]);
  });

  test('a name that does not resolve is the resolver’s own code', async () => {
    const [record] = await sent(planAt('http://nobody.invalid', [0], 4000));
    expect(outcome(record!)).toMatch(/^(ENOTFOUND|EAI_AGAIN|timeout)$/);
  });
});

describe('bounds', () => {
  test('without a free connection a request waits, and is `not sent` when its time is over', async () => {
    await using server = await serve(() => {});
    const plan = planAt(server.url, [0, 0, 0], 300);
    const records = await sent(plan, { connections: 1 });
    expect(records.map(outcome)).toEqual(['timeout', 'not sent', 'not sent']);
    expect(records.map((one) => one.sent !== null)).toEqual([true, false, false]);
    expect(summarise(records, plan).saturated).toBe('2 requests could not be sent before their timeout');
  });

  test('those that waited are sent once a connection is free', async () => {
    await using server = await serve((_request, response) => void setTimeout(() => response.end(), 40));
    const records = await sent(planAt(server.url, [0, 1, 2, 3], 4000), { connections: 1 });
    expect(records.map(outcome)).toEqual([200, 200, 200, 200]);
    expect(records[3]!.latencyMs! - records[3]!.serviceMs!).toBeGreaterThan(100);
  });

  test('a plan that began long ago is not sent, and says so', async () => {
    await using server = await serve((_request, response) => void response.end());
    const plan = planAt(server.url, [-5000, -4000, 0], 1000);
    const records = await sent(plan);
    expect(records.map(outcome)).toEqual(['not sent', 'not sent', 200]);
    expect(summarise(records, plan).saturated).toMatch(/^2 requests could not be sent/);
  });

  test('an empty plan ends at once', async () => {
    expect(await sent(planAt('http://127.0.0.1:9', [], 1000))).toEqual([]);
  });

  test('an abort ends the sending within its grace; every planned request still has its one record', async () => {
    const stop = new AbortController();
    let asked = 0;
    await using server = await serve((_request, response) => {
      asked += 1;
      if (asked === 3) setTimeout(() => response.end(), 100);
      if (asked === 5) stop.abort();
    });
    const plan = planAt(server.url, every(10, 500), 60_000);
    const from = systemClock.now();
    const records = await sent(plan, { signal: stop.signal });
    expect(toMs(systemClock.now() - from)).toBeLessThan(10_000);
    expect(records.map(({ n }) => n)).toEqual(plan.requests.map(({ n }) => n));
    expect(records.filter(({ status }) => status === 200).length).toBe(1);
    expect(new Set(records.filter(({ status }) => status === null).map(({ error }) => error))).toEqual(
      new Set(['aborted']),
    );
    expect(summarise(records, plan)).toMatchObject({ answered: 1, failed: 0, aborted: 499 });
  });

  test('an abort before the start sends nothing', async () => {
    let asked = 0;
    await using server = await serve(() => {
      asked += 1;
    });
    const records = await sent(planAt(server.url, every(10, 5), 60_000), { signal: AbortSignal.abort() });
    expect(records.map(({ error, sent: at }) => [error, at])).toEqual(records.map(() => ['aborted', null]));
    expect([records.length, asked]).toEqual([5, 0]);
  });
});
