// A cluster as a target: what a survey has found, put to use. Everything that it makes carries the run's labels.
import { Unreachable } from '../../errors.ts';
import type { Act, Capture, Target } from '../target.ts';
import { agentsOf } from './agents.ts';
import { startCapture } from './capture.ts';
import { startDelay } from './delay.ts';
import { behind } from './discovery.ts';
import { trafficHere } from './from-here.ts';
import type { FoundPod, Ground, Images } from './ground.ts';
import { kill, mayKill } from './kill.ts';
import { takeLease } from './lease.ts';
import { mustBeAllowed, type Owner } from './own.ts';
import { block } from './policies.ts';
import { probe } from './probes.ts';
import type { Survey } from './survey.ts';
import { prepareWorkers } from './workers.ts';

export type KubernetesOptions = {
  readonly owner: Owner;
  /** Who drills, for those who find the namespace taken. */
  readonly holder: string;
  /** Namespaces in which things may be made and undone. */
  readonly allow: readonly string[];
  readonly images: Images;
  /** Pods of an Indexed Job that send the traffic; 0: this machine does. */
  readonly workers: number;
  /** Whether packets are captured in every pod of the platform. */
  readonly capture: boolean;
  readonly overrideBudgets: boolean;
  readonly say: (line: string) => void;
};

export type Kubernetes = Target & { readonly webhook: null };

const UNENFORCED = 'this cluster does not enforce NetworkPolicy, or something else lets these packets pass';

/** Throws Usage when a namespace of the platform may not be touched, Unreachable when another run has it. */
export const openKubernetes = async (found: Survey, options: KubernetesOptions): Promise<Kubernetes> => {
  const { cluster, mapping, endpoints } = found;
  const { owner, holder, allow, say } = options;
  for (const namespace of mapping.namespaces) mustBeAllowed(namespace, allow);
  const ground: Ground = {
    cluster,
    mapping,
    owner,
    allowed: allow,
    images: options.images,
    spared: found.spared,
    pods: found.pods,
    behind: (service) => behind(cluster, service),
  };
  const leases: AsyncDisposable[] = [];
  const dispose = async (): Promise<void> => {
    for (const one of leases.splice(0)) await one[Symbol.asyncDispose]();
  };
  try {
    for (const namespace of mapping.namespaces) leases.push(await takeLease(cluster, namespace, owner, holder, say));
  } catch (error) {
    await dispose();
    throw error;
  }
  const agents = agentsOf(ground, options.capture);
  const entry = mapping.components.find(({ name }) => name === mapping.entry)!;
  const inside = mapping.entryUrl ?? `http://${entry.service}.${entry.namespace}:${entry.port}`;
  return {
    webhook: null,
    endpoints,
    clientUrl: options.workers > 0 ? inside : endpoints.entry,
    facts: async () => ({ ...found.facts, pods: await found.pods() }),
    pods: found.pods,
    addresses: () => found.addresses,
    signal: (uid, signal) => signalled(ground, uid, signal),
    mayKill: async (uids) => mayKill(ground, chosen(await found.pods(), uids), options.overrideBudgets),
    delay: (act): Promise<Act> => startDelay(ground, agents, act),
    block: async (act): Promise<Act> => ({ ...(await block(ground, act)), ifUnseen: UNENFORCED }),
    probe: (from, to, tagged) => probe(ground, agents, from, to, tagged),
    traffic: async (plan, signal) =>
      options.workers > 0 ? prepareWorkers(ground, options.workers, plan, signal) : trafficHere(plan),
    capture: async (file): Promise<Capture | null> => (options.capture ? startCapture(ground, agents, file) : null),
    [Symbol.asyncDispose]: async () => {
      await agents[Symbol.asyncDispose]();
      await dispose();
    },
  };
};

const signalled = async (ground: Ground, uid: string, signal: Parameters<Target['signal']>[1]): Promise<void> => {
  if (signal === 'SIGKILL' || signal === 'SIGTERM') return kill(ground, uid, signal);
  throw new Unreachable('a cluster gives no way to freeze a pod: only SIGKILL and SIGTERM are to be had');
};

const chosen = (pods: readonly FoundPod[], uids: readonly string[]): FoundPod[] =>
  pods.filter(({ uid }) => uids.includes(uid));
