// How the observers in namespace `observability` are set for a platform: whom Prometheus scrapes and by which rules it
// alerts, how long Alertmanager waits, whose logs and flows the node agent reads, and the rights that all this takes.
import type { Platform } from '../../src/platform.ts';
import { mapping } from '../../src/targets/kubernetes/mapping.ts';
import { TIMING } from '../../src/targets/lab/config.ts';
import { ruleFile } from '../../src/targets/lab/prometheus.ts';
import { standardRules } from '../../src/targets/lab/rules.ts';
import type { Manifest } from './workloads.ts';

export const OBSERVABILITY = 'observability';
/** Where pods send their spans. */
export const OTLP = `http://jaeger.${OBSERVABILITY}:4318`;

type Relabel = {
  readonly source_labels: readonly string[];
  readonly regex?: string;
  readonly action?: 'keep';
  readonly target_label?: string;
};

/** Half as often as in the lab, whose Prometheus lives for minutes: one that goes on for weeks looks back on more each time. */
const EVERY_MS = 2000;

/** Prometheus's configuration. */
export const prometheusConfig = (platform: Platform): object => ({
  global: {
    scrape_interval: `${EVERY_MS}ms`,
    scrape_timeout: `${EVERY_MS}ms`,
    evaluation_interval: `${EVERY_MS}ms`,
  },
  rule_files: ['/etc/prometheus/rules.yml'],
  alerting: { alertmanagers: [{ static_configs: [{ targets: [`alertmanager.${OBSERVABILITY}:9093`] }] }] },
  scrape_configs: [
    {
      job_name: 'pods',
      kubernetes_sd_configs: [{ role: 'pod', namespaces: { names: mapping(platform).namespaces } }],
      relabel_configs: relabelling(platform),
    },
  ],
});

/**
 * Series carry service, pod, uid and instance, as the standard rules expect (TARGET_LABELS), and the profile's own names for
 * the first two. A pod is scraped from when it runs until it is gone, ready or not: one that runs and does not answer is
 * what `up == 0` is for.
 */
const relabelling = ({ name, telemetry }: Platform): Relabel[] => {
  const { service, pod } = telemetry.metrics.labels;
  return [
    keep('pod_label_app_kubernetes_io_part_of', name),
    keep('pod_phase', 'Running'),
    keep('pod_container_port_name', 'http'),
    ...[service, 'service'].map((label) => copy('pod_label_app_kubernetes_io_component', label)),
    ...[pod, 'pod'].map((label) => copy('pod_name', label)),
    copy('pod_uid', 'uid'),
    copy('namespace', 'namespace'),
  ].filter((one, at, all) => all.findIndex((other) => JSON.stringify(other) === JSON.stringify(one)) === at);
};

const meta = (label: string): string[] => [`__meta_kubernetes_${label}`];
const keep = (label: string, regex: string): Relabel => ({ source_labels: meta(label), regex, action: 'keep' });
const copy = (label: string, to: string): Relabel => ({ source_labels: meta(label), target_label: to });

export const prometheusRules = (platform: Platform): object => JSON.parse(ruleFile(standardRules(platform, EVERY_MS)));

/** Every alert is a group of its own, told once its group_wait is over; who wants to know asks Alertmanager's API. */
export const alertmanagerConfig = (): object => ({
  route: {
    receiver: 'nobody',
    group_by: ['...'],
    group_wait: `${TIMING.groupWait}ms`,
    group_interval: '1s',
    repeat_interval: '4h',
  },
  receivers: [{ name: 'nobody' }],
});

/** What each observer reads in the platform's namespaces. */
const READS = {
  prometheus: ['pods'],
  'node-agent': ['pods', 'services'],
} as const;

export const access = (platform: Platform): Manifest[] =>
  mapping(platform).namespaces.flatMap((namespace) =>
    Object.entries(READS).flatMap(([name, resources]) => [
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'Role',
        metadata: { name, namespace },
        rules: [{ apiGroups: [''], resources, verbs: ['get', 'list', 'watch'] }],
      },
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name, namespace },
        roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name },
        subjects: [{ kind: 'ServiceAccount', name, namespace: OBSERVABILITY }],
      },
    ]),
  );
