// Claims about doctor's looks at a cluster: nothing is changed, each refusal is one line, and what nobody knows is not "ok".
import { describe, expect, test } from '@jest/globals';
import { networkPolicy } from '../../../src/faults/network-policy.ts';
import { podKill } from '../../../src/faults/pod-kill.ts';
import { platform } from '../../../src/platform.ts';
import { agents, components, fault, plugin, rights, version } from '../../../src/targets/kubernetes/check.ts';
import { clocks } from '../../../src/targets/kubernetes/check-clocks.ts';
import type { FoundPod } from '../../../src/targets/kubernetes/ground.ts';
import { mapping } from '../../../src/targets/kubernetes/mapping.ts';
import type { Permission } from '../../../src/targets/kubernetes/rbac.ts';
import { iso, systemClock } from '../../../src/time.ts';
import { failure, json, opened, type Request } from './mock-api.ts';

const shop = mapping(
  platform({
    name: 'shop',
    entry: 'front',
    components: { front: { endpoints: {} }, stock: { endpoints: {} } },
    journeys: {},
  }),
);
const pod = (service: string, more: Partial<FoundPod> = {}): FoundPod => ({
  name: `${service}-6d4f-x`,
  uid: `${service}-uid`,
  namespace: 'shop',
  service,
  ip: '198.18.0.7',
  port: 8080,
  ready: true,
  labels: { 'app.kubernetes.io/name': service, 'pod-template-hash': '6d4f' },
  node: 'n1',
  owner: `ReplicaSet/${service}-6d4f`,
  hostNetwork: false,
  restarts: 0,
  ...more,
});
const both = [pod('front'), pod('stock')];
const SERVICES = new Set(['shop/front', 'shop/stock']);
const IMAGES = { firedrill: 'firedrill:1', agent: 'agent:1' };

const asked = ({ body }: Request): { namespace: string; verb: string; resource: string; subresource?: string } =>
  JSON.parse(body).spec.resourceAttributes;

