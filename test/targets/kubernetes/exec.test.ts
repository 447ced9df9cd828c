import { describe, expect, test } from '@jest/globals';
import type { WebSocket } from 'ws';
import { Unreachable, Usage } from '../../../src/errors.ts';
import { until } from '../../../src/poll.ts';
import { Refused } from '../../../src/targets/kubernetes/cluster.ts';
import { failure, opened, rejection } from './mock-api.ts';

const AT = { namespace: 'shop', pod: 'order-1', container: 'app' };
const says = (socket: WebSocket, channel: number, bytes: string | Buffer): void =>
  socket.send(Buffer.concat([Buffer.of(channel), Buffer.from(bytes)]));
const ends = (socket: WebSocket, status: object = { metadata: {}, status: 'Success' }): void =>
  says(socket, 3, JSON.stringify(status));
const NON_ZERO = {
  metadata: {},
  status: 'Failure',
  reason: 'NonZeroExitCode',
  message: 'command terminated with non-zero exit code',
  details: { causes: [{ reason: 'ExitCode', message: '7' }] },
};

describe('exec', () => {
  test('asks for the program word by word, with its output and errors, and tells the audit', async () => {
    const asked: URL[] = [];
    await using it = await opened({
      channel: (socket, url) => {
        asked.push(url);
        says(socket, 1, 'out');
        says(socket, 2, 'err');
        ends(socket);
      },
    });
    expect(await it.cluster.exec(AT, ['sh', '-c', 'a & b=c'])).toEqual({ code: 0, out: 'out', err: 'err' });
    expect(asked[0]?.pathname).toBe('/api/v1/namespaces/shop/pods/order-1/exec');
    expect(asked[0]?.searchParams.getAll('command')).toEqual(['sh', '-c', 'a & b=c']);
    expect(asked[0]?.searchParams.get('stdin')).toBeNull();
    expect(it.touches).toEqual([
      { at: expect.any(BigInt), verb: 'exec', resource: 'pods/exec', namespace: 'shop', name: 'order-1', status: 101 },
    ]);
  });

  test('a program that fails has its own exit code, and is no error', async () => {
    await using it = await opened({ channel: (socket) => ends(socket, NON_ZERO) });
    expect((await it.cluster.exec(AT, ['false'])).code).toBe(7);
  });

  test('a program that is not there is refused, with what the node says', async () => {
    const status = { metadata: {}, status: 'Failure', reason: 'InternalError', message: 'no\nsuch file', code: 500 };
    await using it = await opened({ channel: (socket) => ends(socket, status) });
    const error = await rejection(it.cluster.exec(AT, ['none']));
    expect(error).toBeInstanceOf(Refused);
    expect(error.message).toBe("none in shop/order-1/app: can't be run: no such file");
  });

  test('a connection that is lost before the exit status is known is no success', async () => {
    await using it = await opened({
      channel: (socket) => {
        says(socket, 1, 'half');
        socket.terminate();
      },
    });
    const error = await rejection(it.cluster.exec(AT, ['cat']));
    expect(error).toBeInstanceOf(Unreachable);
    expect(error.message).toContain('the connection was lost before its exit status was known');
  });

  test('a close without a status is no success either', async () => {
    await using it = await opened({ channel: (socket) => socket.close(1000) });
    expect(await rejection(it.cluster.exec(AT, ['cat']))).toBeInstanceOf(Unreachable);
  });

  test.each([403, 404, 400])(
    'an upgrade answered with %d is refused with that status and the server’s words',
    async (status) => {
      await using it = await opened({ refuses: failure(status, 'the server’s words') });
      const error = await rejection(it.cluster.exec(AT, ['true']));
      expect(error).toBeInstanceOf(Refused);
      expect(error.status).toBe(status);
      expect(error.message).toContain("can't exec pods/exec order-1 in namespace shop: the server’s words");
      expect(error.message.includes('firedrill rbac')).toBe(status === 403);
      expect(it.touches[0]?.status).toBe(status);
    },
  );

  test('a server that answers no upgrade is given up on', async () => {
    await using it = await opened({ mute: true }, { openMs: 100 });
    const error = await rejection(it.cluster.exec(AT, ['true']));
    expect(error).toBeInstanceOf(Unreachable);
    expect(error.message).toMatch(/timed out/);
    expect(it.touches[0]?.status).toBeNull();
  });

  test('a connection on which pings go unanswered is cut', async () => {
    // A server whose socket is paused hears and answers nothing, as behind a black hole.
    await using it = await opened({ channel: (socket) => socket.pause() }, { pingMs: 20 });
    const error = await rejection(it.cluster.exec(AT, ['sleep', '99']));
    expect(error).toBeInstanceOf(Unreachable);
    expect(error.message).toContain('nothing was heard on it');
  });

  test('a quiet program whose server answers pings may take its time', async () => {
    await using it = await opened(
      {
        channel: (socket) => {
          let pings = 0;
          socket.on('ping', () => {
            if (++pings === 10) ends(socket);
          });
        },
      },
      { pingMs: 10 },
    );
    expect((await it.cluster.exec(AT, ['sleep', '1'])).code).toBe(0);
  });

  test('an abort rejects with its own reason and closes the socket', async () => {
    const abort = new AbortController();
    await using it = await opened({ channel: () => abort.abort(new Error('enough')) });
    const error = await rejection(it.cluster.exec(AT, ['sleep', '99'], { signal: abort.signal }));
    expect(error.message).toBe('enough');
    await until('no socket is left', () => (it.mock.connections.open <= 1 ? true : null), { forMs: 2000, everyMs: 10 });
  });

  test('an abort before the start opens nothing', async () => {
    await using it = await opened({ channel: (socket) => ends(socket) });
    await rejection(it.cluster.exec(AT, ['true'], { signal: AbortSignal.abort(new Error('no')) }));
    expect(it.touches.filter(({ status }) => status === 101)).toEqual([]);
  });

  test('bytes that are no text come as they are', async () => {
    const bytes = Buffer.from([0, 255, 254, 10, 13, 0xc3]);
    await using it = await opened({
      channel: (socket) => {
        says(socket, 1, bytes);
        says(socket, 1, '');
        says(socket, 1, bytes);
        ends(socket);
      },
    });
    const chunks: Buffer[] = [];
    const { out } = await it.cluster.exec(AT, ['cat'], { onOutput: (chunk) => void chunks.push(chunk) });
    expect(Buffer.concat(chunks)).toEqual(Buffer.concat([bytes, bytes]));
    expect(out).toBe('');
  });

  test('who takes output slowly holds the program back, and gets all of it in order', async () => {
    const pieces = 300;
    let sent = 0;
    let ahead = 0;
    await using it = await opened({
      channel: (socket) => {
        const next = (): void => {
          if (sent === pieces) ends(socket);
          else socket.send(Buffer.concat([Buffer.of(1), Buffer.alloc(64 * 1024, sent++)]), next);
        };
        next();
      },
    });
    let taken = 0;
    await it.cluster.exec(AT, ['cat'], {
      onOutput: async (chunk) => {
        expect(chunk[0]).toBe(taken % 256);
        taken++;
        ahead = Math.max(ahead, sent - taken);
        await new Promise((resolve) => setImmediate(resolve));
      },
    });
    expect(taken).toBe(pieces);
    // The kernel's buffers hold some; without back-pressure all 300 would be ahead.
    expect(ahead).toBeLessThan(250);
  });

  test('output that nobody can take ends the program’s connection with the taker’s error', async () => {
    await using it = await opened({ channel: (socket) => says(socket, 1, 'x') });
    const full = async (): Promise<void> => {
      throw new Error('disk full');
    };
    expect((await rejection(it.cluster.exec(AT, ['cat'], { onOutput: full }))).message).toBe('disk full');
    const thrown = (): void => {
      throw new Error('no room');
    };
    expect((await rejection(it.cluster.exec(AT, ['cat'], { onOutput: thrown }))).message).toBe('no room');
  });

  test('more output than 16 MiB that nobody takes is refused, not cut off in silence', async () => {
    await using it = await opened({
      channel: (socket) => {
        for (let n = 0; n < 17; n++) says(socket, 1, Buffer.alloc(1024 * 1024));
        ends(socket);
      },
    });
    expect((await rejection(it.cluster.exec(AT, ['cat']))).message).toMatch(/wrote more than 16777216 bytes/);
  });

  test('errors keep their end and say how much is gone', async () => {
    await using it = await opened({
      channel: (socket) => {
        says(socket, 2, 'a'.repeat(64 * 1024));
        says(socket, 2, 'the end');
        ends(socket);
      },
    });
    const { err } = await it.cluster.exec(AT, ['noisy']);
    expect(err.startsWith('(7 bytes before this were dropped) ')).toBe(true);
    expect(err.endsWith('the end')).toBe(true);
  });

  test('input goes to standard input, which is closed after it', async () => {
    await using it = await opened({
      channel: (socket, url) => {
        const got: Buffer[] = [];
        socket.on('message', (message: Buffer) => {
          if (message[0] === 0) got.push(message.subarray(1));
          if (message[0] !== 255) return;
          expect([...message]).toEqual([255, 0]);
          expect(url.searchParams.get('stdin')).toBe('true');
          says(socket, 1, Buffer.concat(got));
          ends(socket);
        });
      },
    });
    const input = 'ä'.repeat(100_000);
    expect((await it.cluster.exec(AT, ['cat'], { input })).out).toBe(input);
  });

  test('a server that can’t end standard input is told apart before a program waits for it for ever', async () => {
    await using it = await opened({ protocol: 'v4.channel.k8s.io', channel: () => {} });
    const error = await rejection(it.cluster.exec(AT, ['cat'], { input: 'a' }));
    expect(error.message).toContain('the server speaks v4.channel.k8s.io, not v5.channel.k8s.io');
  });

  test('names that could lead elsewhere never get into a path', async () => {
    await using it = await opened({ channel: (socket) => ends(socket) });
    for (const at of [
      { pod: 'p/../x' },
      { namespace: 'a?b' },
      { container: 'c&stdin=true' },
      { pod: '' },
      { pod: 'a..b' },
    ])
      expect(await rejection(it.cluster.exec({ ...AT, ...at }, ['true']))).toBeInstanceOf(Usage);
    expect(it.touches).toEqual([]);
  });

  test('the end of the connection ends what runs on it', async () => {
    const it = await opened({ channel: () => void it.cluster[Symbol.asyncDispose]() });
    const error = await rejection(it.cluster.exec(AT, ['sleep', '99']));
    expect(error).toBeInstanceOf(Unreachable);
    await it[Symbol.asyncDispose]();
  });
});
