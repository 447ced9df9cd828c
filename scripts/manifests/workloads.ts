// A platform as Kubernetes objects: a Deployment and a Service for each component, all of them played by one program.
import type { Platform } from '../../src/platform.ts';
import { type Component, mapping } from '../../src/targets/kubernetes/mapping.ts';

/** A Kubernetes object, as its manifest has it. */
export type Manifest = { readonly apiVersion: string; readonly kind: string } & Readonly<Record<string, unknown>>;

/** The image's name in all manifests; an overlay says what it is called where it runs. */
const IMAGE = 'firedrill';
const PROGRAM = ['/usr/local/bin/node', '/app/dist/src/targets/lab/service.js', '/etc/firedrill/platform.json'];
/** The ConfigMap with the profile, made by kustomize in each of the platform's namespaces. */
export const PROFILE = 'platform';
const NAME = 'app.kubernetes.io/name';
/** Always the component's name, also where the profile says that NAME is another one. */
const COMPONENT = 'app.kubernetes.io/component';
/** Below this, a port is open only to those who ask the kernel for it; the setting is of the pod's own network. */
const FIRST_FREE_PORT = 1024;

/**
 * Ephemeral containers with NET_ADMIN and NET_RAW are what delays and captures are made by: a namespace that enforces a
 * stricter PodSecurity level refuses them. What is deployed here itself keeps to the strictest one, `restricted`.
 */
export const namespaces = (platform: Platform): Manifest[] =>
  mapping(platform).namespaces.map((name) => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name,
      labels: { 'app.kubernetes.io/part-of': platform.name, 'pod-security.kubernetes.io/enforce': 'privileged' },
    },
  }));

export const workloads = (platform: Platform, otlp: string): Manifest[] =>
  mapping(platform).components.flatMap((one) => [deployment(platform, one, otlp), service(platform, one)]);

const labelsOf = (platform: Platform, { name, labels }: Component): Record<string, string> => ({
  [NAME]: name,
  [COMPONENT]: name,
  'app.kubernetes.io/part-of': platform.name,
  ...labels,
});

const service = (platform: Platform, component: Component): Manifest => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name: component.service, namespace: component.namespace, labels: labelsOf(platform, component) },
  spec: {
    selector: component.labels,
    ports: [{ name: 'http', port: component.port, targetPort: 'http' }],
  },
});

const deployment = (platform: Platform, component: Component, otlp: string): Manifest => {
  const labels = labelsOf(platform, component);
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: component.name, namespace: component.namespace, labels },
    spec: {
      replicas: platform.components[component.name]!.pods,
      selector: { matchLabels: component.labels },
      template: { metadata: { labels }, spec: pod(component, otlp) },
    },
  };
};

const pod = (component: Component, otlp: string): object => ({
  automountServiceAccountToken: false,
  // Variables about every other Service are of no use, and may hide ours.
  enableServiceLinks: false,
  terminationGracePeriodSeconds: 10,
  securityContext: {
    runAsNonRoot: true,
    runAsUser: 65532,
    runAsGroup: 65532,
    seccompProfile: { type: 'RuntimeDefault' },
    ...(component.port < FIRST_FREE_PORT
      ? { sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] }
      : {}),
  },
  containers: [container(component, otlp)],
  volumes: [{ name: 'platform', configMap: { name: PROFILE } }],
});

const container = ({ name, port }: Component, otlp: string): object => ({
  name: 'service',
  image: IMAGE,
  command: PROGRAM,
  env: [
    { name: 'SERVICE', value: name },
    { name: 'POD_NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    { name: 'POD_UID', valueFrom: { fieldRef: { fieldPath: 'metadata.uid' } } },
    { name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: otlp },
  ],
  ports: [{ name: 'http', containerPort: port }],
  // Asked often while it starts, so that it is ready as soon as it can be.
  startupProbe: probe('/health/ready', { periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 60 }),
  readinessProbe: probe('/health/ready', { periodSeconds: 2, timeoutSeconds: 2, failureThreshold: 3 }),
  // A pod that a drill makes slow must stay the same pod: it is given up only after a minute without an answer.
  livenessProbe: probe('/health/live', { periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 }),
  // No limit on CPU: being throttled would look like a fault.
  resources: { requests: { cpu: '100m', memory: '64Mi' }, limits: { memory: '256Mi' } },
  securityContext: {
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    capabilities: { drop: ['ALL'] },
  },
  volumeMounts: [{ name: 'platform', mountPath: '/etc/firedrill', readOnly: true }],
});

const probe = (path: string, times: object): object => ({ httpGet: { path, port: 'http' }, ...times });
