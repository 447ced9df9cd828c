// Claims about permissions: each is there because a call needs it, in the namespace where the call goes, and nowhere else.
import { describe, expect, test } from '@jest/globals';
import { loadAll } from 'js-yaml';
import { latency } from '../../../src/faults/latency.ts';
import { networkPolicy } from '../../../src/faults/network-policy.ts';
import { none } from '../../../src/faults/none.ts';
import { podKill } from '../../../src/faults/pod-kill.ts';
import { type PlatformProfile, platform } from '../../../src/platform.ts';
import { type Mapping, mapping } from '../../../src/targets/kubernetes/mapping.ts';
import { type Permission, permissions } from '../../../src/targets/kubernetes/rbac.ts';
import { manifest } from '../../../src/targets/kubernetes/roles.ts';

type Places = PlatformProfile['kubernetes'];
const shop = (kubernetes: Places = { observability: ['watchers'] }): Mapping =>
  mapping(
    platform({
      name: 'shop',
      entry: 'front',
      components: { front: { endpoints: {} }, stock: { endpoints: {} } },
      journeys: { look: [{ request: 'GET /', at: '0s' }] },
      kubernetes,
    }),
  );
const HERE = { workers: 0, capture: false, cilium: false, via: 'port-forward' } as const;

/** `shop: delete pods`, one for each verb. */
const words = (all: readonly Permission[]): string[] =>
  all.flatMap(({ namespace, resource, verbs }) => verbs.map((verb) => `${namespace}: ${verb} ${resource}`));

describe('permissions', () => {
  test('a control run changes nothing but its own lease, and opens a way to the entry alone', () => {
    const changing = words(permissions([none()], shop(), HERE)).filter((one) => !/: (get|list) /.test(one));
    expect(changing).toEqual([
      'shop: create leases',
      'shop: update leases',
      'shop: delete leases',
      'shop: create pods/portforward',
      'watchers: create pods/portforward',
    ]);
  });

  test('each fault adds what it does, and no other fault’s verbs', () => {
    const base = words(permissions([none()], shop(), HERE));
    const added = (...faults: Parameters<typeof permissions>[0]): string[] =>
      words(permissions(faults, shop(), HERE)).filter((one) => !base.includes(one));
    const agent = ['get pods', 'patch pods/ephemeralcontainers', 'get pods/exec', 'create pods/exec'];
    const policies = ['create', 'get', 'delete'].map((verb) => `${verb} networkpolicies`);
    const inShop = (all: string[]): string[] => all.map((one) => `shop: ${one}`);
    expect(added(podKill('stock'))).toEqual(inShop(['delete pods', 'list poddisruptionbudgets']));
    // Who observes is spared, and must be known for it; they are, for the port-forward's sake.
    expect(added(latency('front->stock', '200ms'))).toEqual(inShop(agent));
    expect(added(networkPolicy('front->stock')).sort()).toEqual(inShop([...policies, ...agent]).sort());
  });

  test('a fault may act in the namespace of whom it hurts and in no other', () => {
    const two = shop({ observability: [], components: { stock: { namespace: 'depot' } } });
    expect(words(permissions([podKill('stock')], two, HERE)).filter((one) => /delete pods/.test(one))).toEqual([
      'depot: delete pods',
    ]);
    const cutting = words(permissions([networkPolicy('stock->front')], two, HERE));
    expect(cutting.filter((one) => /create networkpolicies/.test(one))).toEqual(['shop: create networkpolicies']);
    // The probe starts at the caller.
    expect(cutting).toContain('depot: patch pods/ephemeralcontainers');
  });

  test('workers bring jobs, their plan and a way to talk with them, where the entry is', () => {
    const added = words(permissions([none()], shop(), { ...HERE, workers: 3 }));
    for (const one of ['create jobs', 'delete jobs', 'create configmaps', 'create pods/exec'])
      expect(added).toContain(`shop: ${one}`);
  });

  test('where Cilium runs its own policies are made, and Kubernetes’ are only listed', () => {
    const all = words(permissions([networkPolicy('stock')], shop(), { ...HERE, cilium: true }));
    expect(all.filter((one) => /: \w+ networkpolicies/.test(one))).toEqual(['shop: list networkpolicies']);
    expect(all).toContain('shop: create ciliumnetworkpolicies');
  });

  test('what has a URL needs no way in: neither port-forward nor a look at the observers', () => {
    const url = 'http://there.example';
    const given = shop({
      entry: url,
      backends: { jaeger: url, prometheus: url, alertmanager: url, loki: url, hubble: url },
      observability: ['watchers'],
    });
    const all = permissions([none()], given, HERE);
    expect(all.filter(({ resource, namespace }) => /portforward/.test(resource) || namespace === 'watchers')).toEqual(
      [],
    );
  });

  test('each way to a Service asks for its own: a port-forward, the API server’s proxy, or nothing', () => {
    const ways = (via: 'port-forward' | 'service-proxy' | 'direct'): string[] =>
      words(permissions([none()], shop(), { ...HERE, via })).filter((one) => /portforward|proxy/.test(one));
    const verbs = ['get', 'create', 'update', 'patch', 'delete'];
    const [shops, watchers] = [
      ['shop: get pods/portforward', 'shop: create pods/portforward'],
      ['watchers: get pods/portforward', 'watchers: create pods/portforward'],
    ];
    expect(ways('direct')).toEqual([]);
    expect(ways('port-forward')).toEqual([...shops!, ...watchers!]);
    const proxied = verbs.map((verb) => `shop: ${verb} services/proxy`);
    expect(ways('service-proxy')).toEqual([...proxied, 'watchers: get services/proxy']);
  });

  test('a delay without port-forwards lists the observers’ pods, to spare them', () => {
    const by = (fault: Parameters<typeof permissions>[0][number]): string[] =>
      words(permissions([fault], shop(), { ...HERE, via: 'direct' })).filter((one) => one.startsWith('watchers'));
    expect(by(podKill('stock'))).toEqual(['watchers: list services']);
    expect(by(latency('stock', '1s'))).toEqual(['watchers: list services', 'watchers: list pods']);
  });

  test('a backend named by its Service is reached there', () => {
    const given = shop({ backends: { hubble: 'hubble-relay.kube-system:80' }, observability: [] });
    expect(words(permissions([none()], given, HERE))).toContain('kube-system: create pods/portforward');
  });

  test('no verb is granted twice, and never all of anything', () => {
    const faults = [podKill('stock'), latency('stock', '1s'), networkPolicy('front'), networkPolicy('stock')];
    const all = words(permissions(faults, shop(), { ...HERE, workers: 2, capture: true }));
    expect(new Set(all).size).toBe(all.length);
    expect(all.join()).not.toMatch(/\*/);
  });
});

