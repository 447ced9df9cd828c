import { readFile } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { ServerCredentials } from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { hubble } from '../../../src/layers/flows/adapter.ts';
import type { Tls } from '../../../src/layers/flows/client.ts';
import { naming } from '../../../src/naming.ts';
import { systemClock } from '../../../src/time.ts';
import { type Certificates, certificates } from '../../helpers/certificates.ts';
import { flowAt, relay } from './relay.ts';

const SERVER_NAME = 'instance.hubble-relay.cilium.io';
const S = 1_000_000_000n;

let files: Certificates;
let pem: { ca: string; otherCa: string; server: Pair; client: Pair };
type Pair = { cert: string; key: string };

const text = (file: string): Promise<string> => readFile(file, 'utf8');
const pair = async ({ cert, key }: Pair): Promise<Pair> => ({ cert: await text(cert), key: await text(key) });
beforeAll(async () => {
  files = await certificates('*.hubble-relay.cilium.io');
  pem = {
    ca: await text(files.ca),
    otherCa: await text(files.otherCa),
    server: await pair(files.server),
    client: await pair(files.client),
  };
});
afterAll(async () => files[Symbol.asyncDispose]());

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

/** Ports of the flows that are seen, and reasons for what isn't, at a first look. */
const seen = async (address: string, tls?: Tls) => {
  const until = systemClock.now() - 3n * S;
  const window = { from: until - 60n * S, until };
  const layer = hubble({ address, naming: naming([], () => new Map()), ...(tls && { tls }) });
  open.push(layer);
  const { items, gaps } = await layer.look(window, AbortSignal.timeout(8000));
  for (const gap of gaps) expect(gap.window).toEqual(window);
  return [...items.map(({ source }) => source.port), ...gaps.map(({ why }) => why)];
};

const secured = async (clientsToo: boolean): Promise<string> => {
  const { cert, key } = pem.server;
  const pairs = [{ cert_chain: Buffer.from(cert), private_key: Buffer.from(key) }];
  const one = await relay({ credentials: ServerCredentials.createSsl(Buffer.from(pem.ca), pairs, clientsToo) });
  open.push(one);
  one.keep(flowAt(systemClock.now() - 10n * S, 7));
  return one.address;
};

describe('TLS', () => {
  test('a relay with a certificate for *.hubble-relay.cilium.io is read by its server name', async () => {
    expect(await seen(await secured(false), { ca: pem.ca, serverName: SERVER_NAME })).toEqual([7]);
  });

  test('mTLS: a client with a certificate of its own is let in', async () => {
    expect(await seen(await secured(true), { ca: pem.ca, serverName: SERVER_NAME, ...pem.client })).toEqual([7]);
  });

  test.each<[string, boolean, () => Tls | undefined, RegExp]>([
    [
      'an unknown CA',
      false,
      () => ({ ca: pem.otherCa, serverName: SERVER_NAME }),
      /^UNAVAILABLE: .* \(its certificate does not come from the CA that was given\)$/,
    ],
    [
      'no server name',
      false,
      () => ({ ca: pem.ca, serverName: 'localhost' }),
      /^UNAVAILABLE: the server's certificate is for DNS:\*\.hubble-relay\.cilium\.io, not for localhost \(give the/,
    ],
    [
      'no client certificate where one is asked for',
      true,
      () => ({ ca: pem.ca, serverName: SERVER_NAME }),
      /^UNAVAILABLE: .* \(it wants a client certificate\)$/,
    ],
    [
      'a key without its certificate',
      true,
      () => ({ ca: pem.ca, key: pem.client.key }),
      /^TLS: a client certificate needs its key, and a key its certificate$/,
    ],
    [
      'a key that is another certificate’s',
      true,
      () => ({ ca: pem.ca, cert: pem.client.cert, key: pem.server.key }),
      /^TLS: the key is not the certificate's$/,
    ],
    ['a CA that is no PEM', false, () => ({ ca: 'hello' }), /^TLS: the CA certificate can't be read as PEM: /],
    [
      'a key that is no PEM',
      false,
      () => ({ ca: pem.ca, cert: pem.client.cert, key: 'hello' }),
      /^TLS: the client key can't be read as PEM: /,
    ],
    ['no TLS where it is asked for', false, () => undefined, /^UNAVAILABLE: Failed to connect \(it hung up: /],
  ])('%s: one clear line', async (_, clientsToo, tls, expected) => {
    const told = await seen(await secured(clientsToo), tls());
    expect(told).toEqual([expect.stringMatching(expected)]);
    expect(told[0]).not.toMatch(/\n|\.c:\d|\.\.\//);
  });

  test('TLS where there is none: one clear line', async () => {
    const one = await relay();
    open.push(one);
    expect(await seen(one.address, { ca: pem.ca, serverName: SERVER_NAME })).toEqual([
      expect.stringMatching(/^UNAVAILABLE: .*wrong version number.* \(it does not speak TLS\)$/),
    ]);
  });
});

describe('a peer that is no gRPC server', () => {
  const listening = async (server: Server): Promise<string> => {
    const sockets = new Set<Socket>();
    server.on('connection', (socket) => sockets.add(socket.on('error', () => undefined)));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    open.push({
      [Symbol.asyncDispose]: async () => {
        for (const socket of sockets) socket.destroy();
        server.close();
      },
    });
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const page = (
    _: unknown,
    response: { end(text: string): unknown; setHeader(name: string, value: string): unknown },
  ) => {
    response.setHeader('content-type', 'text/html');
    response.end('<html>Welcome</html>');
  };

  test.each<[string, () => Server, RegExp]>([
    ['HTTP/1', () => createHttpServer(page), /^UNAVAILABLE: Protocol error \(it may be a web server/],
    ['HTML over HTTP/2', () => createHttp2Server(page), /\(it may be a web server: this is not Hubble’s gRPC\)$/],
    [
      'not found, over HTTP/2',
      () =>
        createHttp2Server((_, response) => {
          response.statusCode = 404;
          response.end('no such page');
        }),
      /^UNIMPLEMENTED: Received HTTP status code 404 \(it may be a web server/,
    ],
    ['one that hangs up', () => createTcpServer((socket) => socket.destroy()), /^UNAVAILABLE: .*\(it hung up/],
  ])('%s: one clear line', async (_, server, expected) => {
    expect(await seen(await listening(server()))).toEqual([expect.stringMatching(expected)]);
  });

  test('one that never answers: it is told that it did not, within the look', async () => {
    const address = await listening(createTcpServer());
    const until = systemClock.now() - 3n * S;
    const layer = hubble({ address, naming: naming([], () => new Map()) });
    open.push(layer);
    const { items, gaps } = await layer.look({ from: until - S, until }, AbortSignal.timeout(3500));
    expect(items).toEqual([]);
    expect(gaps).toMatchObject([{ why: expect.stringMatching(/timeout/), window: { from: until - S, until } }]);
  });
});
