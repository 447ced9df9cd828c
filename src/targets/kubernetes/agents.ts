// Our programs inside of the platform's pods: ephemeral containers, which can be added to a running pod and end by
// themselves. Their entry in the pod's spec stays for as long as the pod does; that is Kubernetes' rule.
import {
  PatchStrategy,
  setHeaderOptions,
  type V1ContainerState,
  type V1EphemeralContainer,
  type V1Pod,
} from '@kubernetes/client-node';
import { NODE_IPS } from '../../agent/node-addresses.ts';
import type { DelayHereOrder, StayOrder } from '../../agent/orders.ts';
import { oneLine, Unreachable } from '../../errors.ts';
import { until } from '../../poll.ts';
import { iso } from '../../time.ts';
import { type At, type Cluster, type Executed, Refused } from './cluster.ts';
import type { FoundPod, Ground } from './ground.ts';
import { atMost } from './limit.ts';
import { mustBeAllowed, nameOf } from './own.ts';

/** `look` probes and captures, `delay` delays. Each has the capabilities that it needs and no others. */
export type Kind = 'look' | 'delay';

export type Agents = AsyncDisposable & {
  /** The onlooker in this pod, running; made when there is none. Throws Unreachable, with the reason, when it can't be. */
  look(pod: FoundPod): Promise<At>;
  /** A new agent that delays this pod; resolves when the delay is in force. Throws Unreachable when it can't be. */
  delay(pod: FoundPod, order: Omit<DelayHereOrder, keyof StayOrder>): Promise<At>;
  /** Runs one of the agent's commands beside an agent and returns what it wrote. Throws Unreachable with its complaint. */
  tell(at: At, command: string, order: object): Promise<string>;
  /** Ends the onlookers, if they can be reached; they end by themselves at the run's expiry. */
  [Symbol.asyncDispose](): Promise<void>;
};

export const AGENT = [
  '/usr/local/bin/node',
  '--disable-warning=ExperimentalWarning',
  '/app/dist/src/agent/agent.js',
] as const;

/** A container is started in seconds where its image is at hand, in a minute where it must be pulled first. */
const START = { forMs: 90_000, everyMs: 250 };
const AT_ONCE = 4;
/** As many as a run may ever make in one pod: names of those that have ended can't be used again. */
const MOST = 20;

/** `captures`: whether onlookers are given what tcpdump needs. */
export const agentsOf = (ground: Ground, captures = true): Agents => {
  const { cluster, owner } = ground;
  const looks = new Map<string, Promise<At>>();
  const limited = atMost(AT_ONCE);
  const stay = { run: owner.runId, until: iso(owner.expires) };

  const look = (pod: FoundPod): Promise<At> => {
    const known = looks.get(pod.uid);
    if (known !== undefined) return known;
    const made = limited(() => ensure(ground, pod, 'look', { command: 'stay', order: stay, captures }));
    looks.set(pod.uid, made);
    made.catch(() => looks.delete(pod.uid));
    return made;
  };

  return {
    look,
    delay: (pod, order) =>
      limited(async () => {
        const at = await ensure(ground, pod, 'delay', { command: 'delay', order: { ...stay, ...order }, captures });
        await inForce(cluster, at, pod, order.act);
        return at;
      }),
    tell: (at, command, order) => told(cluster, at, command, order),
    [Symbol.asyncDispose]: async () => {
      const made = await Promise.allSettled(looks.values());
      looks.clear();
      const ends = made.map(
        (one) => one.status === 'fulfilled' && told(cluster, one.value, 'leave', { run: owner.runId }),
      );
      await Promise.allSettled(ends);
    },
  };
};

/** Runs one of the agent's commands in its container; see Agents.tell. */
export const told = async (cluster: Cluster, at: At, command: string, order: object): Promise<string> => {
  const { code, out, err }: Executed = await cluster.exec(at, [...AGENT, command, JSON.stringify(order)]);
  if (code !== 0) throw new Unreachable(`${nameAt(at)}: ${oneLine(err.trim() || `ended with ${code}`)}`);
  return out;
};

export type What = { readonly command: 'stay' | 'delay'; readonly order: StayOrder; readonly captures: boolean };