describe('manifest', () => {
  const account = { namespace: 'drills', name: 'night' };
  const needed = permissions([podKill('stock')], shop(), { ...HERE, workers: 1, capture: true });
  type Manifest = { kind: string; metadata: { name: string; namespace: string }; [field: string]: unknown };
  const documents = loadAll(manifest(needed, account)) as Manifest[];

  test('is one account, and a Role with its binding for each namespace; nothing reaches the whole cluster', () => {
    expect(documents.map(({ kind, metadata }) => `${metadata.namespace} ${kind}`)).toEqual([
      'drills ServiceAccount',
      'shop Role',
      'shop RoleBinding',
      'watchers Role',
      'watchers RoleBinding',
    ]);
    for (const one of documents.filter(({ kind }) => kind === 'RoleBinding')) {
      expect(one.subjects).toEqual([{ kind: 'ServiceAccount', ...account }]);
      expect(one.roleRef).toEqual({ apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'night' });
    }
  });

  test('has exactly the permissions, each with its reason above it', () => {
    const rules = documents.filter(({ kind }) => kind === 'Role').flatMap(({ rules: all }) => all as object[]);
    expect(rules).toEqual(
      needed.map(({ apiGroup, resource, verbs, names }) => ({
        apiGroups: [apiGroup],
        resources: [resource],
        ...(names ? { resourceNames: names } : {}),
        verbs,
      })),
    );
    for (const { why } of needed) expect(manifest(needed, account)).toContain(`  # ${why}\n  - apiGroups`);
  });

  test('binds the lease’s changes to its name', () => {
    expect(manifest(needed, account)).toContain('resourceNames: [firedrill]\n    verbs: [get, update, delete]');
  });
});
