import { once } from 'node:events';
import { Agent, createServer as createHttp, request as httpRequest } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from '@jest/globals';
import { type DelayOrder, type DelayProxy, parseOrder, startDelayProxy } from '../../src/agent/delay-proxy.ts';
import { until } from '../../src/poll.ts';
import { start } from '../../src/process.ts';
import { systemClock, toMs } from '../../src/time.ts';

const HOST = '127.0.0.1';
const soon = { forMs: 5000, everyMs: 5 };
const closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const listening = async (server: Server): Promise<number> => {
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

const proxyTo = async (port: number, order: Partial<DelayOrder> = {}): Promise<DelayProxy> => {
  const proxy = await startDelayProxy({
    listen: { host: HOST, port: 0 },
    to: { host: HOST, port },
    addMs: 0,
    jitterMs: 0,
    tag: null,
    seed: 1,
    forMs: 10_000,
    ...order,
  });
  closers.push(() => proxy.stop());
  return proxy;
};

/** A client connection with what it received so far. */
const client = async (port: number) => {
  const socket = connect({ host: HOST, port, allowHalfOpen: true });
  const seen = { text: '', ended: false, error: null as string | null };
  socket.setEncoding('latin1').on('data', (text: string) => {
    seen.text += text;
  });
  socket.on('end', () => {
    seen.ended = true;
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    seen.error = error.code ?? error.message;
  });
  closers.push(() => socket.destroy());
  return { socket, seen };
};

const echo = (): Server =>
  createServer({ allowHalfOpen: true }, (socket) => void socket.on('error', () => {}).pipe(socket));

/** An HTTP server that answers with the method, the path and the body that it got. */
const mirror = () =>
  createHttp((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => response.end(`${request.method} ${request.url} ${body}`));
  });

const timed = async (
  port: number,
  headers: Record<string, string> = {},
  agent?: Agent,
): Promise<{ ms: number; text: string }> => {
  const from = systemClock.now();
  const asking = httpRequest({ host: HOST, port, path: '/x', headers, ...(agent ? { agent } : {}) }).end();
  const [response] = await once(asking, 'response');
  let text = '';
  for await (const chunk of response) text += chunk;
  return { ms: toMs(systemClock.now() - from), text };
};

describe('delay', () => {
  test('every request of a kept connection waits, not only the first', async () => {
    const proxy = await proxyTo(await listening(mirror()), { addMs: 120 });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    closers.push(() => agent.destroy());
    for (const _ of [1, 2, 3]) {
      const { ms, text } = await timed(proxy.port, {}, agent);
      expect(text).toBe('GET /x ');
      expect(ms).toBeGreaterThanOrEqual(120);
    }
    expect(proxy.counts).toEqual({ relayed: 3, delayed: 3 });
  });

  test('pipelined requests wait side by side, and are answered in order', async () => {
    const proxy = await proxyTo(await listening(mirror()), { addMs: 300 });
    const { socket, seen } = await client(proxy.port);
    const from = systemClock.now();
    socket.write([1, 2, 3, 4].map((n) => `GET /${n} HTTP/1.1\r\nHost: a\r\n\r\n`).join(''));
    await until('four answers', () => (seen.text.includes('GET /4') ? true : null), soon);
    expect(seen.text.match(/GET \/\d/g)).toEqual(['GET /1', 'GET /2', 'GET /3', 'GET /4']);
    // One after the other they would take 1.2 s.
    expect(toMs(systemClock.now() - from)).toBeLessThan(900);
    expect(proxy.counts.delayed).toBe(4);
  });

  test('only requests that carry the tag wait', async () => {
    const proxy = await proxyTo(await listening(mirror()), { addMs: 150, tag: 'r1' });
    await timed(proxy.port);
    await timed(proxy.port, { 'x-firedrill-run': 'r2' });
    await timed(proxy.port, { 'x-correlation-id': 'firedrill-r10-7' });
    expect(proxy.counts).toEqual({ relayed: 3, delayed: 0 });
    expect((await timed(proxy.port, { 'X-Firedrill-Run': 'r1' })).ms).toBeGreaterThanOrEqual(150);
    expect((await timed(proxy.port, { 'X-Correlation-Id': 'firedrill-r1-7' })).ms).toBeGreaterThanOrEqual(150);
    expect(proxy.counts).toEqual({ relayed: 5, delayed: 2 });
  });

  test('a chunked body passes unchanged behind its head', async () => {
    const proxy = await proxyTo(await listening(mirror()), { addMs: 20 });
    const asking = httpRequest({ host: HOST, port: proxy.port, method: 'POST', path: '/b' });
    asking.write('one ');
    asking.end('two');
    const [response] = await once(asking, 'response');
    let text = '';
    for await (const chunk of response) text += chunk;
    expect(text).toBe('POST /b one two');
  });

  test('a body larger than what is held passes whole', async () => {
    const proxy = await proxyTo(await listening(echo()), { addMs: 50 });
    const { socket, seen } = await client(proxy.port);
    const text = `POST /b HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n${'x'.repeat(2_000_000)}`;
    socket.end(text);
    await until('all of it back', () => (seen.ended ? true : null), soon);
    expect(seen.text === text).toBe(true);
  });

  test('another protocol waits once, at the start of its connection', async () => {
    const proxy = await proxyTo(await listening(echo()), { addMs: 150 });
    const { socket, seen } = await client(proxy.port);
    const from = systemClock.now();
    socket.write('*1\r\n$4\r\nPING\r\n');
    await until('first echo', () => (seen.text.length === 14 ? true : null), soon);
    expect(toMs(systemClock.now() - from)).toBeGreaterThanOrEqual(150);
    socket.write('*1\r\n$4\r\nPING\r\n');
    await until('second echo', () => (seen.text.length === 28 ? true : null), soon);
    expect(proxy.counts).toEqual({ relayed: 1, delayed: 1 });
  });

  test('another protocol passes undelayed when only tagged requests are to wait', async () => {
    const proxy = await proxyTo(await listening(echo()), { addMs: 60_000, tag: 'r1' });
    const { socket, seen } = await client(proxy.port);
    socket.write('\x16\x03\x01');
    await until('echo', () => (seen.text.length === 3 ? true : null), soon);
    expect(proxy.counts).toEqual({ relayed: 1, delayed: 0 });
  });
});

