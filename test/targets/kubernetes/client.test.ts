import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { PatchStrategy, setHeaderOptions } from '@kubernetes/client-node';
import { Unreachable, Usage } from '../../../src/errors.ts';
import { until } from '../../../src/poll.ts';
import { run } from '../../../src/process.ts';
import { openCluster } from '../../../src/targets/kubernetes/client.ts';
import { Refused } from '../../../src/targets/kubernetes/cluster.ts';
import { PATIENCE } from '../../../src/targets/kubernetes/wire.ts';
import { failure, json, kubeconfigOf, mockApi, opened, rejection } from './mock-api.ts';

const audit = (): void => {};
const NETWORK_POLICY = { metadata: { name: 'p' }, spec: { podSelector: {} } };

describe('typed calls', () => {
  test('carry the kubeconfig’s token and come back as objects', async () => {
    await using it = await opened({
      http: (request, response) =>
        json(response, 200, { kind: 'PodList', items: [{ metadata: { name: request.headers.authorization } }] }),
    });
    const { items } = await it.cluster.core.listNamespacedPod({ namespace: 'shop' });
    expect(items[0]?.metadata?.name).toBe('Bearer secret');
    expect(it.touches).toEqual([]);
  });

  test('fifty in a row use the same connections again', async () => {
    await using it = await opened({ http: (_, response) => json(response, 200, { items: [] }) });
    for (let n = 0; n < 50; n++) await it.cluster.core.listNamespacedPod({ namespace: 'shop' });
    // undici gives a connection back a moment after its answer has been read, so that a second one comes in turn.
    expect(it.mock.connections.made).toBeLessThanOrEqual(2);
  });

  test('fifty at once use eight connections at most', async () => {
    await using it = await opened({ http: (_, response) => json(response, 200, { items: [] }) });
    await Promise.all(Array.from({ length: 50 }, () => it.cluster.core.listNamespacedPod({ namespace: 'shop' })));
    expect(it.mock.connections.made).toBeLessThanOrEqual(8);
  });

  test('that change something are told to the audit, with what came of it; dry runs and reviews are not', async () => {
    await using it = await opened({
      http: ({ method }, response) =>
        method === 'DELETE'
          ? json(response, 409, JSON.parse(failure(409, 'the uid is another one').body))
          : json(response, 201, { metadata: { name: 'made' } }),
    });
    const { core, networking, authorization } = it.cluster;
    await networking.createNamespacedNetworkPolicy({ namespace: 'shop', body: NETWORK_POLICY });
    await networking.createNamespacedNetworkPolicy({ namespace: 'shop', body: NETWORK_POLICY, dryRun: 'All' });
    await authorization.createSelfSubjectAccessReview({ body: { spec: {} } });
    await rejection(core.deleteNamespacedPod({ namespace: 'shop', name: 'a' }));
    const at = expect.any(BigInt);
    expect(it.touches).toEqual([
      { at, verb: 'create', resource: 'networkpolicies', namespace: 'shop', name: 'made', status: 201 },
      { at, verb: 'delete', resource: 'pods', namespace: 'shop', name: 'a', status: 409 },
    ]);
  });

  test('keep the content type of a patch and the grace and precondition of a deletion', async () => {
    await using it = await opened({ http: (_, response) => json(response, 200, {}) });
    const { core } = it.cluster;
    await core.patchNamespacedPodEphemeralcontainers(
      { namespace: 'shop', name: 'a', body: { spec: { ephemeralContainers: [] } } },
      setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch),
    );
    await core.deleteNamespacedPod({
      namespace: 'shop',
      name: 'a',
      gracePeriodSeconds: 0,
      body: { preconditions: { uid: 'u' } },
    });
    const [patch, deletion] = it.mock.requests.slice(-2);
    expect(patch?.headers['content-type']).toBe('application/strategic-merge-patch+json');
    expect(deletion?.url.searchParams.get('gracePeriodSeconds')).toBe('0');
    expect(JSON.parse(deletion!.body)).toMatchObject({ preconditions: { uid: 'u' } });
    expect(it.touches.map(({ verb, resource }) => [verb, resource])).toEqual([
      ['patch', 'pods/ephemeralcontainers'],
      ['delete', 'pods'],
    ]);
  });

  test('that the server refuses reject with its status and words, on one line', async () => {
    await using it = await opened({
      http: (_, response) => json(response, 403, JSON.parse(failure(403, 'User "me" cannot delete pods').body)),
    });
    const error = await rejection(it.cluster.core.deleteNamespacedPod({ namespace: 'shop', name: 'a' }));
    expect(error).toBeInstanceOf(Refused);
    expect(error.status).toBe(403);
    expect(error.message).toBe(
      'kubernetes: can\'t delete pods a in namespace shop: User "me" cannot delete pods (HTTP 403); firedrill rbac prints the Role that is needed',
    );
  });

  test('that nobody answers end in their time, and are told to the audit as unanswered', async () => {
    await using it = await opened({ http: () => {} }, { callMs: 100 });
    const error = await rejection(it.cluster.core.deleteNamespacedPod({ namespace: 'shop', name: 'a' }));
    expect(error).toBeInstanceOf(Unreachable);
    expect(error).not.toBeInstanceOf(Refused);
    expect(error.message).toMatch(/^kubernetes: no answer from http:\S+: it took too long$/);
    expect(it.touches[0]?.status).toBeNull();
  });

  test('whose answer stops half way end in their time too', async () => {
    await using it = await opened(
      {
        http: (_, response) => void response.writeHead(200, { 'content-type': 'application/json' }).write('{"items":'),
      },
      { callMs: 100 },
    );
    expect((await rejection(it.cluster.core.listNamespacedPod({ namespace: 'a' }))).message).toContain(
      'it took too long',
    );
  });

  test.each([
    ['half a JSON', 'application/json', '{"items": ['],
    ['an HTML page', 'text/html', '<html>Log in</html>'],
  ])('that are answered with %s are unanswered', async (_, type, body) => {
    await using it = await opened({
      http: (_, response) => void response.writeHead(200, { 'content-type': type }).end(body),
    });
    const error = await rejection(it.cluster.core.listNamespacedPod({ namespace: 'a' }));
    expect(error).toBeInstanceOf(Unreachable);
    expect(error.message).toContain('is no API server: it answers /api/v1/namespaces/a/pods with');
  });

  test('whose connection breaks are unanswered', async () => {
    await using it = await opened({ http: (_, response) => response.destroy() });
    const error = await rejection(it.cluster.core.listNamespacedPod({ namespace: 'a' }));
    expect(error.message).toMatch(/no answer from http:\S+: connection closed; is the cluster up/);
  });

  test('logs of a container come as text', async () => {
    await using it = await opened({
      http: (_, response) => void response.writeHead(200, { 'content-type': 'text/plain' }).end('one\ntwo\n'),
    });
    expect(await it.cluster.core.readNamespacedPodLog({ namespace: 'a', name: 'p' })).toBe('one\ntwo\n');
  });

  test('tell how far the server’s clock is from ours', async () => {
    const date = new Date(Date.now() + 3_600_000).toUTCString();
    await using it = await opened({ http: (_, response) => json(response, 200, { items: [] }, { date }) });
    expect(Math.abs(it.cluster.skewMs()!)).toBeLessThanOrEqual(1000);
    await it.cluster.core.listNamespacedPod({ namespace: 'a' });
    expect(Math.abs(it.cluster.skewMs()! - 3_600_000)).toBeLessThanOrEqual(1000);
  });

  test('after the end are refused here, and leave no connection behind', async () => {
    await using it = await opened({ http: (_, response) => json(response, 200, { items: [] }) });
    await it.cluster.core.listNamespacedPod({ namespace: 'a' });
    await it.cluster[Symbol.asyncDispose]();
    expect((await rejection(it.cluster.core.listNamespacedPod({ namespace: 'a' }))).message).toContain('is closed');
    await until('no connection is left', () => (it.mock.connections.open === 0 ? true : null), {
      forMs: 2000,
      everyMs: 10,
    });
  });
});

