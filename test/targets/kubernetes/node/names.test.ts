import type { ServerResponse } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import type { V1Pod } from '@kubernetes/client-node';
import { until } from '../../../../src/poll.ts';
import { chooseContext } from '../../../../src/targets/kubernetes/kubeconfig.ts';
import { nodeConfig } from '../../../../src/targets/kubernetes/node/config.ts';
import { createDirectory } from '../../../../src/targets/kubernetes/node/directory.ts';
import { watchKind } from '../../../../src/targets/kubernetes/node/watch.ts';
import { openWire, PATIENCE } from '../../../../src/targets/kubernetes/wire.ts';
import { failure, kubeconfigOf, mockApi } from '../mock-api.ts';

const pod = (name: string, ip: string | null, changes: Partial<V1Pod> = {}): V1Pod => ({
  metadata: {
    name,
    namespace: 'shop',
    uid: `uid-${name}`,
    labels: { 'app.kubernetes.io/name': 'orders', 'pod-template-hash': '6d4f' },
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'orders-6d4f', uid: 'r', controller: true }],
  },
  ...(ip ? { status: { podIPs: [{ ip }] } } : {}),
  ...changes,
});

describe('the directory', () => {
  test('knows whose address it is: the pod, its labels, and the Deployment behind its ReplicaSet', () => {
    const directory = createDirectory();
    directory.pod(pod('orders-6d4f-a', '10.0.0.1'));
    expect(directory.describe('10.0.0.1')).toMatchObject({
      pod: 'orders-6d4f-a',
      namespace: 'shop',
      workload: { name: 'orders', kind: 'Deployment' },
      labels: { 'app.kubernetes.io/name': 'orders', 'io.kubernetes.pod.namespace': 'shop' },
    });
    expect(directory.describe('10.0.0.2')).toBeNull();
  });

  test('says when addresses have changed, and only then', () => {
    const directory = createDirectory();
    const said = [pod('a', null), pod('a', '10.0.0.1'), pod('a', '10.0.0.1'), pod('b', '10.0.0.1')].map(directory.pod);
    expect(said).toEqual([false, true, false, true]);
    expect(directory.addresses()).toEqual(['10.0.0.1']);
    expect(directory.describe('10.0.0.1')!.pod).toBe('b');
  });

  test('takes a node’s address for nobody’s, though pods on its network have it', () => {
    const directory = createDirectory();
    expect(directory.pod(pod('agent', '192.0.2.1', { spec: { hostNetwork: true, containers: [] } }))).toBe(false);
    expect(directory.describe('192.0.2.1')).toBeNull();
  });

  test('tells a Service’s own address as the Service’s, of both families, and a headless one has none', () => {
    const directory = createDirectory();
    directory.service({
      metadata: { name: 'orders', namespace: 'shop' },
      spec: { clusterIPs: ['10.96.0.9', 'fd00::9'] },
    });
    directory.service({ metadata: { name: 'db', namespace: 'shop' }, spec: { clusterIPs: ['None'] } });
    for (const ip of ['10.96.0.9', 'fd00::9'])
      expect(directory.describe(ip)).toMatchObject({ service: 'orders', pod: null, namespace: 'shop' });
    expect(directory.describe('None')).toBeNull();
  });

  test.each<[string, Record<string, string>, V1Pod['metadata'] | object, string]>([
    ['the label for it', { 'app.kubernetes.io/name': 'orders', app: 'other' }, {}, 'orders'],
    ['an older label for it', { app: 'orders' }, {}, 'orders'],
    ['whoever made it', {}, { ownerReferences: [{ kind: 'StatefulSet', name: 'db', controller: true }] }, 'db'],
    ['its own name', {}, {}, 'lonely'],
  ])('a log’s service is named by %s', (_, labels, changes, service) => {
    const directory = createDirectory();
    directory.pod({ metadata: { name: 'lonely', namespace: 'shop', uid: 'u', labels, ...changes } });
    expect(directory.byUid('u')).toMatchObject({ name: 'lonely', service });
  });
});