describe('ends of connections', () => {
  test('a client that has said all still gets its answer', async () => {
    const proxy = await proxyTo(await listening(mirror()), { addMs: 30 });
    const { socket, seen } = await client(proxy.port);
    socket.end('GET /half HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    await until('the end', () => (seen.ended ? true : null), soon);
    expect(seen.text).toContain('GET /half');
  });

  test('a refused upstream is a reset for the client', async () => {
    const server = createServer();
    const port = await listening(server);
    server.close();
    await once(server, 'close');
    const { seen } = await client((await proxyTo(port)).port);
    await until('reset', () => seen.error, soon);
    expect(seen.error).toBe('ECONNRESET');
  });

  test('a reset from the upstream is a reset for the client', async () => {
    const port = await listening(createServer((socket) => void socket.once('data', () => socket.resetAndDestroy())));
    const { socket, seen } = await client((await proxyTo(port)).port);
    socket.write('GET /r HTTP/1.1\r\nHost: a\r\n\r\n');
    await until('reset', () => seen.error, soon);
    expect(seen.error).toBe('ECONNRESET');
  });

  test('a reset from the client is a reset for the upstream', async () => {
    let error: string | null = null;
    const server = createServer((socket) => {
      socket.on('error', (one: NodeJS.ErrnoException) => {
        error = one.code ?? '';
      });
    });
    const proxy = await proxyTo(await listening(server));
    const { socket } = await client(proxy.port);
    await once(server, 'connection');
    socket.resetAndDestroy();
    expect(await until('reset', () => error, soon)).toBe('ECONNRESET');
  });
});

describe('stopping', () => {
  test('a request that is held back goes at once and is answered; idle connections are closed', async () => {
    const proxy = await proxyTo(await listening(mirror()), { addMs: 60_000 });
    const idle = await client(proxy.port);
    const held = await client(proxy.port);
    held.socket.write('GET /held HTTP/1.1\r\nHost: a\r\n\r\n');
    await until('held back', () => proxy.counts.delayed || null, soon);
    idle.socket.on('end', () => idle.socket.end());
    held.socket.on('end', () => held.socket.end());
    await proxy.stop();
    expect(held.seen.text).toContain('GET /held');
    expect(idle.seen).toMatchObject({ ended: true, error: null });
  });

  test('a connection whose pipelined requests are all answered is closed in order', async () => {
    const server = createServer(
      (socket) =>
        void socket.once('data', () =>
          socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
        ),
    );
    const proxy = await proxyTo(await listening(server));
    const { socket, seen } = await client(proxy.port);
    socket.write('HEAD /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n');
    await until('both answers', () => (seen.text.endsWith('ok') ? true : null), soon);
    socket.on('end', () => socket.end());
    await proxy.stop();
    expect(seen).toMatchObject({ ended: true, error: null });
  });

  test('a request that is never answered is cut after a second', async () => {
    const proxy = await proxyTo(await listening(createServer((socket) => void socket.on('error', () => {}).resume())));
    const { socket, seen } = await client(proxy.port);
    socket.write('GET /never HTTP/1.1\r\nHost: a\r\n\r\n');
    await until('relayed', () => proxy.counts.relayed || null, soon);
    await proxy.stop();
    await until('reset', () => seen.error, soon);
    expect(seen.error).toBe('ECONNRESET');
  });
});

describe('as a program', () => {
  const program = fileURLToPath(new URL('../../src/agent/delay-proxy.ts', import.meta.url));

  test('says where it listens, ends by its own deadline, and says what it did', async () => {
    const port = await listening(mirror());
    const order = {
      listen: { host: HOST, port: 0 },
      to: { host: HOST, port },
      addMs: 1,
      jitterMs: 1,
      tag: null,
      seed: 1,
      forMs: 700,
    };
    const running = await start({ name: 'proxy', argv: [process.execPath, program, JSON.stringify(order)] });
    closers.push(() => running.stop());
    let output = '';
    running.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    const line = await until('its port', () => /\{"listening":(\d+)\}\n/.exec(output), soon);
    await timed(Number(line[1]), { connection: 'close' });
    expect(await running.ended).toBe(0);
    expect(output.trim().split('\n').at(-1)).toBe('{"relayed":1,"delayed":1}');
  });

  test('a bad order gets one line', async () => {
    const running = await start({ name: 'proxy', argv: [process.execPath, program, '{"addMs":1}'] });
    expect(await running.ended).toBe(64);
    expect(running.complaint().split('\n')).toHaveLength(1);
    expect(() => parseOrder('nonsense')).toThrow(/usage/);
  });
});
