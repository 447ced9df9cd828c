import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Unreachable } from '../../../src/errors.ts';
import { entrance, exit, portOf } from '../../../src/targets/lab/forward.ts';

const HOST = '127.0.0.1';
let folder: string;
const servers: Server[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'forward-'));
});
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

const kept = <S extends Server>(server: S): S => {
  servers.push(server);
  return server;
};

/** A server that answers all it hears, after `head`; its port. */
const echo = async (head = ''): Promise<number> => {
  const answering = (socket: Socket): void => {
    socket.on('error', () => undefined).write(head);
    socket.pipe(socket);
  };
  const server = kept(createServer({ allowHalfOpen: true }, answering));
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  return portOf(server);
};

/** The port of an entrance that leads to `to` on the far side. */
const tunnel = async (to: string, resolve?: (name: string) => string): Promise<number> => {
  const socket = join(folder, 'in.sock');
  kept(await exit(socket, resolve));
  return portOf(kept(await entrance(HOST, 0, socket, to)));
};

/** Says `words` to the port in one piece and hears as much again, then hangs up. */
const say = async (port: number, words: Buffer): Promise<Buffer> => {
  const socket = connect(port, HOST);
  socket.write(words);
  const heard: Buffer[] = [];
  for await (const part of socket) {
    heard.push(part as Buffer);
    if (Buffer.concat(heard).length >= words.length) break;
  }
  return Buffer.concat(heard);
};

test('what goes in comes out on the other side, byte for byte, and back', async () => {
  const port = await tunnel(`${HOST}:${await echo()}`);
  const words = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) % 256));
  expect((await say(port, words)).equals(words)).toBe(true);
});

test('a first line inside of the payload is payload', async () => {
  const port = await tunnel(`${HOST}:${await echo()}`);
  expect(String(await say(port, Buffer.from('10.0.0.1:9\nGET / HTTP/1.1\n')))).toBe('10.0.0.1:9\nGET / HTTP/1.1\n');
});

test('connections do not mix, however many there are at a time', async () => {
  const port = await tunnel(`${HOST}:${await echo()}`);
  const words = Array.from({ length: 20 }, (_, i) => `connection ${i}`);
  expect((await Promise.all(words.map((one) => say(port, Buffer.from(one))))).map(String)).toEqual(words);
});

test('a name is turned into its address of the moment, for every connection anew', async () => {
  const addresses = [`${HOST}:${await echo('one:')}`, `${HOST}:${await echo('two:')}`];
  const port = await tunnel('entry', (name) => (name === 'entry' ? addresses.shift()! : name));
  const answers = [await say(port, Buffer.from('hello')), await say(port, Buffer.from('hello'))];
  expect(answers.map((answer) => String(answer).slice(0, 4))).toEqual(['one:', 'two:']);
});

test('where nobody listens on the far side, the near side is hung up on and the tunnel lives on', async () => {
  const gone = createServer();
  await new Promise<void>((resolve) => gone.listen(0, HOST, resolve));
  const nobody = `${HOST}:${portOf(gone)}`;
  await new Promise((resolve) => gone.close(resolve));
  const addresses = [nobody, `${HOST}:${await echo()}`];
  const port = await tunnel('entry', () => addresses.shift()!);
  expect(await text(connect(port, HOST)).catch(() => '')).toBe('');
  expect(String(await say(port, Buffer.from('hello')))).toBe('hello');
});

test('a connection without a first line is hung up on', async () => {
  const socket = join(folder, 'in.sock');
  kept(await exit(socket));
  const stranger = connect(socket);
  stranger.write('GET / HTTP/1.1');
  expect(await text(stranger).catch(() => '')).toBe('');
});

test('a port that is taken is told with what to do about it', async () => {
  const taken = await echo();
  const busy = entrance(HOST, taken, join(folder, 'in.sock'), 'entry');
  await expect(busy).rejects.toBeInstanceOf(Unreachable);
  await expect(busy).rejects.toThrow(`port ${taken} on ${HOST} is taken; stop what listens there, or use --any-port`);
});