describe('a watch', () => {
  const watching = async (answer: (response: ServerResponse, n: number) => void) => {
    let asked = 0;
    const mock = await mockApi({
      http: (_, response) => {
        asked += 1;
        answer(response, asked);
      },
    });
    const chosen = chooseContext({ kubeconfig: kubeconfigOf(mock.folder, mock.url) }, {}, 0n);
    const wire = openWire(chosen, () => undefined, PATIENCE);
    const stop = new AbortController();
    const seen: string[] = [];
    const trouble: string[] = [];
    const done = watchKind({
      wire,
      namespace: 'shop',
      kind: 'pods',
      onObject: (object) => seen.push((object as V1Pod).metadata!.name!),
      onTrouble: (why) => trouble.push(why),
      signal: stop.signal,
    });
    const wait = (what: () => boolean): Promise<true> =>
      until('it', () => (what() ? true : null), { forMs: 5000, everyMs: 10 });
    const end = async (): Promise<void> => {
      stop.abort();
      await done;
      await wire[Symbol.asyncDispose]();
      await mock[Symbol.asyncDispose]();
    };
    return { mock, seen, trouble, wait, [Symbol.asyncDispose]: end };
  };
  const event = (name: string, type = 'ADDED'): string => `${JSON.stringify({ type, object: pod(name, null) })}\n`;

  test('tells what is there and what comes, though a line is cut in two', async () => {
    await using one = await watching((response) => {
      response.write(event('a') + event('b').slice(0, 30));
      response.write(event('b').slice(30));
    });
    await one.wait(() => one.seen.length === 2);
    expect(one.seen).toEqual(['a', 'b']);
    expect(one.mock.requests[0]!.url.pathname).toBe('/api/v1/namespaces/shop/pods');
    expect(one.mock.requests[0]!.url.searchParams.get('watch')).toBe('true');
  });

  test('that the server closes is taken up again, with all that is there', async () => {
    await using one = await watching((response, n) => response.end(event(`a${n}`)));
    await one.wait(() => one.seen.length === 2);
    expect(one.seen).toEqual(['a1', 'a2']);
    expect(one.trouble).toEqual([]);
  });

  test.each<[string, (response: ServerResponse) => void, RegExp]>([
    ['is forbidden', (r) => r.writeHead(403).end(failure(403, 'pods is forbidden').body), /pods is forbidden/],
    ['gets HTML', (r) => r.end('<html>\n'), /no JSON but "<html>"/],
    ['gets an error', (r) => r.end(`{"type":"ERROR","object":{"message":"too old"}}\n`), /too old/],
    ['is cut off', (r) => r.destroy(), /watch of pods in shop: /],
  ])('that %s says so in one line, and is taken up again', async (_, answer, why) => {
    await using one = await watching((response, n) => (n === 1 ? answer(response) : response.write(event('a'))));
    await one.wait(() => one.seen.length === 1);
    expect(one.trouble).toHaveLength(1);
    expect(one.trouble[0]).toMatch(why);
    expect(one.trouble[0]).not.toContain('\n');
  });
});

describe('the configuration', () => {
  test('is what the environment says, and the usual for the rest', () => {
    expect(
      nodeConfig({ NODE_NAME: 'n1', NAMESPACES: 'shop, bank', LOKI_URL: 'http://loki:3100/', HUBBLE_PORT: '' }),
    ).toEqual({
      NODE_NAME: 'n1',
      NAMESPACES: ['shop', 'bank'],
      CLUSTER_NAME: 'default',
      LOKI_URL: 'http://loki:3100',
      LOGS_FOLDER: '/var/log/pods',
      HUBBLE_PORT: 4245,
      HEALTH_PORT: 4246,
      LISTEN: '0.0.0.0',
      NFLOG_GROUP: 42_450,
    });
  });

  test('that is wrong is told in one line with every variable at fault', () => {
    expect(() => nodeConfig({ NAMESPACES: 'UP/..', LOKI_URL: 'loki', NFLOG_GROUP: '70000' })).toThrow(
      /^environment: NODE_NAME: [^\n]*; NAMESPACES: must be namespaces[^\n]*; LOKI_URL: [^\n]*; NFLOG_GROUP: [^\n]*$/,
    );
  });
});
