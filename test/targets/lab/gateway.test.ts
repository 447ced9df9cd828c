import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { Client } from 'undici';
import { until } from '../../../src/poll.ts';
import { NO_RECEIVERS, type Receivers } from '../../../src/targets/lab/config.ts';
import { entrance, portOf } from '../../../src/targets/lab/forward.ts';
import { type Accesses, accessesOf, startGateway } from '../../../src/targets/lab/gateway.ts';
import { temporary } from './backends.ts';
import { listener, NOBODY } from './listener.ts';

/** A gateway, the entrance that leads to it, and what it said. */
const gateway = async (receivers: Partial<Receivers>, accesses: Accesses = {}) => {
  const dir = await temporary();
  const said: string[] = [];
  const socket = join(dir.path, 'out.sock');
  const far = await startGateway(socket, { ...NO_RECEIVERS, ...receivers }, (line) => said.push(line), accesses);
  const near = await entrance('127.0.0.1', 0, socket, null);
  const client = new Client(`http://127.0.0.1:${portOf(near)}`);
  const post = async (path: string, body: string, headers: Record<string, string> = {}) => {
    const answer = await client.request({ method: 'POST', path, body, headers });
    return { status: answer.statusCode, text: await answer.body.text() };
  };
  const end = async (): Promise<void> => {
    await client.destroy();
    near.close();
    await far[Symbol.asyncDispose]();
    await dir[Symbol.asyncDispose]();
  };
  return { post, port: portOf(near), said, end, [Symbol.asyncDispose]: end };
};

describe('a delivery to a real backend', () => {
  test('arrives byte for byte under the base path of its URL, with the host that the URL names', async () => {
    await using backend = await listener(() => ({ status: 200, body: 'taken' }));
    await using out = await gateway({ otlp: `${backend.url}/collector` });
    const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'gzip' };
    expect(await out.post('/otlp/v1/traces?a=b', '\0\u0001bytes', headers)).toEqual({ status: 200, text: 'taken' });
    const [got] = backend.got;
    expect(got).toMatchObject({ method: 'POST', url: '/collector/v1/traces?a=b', headers });
    expect(got!.headers.host).toBe(new URL(backend.url).host);
    expect(got!.body.toString()).toBe('\0\u0001bytes');
  });

  test('carries the profile’s credential, which is not said though the backend repeats it', async () => {
    process.env.TEST_TOKEN = 'tok-1';
    await using backend = await listener(({ headers }) => ({ status: 403, body: `no ${headers.authorization}` }));
    const receivers = { ...NO_RECEIVERS, otlp: backend.url };
    const jaeger = { headers: {}, tenant: 'shop', bearerTokenEnv: 'TEST_TOKEN' };
    await using out = await gateway(receivers, accessesOf({ jaeger }, receivers));
    expect(await out.post('/otlp/v1/traces', 'x')).toEqual({ status: 403, text: 'no Bearer …' });
    expect(backend.got[0]!.headers).toMatchObject({ authorization: 'Bearer tok-1', 'x-tenant': 'shop' });
    await out.end();
    expect(out.said).toEqual([`${backend.url} did not take a delivery: HTTP 403 no Bearer …`]);
  });

  test('that is refused goes back to its sender as it was, and is counted', async () => {
    await using backend = await listener(() => ({ status: 429, body: 'slow down\nplease' }));
    await using out = await gateway({ prometheus: backend.url });
    for (let n = 0; n < 3; n++)
      expect(await out.post('/prometheus/api/v1/write', 'x')).toEqual({ status: 429, text: 'slow down\nplease' });
    await out.end();
    expect(out.said).toEqual([
      `${backend.url} did not take a delivery: HTTP 429 slow down please`,
      `${backend.url} did not take 2 deliveries: HTTP 429 slow down please`,
      `${backend.url} did not take 3 deliveries: HTTP 429 slow down please`,
    ]);
  });

  test('that reaches nobody is a 502, after which its sender tries again', async () => {
    await using out = await gateway({ alertmanager: NOBODY });
    expect(await out.post('/alertmanager/api/v2/alerts', '[]')).toMatchObject({ status: 502 });
    expect(out.said).toEqual([expect.stringMatching(/^\S+ did not take a delivery: HTTP 502 .*ECONNREFUSED/)]);
  });

  test('that the lab’s end cuts off is nobody’s failure', async () => {
    let asked: () => void = () => undefined;
    const arrived = new Promise<void>((resolve) => {
      asked = resolve;
    });
    await using silent = createServer(() => asked());
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    await using out = await gateway({ otlp: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` });
    const cut = out.post('/otlp/v1/traces', 'x').catch(() => 'cut off');
    await arrived;
    await out.end();
    silent.closeAllConnections();
    expect(await cut).toBe('cut off');
    expect(out.said).toEqual([]);
  });

  test('to whom nobody swapped in, or to no name at all, goes nowhere', async () => {
    await using backend = await listener(() => ({ status: 200 }));
    await using out = await gateway({ otlp: backend.url });
    expect((await out.post('/loki/loki/api/v1/push', '{}')).status).toBe(404);
    expect((await out.post('/', '')).status).toBe(404);
    expect(backend.got).toEqual([]);
  });

  test('whose sender is killed in the middle of it is nobody’s failure', async () => {
    await using backend = await listener(() => ({ status: 200 }));
    await using out = await gateway({ otlp: backend.url });
    const sender = connect(out.port, '127.0.0.1');
    sender.write('POST /otlp/v1/traces HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nhalf');
    await new Promise((resolve) => sender.once('ready', resolve));
    sender.resetAndDestroy();
    expect((await out.post('/otlp/v1/traces', 'whole')).status).toBe(200);
    await until('the whole one', () => (backend.got.length > 0 ? true : null), { forMs: 5000, everyMs: 10 });
    expect(backend.got.map(({ body }) => body.toString())).toEqual(['whole']);
    expect(out.said).toEqual([]);
  });
});