describe('opening a cluster', () => {
  const open = (server: string, user: object, folder: string, callMs = 5000) =>
    openCluster({ kubeconfig: kubeconfigOf(folder, server, user), audit, patience: { ...PATIENCE, callMs } });

  test('says that a token is refused, whose and where', async () => {
    await using mock = await mockApi({
      http: (_, response) => json(response, 401, JSON.parse(failure(401, 'Unauthorized').body)),
    });
    const error = await rejection(open(mock.url, { token: 'old' }, mock.folder));
    expect(error.status).toBe(401);
    expect(error.message).toMatch(
      /Unauthorized \(HTTP 401\); the server does not take the credentials of context here of \//,
    );
  });

  test('says that nobody listens there', async () => {
    await using mock = await mockApi();
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port } = free.address() as AddressInfo;
    free.close();
    await once(free, 'close');
    const error = await rejection(open(`https://127.0.0.1:${port}`, {}, mock.folder));
    expect(error).toBeInstanceOf(Unreachable);
    expect(error.message).toContain('ECONNREFUSED; is the cluster up');
  });

  test.each([
    ['a web server’s page', 200, '<html>hello</html>'],
    ['another page', 404, '<html>not found</html>'],
    ['some other JSON', 200, '{"name":"grafana"}'],
    ['nothing', 200, ''],
  ])('says that it is no API server when it answers with %s', async (_, status, body) => {
    await using mock = await mockApi({ http: (_, response) => void response.writeHead(status).end(body) });
    const error = await rejection(open(mock.url, {}, mock.folder));
    expect(error).toBeInstanceOf(Unreachable);
    expect(error.message).toContain(`${mock.url} is no API server`);
  });

  test('gives up on a server that takes the connection and says nothing', async () => {
    await using mock = await mockApi({ http: () => {} });
    expect((await rejection(open(mock.url, {}, mock.folder, 100))).message).toContain('it took too long');
  });

  test('says that http is spoken where https was meant', async () => {
    await using mock = await mockApi();
    const error = await rejection(open(mock.url.replace('http:', 'https:'), {}, mock.folder));
    expect(error.message).toContain('it does not speak TLS; is its URL http://?');
  });

  test('says that a login program is not installed', async () => {
    await using mock = await mockApi();
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'no-such-login', interactiveMode: 'Never' };
    const error = await rejection(open(mock.url, { exec }, mock.folder));
    expect(error).toBeInstanceOf(Usage);
    expect(error.message).toMatch(
      /logs in with the program 'no-such-login', which can't be started \(ENOENT\): install it$/,
    );
  });

  test('says what a login program complains about, and waits for none for ever', async () => {
    await using mock = await mockApi();
    const failing = { command: 'sh', args: ['-c', 'echo session expired >&2; exit 1'] };
    const error = await rejection(open(mock.url, { exec: failing }, mock.folder));
    expect(error).toBeInstanceOf(Unreachable);
    expect(error.message).toContain("can't log in: session expired");
    const stuck = { command: 'sh', args: ['-c', 'exec sleep 1'] };
    expect((await rejection(open(mock.url, { exec: stuck }, mock.folder, 100))).message).toContain(
      'no credentials within 0.1 s',
    );
  });

  test('uses the token that a login program gives', async () => {
    await using mock = await mockApi();
    const credential = JSON.stringify({ kind: 'ExecCredential', status: { token: 'fresh' } });
    await using cluster = await open(mock.url, { exec: { command: 'printf', args: ['%s', credential] } }, mock.folder);
    expect(cluster.context).toBe('here');
    expect(mock.requests[0]?.headers.authorization).toBe('Bearer fresh');
  });

  test('reads a token file, which may end with a line break', async () => {
    await using mock = await mockApi();
    writeFileSync(join(mock.folder, 'token'), 'from-file\n');
    await using _ = await open(mock.url, { tokenFile: 'token' }, mock.folder);
    expect(mock.requests[0]?.headers.authorization).toBe('Bearer from-file');
    const error = await rejection(open(mock.url, { tokenFile: 'lost' }, mock.folder));
    expect(error).toBeInstanceOf(Usage);
    expect(error.message).toMatch(/needs the file \S+lost, which can't be read \(ENOENT\)/);
  });

  test('uses user name and password', async () => {
    await using mock = await mockApi();
    await using _ = await open(mock.url, { username: 'me', password: 'pass' }, mock.folder);
    expect(mock.requests[0]?.headers.authorization).toBe(`Basic ${Buffer.from('me:pass').toString('base64')}`);
  });

  test('keeps the path of a server behind a gateway', async () => {
    await using mock = await mockApi({
      http: ({ url }, response) => json(response, 200, { gitVersion: url.pathname, items: [] }),
    });
    await using cluster = await open(`${mock.url}/k8s/clusters/c-1/`, {}, mock.folder);
    await cluster.core.listNamespacedPod({ namespace: 'a' });
    expect(mock.requests.map(({ url }) => url.pathname)).toEqual([
      '/k8s/clusters/c-1/version',
      '/k8s/clusters/c-1/api/v1/namespaces/a/pods',
    ]);
  });
});

