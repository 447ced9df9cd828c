// The layers' backends in a cluster: those that the profile names, and the others by their usual names and ports.
import type { Platform } from '../../platform.ts';
import type { Cluster } from './cluster.ts';
import { BACKENDS, type BackendName, type Mapping, type ServiceAt } from './mapping.ts';

type Usual = { readonly names: readonly string[]; readonly ports: readonly number[] };

/** Names of Services, or of `app.kubernetes.io/name`, as the projects' own charts and operators give them. */
const USUAL: Readonly<Record<BackendName, Usual>> = {
  jaeger: { names: ['jaeger-query', 'jaeger'], ports: [16686] },
  prometheus: {
    names: ['prometheus', 'prometheus-server', 'prometheus-operated', 'prometheus-k8s'],
    ports: [9090, 80],
  },
  alertmanager: {
    names: ['alertmanager', 'alertmanager-operated', 'alertmanager-main', 'prometheus-alertmanager'],
    ports: [9093],
  },
  loki: { names: ['loki', 'loki-gateway'], ports: [3100, 80] },
  hubble: { names: ['hubble-relay'], ports: [80, 443, 4245] },
};
const CILIUM_HOME = 'kube-system';

export type Found = { readonly [K in BackendName]: string | ServiceAt | null };

/** What a backend behind a Service speaks: TLS where the profile names something for it; `host:port` stands for Hubble. */
export const schemeOf = ({ backends }: Platform, name: BackendName): '' | 'http://' | 'https://' => {
  if (name === 'hubble') return '';
  const { caFile, certFile, serverName } = backends[name] ?? {};
  return (caFile ?? certFile ?? serverName) ? 'https://' : 'http://';
};

/** Looks through the namespaces of the observers. One that may not be listed is passed over, and `say` is told. */
export const findBackends = async (
  cluster: Cluster,
  mapping: Mapping,
  given: { readonly [K in BackendName]?: string | undefined },
  say: (line: string) => void,
): Promise<Found> => {
  const known = { ...mapping.backends, ...given };
  const missing = BACKENDS.filter((name) => !known[name]);
  const services = missing.length > 0 ? await listed(cluster, mapping, missing, say) : [];
  return Object.fromEntries(BACKENDS.map((name) => [name, known[name] ?? usual(name, services)])) as Found;
};

type Listed = ServiceAt & { readonly names: readonly string[] };

const listed = async (
  cluster: Cluster,
  { namespaces, observability }: Mapping,
  missing: readonly BackendName[],
  say: (line: string) => void,
): Promise<Listed[]> => {
  const where = [...observability, ...namespaces, ...(missing.includes('hubble') ? [CILIUM_HOME] : [])];
  const lists = where.map(async (namespace): Promise<Listed[]> => {
    const list = await cluster.core.listNamespacedService({ namespace }).catch((error: Error) => {
      if (namespace !== CILIUM_HOME) say(`services of namespace ${namespace} are not looked at: ${error.message}`);
      return { items: [] };
    });
    return list.items.flatMap(({ metadata, spec }) =>
      (spec?.ports ?? []).map(({ port }) => ({
        namespace,
        service: metadata?.name ?? '',
        port,
        names: [metadata?.name ?? '', metadata?.labels?.['app.kubernetes.io/name'] ?? ''],
      })),
    );
  });
  return (await Promise.all(lists)).flat();
};

const usual = (name: BackendName, services: readonly Listed[]): ServiceAt | null => {
  const { names, ports } = USUAL[name];
  for (const one of names)
    for (const port of ports) {
      const hit = services.find((service) => service.names.includes(one) && service.port === port);
      if (hit) return { namespace: hit.namespace, service: hit.service, port: hit.port };
    }
  return null;
};
