// The platform as a cluster has it now: whose pods are whose, and every address that any of them ever had.
import type { V1Pod, V1Service } from '@kubernetes/client-node';
import { Unreachable, Usage } from '../../errors.ts';
import type { Address } from '../../naming.ts';
import type { Cluster } from './cluster.ts';
import type { FoundPod } from './ground.ts';
import { componentOf, type Mapping, type ServiceAt, selectorOf } from './mapping.ts';

export type Discovery = {
  /** The components' pods, listed anew; those whose end has been asked for are not among them. */
  pods(): Promise<readonly FoundPod[]>;
  /** Every address seen so far, pods' and Services', and whose it is. */
  readonly addresses: ReadonlyMap<string, Address>;
};

/** Learns the Services' addresses once (they stay for as long as a Service is there) and the pods' at each `pods()`. */
export const discover = async (cluster: Cluster, mapping: Mapping): Promise<Discovery> => {
  const addresses = new Map<string, Address>();
  for (const namespace of mapping.namespaces) {
    const { items } = await cluster.core.listNamespacedService({ namespace });
    for (const { ip, service } of items.flatMap((one) => virtual(one, mapping)))
      addresses.set(ip, { ip, service, pod: service });
  }
  const pods = async (): Promise<readonly FoundPod[]> => {
    const lists = await Promise.all(
      mapping.namespaces.map((namespace) => cluster.core.listNamespacedPod({ namespace })),
    );
    const all = lists.flatMap(({ items }) => items.flatMap((pod) => found(pod, mapping)));
    for (const { ip, service, name } of all) if (ip) addresses.set(ip, { ip, service, pod: name });
    return all;
  };
  return { pods, addresses };
};

/** The Service's own addresses; a Service is the component's whose name it has, or whose pods it selects. */
const virtual = ({ metadata, spec }: V1Service, mapping: Mapping): { ip: string; service: string }[] => {
  const namespace = metadata?.namespace ?? '';
  const named = mapping.components.find((one) => one.namespace === namespace && one.service === metadata?.name);
  const owner = named ?? componentOf(mapping, namespace, spec?.selector ?? {});
  const ips = (spec?.clusterIPs ?? []).filter((ip) => ip !== '' && ip !== 'None');
  return owner ? ips.map((ip) => ({ ip, service: owner.name })) : [];
};

const found = ({ metadata, spec, status }: V1Pod, mapping: Mapping): FoundPod[] => {
  const { name = '', namespace = '', uid = '', labels = {}, deletionTimestamp, ownerReferences = [] } = metadata ?? {};
  const component = componentOf(mapping, namespace, labels);
  if (!component || deletionTimestamp || status?.phase === 'Succeeded' || status?.phase === 'Failed') return [];
  const controller = ownerReferences.find((one) => one.controller);
  return [
    {
      name,
      namespace,
      uid,
      labels,
      service: component.name,
      ip: status?.podIP ?? '',
      port: component.port,
      ready: status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false,
      node: spec?.nodeName ?? '',
      owner: controller ? `${controller.kind}/${controller.name}` : null,
      hostNetwork: spec?.hostNetwork ?? false,
      restarts: (status?.containerStatuses ?? []).reduce((sum, one) => sum + one.restartCount, 0),
    },
  ];
};

/**
 * Throws Usage when a component has no pods, or when labels that were only guessed match pods of several workloads, some of
 * which may be another team's.
 */
export const mustBeThere = (
  { components }: Mapping,
  pods: readonly FoundPod[],
  guessed: (component: string) => boolean,
): void => {
  const wrong = components.flatMap(({ name, namespace, labels }) => {
    const own = pods.filter((pod) => pod.service === name);
    const where = `namespace ${namespace}, labels ${selectorOf(labels)}`;
    if (own.length === 0)
      return [
        `component '${name}' has no pod (${where}): is it deployed there? kubernetes.components in the platform's profile says where it is`,
      ];
    const workloads = [...new Set(own.map(workloadOf))].sort();
    if (workloads.length > 1 && guessed(name))
      return [
        `component '${name}' (${where}) matches pods of ${workloads.join(' and ')}: say which labels are its own in kubernetes.components.${name}.labels of the profile`,
      ];
    return [];
  });
  if (wrong.length > 0) throw new Usage(wrong.join('; '));
};

/** A Deployment's ReplicaSets are all the same workload: they differ in the hash that is also their pods' label. */
const workloadOf = ({ owner, name, labels }: FoundPod): string => {
  const hash = labels['pod-template-hash'];
  if (!owner) return `pod ${name}`;
  return hash && owner.endsWith(`-${hash}`) ? owner.slice(0, -hash.length - 1) : owner;
};

type Behind = { readonly namespace: string; readonly pod: string; readonly port: number };

/** The ready pods that a Service leads to, with the port that its own port means there. Throws Unreachable when there are none. */
export const behind = async (cluster: Cluster, { namespace, service, port }: ServiceAt): Promise<readonly Behind[]> => {
  const { spec } = await cluster.core.readNamespacedService({ namespace, name: service });
  const wanted = spec?.ports?.find((one) => one.port === port);
  if (!wanted) {
    const has = spec?.ports?.map((one) => one.port).join(', ') || 'none';
    throw new Unreachable(`service ${namespace}/${service} has no port ${port}; it has: ${has}`);
  }
  const { items } = await cluster.core.listNamespacedPod({
    namespace,
    labelSelector: selectorOf(spec?.selector ?? {}),
  });
  const ready = items.filter((pod) => !pod.metadata?.deletionTimestamp && isReady(pod));
  if (ready.length === 0) throw new Unreachable(`service ${namespace}/${service} has no ready pod`);
  return ready.map((pod) => ({ namespace, pod: pod.metadata!.name!, port: portIn(pod, wanted.targetPort ?? port) }));
};

const isReady = ({ status }: V1Pod): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;

/** A named target port is what the pod's own containers call by that name. */
const portIn = ({ spec, metadata }: V1Pod, target: number | string): number => {
  if (typeof target === 'number') return target;
  const named = spec?.containers.flatMap(({ ports }) => ports ?? []).find(({ name }) => name === target);
  if (!named) throw new Unreachable(`pod ${metadata?.namespace}/${metadata?.name} has no port named '${target}'`);
  return named.containerPort;
};
