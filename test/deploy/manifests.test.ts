import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { load, loadAll } from 'js-yaml';
import trading from '../../platforms/trading.ts';
import { files } from '../../scripts/manifests/files.ts';
import { type Platform, platform } from '../../src/platform.ts';
import { findBackends } from '../../src/targets/kubernetes/backends.ts';
import type { Cluster } from '../../src/targets/kubernetes/cluster.ts';
import { BACKENDS, componentOf, mapping } from '../../src/targets/kubernetes/mapping.ts';
import { TIMING } from '../../src/targets/lab/config.ts';
import { ruleFile } from '../../src/targets/lab/prometheus.ts';
import { standardRules, TARGET_LABELS } from '../../src/targets/lab/rules.ts';
import { readConfig } from '../../src/targets/lab/service/config.ts';

const DEPLOY = fileURLToPath(new URL('../../deploy/', import.meta.url));
const read = (path: string): string => readFileSync(join(DEPLOY, path), 'utf8');

// What a manifest says is looked at as it is, untyped, as a cluster would.
// biome-ignore lint/suspicious/noExplicitAny: of unknown shape, which is what the tests are about
type Any = any;
const objects = (text: string): Any[] => (loadAll(text) as Any[]).filter(Boolean);
const ofKind = (kind: string, all: readonly Any[]): Any[] => all.filter((one) => one.kind === kind);

/** A platform whose places in the cluster are all its own. */
const elsewhere = platform({
  name: 'shop',
  entry: 'front',
  components: {
    front: { port: 80, endpoints: { 'GET /': { work: '1ms', calls: [{ to: 'back', request: 'GET /b' }] } } },
    back: { pods: 3, port: 9001, endpoints: { 'GET /b': { work: '1ms' } } },
  },
  journeys: { j: [{ request: 'GET /', at: '0s' }] },
  telemetry: { metrics: { labels: { service: 'app', pod: 'instance_name', status: 'code' } } },
  kubernetes: {
    namespace: 'store',
    label: 'tier',
    components: {
      back: {
        namespace: 'depot',
        labels: { role: 'stock', 'app.kubernetes.io/name': 'stock' },
        service: 'stock',
        port: 7000,
      },
    },
  },
});
const PLATFORMS = new URL('../../platforms/', import.meta.url);
const shipped = await Promise.all(
  readdirSync(PLATFORMS).map(async (name) => (await import(new URL(name, PLATFORMS).href)).default as Platform),
);
const all = [...shipped, elsewhere].map((one): [string, Platform] => [one.name, one]);

const made = (one: Platform) => files(one, '../observability');
const workloads = (one: Platform): Any[] => objects(made(one)['workloads.yaml']!);

describe('the committed manifests', () => {
  test('are what the script makes of the trading platform', () => {
    const wanted = made(trading);
    expect(readdirSync(join(DEPLOY, 'trading')).sort()).toEqual(Object.keys(wanted).sort());
    for (const [name, text] of Object.entries(wanted)) expect(read(join('trading', name))).toBe(text);
  });

  test('the overlay names an image for each that the others name, all of this version', () => {
    const { version } = JSON.parse(read('../package.json')) as { version: string };
    const observers = (load(read('observability/kustomization.yaml')) as Any).images as Any[];
    const overlay = (load(read('local/kustomization.yaml')) as Any).images as Any[];
    expect(overlay.map(({ name }) => name).sort()).toEqual(
      ['firedrill', ...observers.map((one) => one.newName)].sort(),
    );
    expect(overlay.every(({ newTag }) => newTag === version)).toBe(true);
    expect(observers.every(({ newTag }) => /^v?\d+\.\d+\.\d+$/.test(newTag))).toBe(true);
  });

  test.each(['image/Containerfile', 'agent/Containerfile'])('%s builds with the Node that the tests run on', (path) => {
    const { devDependencies } = JSON.parse(read('../package.json')) as Any;
    const used = [...read(path).matchAll(/library\/node:([\d.]+)-/g)].map((match) => match[1]);
    expect(used.length).toBeGreaterThan(0);
    expect(new Set(used)).toEqual(new Set([devDependencies.node]));
  });
});

