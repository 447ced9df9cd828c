// Claims about credentials: they are sent as the profile names them, to whom they belong, and a value is never shown.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { BackendsSection, ClientSection } from '../src/access.ts';
import { getJson } from '../src/connection.ts';
import { access, accessTo, mustBeReadable, proxyUrl } from '../src/credentials.ts';
import { oneLine, Unreachable, Usage } from '../src/errors.ts';
import { type PlatformProfile, platform } from '../src/platform.ts';
import { type Certificates, certificates } from './helpers/certificates.ts';
import { listener } from './targets/lab/listener.ts';

const never = new AbortController().signal;
let folder = '';
const file = async (name: string, text: string): Promise<string> => {
  await writeFile(join(folder, name), text);
  return join(folder, name);
};
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'credentials-'));
  Object.assign(process.env, { TEST_TOKEN: 'tok-1', TEST_PASSWORD: 'pa:ss wörd', TEST_EMPTY: '' });
});
afterAll(() => rm(folder, { recursive: true }));

const section = (backends: PlatformProfile['backends']): BackendsSection =>
  platform({ name: 'shop', entry: 'web', components: { web: { endpoints: {} } }, journeys: {}, backends }).backends;
const sentBy = async (client: Partial<ClientSection>) =>
  (await access('backends.loki', { headers: {}, ...client }).sent()).headers;

describe('what is sent', () => {
  test('a bearer token from the environment, or from a file without its line end', async () => {
    expect(await sentBy({ bearerTokenEnv: 'TEST_TOKEN' })).toEqual({ authorization: 'Bearer tok-1' });
    const bearerTokenFile = await file('token', 'tok-2\n');
    expect(await sentBy({ bearerTokenFile })).toEqual({ authorization: 'Bearer tok-2' });
  });

  test('a token that has been renewed in its file', async () => {
    const bearerTokenFile = await file('renewed', 'old');
    const one = access('backends.loki', { headers: {}, bearerTokenFile });
    await one.sent();
    await file('renewed', 'new');
    expect((await one.sent()).headers).toEqual({ authorization: 'Bearer new' });
  });

  test('a user and a password, in UTF-8', async () => {
    const { authorization } = await sentBy({ basicAuth: { user: 'ann', passwordEnv: 'TEST_PASSWORD' } });
    expect(Buffer.from(authorization!.replace('Basic ', ''), 'base64').toString()).toBe('ann:pa:ss wörd');
  });

  test('headers, as text and from where a secret is', async () => {
    const key = await file('key', 'k-1');
    expect(await sentBy({ headers: { 'X-Team': 'shop', 'X-Api-Key': { file: key } } })).toEqual({
      'x-team': 'shop',
      'x-api-key': 'k-1',
    });
  });

  test('the tenant: x-tenant to Jaeger, X-Scope-OrgID to the others', async () => {
    const it = section({ jaeger: { tenant: 'a' }, loki: { tenant: 'b' }, prometheus: { tenant: 'c' } });
    const to = async (name: 'jaeger' | 'loki' | 'prometheus') => (await accessTo(it, name, 'http://h').sent()).headers;
    expect([await to('jaeger'), await to('loki'), await to('prometheus')]).toEqual([
      { 'x-tenant': 'a' },
      { 'x-scope-orgid': 'b' },
      { 'x-scope-orgid': 'c' },
    ]);
  });

  test("through Grafana its credential and the backend's tenant; elsewhere never Grafana's credential", async () => {
    const grafana = { url: 'https://grafana.example/g/', bearerTokenEnv: 'TEST_TOKEN' };
    const it = section({ grafana, loki: { tenant: 'b' } });
    const through = accessTo(it, 'loki', proxyUrl(it.grafana!.url, 'uid-1'));
    expect((await through.sent()).headers).toEqual({ authorization: 'Bearer tok-1', 'x-scope-orgid': 'b' });
    for (const url of ['https://loki.example', 'https://grafana.example/g.evil/api/datasources/proxy/uid/x'])
      expect((await accessTo(it, 'loki', url).sent()).headers).toEqual({ 'x-scope-orgid': 'b' });
  });

  test('over the wire, with each question', async () => {
    await using backend = await listener(() => ({ status: 200, body: '{}' }));
    const { loki } = section({ loki: { tenant: 'b', bearerTokenEnv: 'TEST_TOKEN' } });
    await getJson(`${backend.url}/x`, never, accessTo({ loki }, 'loki', backend.url));
    expect(backend.got[0]!.headers).toMatchObject({ authorization: 'Bearer tok-1', 'x-scope-orgid': 'b' });
  });
});

