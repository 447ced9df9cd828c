// All files of a platform's kustomization, by name.
import { dump } from 'js-yaml';
import type { Platform } from '../../src/platform.ts';
import { mapping } from '../../src/targets/kubernetes/mapping.ts';
import { access, alertmanagerConfig, OBSERVABILITY, OTLP, prometheusConfig, prometheusRules } from './observers.ts';
import { namespaces, PROFILE, workloads } from './workloads.ts';

/** `observers` is the path of deploy/observability as seen from where the files will be. */
export const files = (platform: Platform, observers: string): Readonly<Record<string, string>> => ({
  'kustomization.yaml': yaml(kustomization(platform, observers)),
  'namespaces.yaml': yaml(...namespaces(platform)),
  'workloads.yaml': yaml(...workloads(platform, OTLP)),
  'access.yaml': yaml(...access(platform)),
  'platform.json': `${JSON.stringify({ platform }, null, 2)}\n`,
  'prometheus.yml': yaml(prometheusConfig(platform)),
  'rules.yml': yaml(prometheusRules(platform)),
  'alertmanager.yml': yaml(alertmanagerConfig()),
});

/** Generated ConfigMaps have a hash of their content in their names, so that a change of it replaces the pods that read it. */
const kustomization = (platform: Platform, observers: string): object => ({
  apiVersion: 'kustomize.config.k8s.io/v1beta1',
  kind: 'Kustomization',
  resources: [observers, 'namespaces.yaml', 'workloads.yaml', 'access.yaml'],
  configMapGenerator: [
    ...mapping(platform).namespaces.map((namespace) => ({ name: PROFILE, namespace, files: ['platform.json'] })),
    { name: 'prometheus', namespace: OBSERVABILITY, files: ['prometheus.yml', 'rules.yml'] },
    { name: 'alertmanager', namespace: OBSERVABILITY, files: ['alertmanager.yml'] },
    { name: 'node-agent', namespace: OBSERVABILITY, literals: [`NAMESPACES=${mapping(platform).namespaces.join()}`] },
  ],
});

const yaml = (...documents: readonly object[]): string =>
  `# Made by scripts/manifests.ts; do not edit.\n${documents.map((one) => dump(one, { noRefs: true, lineWidth: 120 })).join('---\n')}`;