/** Adds the container unless it is there, and waits until it runs. A failure that won't mend itself ends the wait at once. */
const ensure = async (ground: Ground, pod: FoundPod, kind: Kind, what: What): Promise<At> => {
  mustBeAllowed(pod.namespace, ground.allowed);
  if (pod.hostNetwork)
    throw new Unreachable(
      `pod ${pod.namespace}/${pod.name} is on its node's network: an agent there would meet all of the node`,
    );
  let container: string | null = null;
  const found = await until(
    `an agent in pod ${pod.namespace}/${pod.name}`,
    async (): Promise<At | string | null> => {
      const now = await read(ground.cluster, pod);
      if (now === null) return 'it is gone';
      container ??= freeName(now, nameOf(kind, ground.owner.runId), kind === 'look');
      if (container === null) return `it has had ${MOST} of our agents, and takes no more until it is replaced`;
      if (!now.spec?.ephemeralContainers?.some(({ name }) => name === container))
        return patch(ground, pod, containerOf(ground, container, what));
      const state = stateOf(now, container);
      if (state?.running) return { namespace: pod.namespace, pod: pod.name, container };
      return troubleOf(state, ground.images.agent);
    },
    START,
  );
  if (typeof found !== 'string') return found;
  throw new Unreachable(`pod ${pod.namespace}/${pod.name} takes no agent: ${found}`);
};

/** The pod with this uid, or null when it is no more or about to go. */
export const read = async (
  cluster: Cluster,
  { namespace, name, uid }: Pick<FoundPod, 'namespace' | 'name' | 'uid'>,
): Promise<V1Pod | null> => {
  try {
    const pod = await cluster.core.readNamespacedPod({ namespace, name });
    const ended = pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
    return pod.metadata?.uid !== uid || pod.metadata.deletionTimestamp || ended ? null : pod;
  } catch (error) {
    if (error instanceof Refused && error.status === 404) return null;
    throw error;
  }
};

/** The first name of the series that nobody has; or, where one will do, that of the one that runs. */
const freeName = (pod: V1Pod, base: string, reuse: boolean): string | null => {
  const names = [base, ...Array.from({ length: MOST - 1 }, (_, i) => `${base}-${i + 2}`)];
  const taken = new Set(pod.spec?.ephemeralContainers?.map(({ name }) => name));
  const running = reuse ? names.find((name) => taken.has(name) && !stateOf(pod, name)?.terminated) : undefined;
  return running ?? names.find((name) => !taken.has(name)) ?? null;
};

export const stateOf = (pod: V1Pod, container: string): V1ContainerState | undefined =>
  pod.status?.ephemeralContainerStatuses?.find(({ name }) => name === container)?.state;

export const containerOf = (
  { images }: Pick<Ground, 'images'>,
  name: string,
  { command, order, captures }: What,
): V1EphemeralContainer => ({
  name,
  image: images.agent,
  imagePullPolicy: 'IfNotPresent',
  command: [...AGENT],
  args: [command, JSON.stringify(order)],
  env: [{ name: NODE_IPS, valueFrom: { fieldRef: { fieldPath: 'status.hostIP' } } }],
  terminationMessagePolicy: 'FallbackToLogsOnError',
  securityContext: {
    runAsUser: 0,
    runAsGroup: 0,
    runAsNonRoot: false,
    allowPrivilegeEscalation: false,
    readOnlyRootFilesystem: true,
    seccompProfile: { type: 'RuntimeDefault' },
    capabilities: { drop: ['ALL'], add: rights(command, captures) },
  },
});

/** tcpdump sets its groups when it gives up privileges, also when told to stay who it is (`-Z root`): hence SETGID. */
const rights = (command: What['command'], captures: boolean): string[] => {
  if (command === 'delay') return ['NET_ADMIN'];
  return captures ? ['NET_RAW', 'SETGID'] : [];
};

/** Null when it was taken; a refusal's reason otherwise. What is only unreachable is asked again. */
const patch = async (
  ground: Ground,
  { namespace, name }: FoundPod,
  container: V1EphemeralContainer,
): Promise<string | null> => {
  const body = { spec: { ephemeralContainers: [container] } };
  try {
    await ground.cluster.core.patchNamespacedPodEphemeralcontainers(
      { namespace, name, body },
      setHeaderOptions('Content-Type', PatchStrategy.StrategicMergePatch),
    );
    return null;
  } catch (error) {
    if (!(error instanceof Refused) || error.status >= 500 || error.status === 409 || error.status === 429) throw error;
    if (error.status === 404) return 'it is gone';
    return `${error.message}${/PodSecurity/.test(error.message) ? FORBIDDEN(namespace) : ''}`;
  }
};

