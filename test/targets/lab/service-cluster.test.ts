import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { type PlatformProfile, platform } from '../../../src/platform.ts';
import { until } from '../../../src/poll.ts';
import { readConfig } from '../../../src/targets/lab/service/config.ts';
import { servicesOf } from '../../../src/targets/lab/service/discovery.ts';
import { startPod } from '../../../src/targets/lab/service/pod.ts';
import { openTransport } from '../../../src/targets/lab/service/transport.ts';

const soon = { forMs: 5000, everyMs: 5 };
const closers: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const profile = (kubernetes: PlatformProfile['kubernetes'] = {}) =>
  platform({
    name: 'p',
    entry: 'a',
    components: {
      a: { port: 8081, endpoints: { 'GET /x': { work: '0ms', calls: [{ to: 'b', request: 'GET /y' }] } } },
      b: { port: 8082, endpoints: { 'GET /y': { work: '0ms' } } },
    },
    journeys: { j: [{ request: 'GET /x', at: '0s' }] },
    kubernetes,
  });

/** The config file of a cluster: the platform and nothing else. */
const fileOf = async (content: unknown): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'service-cluster-'));
  closers.push(() => rm(folder, { recursive: true }));
  const file = join(folder, 'config.json');
  await writeFile(file, JSON.stringify(content));
  return file;
};

const ENV = { SERVICE: 'a', POD_NAME: 'a-6d4f-x2x', POD_UID: 'u1', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9' };

/** A peer that tells how many connections it was ever sent. */
const peer = async () => {
  const sockets = new Set<Socket>();
  const server: Server = createServer((_, response) => void response.end('ok'));
  server.on('connection', (socket: Socket) => sockets.add(socket));
  // By name, since that is how it will be found: whatever address the name has here.
  server.listen(0, 'localhost');
  await once(server, 'listening');
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, connections: (): number => sockets.size };
};

describe('what a pod of a cluster is told', () => {
  test('a file with nothing but the platform is completed by the environment', async () => {
    const config = await readConfig(await fileOf({ platform: profile() }), ENV);
    expect(config).toMatchObject({
      service: 'a',
      pod: 'a-6d4f-x2x',
      uid: 'u1',
      port: 8081,
      ip: null,
      discovery: null,
      otlp: 'http://127.0.0.1:9',
    });
  });

  test('two pods of one component draw differently, one pod always alike', async () => {
    const file = await fileOf({ platform: profile() });
    const [one, again, other] = await Promise.all(
      ['u1', 'u1', 'u2'].map((POD_UID) => readConfig(file, { ...ENV, POD_UID })),
    );
    expect(one?.seed).toBe(again?.seed);
    expect(one?.seed).not.toBe(other?.seed);
  });

  test('the port that the profile names for clusters is the one that is listened on', async () => {
    const file = await fileOf({ platform: profile({ components: { a: { port: 9000 } } }) });
    expect((await readConfig(file, ENV)).port).toBe(9000);
  });

  test.each([
    [
      'nothing in the environment',
      { platform: profile() },
      {},
      /the environment lacks SERVICE, POD_NAME, POD_UID, OTEL/,
    ],
    ['a component that is not there', { platform: profile() }, { ...ENV, SERVICE: 'z' }, /has no component 'z'/],
    ['a platform that is none', { platform: null }, ENV, /has no component 'a'/],
    ['an empty file', {}, ENV, /lacks service, pod/],
  ])('%s is said in one line', async (_, content, env, says) => {
    const failure = await readConfig(await fileOf(content), env).catch((error: Error) => error);
    expect(failure).toMatchObject({ name: 'Usage', message: expect.stringMatching(says) });
    expect((failure as Error).message).not.toContain('\n');
  });

  test('what the file of the lab says is not changed by the environment', async () => {
    const whole = { ...(await readConfig(await fileOf({ platform: profile() }), ENV)), ip: '127.0.0.1', seed: 7 };
    expect(await readConfig(await fileOf(whole), { ...ENV, SERVICE: 'b', POD_NAME: 'other' })).toEqual(whole);
  });
});

describe('whom it calls', () => {
  test('a component is at its Service’s name, with the namespace when that is another one', () => {
    const services = servicesOf(profile({ components: { b: { service: 'bees', namespace: 'hive', port: 80 } } }), 'a');
    expect(services.next('a')).toEqual({ host: 'a', port: 8081 });
    expect(services.next('b')).toEqual({ host: 'bees.hive', port: 80 });
    expect(services.next('c')).toBeNull();
    expect(services.known()).toBe(true);
  });

  test('a request to it goes on to the Service’s name, and is answered on any of its addresses', async () => {
    const b = await peer();
    // A Service in the caller's own namespace is called by its bare name; this one is known everywhere.
    const played = profile({ components: { b: { service: 'localhost', port: b.port } } });
    const config = { ...(await readConfig(await fileOf({ platform: played }), ENV)), port: 0 };
    const pod = await startPod(config, () => {});
    closers.push(() => pod.stop());
    for (const path of ['/health/ready', '/x']) {
      const asking = request({ host: '127.0.0.1', port: pod.port, path, agent: false }).end();
      const [response] = (await once(asking, 'response')) as [IncomingMessage];
      response.resume();
      expect(response.statusCode).toBe(200);
    }
    expect(b.connections()).toBe(1);
  });
});

describe('kept connections', () => {
  const GET = { method: 'GET', path: '/', headers: {}, body: null };
  const send = async (transport: ReturnType<typeof openTransport>, port: number): Promise<void> => {
    const { status } = await transport.send({ host: 'localhost', port }, GET, AbortSignal.timeout(5000));
    expect(status).toBe(200);
  };

  test('one that never idles is given up when it is old, so that no pod is kept for ever', async () => {
    const { port, connections } = await peer();
    const transport = openTransport(50);
    closers.push(() => transport.close());
    const another = async (): Promise<true | null> => {
      await send(transport, port);
      return connections() > 1 ? true : null;
    };
    await until('another connection', another, soon);
  });

  test('without an age they are kept for as long as they are used', async () => {
    const { port, connections } = await peer();
    const transport = openTransport();
    closers.push(() => transport.close());
    for (let n = 0; n < 50; n += 1) await send(transport, port);
    expect(connections()).toBe(1);
  });
});