describe.each(all)('the manifests of %s', (_, one) => {
  const { components, namespaces } = mapping(one);

  test('every component has its pods, which a drill takes for its own, and a Service that leads to them', () => {
    const found = workloads(one);
    expect(ofKind('Deployment', found)).toHaveLength(components.length);
    for (const component of components) {
      const at = (kind: string, name: string): Any =>
        ofKind(kind, found).find(
          ({ metadata }) => metadata.name === name && metadata.namespace === component.namespace,
        );
      const { spec } = at('Deployment', component.name);
      const { labels } = spec.template.metadata;
      expect(spec.replicas).toBe(one.components[component.name]!.pods);
      expect(labels).toMatchObject(spec.selector.matchLabels);
      expect(componentOf(mapping(one), component.namespace, labels)?.name).toBe(component.name);
      const service = at('Service', component.service).spec;
      expect(labels).toMatchObject(service.selector);
      expect(service.ports).toMatchObject([{ port: component.port, targetPort: 'http' }]);
      expect(spec.template.spec.containers[0].ports).toEqual([{ name: 'http', containerPort: component.port }]);
    }
  });

  test('each namespace exists, has the profile, and does not forbid what delays and captures are made by', () => {
    const found = objects(made(one)['namespaces.yaml']!);
    expect(found.map(({ metadata }) => metadata.name)).toEqual(namespaces);
    for (const { metadata } of found) expect(metadata.labels['pod-security.kubernetes.io/enforce']).toBe('privileged');
    const generators = (load(made(one)['kustomization.yaml']!) as Any).configMapGenerator as Any[];
    const withProfile = generators.filter(({ name }) => name === 'platform').map(({ namespace }) => namespace);
    expect(withProfile).toEqual(namespaces);
  });

  test('Prometheus gives every series of its pods the labels that the rules and the profile count on, and no other pod', () => {
    const { service, pod } = one.telemetry.metrics.labels;
    for (const component of components) {
      const { labels } = ofKind('Deployment', workloads(one)).find(({ metadata }) => metadata.name === component.name)
        .spec.template.metadata;
      const scraped = relabelled(one, metaOf(component.namespace, labels));
      expect(scraped).toMatchObject({ service: component.name, pod: 'x-6d4f', uid: 'u1', [pod]: 'x-6d4f' });
      expect(scraped?.[service]).toBe(component.name);
      expect(Object.keys({ ...scraped, instance: '' })).toEqual(expect.arrayContaining(TARGET_LABELS));
    }
    const theirs = { 'app.kubernetes.io/name': components[0]!.name, 'app.kubernetes.io/part-of': 'another' };
    expect(relabelled(one, metaOf(components[0]!.namespace, theirs))).toBeNull();
    const done = { ...metaOf(components[0]!.namespace, { 'app.kubernetes.io/part-of': one.name }) };
    expect(relabelled(one, { ...done, __meta_kubernetes_pod_phase: 'Succeeded' })).toBeNull();
  });

  test('the rules are the standard ones, for its own scrape interval; the rest is the lab’s', () => {
    expect(load(made(one)['rules.yml']!)).toEqual(JSON.parse(ruleFile(standardRules(one, 2000))));
    const { global } = load(made(one)['prometheus.yml']!) as Any;
    expect(global).toMatchObject({
      scrape_interval: '2000ms',
      evaluation_interval: '2000ms',
    });
    expect((load(made(one)['alertmanager.yml']!) as Any).route.group_wait).toBe(`${TIMING.groupWait}ms`);
  });

  test('the observers may read the pods of all of its namespaces, and change nothing', () => {
    const found = objects(made(one)['access.yaml']!);
    for (const namespace of namespaces) {
      const here = found.filter(({ metadata }) => metadata.namespace === namespace);
      const subjects = ofKind('RoleBinding', here).flatMap(({ subjects: who }) => who.map(({ name }: Any) => name));
      expect(subjects.sort()).toEqual(['node-agent', 'prometheus']);
      const rules = ofKind('Role', here).flatMap((role) => role.rules as Any[]);
      expect(rules.every(({ resources }) => resources.includes('pods'))).toBe(true);
      expect(new Set(rules.flatMap(({ verbs }) => verbs))).toEqual(new Set(['get', 'list', 'watch']));
    }
  });
});

