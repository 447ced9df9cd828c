import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcp, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from '@jest/globals';
import { type PlatformProfile, platform } from '../../../src/platform.ts';
import { until } from '../../../src/poll.ts';
import { run, start } from '../../../src/process.ts';
import type { PodConfig } from '../../../src/targets/lab/service/config.ts';
import { startPod } from '../../../src/targets/lab/service/pod.ts';
import { type StoredSpan, storedSpans } from '../../../src/targets/lab/trace-store-otlp.ts';
import { decodeExportRequest } from '../../../src/targets/lab/trace-store-protobuf.ts';
import { attribute } from '../../../src/targets/lab/trace-store-text.ts';

const HOST = '127.0.0.1';
const soon = { forMs: 5000, everyMs: 5 };
const closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const listen = async (server: Server): Promise<number> => {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  server.listen(0, HOST);
  await once(server, 'listening');
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
};

/** Service discovery and a receiver of spans, on one port. */
const surroundings = async () => {
  const places: Record<string, { ip: string; port: number }[]> = {};
  const spans: StoredSpan[] = [];
  let waiting: ServerResponse[] = [];
  let version = 0;
  const answer = (response: ServerResponse): void => void response.end(JSON.stringify({ version, components: places }));
  const port = await listen(
    createServer((asked, response) => {
      if (asked.url === '/v1/traces')
        return void buffer(asked).then((bytes) => {
          spans.push(...storedSpans(decodeExportRequest(bytes)).spans);
          response.end();
        });
      const since = Number(new URL(asked.url!, 'http://x').searchParams.get('since'));
      if (since < version) answer(response);
      else waiting.push(response);
    }),
  );
  return {
    url: `http://${HOST}:${port}`,
    spans,
    watches: (): number => waiting.length,
    set: (component: string, ...ports: number[]): void => {
      places[component] = ports.map((one) => ({ ip: HOST, port: one }));
      version += 1;
      for (const response of waiting.splice(0)) answer(response);
      waiting = [];
    },
  };
};
type Surroundings = Awaited<ReturnType<typeof surroundings>>;
type Endpoint = NonNullable<PlatformProfile['components'][string]>['endpoints'][string];
type Call = NonNullable<Endpoint['calls']>[number];

/** Component `a`, with what `GET /x/:id` does; `b` is whoever the test says. */
const profile = (endpoint: Partial<Endpoint>, more: Partial<PlatformProfile['components'][string]> = {}) =>
  platform({
    name: 'p',
    entry: 'a',
    components: {
      a: { endpoints: { 'GET /x/:id': { work: '0ms', ...endpoint } }, ...more },
      b: { port: 7777, endpoints: { 'GET /y/:id': { work: '0ms' }, 'POST /y': { work: '0ms' } } },
    },
    journeys: { j: [{ request: 'GET /x/1', at: '0s' }] },
  });

const callB: Call = { to: 'b', request: 'GET /y/:id' };
type Line = {
  level: string;
  message: string;
  request_id?: string;
  username?: string;
  context: Record<string, unknown>;
};

const podConfig = (world: Surroundings, played: PodConfig['platform'], service = 'a'): PodConfig => ({
  platform: played,
  service,
  pod: `${service}-1`,
  uid: `uid-${service}`,
  ip: HOST,
  port: 0,
  seed: 1,
  discovery: world.url,
  otlp: world.url,
});

const play = async (world: Surroundings, played: PodConfig['platform'], service = 'a') => {
  const lines: Line[] = [];
  const pod = await startPod(podConfig(world, played, service), (line) => lines.push(JSON.parse(line)));
  closers.push(() => pod.stop());
  return { ...pod, lines, said: (message: string) => lines.filter((line) => line.message === message) };
};

const get = async (port: number, path: string, headers: Record<string, string> = {}) => {
  const asking = request({ host: HOST, port, path, headers, agent: false }).end();
  const [response] = (await once(asking, 'response')) as [IncomingMessage];
  const text = (await buffer(response)).toString();
  return { status: response.statusCode, text, json: () => JSON.parse(text) };
};

