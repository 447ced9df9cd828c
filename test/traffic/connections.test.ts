import type { Socket } from 'node:net';
import { expect, test } from '@jest/globals';
import { until } from '../../src/poll.ts';
import { type Connection, connections } from '../../src/traffic/connections.ts';
import { serveTcp } from './helpers.ts';

/** Says that it keeps connections for two seconds: after one of them nobody should rely on it. */
const ANSWER = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\nkeep-alive: timeout=2\r\n\r\n';

const site = async () => {
  const open = new Set<Socket>();
  const server = await serveTcp((socket) => {
    open.add(socket.on('data', () => socket.write(ANSWER)).on('close', () => open.delete(socket)));
  });
  return { ...server, url: new URL(server.url), open };
};

/** As long as they may be idle: a second less than the server keeps them. */
const TOO_LONG = 1000;

const asked = (connection: Connection): Promise<number> =>
  new Promise((answered, failed) => connection.send('GET', 'GET / HTTP/1.1\r\nhost: x\r\n\r\n', { answered, failed }));

const opened = (open: Set<Socket>, count: number): Promise<true> =>
  until(`${count} connections`, async () => (open.size === count ? true : null), { forMs: 5000, everyMs: 5 });

test('spare connections that grew old are closed one by one, not all of them when the next is needed', async () => {
  await using at = await site();
  using pool = connections(at.url, 10);
  const all = Array.from({ length: 6 }, () => pool.take(0)!);
  await Promise.all(all.map(asked));
  for (const one of all) pool.give(one, 0);

  const fresh = pool.take(TOO_LONG)!;
  expect(all).not.toContain(fresh);
  expect(await asked(fresh)).toBe(200);
  await opened(at.open, 6);
  pool.give(fresh, TOO_LONG);
  await opened(at.open, 5);
  expect(pool.take(TOO_LONG)).toBe(fresh);
});

test('the connection that was used last is used next', async () => {
  await using at = await site();
  using pool = connections(at.url, 10);
  const all = [pool.take(0)!, pool.take(0)!];
  await Promise.all(all.map(asked));
  for (const one of all) pool.give(one, 0);
  expect([pool.take(TOO_LONG - 1), pool.take(TOO_LONG - 1)]).toEqual([all[1], all[0]]);
});