test('a pod is told by the committed profile what the platform is', async () => {
  const env = { SERVICE: 'order-service', POD_NAME: 'p', POD_UID: 'u', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://jaeger' };
  const config = await readConfig(join(DEPLOY, 'trading/platform.json'), env);
  expect(config.platform).toEqual(trading);
  expect(config.port).toBe(8083);
});

describe('what is deployed', () => {
  const observers = readdirSync(join(DEPLOY, 'observability'))
    .filter((name) => !/^kustomization|-config/.test(name))
    .flatMap((name) => objects(read(join('observability', name))));

  test('a drill finds every layer’s backend by itself', async () => {
    const core = { listNamespacedService: async () => ({ items: ofKind('Service', observers) }) };
    const said: string[] = [];
    const found = await findBackends({ core } as unknown as Cluster, mapping(elsewhere), {}, (line) => said.push(line));
    for (const name of BACKENDS) expect(found[name]).toMatchObject({ namespace: 'observability' });
    expect(said).toEqual([]);
  });

  test('every Service leads to pods that are there, and its ports are theirs', () => {
    const pods = [...ofKind('Deployment', observers), ...ofKind('DaemonSet', observers)].map(
      ({ spec }) => spec.template,
    );
    for (const { spec, metadata } of ofKind('Service', observers)) {
      const behind = pods.filter((one) =>
        Object.entries(spec.selector).every(([key, value]) => one.metadata.labels[key] === value),
      );
      expect([metadata.name, behind.length]).toEqual([metadata.name, 1]);
      const names = behind[0].spec.containers[0].ports.map(({ name }: Any) => name);
      expect(names).toEqual(expect.arrayContaining(spec.ports.map(({ targetPort }: Any) => targetPort)));
    }
  });

  test('every pod but the node agent’s meets the PodSecurity level restricted, on any port', () => {
    const restricted = [...ofKind('Deployment', observers), ...ofKind('Deployment', workloads(elsewhere))];
    expect(restricted.length).toBe(6);
    for (const { spec } of restricted) {
      const { securityContext: pod, containers, volumes, hostNetwork } = spec.template.spec;
      expect(pod).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      expect(hostNetwork).toBeUndefined();
      for (const volume of volumes) expect(volume.configMap ?? volume.emptyDir).toBeDefined();
      for (const { securityContext: own } of containers)
        expect(own).toMatchObject({ allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } });
    }
    const front = ofKind('Deployment', workloads(elsewhere)).find(({ metadata }) => metadata.name === 'front');
    // One of the settings that `restricted` allows: without it, who is not root can't listen on port 80.
    expect(front.spec.template.spec.securityContext.sysctls).toEqual([
      { name: 'net.ipv4.ip_unprivileged_port_start', value: '0' },
    ]);
  });
});

/** A pod's port as Prometheus's discovery tells of it (https://prometheus.io/docs/prometheus/latest/configuration/configuration/#pod). */
const metaOf = (namespace: string, labels: Record<string, string>): Record<string, string> => ({
  __meta_kubernetes_namespace: namespace,
  __meta_kubernetes_pod_name: 'x-6d4f',
  __meta_kubernetes_pod_uid: 'u1',
  __meta_kubernetes_pod_phase: 'Running',
  __meta_kubernetes_pod_container_port_name: 'http',
  ...Object.fromEntries(
    Object.entries(labels).map(([key, value]) => [`__meta_kubernetes_pod_label_${key.replace(/\W/g, '_')}`, value]),
  ),
});

/** The part of Prometheus's relabelling that is used: keep and replace, one source label each. Null: not scraped. */
const relabelled = (one: Platform, target: Record<string, string>): Record<string, string> | null => {
  const [job] = (load(made(one)['prometheus.yml']!) as Any).scrape_configs;
  expect(job.kubernetes_sd_configs[0].namespaces.names).toEqual(mapping(one).namespaces);
  const labels: Record<string, string> = {};
  for (const { source_labels: from, regex, action, target_label: to } of job.relabel_configs) {
    const value = target[from[0]] ?? '';
    if (action === 'keep' && !new RegExp(`^(?:${regex})$`).test(value)) return null;
    if (to) labels[to] = value;
  }
  return labels;
};
