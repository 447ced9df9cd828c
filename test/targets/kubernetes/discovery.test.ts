import { describe, expect, test } from '@jest/globals';
import { platform } from '../../../src/platform.ts';
import { findBackends } from '../../../src/targets/kubernetes/backends.ts';
import { behind, discover, mustBeThere } from '../../../src/targets/kubernetes/discovery.ts';
import { componentOf, mapping, selectorOf } from '../../../src/targets/kubernetes/mapping.ts';
import { json, opened } from './mock-api.ts';

const shop = (kubernetes: object = {}) =>
  platform({
    name: 'shop',
    entry: 'web',
    components: {
      web: { port: 8080, endpoints: { 'GET /': { work: '1ms', calls: [{ to: 'db', request: 'GET /' }] } } },
      db: { port: 9000, endpoints: { 'GET /': { work: '1ms' } } },
    },
    journeys: { look: [{ request: 'GET /', at: '0ms' }] },
    kubernetes,
  });

const podOf = (name: string, app: string, more: object = {}, status: object = {}) => ({
  metadata: {
    name,
    namespace: 'shop',
    uid: `uid-${name}`,
    labels: { 'app.kubernetes.io/name': app, 'pod-template-hash': 'h1' },
    ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: `${app}-h1`, uid: 'x', controller: true }],
    ...more,
  },
  spec: { containers: [{ name: 'main', ports: [{ name: 'http', containerPort: 8080 }] }], nodeName: 'n1' },
  status: { podIP: `198.18.64.${name.length}`, conditions: [{ type: 'Ready', status: 'True' }], ...status },
});

const serviceOf = (name: string, namespace: string, port: number, target: number | string, ip = 'None') => ({
  metadata: { name, namespace, labels: { 'app.kubernetes.io/name': name } },
  spec: { clusterIPs: [ip], selector: { 'app.kubernetes.io/name': name }, ports: [{ port, targetPort: target }] },
});

const world = (pods: object[], services: object[]) => ({
  http: ({ url }: { url: URL }, response: Parameters<typeof json>[0]) => {
    const [, , , , namespace, what, name] = url.pathname.split('/');
    const all = (what === 'pods' ? pods : services) as { metadata: { name: string; namespace: string } }[];
    const here = all.filter((one) => one.metadata.namespace === namespace);
    if (namespace === 'secret') return json(response, 403, { kind: 'Status', message: 'not for you' });
    json(response, 200, name ? here.find((one) => one.metadata.name === name) : { items: here });
  },
});

describe('a mapping', () => {
  test('guesses a namespace by the platform’s name, and pods and Services by the component’s', () => {
    expect(mapping(shop()).components[1]).toEqual({
      name: 'db',
      namespace: 'shop',
      labels: { 'app.kubernetes.io/name': 'db' },
      service: 'db',
      port: 9000,
    });
  });

  test('takes what the profile says for what it guesses', () => {
    const it = mapping(
      shop({
        namespace: 'prod',
        components: { db: { namespace: 'data', labels: { app: 'pg', tier: 'db' }, service: 'postgres', port: 5432 } },
        backends: { jaeger: 'tracing.obs:16686', loki: 'https://logs.example/loki' },
        observability: ['obs', 'prod'],
      }),
    );
    expect(it.namespaces).toEqual(['prod', 'data']);
    expect(it.observability).toEqual(['obs']);
    expect(it.backends).toEqual({
      jaeger: { service: 'tracing', namespace: 'obs', port: 16686 },
      loki: 'https://logs.example/loki',
    });
    expect(selectorOf(it.components[1]!.labels)).toBe('app=pg,tier=db');
    expect(componentOf(it, 'data', { app: 'pg', tier: 'db', x: 'y' })?.name).toBe('db');
    expect(componentOf(it, 'data', { app: 'pg' })).toBeNull();
    expect(componentOf(it, 'prod', { app: 'pg', tier: 'db' })).toBeNull();
  });

  test('of a component that the platform has not is refused', () => {
    expect(() => shop({ components: { nobody: { service: 'x' } } })).toThrow(
      "kubernetes.components names 'nobody', which is not one of its components",
    );
  });
});