const FORBIDDEN = (namespace: string): string =>
  `; an administrator can allow it: kubectl label namespace ${namespace} pod-security.kubernetes.io/enforce=privileged --overwrite`;

/** Reasons that don't pass by waiting (the kubelet's own words). */
const HOPELESS =
  /^(ErrImageNeverPull|ImagePullBackOff|InvalidImageName|CreateContainerConfigError|CreateContainerError|RunContainerError|StartError)$/;

const troubleOf = (state: V1ContainerState | undefined, image: string): string | null => {
  const { waiting, terminated } = state ?? {};
  if (terminated)
    return lastWords(terminated.message) ?? `it ended at once: ${terminated.reason} ${terminated.exitCode}`;
  if (!waiting?.reason || !HOPELESS.test(waiting.reason)) return null;
  return `${waiting.reason}: image ${image}: ${oneLine(waiting.message ?? 'no message')}`;
};

const lastWords = (message: string | undefined): string | null => message?.trim().split('\n').at(-1) ?? null;

/** Waits until the delay's rules are in force; throws with the agent's last words when it has ended instead. */
const inForce = async (cluster: Cluster, at: At, pod: FoundPod, act: string): Promise<void> => {
  const failed = await until(
    `the delay in pod ${pod.namespace}/${pod.name}`,
    async (): Promise<string | null> => {
      const words = await told(cluster, at, 'ready', { act }).then(() => '', oneLine);
      if (words === '') return '';
      const now = await read(cluster, pod);
      if (now === null) return 'it is gone';
      const ended = stateOf(now, at.container)?.terminated;
      if (ended) return lastWords(ended.message) ?? `its agent ended: ${ended.reason} ${ended.exitCode}`;
      throw new Unreachable(words);
    },
    { forMs: 30_000, everyMs: 500 },
  );
  if (failed) throw new Unreachable(`pod ${pod.namespace}/${pod.name} can't be delayed: ${failed}`);
};

export const nameAt = ({ namespace, pod, container }: At): string =>
  `container ${container} of pod ${namespace}/${pod}`;

/** An agent that runs, of any run. `act` is null for an onlooker. */
export type Running = {
  readonly at: At;
  readonly uid: string;
  readonly run: string;
  readonly act: string | null;
  readonly until: string;
};

/** All agents that run in pods of these namespaces: they are known by their names and by what they were told at their start. */
export const runningAgents = async (cluster: Cluster, namespaces: readonly string[]): Promise<Running[]> => {
  const lists = await Promise.all(namespaces.map((namespace) => cluster.core.listNamespacedPod({ namespace })));
  return lists.flatMap(({ items }) => items).flatMap(runningIn);
};

const runningIn = (pod: V1Pod): Running[] => {
  const { name = '', namespace = '', uid = '' } = pod.metadata ?? {};
  return (pod.spec?.ephemeralContainers ?? []).flatMap(({ name: container, args }) => {
    const order = container.startsWith('firedrill-') && stateOf(pod, container)?.running ? orderIn(args?.[1]) : null;
    return order ? [{ at: { namespace, pod: name, container }, uid, ...order }] : [];
  });
};

const orderIn = (text: string | undefined): Pick<Running, 'run' | 'act' | 'until'> | null => {
  try {
    const { run, act, until: end } = JSON.parse(text ?? '') as Readonly<Record<string, unknown>>;
    if (typeof run !== 'string' || typeof end !== 'string') return null;
    return { run, act: typeof act === 'string' ? act : null, until: end };
  } catch {
    return null;
  }
};

/** Longer than an API server is usually away. */
const END = { forMs: 90_000, everyMs: 500 };

/** Ends an agent and waits until its container has ended. A pod that is gone has none. Throws Unreachable, naming it. */
export const endAgent = async (cluster: Cluster, { at, uid, run, act }: Omit<Running, 'until'>): Promise<void> => {
  await until(
    `the end of ${nameAt(at)}`,
    async () => {
      const pod = await read(cluster, { namespace: at.namespace, name: at.pod, uid });
      if (pod === null || stateOf(pod, at.container)?.terminated) return true;
      await (act === null ? told(cluster, at, 'leave', { run }) : told(cluster, at, 'stop', { act }));
      return null;
    },
    END,
  );
};
