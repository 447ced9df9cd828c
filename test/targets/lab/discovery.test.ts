import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { type Discovery, startDiscovery } from '../../../src/targets/lab/discovery.ts';

let discovery: Discovery;
const A = { ip: '198.18.1.1', port: 8080 };

beforeEach(async () => {
  discovery = await startDiscovery('127.0.0.1', ['web', 'shop']);
});
afterEach(async () => {
  await discovery[Symbol.asyncDispose]();
});

const get = async (path: string): Promise<{ status: number; body: unknown }> => {
  const { statusCode, body } = await request(`http://127.0.0.1:${discovery.port}${path}`);
  return { status: statusCode, body: await body.json() };
};

describe('service discovery', () => {
  test('knows every component from the first moment on, with nobody ready', async () => {
    expect(await get('/endpoints')).toEqual({ status: 200, body: { version: 1, components: { web: [], shop: [] } } });
    expect(await get('/endpoints/shop')).toEqual({ status: 200, body: { version: 1, endpoints: [] } });
  });

  test('gives the addresses that were set last', async () => {
    discovery.set('shop', [A, A]);
    discovery.set('shop', [A]);
    expect(await get('/endpoints/shop')).toEqual({ status: 200, body: { version: 3, endpoints: [A] } });
  });

  test('lets who knows it all wait until something changes, all of them', async () => {
    const waiting = [get('/endpoints?since=1'), get('/endpoints?since=1')];
    expect((await get('/endpoints?since=0')).body).toMatchObject({ version: 1 });
    discovery.set('web', [A]);
    for (const answer of await Promise.all(waiting))
      expect(answer.body).toEqual({ version: 2, components: { web: [A], shop: [] } });
  });

  test('answers at once who is behind', async () => {
    discovery.set('web', [A]);
    expect((await get('/endpoints?since=1')).body).toMatchObject({ version: 2 });
  });

  test('has no other components and no other pages', async () => {
    expect(await get('/endpoints/bank')).toEqual({ status: 404, body: { error: "no component 'bank'" } });
    expect((await get('/pods')).status).toBe(404);
  });

  test('ends although somebody waits', async () => {
    const waiting = get('/endpoints?since=1').catch((error: Error) => error);
    await get('/endpoints');
    await discovery[Symbol.asyncDispose]();
    expect(await waiting).toBeInstanceOf(Error);
    discovery = await startDiscovery('127.0.0.1', []);
  });
});
