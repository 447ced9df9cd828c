// Where a platform is in a cluster: its components as namespaces and labels, its layers as services or URLs. Pure.
import type { Platform } from '../../platform.ts';

/** Pods are the component's when they are in its namespace and have all of its labels. */
export type Component = {
  readonly name: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  /** The Service that leads to it. */
  readonly service: string;
  /** The port that its pods listen on. */
  readonly port: number;
};

export type ServiceAt = { readonly namespace: string; readonly service: string; readonly port: number };

export const BACKENDS = ['jaeger', 'prometheus', 'alertmanager', 'loki', 'hubble'] as const;
export type BackendName = (typeof BACKENDS)[number];

export type Mapping = {
  readonly platform: string;
  readonly entry: string;
  readonly components: readonly Component[];
  /** The platform's namespaces, each once. */
  readonly namespaces: readonly string[];
  /** Namespaces of those who observe it, none of which is the platform's own. */
  readonly observability: readonly string[];
  /** Those that the profile names: a URL, or a Service. */
  readonly backends: { readonly [K in BackendName]?: string | ServiceAt };
  /** URL where users come in; null: the entry component itself. */
  readonly entryUrl: string | null;
};

export const mapping = ({ name, entry, components, kubernetes: there }: Platform): Mapping => {
  const home = there.namespace ?? name;
  const mapped = Object.entries(components).map(([component, { port }]): Component => {
    const own = there.components[component];
    return {
      name: component,
      namespace: own?.namespace ?? home,
      labels: own?.labels ?? { [there.label]: component },
      service: own?.service ?? component,
      port: own?.port ?? port,
    };
  });
  const namespaces = [...new Set(mapped.map(({ namespace }) => namespace))];
  return {
    platform: name,
    entry,
    components: mapped,
    namespaces,
    observability: there.observability.filter((one) => !namespaces.includes(one)),
    backends: Object.fromEntries(
      BACKENDS.flatMap((one) => (there.backends[one] ? [[one, placeOf(there.backends[one])]] : [])),
    ),
    entryUrl: there.entry ?? null,
  };
};

const placeOf = (text: string): string | ServiceAt => {
  const parts = /^([a-z0-9-]+)\.([a-z0-9-]+):(\d+)$/.exec(text);
  return parts ? { service: parts[1]!, namespace: parts[2]!, port: Number(parts[3]) } : text;
};

/** The component that a pod with these labels in this namespace belongs to, or null; the most labels win. */
export const componentOf = (
  { components }: Mapping,
  namespace: string,
  labels: Readonly<Record<string, string>>,
): Component | null =>
  components
    .filter(
      (one) => one.namespace === namespace && Object.entries(one.labels).every(([key, value]) => labels[key] === value),
    )
    .sort((a, b) => Object.keys(b.labels).length - Object.keys(a.labels).length)[0] ?? null;

/** Labels as the API server takes them: `app=a,tier=b`. */
export const selectorOf = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
