import { readFile } from 'node:fs/promises';
import { ServerCredentials } from '@grpc/grpc-js';
import { describe, expect, test } from '@jest/globals';
import { mustAnswer, named, swapped } from '../src/backends.ts';
import { oneLine } from '../src/errors.ts';
import { platform } from '../src/platform.ts';
import { NO_RECEIVERS } from '../src/targets/lab/config.ts';
import { startFlowObserver } from '../src/targets/lab/flow-observer.ts';
import { startLogStore } from '../src/targets/lab/log-store.ts';
import { startTraceStore } from '../src/targets/lab/trace-store.ts';
import { certificates } from './helpers/certificates.ts';
import { relay } from './layers/flows/relay.ts';
import { HTML, listener, NOBODY, type Says } from './targets/lab/listener.ts';

const BARE = { name: 'shop', entry: 'web', components: { web: { endpoints: {} } }, journeys: {} };
const SHOP = platform(BARE);
const HOST = '127.0.0.1';

const complaint = (given: Parameters<typeof swapped>[0]): Promise<string> =>
  mustAnswer(swapped(given), SHOP).then(() => 'none', oneLine);

describe('the options', () => {
  test('that name nothing swap nothing', () => {
    const receivers = { otlp: null, loki: null, prometheus: null, alertmanager: null };
    expect(swapped({})).toEqual({ reads: {}, receivers });
  });

  test.each([
    ['http://traces.example:16686/jaeger/', 'http://traces.example:4318'],
    ['https://traces.example', 'https://traces.example:4318'],
    ['http://[::1]:16686', 'http://[::1]:4318'],
  ])('--jaeger %s sends spans to %s unless told', (jaeger, otlp) => {
    expect(swapped({ jaeger }).receivers.otlp).toBe(otlp);
    expect(swapped({ jaeger, otlp: 'http://other:1/' }).receivers.otlp).toBe('http://other:1');
  });

  test('each swap where a layer is read, and where it is sent to; Hubble is only read', () => {
    const given = { loki: 'http://l:1/', prometheus: 'http://p:1/prom', alertmanager: 'http://a:1', hubble: 'h:1' };
    const sent = { loki: 'http://l:1', prometheus: 'http://p:1/prom', alertmanager: 'http://a:1' };
    expect(swapped(given)).toEqual({ reads: { ...sent, hubble: 'h:1' }, receivers: { ...sent, otlp: null } });
  });

  test.each([
    [{ loki: 'localhost:3100' }, /^--loki localhost:3100: must be an http or https URL/],
    [{ prometheus: 'http://p/?x=1' }, /^--prometheus .*without a query/],
    [{ hubble: 'http://h:1/' }, /^--hubble http:\/\/h:1\/: must be host:port.*, or a file of recorded flows/],
    [{ loki: 'http://ann:s3cret@l:1' }, /^--loki http:\/\/…@l:1: must not carry a user or password/],
    [{ loki: 'http://l:1?key=s3cret' }, /^--loki http:\/\/l:1\?…: must be an http or https URL without a query/],
    [{ otlp: 'http://o:4318' }, /^--otlp http:\/\/o:4318: say with --jaeger/],
  ])('%j is told before anything is tried', (given, words) => {
    expect(() => swapped(given)).toThrow(words);
    expect(() => swapped(given)).not.toThrow('s3cret');
  });

  test.each(['h:4245', 'flows.ndjson', 'flows.json.gz', 'not/there/yet.jsonl', 'package.json'])(
    '--hubble %s is an address or a file of recorded flows',
    (hubble) => expect(swapped({ hubble }).reads).toEqual({ hubble }),
  );
});

const json = (body: unknown): Says => ({ status: 200, type: 'application/json', body: JSON.stringify(body) });
const MATRIX = json({ status: 'success', data: { resultType: 'matrix', result: [] } });
const writes = (write: Says) => listener(({ url }) => (url === '/api/v1/write' ? write : MATRIX));

