import { describe, expect, test } from '@jest/globals';
import { latency } from '../../../src/faults/latency.ts';
import { networkPolicy } from '../../../src/faults/network-policy.ts';
import { podKill } from '../../../src/faults/pod-kill.ts';
import type { Mapping } from '../../../src/targets/kubernetes/mapping.ts';
import { mustBeCrossed, mustBePermitted, mustBeVisible } from '../../../src/targets/kubernetes/preflight.ts';
import { json, opened, type Request } from './mock-api.ts';

const component = (name: string) => ({ name, namespace: 'shop', labels: { app: name }, service: name, port: 80 });
const mapping: Mapping = {
  platform: 'shop',
  entry: 'web',
  components: [component('web'), component('db')],
  namespaces: ['shop'],
  observability: ['watch', 'monitoring'],
  backends: {},
  entryUrl: null,
};
const at = (service: string, port: number) => ({ namespace: 'watch', service, port });
const backends = {
  jaeger: at('jaeger', 16686),
  prometheus: at('prometheus', 9090),
  alertmanager: null,
  loki: 'http://logs.example',
  hubble: null,
};

describe('a layer that has to notice', () => {
  test('must have something that it is read from', () => {
    expect(() => mustBeVisible(['traces', 'metrics', 'logs', 'packets'], backends, true, mapping)).not.toThrow();
    expect(() => mustBeVisible(['alerts', 'flows'], backends, true, mapping)).toThrow(
      /^alerts is asked for, and no alertmanager was found in watch, monitoring: name it with --alertmanager .*; flows is asked for, and no hubble/,
    );
  });

  test('is not left out by the same command that asks for it', () => {
    expect(() => mustBeVisible(['packets'], backends, false, mapping)).toThrow('--no-capture leaves it out');
  });
});

describe('a fault on the network of the entry component', () => {
  test('is not crossed by a port-forward, which comes out inside of its pod', () => {
    expect(() => mustBeCrossed(latency('web', '1s'), mapping, 0)).toThrow(/^a port-forward passes by .* of web/);
    expect(() => mustBeCrossed(networkPolicy('web'), mapping, 0)).toThrow('--workers 1');
  });

  test('is crossed by workers, by an ingress, and nothing is said of other faults and places', () => {
    expect(() => mustBeCrossed(latency('web', '1s'), mapping, 2)).not.toThrow();
    expect(() => mustBeCrossed(latency('web', '1s'), { ...mapping, entryUrl: 'http://shop.example' }, 0)).not.toThrow();
    expect(() => mustBeCrossed(latency('db', '1s'), mapping, 0)).not.toThrow();
    expect(() => mustBeCrossed(podKill('web'), mapping, 0)).not.toThrow();
  });
});

describe('permissions', () => {
  const reviewing = (refuses: (review: { resource: string; verb: string; namespace: string }) => boolean) => ({
    http: ({ url, body }: Request, response: Parameters<typeof json>[0]) => {
      if (url.pathname === '/apis') return json(response, 200, { kind: 'APIGroupList', groups: [] });
      const { resourceAttributes } = JSON.parse(body).spec;
      json(response, 201, { spec: { resourceAttributes }, status: { allowed: !refuses(resourceAttributes) } });
    },
  });
  const asked = { workers: 0, capture: true, via: 'port-forward' } as const;

  test('that are all there say nothing; a namespace of observers without a backend is not asked about', async () => {
    await using it = await opened(reviewing(({ namespace }) => namespace === 'monitoring'));
    await mustBePermitted(it.cluster, mapping, backends, podKill('db'), asked);
  });

  test('that are missing are told all at once, each with its verb, place and reason', async () => {
    await using it = await opened(reviewing(({ resource, verb }) => resource === 'pods' && verb === 'delete'));
    await expect(mustBePermitted(it.cluster, mapping, backends, podKill('db'), asked)).rejects.toThrow(
      /^namespace shop: may not delete pods \(kills a pod, by its uid\).*firedrill rbac prints the Role$/,
    );
  });
});