/** A peer over plain HTTP. */
const peer = (answer: (asked: IncomingMessage, response: ServerResponse) => void) => listen(createServer(answer));
const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';

/** A world in which `a` calls `b`, which listens on the ports given. */
const pair = async (endpoint: Partial<Endpoint>, ...ports: number[]) => {
  const world = await surroundings();
  world.set('b', ...ports);
  const a = await play(world, profile(endpoint));
  await until('readiness', async () => ((await get(a.port, '/health/ready')).status === 200 ? true : null), soon);
  return { world, a };
};

describe('one request through two pods', () => {
  test('is one trace, two log lines and a count on each side, under the ids that it came with', async () => {
    const world = await surroundings();
    const played = profile({ calls: [callB], answers: { price: 7 } });
    const b = await play(world, played, 'b');
    world.set('b', b.port);
    const a = await play(world, played);
    await until('readiness', async () => ((await get(a.port, '/health/ready')).status === 200 ? true : null), soon);
    const answer = await get(a.port, '/x/17?q=1', {
      'x-request-id': 'r1',
      'x-user-id': 'ann',
      'x-session-id': 's1',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-03',
    });
    expect(answer.status).toBe(200);
    expect(answer.json()).toEqual({ service: 'a', request_id: 'r1', price: 7 });

    await until('three spans', () => (world.spans.length === 3 ? true : null), soon);
    const span = (service: string, kind: number) =>
      world.spans.find((one) => one.service === service && one.span.kind === kind)!;
    const [outer, call, inner] = [span('a', 2), span('a', 3), span('b', 2)];
    expect(new Set(world.spans.map((one) => one.span.traceId))).toEqual(new Set(['0af7651916cd43dd8448eb211c80319c']));
    expect(outer.span).toMatchObject({ name: 'GET /x/:id', parentSpanId: 'b7ad6b7169203331' });
    expect(call.span).toMatchObject({ name: 'GET /y/:id', parentSpanId: outer.span.spanId });
    expect(inner.span.parentSpanId).toBe(call.span.spanId);
    const of = (one: StoredSpan, key: string) => attribute(one.span.attributes, key);
    expect(of(outer, 'http.route')).toBe('/x/:id');
    expect(of(outer, 'url.path')).toBe('/x/17');
    expect(of(outer, 'user.id')).toBe('ann');
    expect(of(inner, 'session.id')).toBe('s1');
    expect(of(call, 'server.address')).toBe('b');
    expect(of(call, 'server.port')).toBe('7777');
    expect(of(call, 'url.full')).toBe('http://b:7777/y/17');
    expect(of(call, 'http.response.status_code')).toBe('200');
    expect(attribute(outer.resource.attributes, 'k8s.pod.name')).toBe('a-1');
    expect(attribute(outer.resource.attributes, 'k8s.pod.uid')).toBe('uid-a');

    expect(a.said('call answered')[0]).toMatchObject({
      level: 'INFO',
      request_id: 'r1',
      username: 'ann',
      context: { method: 'GET', path: '/y/17', status: 200, peer: 'b', attempt: 1 },
    });
    expect(b.said('request served')[0]).toMatchObject({ request_id: 'r1', context: { path: '/y/17', status: 200 } });
    const metrics = (await get(a.port, '/metrics')).text;
    expect(metrics).toContain('http_requests_total{method="GET",path="/x/:id",status="200"} 1');
    expect(metrics).toContain('http_client_requests_total{peer="b",method="GET",status="200"} 1');
    expect(metrics).toContain('http_client_request_duration_seconds_count{peer="b",method="GET"} 1');
  });

  test('names the component in the call’s Host header, whatever the pod’s address is', async () => {
    let seen: IncomingMessage['headers'] = {};
    const port = await peer((asked, response) => {
      seen = asked.headers;
      response.end();
    });
    const { a } = await pair({ calls: [callB] }, port);
    await get(a.port, '/x/1', { 'x-firedrill-run': 'r', 'x-correlation-id': 'firedrill-r-1', baggage: 'k=v' });
    expect(seen).toMatchObject({
      host: 'b:7777',
      'x-firedrill-run': 'r',
      'x-correlation-id': 'firedrill-r-1',
      baggage: 'k=v',
    });
    expect(seen.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  });
});

describe('when a call fails', () => {
  const outcome = async (endpoint: Partial<Endpoint>, ...ports: number[]) => {
    const { world, a } = await pair(endpoint, ...ports);
    const answer = await get(a.port, '/x/1');
    const metrics = (await get(a.port, '/metrics')).text;
    await until('spans', () => (world.spans.some(({ span }) => span.kind === 2) ? true : null), soon);
    const call = world.spans.find(({ span }) => span.kind === 3);
    return { a, status: answer.status, error: answer.json().error, metrics, message: call?.span.status?.message };
  };

  test('nobody to ask is a 503', async () => {
    const it = await outcome({ calls: [callB] });
    expect(it).toMatchObject({ status: 503, message: 'no endpoint for b' });
  });

  test('a refused connection is a 502, and counts as a call without an answer', async () => {
    const server = createTcp();
    const port = await listen(server);
    server.close();
    await once(server, 'close');
    const it = await outcome({ calls: [callB] }, port);
    expect(it.status).toBe(502);
    expect(it.message).toContain('ECONNREFUSED');
    expect(it.metrics).toContain('http_client_requests_total{peer="b",method="GET",status="error"} 1');
    expect(it.a.said('call failed')[0]).toMatchObject({ level: 'ERROR', context: { peer: 'b', status: null } });
    expect(it.a.said('request failed')[0]).toMatchObject({ level: 'ERROR', context: { status: 502 } });
  });

  test('no answer before the deadline is a 504', async () => {
    const port = await peer(() => {});
    const it = await outcome({ calls: [{ ...callB, deadline: '80ms', retries: 3 }] }, port);
    expect(it).toMatchObject({ status: 504, message: 'deadline of 80ms exceeded' });
    expect(it.metrics).toContain('http_client_requests_total{peer="b",method="GET",status="timeout"} 1');
    expect(it.a.said('call failed')).toHaveLength(1);
  });

  test('an answer of 5xx is a 502, is not retried, and marks the call’s span', async () => {
    const port = await peer((_, response) => void response.writeHead(500).end());
    const it = await outcome({ calls: [{ ...callB, retries: 2 }] }, port);
    expect(it).toMatchObject({ status: 502, message: 'b answered 500', error: 'b answered 500' });
    expect(it.metrics).toContain('http_client_requests_total{peer="b",method="GET",status="500"} 1');
  });

  test('an optional call’s failure is only logged', async () => {
    const it = await outcome({ calls: [{ ...callB, optional: true }] });
    expect(it.status).toBe(200);
    expect(it.a.said('call failed')[0]).toMatchObject({ level: 'WARN' });
  });

  test('an attempt that got no answer is followed by another, and each is seen', async () => {
    let asked = 0;
    const port = await listen(
      createTcp((socket) => {
        asked += 1;
        socket.on('error', () => {}).once('data', () => (asked === 1 ? socket.destroy() : socket.end(OK)));
      }),
    );
    const it = await outcome({ calls: [{ ...callB, retries: 1 }] }, port);
    expect(it.status).toBe(200);
    expect(it.a.said('call failed').map(({ context }) => context.attempt)).toEqual([1]);
    expect(it.a.said('call answered').map(({ context }) => context.attempt)).toEqual([2]);
  });

  test('the following calls are not made', async () => {
    let asked = 0;
    const port = await peer((_, response) => {
      asked += 1;
      response.writeHead(500).end();
    });
    await outcome({ calls: [callB, callB] }, port);
    expect(asked).toBe(1);
  });
});

describe('kept connections', () => {
  /** Answers the first request of the first connection; then does `second` with the second one on it. */
  const twoFaced = (second: (socket: Socket) => void) => {
    const state = { connections: 0 };
    const server = createTcp((socket) => {
      state.connections += 1;
      let requests = 0;
      const first = state.connections === 1;
      socket
        .on('error', () => {})
        .on('data', () => {
          requests += 1;
          if (first && requests === 2) second(socket);
          else socket.write(OK);
        });
    });
    return { server, state };
  };

  test('are used again', async () => {
    const { server, state } = twoFaced((socket) => void socket.write(OK));
    const { a } = await pair({ calls: [callB] }, await listen(server));
    for (const _ of [1, 2, 3]) expect((await get(a.port, '/x/1')).status).toBe(200);
    expect(state.connections).toBe(1);
  });

  test('a reset before any byte of the answer sends the request again, on a new connection, within one attempt', async () => {
    const { server, state } = twoFaced((socket) => void socket.resetAndDestroy());
    const { a, world } = await pair({ calls: [callB] }, await listen(server));
    for (const _ of [1, 2]) expect((await get(a.port, '/x/1')).status).toBe(200);
    expect(state.connections).toBe(2);
    expect(a.said('call failed')).toEqual([]);
    const resent = () =>
      world.spans.find(({ span }) => attribute(span.attributes, 'http.request.resend_count') === '1');
    await until('the span of the repeated request', resent, soon);
  });

  test('a connection cut while the request is in flight is the call’s failure', async () => {
    const { server, state } = twoFaced((socket) => void socket.end());
    const { a } = await pair({ calls: [callB] }, await listen(server));
    expect((await get(a.port, '/x/1')).status).toBe(200);
    expect((await get(a.port, '/x/1')).status).toBe(502);
    expect(state.connections).toBe(1);
  });
});

describe('service discovery', () => {
  test('two pods take turns', async () => {
    const counts = [0, 0];
    const port = (n: number) =>
      peer((_, response) => {
        counts[n]! += 1;
        response.end();
      });
    const { a } = await pair({ calls: [callB] }, await port(0), await port(1));
    for (const _ of [1, 2, 3, 4]) await get(a.port, '/x/1');
    expect(counts).toEqual([2, 2]);
  });

  test('a new address is called as soon as it is told, and the old one’s idle connection is closed', async () => {
    let closed = 0;
    const old = createServer((_, response) => void response.end());
    old.on('connection', (socket) => socket.once('close', () => (closed += 1)));
    const { a, world } = await pair({ calls: [callB] }, await listen(old));
    await get(a.port, '/x/1');
    let asked = 0;
    const port = await peer((_, response) => {
      asked += 1;
      response.end();
    });
    await until('a watch', () => world.watches() || null, soon);
    world.set('b', port);
    await until('the old connection closed', () => closed || null, soon);
    await get(a.port, '/x/1');
    expect(asked).toBe(1);
  });

  test('a pod is not ready before discovery has answered, but alive', async () => {
    const world = await surroundings();
    const a = await play(world, profile({}));
    await until('a watch', () => world.watches() || null, soon);
    expect((await get(a.port, '/health/ready')).status).toBe(503);
    expect((await get(a.port, '/health/live')).status).toBe(200);
    expect((await get(a.port, '/health')).json()).toEqual({ status: 'ok', service: 'a', pod: 'a-1' });
  });
});

describe('by itself', () => {
  test('an endpoint’s own errors are 500s that say so', async () => {
    const { a } = await pair({ errors: 1 });
    const answer = await get(a.port, '/x/1');
    expect([answer.status, answer.json().error]).toEqual([500, 'internal error']);
  });

  test('an unknown path is a 404, counted under one label however many paths are tried', async () => {
    const { a } = await pair({});
    for (const path of ['/u1', '/u2']) expect((await get(a.port, path)).status).toBe(404);
    const { text } = await get(a.port, '/metrics');
    expect(text.match(/^http_requests_total.*/gm)).toEqual([
      'http_requests_total{method="GET",path="unknown",status="404"} 2',
    ]);
  });

  test('a tick does its endpoint’s work, calls included, without being asked', async () => {
    let asked = 0;
    const world = await surroundings();
    world.set(
      'b',
      await peer((_, response) => {
        asked += 1;
        response.end();
      }),
    );
    const a = await play(world, profile({ calls: [callB] }, { ticks: [{ every: '20ms', request: 'GET /x/:id' }] }));
    await until('three ticks', () => (asked >= 3 ? true : null), soon);
    await until('a tick told', () => a.said('tick done').length || null, soon);
    expect((await get(a.port, '/metrics')).text).not.toContain('http_requests_total{');
  });
});

describe('as a program', () => {
  const program = fileURLToPath(new URL('../../../src/targets/lab/service.ts', import.meta.url));
  const launch = async (config: unknown) => {
    const folder = await mkdtemp(join(tmpdir(), 'firedrill-service-'));
    closers.push(() => rm(folder, { recursive: true }));
    await writeFile(join(folder, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
    const running = await start({ name: 'a', argv: [process.execPath, program, join(folder, 'config.json')] });
    closers.push(() => running.stop());
    let output = '';
    running.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    return {
      running,
      lines: (): Line[] =>
        output
          .trim()
          .split('\n')
          .filter(Boolean)
          .map((line) => JSON.parse(line)),
    };
  };
  const freePort = async (): Promise<number> => {
    const server = createTcp();
    const port = await listen(server);
    server.close();
    await once(server, 'close');
    return port;
  };

  test('on SIGTERM it finishes what it has, sends its spans and ends', async () => {
    const world = await surroundings();
    world.set('b');
    const port = await freePort();
    const config = { ...podConfig(world, profile({ work: '300ms', p99: '301ms' })), port };
    const { running, lines } = await launch(config);
    await until('listening', () => (lines().some(({ message }) => message === 'listening') ? true : null), soon);
    const asking = request({ host: HOST, port, path: '/x/1' }).end();
    await once(asking, 'finish');
    await until('the request there', async () => ((await get(port, '/health')).status === 200 ? true : null), soon);
    running.child.kill('SIGTERM');
    const [response] = (await once(asking, 'response')) as [IncomingMessage];
    expect(response.statusCode).toBe(200);
    response.resume();
    expect(await running.ended).toBe(0);
    expect(lines().map(({ message }) => message)).toEqual(['listening', 'stopping', 'request served']);
    expect(world.spans.map(({ span }) => span.name)).toEqual(['GET /x/:id']);
  });

  test.each([
    ['a file that is not JSON', '{', /can't be read as JSON/],
    ['a config without an address', { platform: profile({}), service: 'a' }, /lacks pod, uid, ip/],
    [
      'an unknown component',
      { ...podConfig({ url: '' } as Surroundings, profile({})), service: 'z' },
      /no component 'z'/,
    ],
  ])('%s gets one line', async (_, config, says) => {
    const { running } = await launch(config);
    expect(await running.ended).toBe(64);
    expect(running.complaint()).toMatch(says);
    expect(running.complaint()).not.toContain('\n');
  });
});

describe('the probe', () => {
  const program = fileURLToPath(new URL('../../../src/agent/probe.ts', import.meta.url));
  const probe = async (url: string, tag: string | null, timeoutMs: number) =>
    JSON.parse(
      await run({ name: 'probe', argv: [process.execPath, program, JSON.stringify({ url, tag, timeoutMs })] }),
    );

  test('an answer of any status is an answer; a tagged probe carries the drill’s headers', async () => {
    let seen: IncomingMessage['headers'] = {};
    const port = await peer((asked, response) => {
      seen = asked.headers;
      response.writeHead(503).end();
    });
    expect(await probe(`http://${HOST}:${port}/health`, 'r1', 3000)).toMatchObject({
      outcome: 'answered',
      status: 503,
    });
    expect(seen['x-firedrill-run']).toBe('r1');
    expect(seen['x-correlation-id']).toBe('firedrill-r1-probe');
  });

  test('a closed port is refused, a silent one times out', async () => {
    const silent = await peer(() => {});
    const result = await probe(`http://${HOST}:${silent}/`, null, 150);
    expect(result).toMatchObject({ outcome: 'timeout', status: null });
    expect(result.ms).toBeGreaterThanOrEqual(149);
    const server = createTcp();
    const port = await listen(server);
    server.close();
    await once(server, 'close');
    expect(await probe(`http://${HOST}:${port}/`, null, 3000)).toMatchObject({ outcome: 'refused', status: null });
  });

  test('a bad order gets one line', async () => {
    const running = await start({ name: 'probe', argv: [process.execPath, program, '{}'] });
    expect(await running.ended).toBe(64);
    expect(running.complaint()).not.toContain('\n');
  });
});