describe('discovery', () => {
  const services = [serviceOf('web', 'shop', 80, 'http', '198.18.128.7'), serviceOf('db', 'shop', 9000, 9000)];

  test('knows pods by their labels, leaves out those that are ending, and keeps every address that it saw', async () => {
    const pods = [
      podOf('web-1', 'web'),
      podOf('db-1a', 'db', {}, { conditions: [{ type: 'Ready', status: 'False' }] }),
      podOf('db-going', 'db', { deletionTimestamp: '2026-11-21T10:00:00Z' }),
      podOf('stranger', 'other'),
    ];
    await using it = await opened(world(pods, services));
    const found = await discover(it.cluster, mapping(shop()));
    const there = await found.pods();
    expect(there.map(({ name, service, ready, owner }) => [name, service, ready, owner])).toEqual([
      ['web-1', 'web', true, 'ReplicaSet/web-h1'],
      ['db-1a', 'db', false, 'ReplicaSet/db-h1'],
    ]);
    expect(found.addresses.get('198.18.128.7')).toEqual({ ip: '198.18.128.7', service: 'web', pod: 'web' });
    expect(found.addresses.get('198.18.64.5')).toMatchObject({ service: 'db', pod: 'db-1a' });
    pods.length = 0;
    expect(await found.pods()).toEqual([]);
    expect(found.addresses.get('198.18.64.5')).toMatchObject({ service: 'db' });
  });

  test('refuses a component without pods, and guessed labels that another workload has too', async () => {
    const mixed = [podOf('web-1', 'web'), podOf('w', 'web', { ownerReferences: [] })];
    await using it = await opened(world(mixed, services));
    const map = mapping(shop());
    const there = await (await discover(it.cluster, map)).pods();
    expect(() => mustBeThere(map, there, () => true)).toThrow(
      /component 'web' .* matches pods of ReplicaSet\/web and pod w: say which .*; component 'db' has no pod \(namespace shop, labels app.kubernetes.io\/name=db\)/,
    );
    expect(() => mustBeThere(map, there, () => false)).toThrow(/^component 'db' has no pod/);
  });

  test('finds the ready pods behind a Service, and what its port means there by number or by name', async () => {
    const pods = [podOf('web-1', 'web'), podOf('web-22', 'web', {}, { conditions: [] })];
    await using it = await opened(world(pods, services));
    const at = { namespace: 'shop', service: 'web', port: 80 };
    expect(await behind(it.cluster, at)).toEqual([{ namespace: 'shop', pod: 'web-1', port: 8080 }]);
    await expect(behind(it.cluster, { ...at, port: 81 })).rejects.toThrow(
      'service shop/web has no port 81; it has: 80',
    );
    pods.length = 0;
    await expect(behind(it.cluster, at)).rejects.toThrow('service shop/web has no ready pod');
  });
});

describe('backends', () => {
  test('are those that are named, else those of the usual names and ports among the observers', async () => {
    const services = [
      serviceOf('jaeger', 'observability', 16686, 16686),
      serviceOf('prometheus', 'observability', 8080, 8080),
      serviceOf('loki', 'observability', 3100, 3100),
    ];
    await using it = await opened(world([], services));
    const told: string[] = [];
    const map = mapping(shop({ observability: ['observability', 'secret'] }));
    const found = await findBackends(it.cluster, map, { loki: 'http://mine:1' }, (line) => told.push(line));
    expect(found).toEqual({
      jaeger: { namespace: 'observability', service: 'jaeger', port: 16686 },
      prometheus: null,
      alertmanager: null,
      loki: 'http://mine:1',
      hubble: null,
    });
    expect(told).toEqual([expect.stringMatching(/^services of namespace secret are not looked at: .*not for you/)]);
  });
});
