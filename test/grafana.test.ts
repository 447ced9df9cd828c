// Claims about Grafana: its datasources are found by type or by uid, and one token reaches them all.
import { describe, expect, test } from '@jest/globals';
import { mustAnswer, named } from '../src/backends.ts';
import { oneLine } from '../src/errors.ts';
import { throughGrafana } from '../src/grafana.ts';
import { type PlatformProfile, platform } from '../src/platform.ts';
import { NO_RECEIVERS } from '../src/targets/lab/config.ts';
import { type Got, listener, type Says } from './targets/lab/listener.ts';

process.env.TEST_GRAFANA = 'glsa-1';
const bearerTokenEnv = 'TEST_GRAFANA';
const shop = (backends: PlatformProfile['backends'], kubernetes: PlatformProfile['kubernetes'] = {}) =>
  platform({ name: 'shop', entry: 'web', components: { web: { endpoints: {} } }, journeys: {}, backends, kubernetes });

const json = (body: unknown): Says => ({ status: 200, type: 'application/json', body: JSON.stringify(body) });
const SOURCES = [
  { uid: 'j', name: 'Jaeger', type: 'jaeger' },
  { uid: 'p1', name: 'Prometheus', type: 'prometheus' },
  { uid: 'p2', name: 'Thanos', type: 'prometheus' },
  { uid: 'l', name: 'Loki', type: 'loki' },
  { uid: 't', name: 'Tempo', type: 'tempo' },
];
/** Grafana with a prefix, which knows its token. */
const grafana = (sources: unknown = SOURCES) =>
  listener(({ url, headers }: Got): Says => {
    if (headers.authorization !== 'Bearer glsa-1') return { status: 401, body: '{"message":"Unauthorized"}' };
    if (url === '/g/api/datasources') return json(sources);
    if (url.startsWith('/g/api/datasources/proxy/uid/j/api/v3/services')) return json({ services: [] });
    if (url.startsWith('/g/api/datasources/proxy/uid/l/loki/api/v1/query_range'))
      return json({ status: 'success', data: { resultType: 'streams', result: [] } });
    return json({ status: 'success', data: { resultType: 'matrix', result: [] } });
  });

describe('datasources', () => {
  test('are found by their type, and the one of several by its uid', async () => {
    await using one = await grafana();
    const url = `${one.url}/g`;
    const { backends } = shop({ grafana: { url, bearerTokenEnv }, prometheus: { uid: 'p2' } });
    const proxy = `${url}/api/datasources/proxy/uid`;
    expect(await throughGrafana(backends)).toEqual({
      jaeger: `${proxy}/j`,
      prometheus: `${proxy}/p2`,
      loki: `${proxy}/l`,
    });
  });

  test('that are all named are not asked for', async () => {
    await using one = await grafana();
    const { backends } = shop({ grafana: { url: one.url, bearerTokenEnv }, loki: { uid: 'l' } });
    await throughGrafana(backends, ['loki']);
    expect(one.got).toEqual([]);
  });

  test('several of one type must be named, and the line says which there are', async () => {
    await using one = await grafana();
    const { backends } = shop({ grafana: { url: `${one.url}/g`, bearerTokenEnv } });
    await expect(throughGrafana(backends)).rejects.toThrow(
      'backends.grafana has several datasources of type prometheus (p1: Prometheus, p2: Thanos): name one with backends.prometheus.uid',
    );
  });

  test.each([
    [{ hello: 1 }, bearerTokenEnv, /HTTP 200 with JSON that is not a list of datasources; .* by its uid$/],
    [SOURCES, undefined, /HTTP 401 and no credential was sent, for backends\.grafana of the profile names none/],
  ])('%j to %s is one line', async (sources, token, words) => {
    await using one = await grafana(sources);
    const { backends } = shop({ grafana: { url: `${one.url}/g`, ...(token ? { bearerTokenEnv: token } : {}) } });
    const said = await throughGrafana(backends).then(() => 'found', oneLine);
    expect(said).toMatch(words);
    expect(said).not.toContain('\n');
  });
});

describe('where a cluster’s layers are read', () => {
  test('the command line goes before the profile, and both before Grafana; what the cluster’s section places is left to it', async () => {
    await using one = await grafana();
    const profile = shop(
      {
        grafana: { url: `${one.url}/g`, bearerTokenEnv },
        jaeger: { url: 'http://j' },
        loki: { url: 'http://l', tenant: 'a' },
        hubble: { address: 'h:1' },
      },
      { backends: { prometheus: 'prometheus.observability:9090' } },
    );
    expect(await named({ loki: 'http://other:1/' }, profile)).toEqual({
      jaeger: 'http://j',
      loki: 'http://other:1',
      hubble: 'h:1',
    });
  });

  test('one token reaches them all through Grafana, and they are looked at with it before anything runs', async () => {
    await using one = await grafana(SOURCES.filter(({ uid }) => uid !== 'p2'));
    const profile = shop({ grafana: { url: `${one.url}/g`, bearerTokenEnv } });
    const reads = await named({}, profile);
    await mustAnswer({ reads, receivers: NO_RECEIVERS }, profile);
    expect(new Set(one.got.map(({ headers }) => headers.authorization))).toEqual(new Set(['Bearer glsa-1']));
    expect(one.got.some(({ url }) => url.includes('/proxy/uid/l/loki/'))).toBe(true);
  });

  test('a backend of the profile that can’t be used is told by its section', async () => {
    await using one = await listener(() => ({ status: 401, body: 'who?' }));
    const profile = shop({ loki: { url: one.url } });
    const said = await mustAnswer({ reads: await named({}, profile), receivers: NO_RECEIVERS }, profile).catch(oneLine);
    expect(said).toBe(
      `logs: backends.loki ${one.url} can't be read: HTTP 401 and no credential was sent, for backends.loki of the profile names none: who?`,
    );
  });
});