describe('a secret that can’t be read is told by its place', () => {
  test.each([
    [{ bearerTokenEnv: 'TEST_NOT_THERE' }, /^backends\.loki: the environment has no \$TEST_NOT_THERE$/],
    [{ bearerTokenEnv: 'TEST_EMPTY' }, /^backends\.loki: \$TEST_EMPTY is empty$/],
    [{ bearerTokenFile: '/not/there' }, /^backends\.loki: .*ENOENT.*\/not\/there/],
    [{ headers: { 'X-Key': { env: 'TEST_NOT_THERE' } } }, /^backends\.loki\.headers\.X-Key: the environment has no/],
  ] as [Partial<ClientSection>, RegExp][])('%j', async (client, words) => {
    const error = await sentBy(client).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(Unreachable);
    expect(oneLine(error)).toMatch(words);
  });

  test('one that no header can carry is not shown', async () => {
    const bearerTokenFile = await file('two-lines', 'first\r\nsecond');
    const said = await sentBy({ bearerTokenFile }).catch(oneLine);
    expect(said).toMatch(/two-lines has characters that can't be sent in a header$/);
    expect(said).not.toContain('second');
  });

  test('all of a profile’s at once, before anything runs', async () => {
    const backends = section({ jaeger: { bearerTokenEnv: 'TEST_NOT_THERE' }, loki: { bearerTokenFile: '/not/there' } });
    const said = await mustBeReadable(backends).catch((thrown: unknown) => thrown);
    expect(said).toBeInstanceOf(Usage);
    expect(oneLine(said)).toMatch(/^backends\.jaeger: .*; backends\.loki: /);
    await mustBeReadable(section({ jaeger: { bearerTokenEnv: 'TEST_TOKEN' } }));
  });
});

describe('the profile’s section', () => {
  const refused = (backends: unknown): string => {
    try {
      section(backends as PlatformProfile['backends']);
      return 'taken';
    } catch (error) {
      expect(error).toBeInstanceOf(Usage);
      return oneLine(error).replace("platform 'shop': ", '');
    }
  };

  test.each([
    [{ loki: { url: 'localhost:3100' } }, /^backends\.loki\.url: must be an http or https URL/],
    [
      { loki: { url: 'http://ann:s3cret@loki' } },
      /^backends\.loki\.url: must not carry a user or password: say them in basicAuth/,
    ],
    [
      { loki: { bearerToken: 's3cret' } },
      /^backends\.loki: has no bearerToken; secrets are named by a file or an environment/,
    ],
    [
      { loki: { basicAuth: { user: 'ann', password: 's3cret' } } },
      /^backends\.loki\.basicAuth: has no password; secrets are named/,
    ],
    [
      { loki: { headers: { Authorization: 's3cret' } } },
      /^backends\.loki\.headers\.Authorization: a secret is not written in a profile/,
    ],
    [
      { loki: { headers: { 'bad header': 'x' } } },
      /^backends\.loki\.headers\.bad header: is not the name of a header$/,
    ],
    [
      { loki: { bearerTokenEnv: 'A', bearerTokenFile: 'b' } },
      /^backends\.loki: has bearerTokenFile and bearerTokenEnv: keep one/,
    ],
    [{ loki: { basicAuth: { user: 'ann' } } }, /^backends\.loki\.basicAuth: needs one of passwordFile and passwordEnv/],
    [{ jaeger: { certFile: 'a.pem' } }, /^backends\.jaeger: certFile and keyFile go together/],
    [{ hubble: { address: 'http://h:1/' } }, /^backends\.hubble\.address: must be host:port/],
    [{ hubble: { tls: {} } }, /^backends\.hubble\.tls\.caFile: /],
    [{ tempo: {} }, /^backends: .*tempo/],
  ])('%j is told with its place', (backends, words) => {
    expect(refused(backends)).toMatch(words);
    expect(refused(backends)).not.toContain('s3cret');
  });

  test('a URL is kept with its path prefix and without a slash at its end', () => {
    expect(section({ loki: { url: 'https://h/loki/' } }).loki!.url).toBe('https://h/loki');
  });

  test('a backend that is placed twice is told', () => {
    const twice = {
      name: 'shop',
      entry: 'web',
      components: { web: { endpoints: {} } },
      journeys: {},
      kubernetes: { backends: { loki: 'loki.observability:3100' } },
    };
    expect(() => platform({ ...twice, backends: { loki: { url: 'http://l' } } })).toThrow(
      "platform 'shop': backends.loki and kubernetes.backends.loki both say where it is: keep one of them",
    );
    expect(platform({ ...twice, backends: { loki: { tenant: 'a' } } }).backends.loki).toMatchObject({ tenant: 'a' });
  });
});

describe('TLS', () => {
  let made: Certificates;
  const SERVER = 'jaeger.shop.example';
  beforeAll(async () => {
    made = await certificates(SERVER);
  });
  afterAll(async () => made[Symbol.asyncDispose]());

  /** A server that says whom it talks with, and lets nobody in who shows no certificate. */
  const serving = async () => {
    const [ca, cert, key] = await Promise.all([made.ca, made.server.cert, made.server.key].map((one) => readFile(one)));
    const server = createServer(
      { ca: ca!, cert: cert!, key: key!, requestCert: true, rejectUnauthorized: true },
      (request, response) => {
        const { subject } = (request.socket as TLSSocket).getPeerCertificate();
        response.end(JSON.stringify({ client: subject.CN }));
      },
    );
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return {
      url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
      [Symbol.asyncDispose]: () =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    };
  };
  const ask = async (tls: Partial<ClientSection>) => {
    await using server = await serving();
    return await getJson(server.url, never, access('backends.jaeger', { headers: {}, ...tls })).then(
      ({ body }) => body,
      oneLine,
    );
  };
  const shown = () => ({ certFile: made.client.cert, keyFile: made.client.key });

  test('a server that demands a certificate sees the one that the section names', async () => {
    expect(await ask({ caFile: made.ca, serverName: SERVER, ...shown() })).toEqual({ client: 'client' });
  });

  test('an authority that is not known is told, with what to name', async () => {
    expect(await ask({ serverName: SERVER, ...shown() })).toMatch(
      /^no answer: .*certificate.* \(caFile names who signed/,
    );
    expect(await ask({ caFile: made.otherCa, serverName: SERVER, ...shown() })).toMatch(/\(caFile names who signed/);
  });

  test('a certificate with another name is told, with what to name', async () => {
    expect(await ask({ caFile: made.ca, ...shown() })).toMatch(
      /^no answer: .*127\.0\.0\.1.*\(serverName says which name is in/,
    );
  });

  test('a demanded certificate that is not there is told, with what to name', async () => {
    expect(await ask({ caFile: made.ca, serverName: SERVER })).toMatch(
      /^no answer: .* \(if it demands a certificate, certFile and keyFile name one\)$/,
    );
  });

  test('PEM files that are none are bad usage, with their place', async () => {
    const text = await file('ca.txt', 'hello');
    const use = (client: Partial<ClientSection>) => () => access('backends.jaeger', { headers: {}, ...client });
    expect(use({ caFile: text })).toThrow(/^backends\.jaeger\.caFile: .*ca\.txt is not a PEM file$/);
    expect(use({ caFile: join(folder, 'none') })).toThrow(/^backends\.jaeger\.caFile: .*ENOENT/);
    expect(use({ certFile: made.client.cert, keyFile: made.server.key })).toThrow(
      /^backends\.jaeger: its certificate and key can't be used: .*key values mismatch/,
    );
  });
});
