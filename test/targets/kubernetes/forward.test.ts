import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import type { WebSocket } from 'ws';
import { until } from '../../../src/poll.ts';
import type { Forward } from '../../../src/targets/kubernetes/cluster.ts';
import { type Behaviour, failure, type Mock, opened } from './mock-api.ts';

const POD = { namespace: 'shop', pod: 'order-1', port: 8080 };
const PORT = Buffer.from([8080 & 255, 8080 >> 8]);

/** What the node says first: the port, on either channel. */
const greets = (socket: WebSocket): void => {
  for (const channel of [0, 1]) socket.send(Buffer.concat([Buffer.of(channel), PORT]));
};
const says = (socket: WebSocket, bytes: string | Buffer): void =>
  socket.send(Buffer.concat([Buffer.of(0), Buffer.from(bytes)]));
const echoes = (socket: WebSocket): void => {
  greets(socket);
  socket.on('message', (message: Buffer) => message.length > 1 && says(socket, message.subarray(1)));
};
const heard = (socket: WebSocket, what: (text: string) => void): void => {
  greets(socket);
  socket.on('message', (message: Buffer) => what(message.subarray(1).toString()));
};

const forwarded = async (channel: Behaviour['channel'], patience = {}, pod = async () => POD) => {
  const it = await opened(channel ? { channel } : {}, patience);
  return { ...it, forward: await it.cluster.forward(pod) };
};
const dial = async ({ host, port }: Forward, allowHalfOpen = false): Promise<Socket> => {
  const socket = connect({ host, port, allowHalfOpen });
  await once(socket, 'connect');
  return socket;
};
/** All that came until the other side ended or broke it: the text, and the error's code if it broke. */
const untilEnd = (socket: Socket): Promise<string> =>
  new Promise((resolve) => {
    let text = '';
    socket.setEncoding('latin1').on('data', (more: string) => {
      text += more;
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      text += error.code;
    });
    socket.once('close', () => resolve(text));
  });
/** One connection is the typed calls' own. */
const noChannelLeft = (mock: Mock) =>
  until('no channel is left', () => (mock.connections.open <= 1 ? true : null), { forMs: 3000, everyMs: 10 });

