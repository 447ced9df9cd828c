// A cluster as the suite looks at it from outside of the tool: what is left of ours in it, and whether the platform answers.
import { KubeConfig, RbacAuthorizationV1Api } from '@kubernetes/client-node';
import trading from '../../platforms/trading.ts';
import { probe } from '../../src/agent/probe.ts';
import { oneLine } from '../../src/errors.ts';
import { platform } from '../../src/platform.ts';
import { until } from '../../src/poll.ts';
import { openCluster } from '../../src/targets/kubernetes/client.ts';
import type { Cluster } from '../../src/targets/kubernetes/cluster.ts';
import { behind, discover } from '../../src/targets/kubernetes/discovery.ts';
import { mapping } from '../../src/targets/kubernetes/mapping.ts';
import { OURS } from '../../src/targets/kubernetes/own.ts';

export const NAMESPACE = 'trading';
export const AT = ['--target', 'kubernetes', '--allow', NAMESPACE] as const;
const mapped = mapping(platform(trading));

export const connect = (): Promise<Cluster> => openCluster({ audit: () => undefined });

/** Null when there is a cluster with the platform on it, else why the suite is skipped. */
export const noCluster = async (): Promise<string | null> => {
  if (!process.env.KUBECONFIG) return 'no $KUBECONFIG';
  try {
    await using cluster = await connect();
    const pods = await (await discover(cluster, mapped)).pods();
    const ready = new Set(pods.filter((pod) => pod.ready).map(({ service }) => service));
    const missing = mapped.components.filter(({ name }) => !ready.has(name)).map(({ name }) => name);
    return missing.length > 0 ? `no ready pod of ${missing.join(', ')}: kubectl apply -k deploy/local` : null;
  } catch (error) {
    return oneLine(error);
  }
};

/** Everything in the cluster that carries our label or name, wherever it is. Sorted, for people to read. */
export const ours = async (): Promise<string[]> => {
  await using cluster = await connect();
  const labelSelector = OURS;
  const lists = await Promise.all([
    cluster.networking.listNetworkPolicyForAllNamespaces({ labelSelector }),
    cluster.batch.listJobForAllNamespaces({ labelSelector }),
    cluster.core.listConfigMapForAllNamespaces({ labelSelector }),
    cluster.core.listPodForAllNamespaces({ labelSelector }),
    cluster.coordination.listLeaseForAllNamespaces({ labelSelector }),
  ]);
  const kinds = ['networkpolicy', 'job', 'configmap', 'pod', 'lease'];
  const labelled = lists.flatMap(({ items }, i) =>
    items.map(({ metadata }) => `${kinds[i]} ${metadata?.namespace}/${metadata?.name}`),
  );
  return [...labelled, ...(await agents(cluster))].sort();
};

/** Our ephemeral containers that run, as far as their kubelets have told. */
const agents = async (cluster: Cluster): Promise<string[]> => {
  const { items: pods } = await cluster.core.listPodForAllNamespaces();
  return pods.flatMap(({ metadata, status }) =>
    (status?.ephemeralContainerStatuses ?? [])
      .filter(({ name, state }) => name.startsWith('firedrill-') && state?.running)
      .map(({ name }) => `ephemeral container ${name} of ${metadata?.namespace}/${metadata?.name}`),
  );
};

/** The same, after a run: a kubelet tells some time after a container's end that it has ended. */
export const left = async (): Promise<string[]> => {
  await using cluster = await connect();
  const told = async (): Promise<true | null> => ((await agents(cluster)).length === 0 ? true : null);
  await until('the end of our agents', told, { forMs: 20_000, everyMs: 500 }).catch(() => undefined);
  return ours();
};

/** One request to every component's first ready pod, tagged or not: who answered, and who did not. */
export const answers = async (tag: string | null): Promise<Record<string, string>> => {
  await using cluster = await connect();
  const all = mapped.components.map(async ({ name, namespace, service, port }) => {
    const at = { namespace, service, port };
    await using way = await cluster.forward(async () => (await behind(cluster, at))[0]!);
    const { outcome, status } = await probe({ url: `http://${way.host}:${way.port}/health`, tag, timeoutMs: 3000 });
    return [name, `${outcome} ${status}`] as const;
  });
  return Object.fromEntries(await Promise.all(all));
};

export const EVERYBODY_ANSWERS = Object.fromEntries(mapped.components.map(({ name }) => [name, 'answered 200']));

export const rbacApi = (): RbacAuthorizationV1Api => {
  const config = new KubeConfig();
  config.loadFromDefault();
  return config.makeApiClient(RbacAuthorizationV1Api);
};