describe('before a drill', () => {
  test('backends that can be read and sent to are fine, and keep nothing of the question', async () => {
    await using traces = await startTraceStore({ host: HOST, port: 0, maxSpans: 10 });
    await using logs = await startLogStore({ host: HOST, port: 0, maxBytes: 1000 });
    await using metrics = await writes({ status: 204 });
    await using alerts = await listener(() => json([]));
    const given = {
      jaeger: traces.url,
      otlp: traces.url,
      loki: logs.url,
      prometheus: metrics.url,
      alertmanager: alerts.url,
    };
    expect(await complaint(given)).toBe('none');
    expect(logs.held().lines).toBe(0);
    expect(traces.counts()).toMatchObject({ spans: 0 });
  });

  test('a Hubble that has seen no flow yet is fine', async () => {
    const place = { node: 'n', namespace: 'shop', cluster: 'c', describe: () => null };
    await using flows = await startFlowObserver({ host: HOST, port: 0, capacity: 10, ...place });
    expect(await complaint({ hubble: flows.address })).toBe('none');
  }, 15_000);

  test('a Hubble behind TLS is read with the certificates that the profile names, and not without', async () => {
    const name = 'instance.hubble-relay.cilium.io';
    await using made = await certificates('*.hubble-relay.cilium.io');
    const [ca, cert_chain, private_key] = await Promise.all(
      [made.ca, made.server.cert, made.server.key].map((file) => readFile(file)),
    );
    const secured = ServerCredentials.createSsl(ca!, [{ cert_chain: cert_chain!, private_key: private_key! }], true);
    await using flows = await relay({ credentials: secured });
    const tls = { caFile: made.ca, certFile: made.client.cert, keyFile: made.client.key, serverName: name };
    const complain = async (more: object) => {
      const profile = platform({ ...BARE, backends: { hubble: { address: flows.address, ...more } } });
      const reads = await named({}, profile);
      return mustAnswer({ reads, receivers: NO_RECEIVERS }, profile).then(() => 'none', oneLine);
    };
    expect(await complain({ tls })).toBe('none');
    expect(await complain({})).toMatch(/^flows: backends\.hubble 127\.0\.0\.1:\d+ can't be read: /);
  }, 30_000);

  test.each([
    ['jaeger', 'traces'],
    ['loki', 'logs'],
    ['prometheus', 'metrics'],
    ['alertmanager', 'alerts'],
  ])('a web page in place of --%s is told once, in one line, with layer and URL', async (option, layer) => {
    await using page = await listener(() => HTML);
    const said = await complaint({ [option]: page.url, ...(option === 'jaeger' ? { otlp: page.url } : {}) });
    expect(said).toMatch(new RegExp(`^${layer}: --${option} ${page.url} can't be read: .*HTML instead of JSON`));
    expect(said.split(`--${option}`)).toHaveLength(2);
  });

  test.each([
    ['loki', 'logs'],
    ['prometheus', 'metrics'],
    ['alertmanager', 'alerts'],
    ['jaeger', 'traces'],
  ])('nobody at --%s is told with the reason', async (option, layer) => {
    expect(await complaint({ [option]: NOBODY })).toMatch(
      new RegExp(`^${layer}: --${option} ${NOBODY} .*ECONNREFUSED`),
    );
  });

  test('nobody at --hubble is told with the reason', async () => {
    expect(await complaint({ hubble: '127.0.0.1:1' })).toMatch(
      /^flows: --hubble 127\.0\.0\.1:1 can't be read: .*ECONNREFUSED/,
    );
  });

  test('a Prometheus that takes no remote write is told how to take it', async () => {
    await using metrics = await writes({ status: 404, body: 'remote write receiver needs to be enabled' });
    expect(await complaint({ prometheus: metrics.url })).toBe(
      `metrics: --prometheus ${metrics.url} can't be sent to: POST /api/v1/write: it takes no remote write (HTTP 404); start that Prometheus with --web.enable-remote-write-receiver`,
    );
  });

  test('a Jaeger whose query port is taken for its OTLP port is told', async () => {
    await using traces = await startTraceStore({ host: HOST, port: 0, maxSpans: 10 });
    await using query = await listener(() => ({ status: 405, body: 'method not allowed' }));
    expect(await complaint({ jaeger: traces.url, otlp: query.url })).toBe(
      `traces: --otlp ${query.url} can't be sent to: POST /v1/traces: HTTP 405 method not allowed`,
    );
  });

  test('a file of recorded flows that is not there is told; one that is there is fine, however old', async () => {
    expect(await complaint({ hubble: 'not/there.ndjson' })).toMatch(
      /^flows: --hubble not\/there\.ndjson can't be read: .*ENOENT/,
    );
    expect(await complaint({ hubble: 'package.json' })).toBe('none');
  });

  test('what is sent and what is read carry the profile’s credentials; spans those of its Jaeger', async () => {
    process.env.TEST_TOKEN = 'tok-1';
    await using logs = await listener(() => json({ data: { resultType: 'streams', result: [] } }));
    await using traces = await listener(() => json({ services: [] }));
    const bearerTokenEnv = 'TEST_TOKEN';
    const backends = { loki: { tenant: 'a', bearerTokenEnv }, jaeger: { tenant: 'b', bearerTokenEnv } };
    const profile = platform({ ...BARE, backends });
    await mustAnswer(swapped({ loki: logs.url, jaeger: traces.url, otlp: traces.url }), profile);
    const shown = (got: typeof logs.got) =>
      got.map(({ method, headers }) => [
        method,
        headers.authorization,
        headers['x-scope-orgid'] ?? headers['x-tenant'],
      ]);
    expect(shown(logs.got)).toEqual(['GET', 'POST'].map((method) => [method, 'Bearer tok-1', 'a']));
    expect(shown(traces.got)).toEqual(['GET', 'POST'].map((method) => [method, 'Bearer tok-1', 'b']));
  });

  test('two that can’t be used are both told', async () => {
    const said = await complaint({ loki: NOBODY, alertmanager: NOBODY });
    expect(said).toMatch(/^logs: --loki .*; alerts: --alertmanager [^\n]*$/);
  });
});