describe('a forward', () => {
  test('carries bytes both ways, unchanged, over a channel of its own for each connection', async () => {
    await using it = await forwarded(echoes);
    const bytes = Buffer.from(Array.from({ length: 1000 }, (_, at) => at % 256));
    for (let n = 0; n < 3; n++) {
      const socket = await dial(it.forward);
      socket.write(bytes);
      const got: Buffer[] = [];
      while (Buffer.concat(got).length < bytes.length) got.push((await once(socket, 'data'))[0] as Buffer);
      expect(Buffer.concat(got)).toEqual(bytes);
      socket.destroy();
    }
    await noChannelLeft(it.mock);
    expect(it.touches.map(({ verb, resource, name, status }) => [verb, resource, name, status])).toEqual(
      Array(3).fill(['portforward', 'pods/portforward', 'order-1', 101]),
    );
  });

  test('asks for the pod anew for each connection, and for its port', async () => {
    const asked: string[] = [];
    let pod = 0;
    await using it = await forwarded(
      (socket, url) => {
        asked.push(`${url.pathname}?${url.searchParams}`);
        socket.close();
      },
      {},
      async () => ({ ...POD, pod: `order-${++pod}` }),
    );
    await untilEnd(connect(it.forward.port, it.forward.host));
    await untilEnd(connect(it.forward.port, it.forward.host));
    expect(asked).toEqual([1, 2].map((n) => `/api/v1/namespaces/shop/pods/order-${n}/portforward?ports=8080`));
  });

  test('loses nothing of eight megabytes that come and go at once', async () => {
    await using it = await forwarded(echoes);
    const socket = await dial(it.forward);
    const size = 8 * 1024 * 1024;
    socket.end(Buffer.alloc(size, 7));
    let got = 0;
    socket.on('data', (chunk: Buffer) => {
      got += chunk.length;
      if (got === size) socket.destroy();
    });
    await once(socket, 'close');
    expect(got).toBe(size);
  });

  test('a client that reads slowly holds the pod back', async () => {
    const size = 48 * 1024 * 1024;
    let sent = 0;
    await using it = await forwarded((channel) => {
      greets(channel);
      const next = (): void => {
        if (sent >= size) return;
        sent += 64 * 1024;
        channel.send(Buffer.concat([Buffer.of(0), Buffer.alloc(64 * 1024)]), next);
      };
      next();
    });
    let got = 0;
    let ahead = 0;
    const socket = await dial(it.forward);
    for await (const chunk of socket) {
      got += (chunk as Buffer).length;
      ahead = Math.max(ahead, sent - got);
      if (got === size) break;
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(got).toBe(size);
    // The kernel's buffers hold some; without back-pressure nearly all of it would be ahead.
    expect(ahead).toBeLessThan(size / 2);
  });

  test('a pod that does not read holds the client back', async () => {
    const size = 48 * 1024 * 1024;
    let got = 0;
    const channels: WebSocket[] = [];
    await using it = await forwarded((channel) => {
      greets(channel);
      channels.push(channel);
      channel.pause();
      channel.on('message', (message: Buffer) => {
        got += message.length - 1;
        if (got === size) says(channel, 'all');
      });
    });
    const socket = await dial(it.forward);
    const answered = once(socket, 'data');
    let written = 0;
    const write = async (): Promise<void> => {
      for (; written < size; written += 64 * 1024)
        if (!socket.write(Buffer.alloc(64 * 1024))) await once(socket, 'drain');
    };
    const writing = write();
    let before = 0;
    let stable = 0;
    // Nothing more is taken for a while: everything on the way is full.
    const stalled = (): true | null => {
      stable = written === before ? stable + 1 : 0;
      before = written;
      return channels.length > 0 && stable > 20 ? true : null;
    };
    await until('the client stalls', stalled, { forMs: 5000, everyMs: 10 });
    expect(written).toBeLessThan(size / 2);
    channels[0]!.resume();
    await writing;
    await answered;
    expect(got).toBe(size);
    socket.destroy();
  });

  test('ends the client’s connection when the pod ends its own, after all that it said', async () => {
    await using it = await forwarded((socket) => {
      greets(socket);
      says(socket, 'last words');
      socket.close();
    });
    expect(await untilEnd(connect(it.forward.port, it.forward.host))).toBe('last words');
    await noChannelLeft(it.mock);
  });

  test('resets the client’s connection when the channel breaks, as when the pod is killed', async () => {
    await using it = await forwarded((socket) => heard(socket, () => socket.terminate()));
    const socket = await dial(it.forward);
    socket.write('a');
    expect(await untilEnd(socket)).toBe('ECONNRESET');
    await noChannelLeft(it.mock);
  });

  test('resets the client’s connection when the node can’t reach the port', async () => {
    await using it = await forwarded((socket) => {
      greets(socket);
      socket.send(Buffer.concat([Buffer.of(1), Buffer.from('connection refused')]));
    });
    expect(it.forward.broken()).toBeNull();
    expect(await untilEnd(connect(it.forward.port, it.forward.host))).toBe('ECONNRESET');
    expect(it.forward.broken()).toBe('connection refused');
    await noChannelLeft(it.mock);
  });

  test.each([
    ['there is no pod', undefined, () => Promise.reject(new Error('none is ready')), /^none is ready$/],
    ['the server refuses', undefined, async () => POD, /pods\/portforward/],
    ['the pod’s name is none', echoes, async () => ({ ...POD, pod: '../x' }), /'?\.\.\/x/],
  ])('resets the client’s connection, and tells why, when %s', async (_, channel, pod, why) => {
    await using it = await forwarded(channel, {}, pod);
    expect(await untilEnd(connect(it.forward.port, it.forward.host))).toBe('ECONNRESET');
    expect(it.forward.broken()).toMatch(why);
    await noChannelLeft(it.mock);
  });

  test('closes the channel when the client resets', async () => {
    const closed = Promise.withResolvers<void>();
    await using it = await forwarded((socket) => {
      socket.once('close', () => closed.resolve());
      echoes(socket);
    });
    const socket = await dial(it.forward);
    socket.write('a');
    await once(socket, 'data');
    socket.resetAndDestroy();
    await closed.promise;
    await noChannelLeft(it.mock);
  });

  test('closes the channel at once when a client that has its answer ends', async () => {
    await using it = await forwarded(echoes, { lingerMs: 60_000 });
    const socket = await dial(it.forward);
    socket.write('a');
    await once(socket, 'data');
    socket.end();
    await noChannelLeft(it.mock);
  });

  test('a client that ends its side before it has its answer still gets it', async () => {
    await using it = await forwarded((socket) => heard(socket, () => setImmediate(() => says(socket, 'answer'))), {
      lingerMs: 50,
    });
    const socket = await dial(it.forward, true);
    const got = untilEnd(socket);
    socket.end('question');
    socket.once('end', () => socket.end());
    expect(await got).toBe('answer');
    await noChannelLeft(it.mock);
  });

  test('a pod that never answers a client that has ended is not waited for beyond the linger', async () => {
    await using it = await forwarded(greets, { lingerMs: 30 });
    const socket = await dial(it.forward);
    socket.end('question');
    expect(await untilEnd(socket)).toBe('');
    await noChannelLeft(it.mock);
  });

  test('a thousand short connections leave none behind', async () => {
    await using it = await forwarded(echoes);
    const short = async (): Promise<void> => {
      const socket = await dial(it.forward);
      socket.write('ping');
      await once(socket, 'data');
      socket.end();
      await once(socket, 'close');
    };
    for (let n = 0; n < 100; n++) await Promise.all(Array.from({ length: 10 }, short));
    expect(it.mock.connections.made).toBeGreaterThanOrEqual(1000);
    await noChannelLeft(it.mock);
  }, 30_000);

  test('its end cuts what it carries', async () => {
    await using it = await forwarded(echoes);
    const socket = await dial(it.forward);
    socket.write('a');
    await once(socket, 'data');
    const cut = untilEnd(socket);
    await it.forward[Symbol.asyncDispose]();
    await cut;
    await noChannelLeft(it.mock);
    await it.forward[Symbol.asyncDispose]();
  });

  test('the cluster’s end is its end', async () => {
    await using it = await forwarded(echoes);
    const socket = await dial(it.forward);
    socket.write('a');
    await once(socket, 'data');
    const cut = untilEnd(socket);
    await it.cluster[Symbol.asyncDispose]();
    await cut;
    expect(await untilEnd(connect(it.forward.port, it.forward.host))).toBe('ECONNREFUSED');
  });
});

describe('a service proxy', () => {
  const through = async (http: NonNullable<Behaviour['http']>) => {
    const it = await opened({ http });
    const { host, port } = await it.cluster.serviceProxy({
      namespace: 'monitoring',
      service: 'prometheus',
      port: 9090,
    });
    return { ...it, url: `http://${host}:${port}`, port };
  };
  const PREFIX = '/api/v1/namespaces/monitoring/services/prometheus:9090/proxy';

  test('passes on method, path, query and body with our credentials, and the answer with its status and headers', async () => {
    await using it = await through((_, response) =>
      response.writeHead(418, { 'x-kind': 'teapot' }).end('short and stout'),
    );
    const answer = await request(`${it.url}/api/v1/query?query=up%7Ba%3D%22b%22%7D&x=1`, {
      method: 'POST',
      headers: { 'content-type': 'text/plain', authorization: 'Bearer mine', 'x-own': 'kept' },
      body: 'hello',
    });
    expect([answer.statusCode, answer.headers['x-kind'], await answer.body.text()]).toEqual([
      418,
      'teapot',
      'short and stout',
    ]);
    const passed = it.mock.requests.at(-1)!;
    expect(passed.method).toBe('POST');
    expect(passed.url.pathname + passed.url.search).toBe(`${PREFIX}/api/v1/query?query=up%7Ba%3D%22b%22%7D&x=1`);
    expect(passed.body).toBe('hello');
    expect(passed.headers).toMatchObject({
      authorization: 'Bearer secret',
      'x-own': 'kept',
      'content-type': 'text/plain',
    });
    expect(it.touches).toMatchObject([
      { verb: 'create', resource: 'services/proxy', name: 'prometheus:9090', status: 418 },
    ]);
  });

  test('streams: an answer is heard before it has ended', async () => {
    const more = Promise.withResolvers<void>();
    await using it = await through((_, response) => {
      response.write('first');
      void more.promise.then(() => response.end('last'));
    });
    const { body } = await request(it.url);
    const chunks = body[Symbol.asyncIterator]();
    expect(String((await chunks.next()).value)).toBe('first');
    more.resolve();
    expect(String((await chunks.next()).value)).toBe('last');
    expect(it.touches).toEqual([]);
  });

  test('a redirect within the service stays within it', async () => {
    await using it = await through((_, response) => response.writeHead(302, { location: `${PREFIX}/graph?a=1` }).end());
    expect((await request(it.url)).headers.location).toBe('/graph?a=1');
  });

  test.each(['/../x', '/a/../../../secrets', '/%2e%2e/%2E./x', '/a/..%2f..%2fx', '/..', 'http://elsewhere/'])(
    'refuses %s, which leads out of the service',
    async (path) => {
      await using it = await through((_, response) => response.end('got out'));
      const socket = connect(it.port, '127.0.0.1');
      socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
      expect(await untilEnd(socket)).toMatch(/^HTTP\/1.1 400 /);
      expect(it.mock.requests.map(({ url }) => url.pathname)).toEqual(['/version']);
    },
  );

  test('what the API server refuses comes back as its own answer', async () => {
    const { status, body } = failure(403, 'services "prometheus:9090" is forbidden');
    await using it = await through((_, response) => response.writeHead(status).end(body));
    const answer = await request(it.url);
    expect([answer.statusCode, await answer.body.text()]).toEqual([403, body]);
  });

  test('what is not answered is a bad gateway, in one line', async () => {
    await using it = await through((_, response) => response.destroy());
    const answer = await request(it.url);
    expect(answer.statusCode).toBe(502);
    expect(await answer.body.text()).toMatch(/^kubernetes: no answer from \S+ connection closed;[^\n]*\n$/);
  });

  test('an answer that breaks off breaks off here too', async () => {
    await using it = await through((_, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('half');
      setImmediate(() => response.destroy());
    });
    const { body } = await request(it.url);
    await expect(body.text()).rejects.toThrow();
  });

  test('a client that goes takes its question with it', async () => {
    const gone = Promise.withResolvers<void>();
    await using it = await through((_, response) => {
      response.once('close', () => gone.resolve());
      response.write('first');
    });
    const { body } = await request(it.url);
    body.on('error', () => {}).destroy();
    await gone.promise;
  });
});