describe('components', () => {
  const of = (pods: readonly FoundPod[], services = SERVICES) =>
    components(shop, pods, services, () => true).map(({ is, name, says }) => `${is} ${name}: ${says}`);

  test('ready pods of one workload behind a Service are fine', () => {
    expect(of(both)).toEqual(['ok front: 1 pod, 1 ready, port 8080', 'ok stock: 1 pod, 1 ready, port 8080']);
  });

  test('labels that match nothing, and labels that match pods of several workloads, are bad', () => {
    const other = pod('stock', { name: 'stock-canary-1', uid: 'c', owner: 'StatefulSet/stock-canary', labels: {} });
    expect(of([pod('stock'), other])).toEqual([
      expect.stringMatching(/^bad front: component 'front' has no pod \(namespace shop, labels /),
      expect.stringMatching(/^bad stock: .* matches pods of ReplicaSet\/stock and StatefulSet\/stock-canary/),
    ]);
  });

  test('a pod that is not ready is no steady state to begin with', () => {
    expect(of([pod('front', { ready: false }), pod('stock')])[0]).toMatch(/^bad front: 1 pod, 0 ready/);
  });

  test('what limits a drill but mends nothing is told, and is not ok', () => {
    const odd = pod('front', { hostNetwork: true, owner: null });
    expect(of([odd, pod('stock')], new Set(['shop/stock']))[0]).toMatch(
      /^unknown front: .*no Service front.*on its node’s network.*without an owner/,
    );
  });
});

describe('rights', () => {
  const NEEDED: Permission[] = [
    { namespace: 'shop', apiGroup: '', resource: 'pods', verbs: ['list', 'delete'], why: 'kills' },
    { namespace: 'shop', apiGroup: '', resource: 'pods/exec', verbs: ['get'], why: 'probes' },
    { namespace: 'watch', apiGroup: '', resource: 'services', verbs: ['list'], why: 'finds' },
  ];

  test('one review for each verb, with its subresource; what is refused is named with what it is for', async () => {
    await using it = await opened({
      http: (request, response) =>
        json(response, 201, {
          status: { allowed: asked(request).subresource !== 'exec' && asked(request).verb !== 'delete' },
        }),
    });
    const told = await rights(it.cluster, NEEDED);
    expect(told.map(({ is, says }) => `${is} ${says}`)).toEqual([
      'bad namespace shop: may not delete pods (kills); firedrill rbac prints the Role',
      'bad namespace shop: may not get pods/exec (probes); firedrill rbac prints the Role',
      'ok namespace watch: all 1 that are needed',
    ]);
    expect(
      it.mock.requests
        .filter(({ method }) => method === 'POST')
        .map((one) => asked(one).verb)
        .sort(),
    ).toEqual(['delete', 'get', 'list', 'list']);
  });

  test('a server that can’t be asked allows nothing', async () => {
    await using it = await opened({
      http: (_request, response) => {
        const { status, body } = failure(500, 'etcd is away');
        response.writeHead(status, { 'content-type': 'application/json' }).end(body);
      },
    });
    const told = await rights(it.cluster, NEEDED.slice(2));
    expect(told).toEqual([{ is: 'bad', name: 'permissions', says: expect.stringContaining('etcd is away') }]);
  });
});

describe('dry runs', () => {
  test('ephemeral containers are tried in one pod of a namespace, as dry runs, and PodSecurity’s refusal says its cure', async () => {
    const says = 'pods "front-6d4f-x" is forbidden: violates PodSecurity "baseline:latest": non-default capabilities';
    await using it = await opened({
      http: (request, response) => {
        const admin = /NET_ADMIN/.test(request.body);
        json(response, admin ? 403 : 200, admin ? JSON.parse(failure(403, says).body) : {});
      },
    });
    const told = await agents(it.cluster, both, IMAGES, { capture: true, delay: true });
    expect(told.map(({ is }) => is)).toEqual(['ok', 'bad']);
    expect(told[1]!.says).toMatch(/violates PodSecurity.*kubectl label namespace shop pod-security/);
    const patches = it.mock.requests.filter(({ method }) => method === 'PATCH');
    expect(patches.map(({ url }) => `${url.pathname} ${url.searchParams.get('dryRun')}`)).toEqual(
      Array(2).fill('/api/v1/namespaces/shop/pods/stock-6d4f-x/ephemeralcontainers All'),
    );
    expect(it.touches).toEqual([]);
  });

  test('a kill beyond its budget and a policy beside another are told before the drill', async () => {
    const selector = { matchLabels: { 'app.kubernetes.io/name': 'stock' } };
    const budget = { metadata: { name: 'keep', namespace: 'shop', generation: 1 }, spec: { selector } };
    const other = {
      metadata: { name: 'wall', namespace: 'shop' },
      spec: { podSelector: selector, policyTypes: ['Ingress'] },
    };
    await using it = await opened({
      http: ({ url }, response) =>
        json(response, 200, {
          items: /budgets/.test(url.pathname)
            ? [{ ...budget, status: { observedGeneration: 1, disruptionsAllowed: 0 } }]
            : [other],
        }),
    });
    expect(await fault(it.cluster, shop, both, podKill('stock'))).toMatchObject({
      is: 'bad',
      says: expect.stringContaining('PodDisruptionBudget shop/keep'),
    });
    expect(await fault(it.cluster, shop, both, networkPolicy('stock'))).toMatchObject({
      is: 'bad',
      says: expect.stringContaining('NetworkPolicy shop/wall'),
    });
    expect(it.touches).toEqual([]);
  });
});

describe('what a cluster is', () => {
  const answering = (body: object) => opened({ http: (_request, response) => json(response, 200, body) });

  test('a plugin is known by its APIs; where none is, nothing is claimed', () => {
    expect(plugin(['apps', 'crd.projectcalico.org'])).toMatchObject({
      is: 'ok',
      says: expect.stringContaining('Calico'),
    });
    expect(plugin(['apps'])).toMatchObject({ is: 'unknown' });
  });

  test('versions that providers mark are read; those without ephemeral containers are refused', async () => {
    const at = async (minor: string): Promise<string> => {
      const code = { major: '1', minor, gitVersion: `v1.${minor}` };
      await using it = await opened();
      const api = { getCode: async () => code } as never;
      return (await version({ ...it.cluster, version: api })).is;
    };
    expect(await at('34+')).toBe('ok');
    expect(await at('25')).toBe('ok');
    expect(await at('24+')).toBe('bad');
  });

  test('a node’s clock is what its lease was renewed with, once it is seen to change', async () => {
    let renewals = 0;
    await using it = await opened({
      http: (_request, response) => {
        renewals += 1;
        const ahead = systemClock.now() + BigInt(renewals > 1 ? 5_000_000_000 : -60_000_000_000);
        json(response, 200, { items: [{ metadata: { name: 'n1' }, spec: { renewTime: iso(ahead) } }] });
      },
    });
    const told = await clocks(it.cluster);
    expect(told.find(({ says }) => says.startsWith('node n1'))).toMatchObject({
      is: 'bad',
      says: expect.stringMatching(/^node n1 is 5\.\d s ahead of this machine/),
    });
  });

  test('leases that may not be read leave the nodes’ clocks unknown', async () => {
    await using it = await answering({});
    const refused = { listNamespacedLease: () => Promise.reject(new Error('leases are forbidden')) } as never;
    const told = await clocks({ ...it.cluster, coordination: refused });
    expect(told.at(-1)).toEqual({
      is: 'unknown',
      name: 'clocks',
      says: 'those of the nodes are not known: leases are forbidden',
    });
  });
});
