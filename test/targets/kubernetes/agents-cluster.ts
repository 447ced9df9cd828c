// A cluster of pods that take ephemeral containers, in memory: what the API server and the kubelet would make of them.
import type { V1ContainerState, V1EphemeralContainer, V1Pod } from '@kubernetes/client-node';
import { type At, type Cluster, type Exec, type Executed, Refused } from '../../../src/targets/kubernetes/cluster.ts';
import type { FoundPod, Ground } from '../../../src/targets/kubernetes/ground.ts';
import { fromMs, systemClock } from '../../../src/time.ts';

export const NAMESPACE = 'shop';
const OK: Executed = { code: 0, out: '', err: '' };

/** `shop-a` is a pod of `shop`; its address ends with `n`. */
export const foundPod = (name: string, n: number, more: Partial<FoundPod> = {}): FoundPod => ({
  ...{ name, namespace: NAMESPACE, uid: `uid-${name}`, service: name.slice(0, -2), ip: `198.18.1.${n}`, port: 8080 },
  ...{ ready: true, labels: {}, node: 'n1', owner: 'ReplicaSet/x', hostNetwork: false, restarts: 0 },
  ...more,
});

export type Said = { readonly at: At; readonly command: string; readonly order: Record<string, unknown> };

/** What the world does; by default all goes well. */
export type World = {
  /** A container's state after it was added. */
  starts?: (pod: string, container: V1EphemeralContainer) => V1ContainerState;
  /** Instead of taking a patch. */
  refuses?: (pod: string) => Error | null;
  /** Instead of running a program. */
  exec?: (at: At, argv: readonly string[], options?: Exec) => Promise<Executed> | null;
};

export const shop = (living: FoundPod[], world: World = {}) => {
  const containers = new Map<string, V1EphemeralContainer[]>();
  const states = new Map<string, V1ContainerState>();
  const said: Said[] = [];
  const keyOf = (pod: string, container: string) => `${pod}/${container}`;
  const live = (name: string): FoundPod => {
    const pod = living.find((one) => one.name === name);
    if (!pod) throw new Refused(`pods "${name}" not found`, 404);
    return pod;
  };
  const asPod = ({ name, namespace, uid, ip }: FoundPod): V1Pod => {
    const own = containers.get(uid) ?? [];
    return {
      metadata: { name, namespace, uid },
      spec: { containers: [], ephemeralContainers: own },
      status: {
        podIP: ip,
        phase: 'Running',
        ephemeralContainerStatuses: own.map((one) => ({
          ...{ name: one.name, image: '', imageID: '', ready: false, restartCount: 0 },
          state: states.get(keyOf(name, one.name))!,
        })),
      },
    };
  };
  const ends = (at: At): void => void states.set(keyOf(at.pod, at.container), { terminated: { exitCode: 0 } });

  const exec = async (at: At, argv: readonly string[], options?: Exec): Promise<Executed> => {
    live(at.pod);
    const own = world.exec?.(at, argv, options);
    if (own !== undefined && own !== null) return own;
    const i = argv.findIndex((word) => word.endsWith('agent.js'));
    const command = argv[i + 1]!;
    said.push({ at, command, order: JSON.parse(argv[i + 2]!) });
    if (command === 'stop' || command === 'leave') ends(at);
    return command === 'node' ? { ...OK, out: '["198.18.0.1"]' } : OK;
  };

  const core = {
    readNamespacedPod: async ({ name }: { name: string }) => asPod(live(name)),
    listNamespacedPod: async ({ namespace }: { namespace: string }) => ({
      items: living.filter((pod) => pod.namespace === namespace).map(asPod),
    }),
    listNamespacedService: async () => ({
      items: [{ spec: { clusterIPs: ['198.18.128.9'] } }, { spec: { clusterIPs: ['None'] } }],
    }),
    patchNamespacedPodEphemeralcontainers: async (asked: { name: string; body: V1Pod }) => {
      const { uid } = live(asked.name);
      const refusal = world.refuses?.(asked.name);
      if (refusal) throw refusal;
      const [added] = asked.body.spec!.ephemeralContainers!;
      containers.set(uid, [...(containers.get(uid) ?? []), added!]);
      states.set(keyOf(asked.name, added!.name), world.starts?.(asked.name, added!) ?? { running: {} });
    },
  };
  const ground = {
    cluster: { core, exec } as unknown as Cluster,
    mapping: { namespaces: [NAMESPACE] },
    owner: { runId: 'abc', expires: systemClock.now() + fromMs(60_000) },
    allowed: [NAMESPACE],
    images: { firedrill: 'f', agent: 'agent:1' },
    spared: [],
    pods: async () => [...living],
  } as unknown as Ground;
  return {
    ground,
    said,
    living,
    ends,
    /** All ephemeral containers that a pod ever had. */
    containers: (pod: string): readonly V1EphemeralContainer[] => containers.get(`uid-${pod}`) ?? [],
    commands: (command: string): readonly string[] =>
      said
        .filter((one) => one.command === command)
        .map(({ at }) => at.pod)
        .sort(),
    running: (): readonly string[] =>
      [...states]
        .filter(([, state]) => state.running)
        .map(([key]) => key)
        .sort(),
  };
};