describe('over TLS', () => {
  let files: Awaited<ReturnType<typeof mockApi>>;
  const path = (name: string): string => join(files.folder, name);
  const make = async (name: string): Promise<void> => {
    const argv = [
      'openssl',
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
    ] as const;
    const names = ['-subj', `/CN=${name}`, '-addext', 'subjectAltName=IP:127.0.0.1'];
    await run({
      name: 'openssl',
      argv: [...argv, ...names, '-keyout', path(`${name}.key`), '-out', path(`${name}.crt`)],
    });
  };
  const server = () =>
    mockApi({
      tls: {
        key: readFileSync(path('server.key')),
        cert: readFileSync(path('server.crt')),
        ca: [readFileSync(path('one.crt')), readFileSync(path('two.crt'))],
        requestCert: true,
        rejectUnauthorized: true,
      },
      channel: (socket) => socket.send(Buffer.concat([Buffer.of(3), Buffer.from('{"status":"Success"}')])),
    });
  const user = { 'client-certificate': 'current.crt', 'client-key': 'current.key' };
  const use = (name: string): void => {
    for (const kind of ['crt', 'key']) writeFileSync(path(`current.${kind}`), readFileSync(path(`${name}.${kind}`)));
  };
  beforeAll(async () => {
    files = await mockApi();
    for (const name of ['server', 'one', 'two', 'stranger']) await make(name);
  });
  afterAll(async () => files[Symbol.asyncDispose]());

  test('a client certificate opens calls and channels, and a renewed one is used from then on', async () => {
    await using mock = await server();
    use('one');
    const kubeconfig = kubeconfigOf(files.folder, mock.url, user, { 'certificate-authority': 'server.crt' });
    await using cluster = await openCluster({ kubeconfig, audit });
    const at = { namespace: 'a', pod: 'p', container: 'c' };
    expect((await cluster.exec(at, ['true'])).code).toBe(0);
    expect((await cluster.version.getCode()).gitVersion).toBe('v1.34.0');
    use('two');
    expect((await cluster.version.getCode()).gitVersion).toBe('v1.34.0');
    expect(mock.requests.map(({ client }) => client)).toEqual(['one', 'one', 'two']);
    expect((await cluster.exec(at, ['true'])).code).toBe(0);
  });

  test('a server whose certificate is not the authority’s is not trusted, in so many words', async () => {
    await using mock = await server();
    use('one');
    const kubeconfig = kubeconfigOf(files.folder, mock.url, user, { 'certificate-authority': 'stranger.crt' });
    const error = await rejection(openCluster({ kubeconfig, audit }));
    expect(error).toBeInstanceOf(Unreachable);
    expect(error.message).toMatch(/its certificate is not trusted .*check certificate-authority in the kubeconfig/);
  });

  test('a certificate authority that is not there is the kubeconfig’s fault', async () => {
    await using mock = await server();
    const kubeconfig = kubeconfigOf(files.folder, mock.url, {}, { 'certificate-authority': 'lost.crt' });
    const error = await rejection(openCluster({ kubeconfig, audit }));
    expect(error).toBeInstanceOf(Usage);
    expect(error.message).toMatch(/needs the file \S+lost\.crt, which can't be read/);
  });
});
