// Pod kill: SIGKILL to the pod's process, SIGTERM, which leaves it its grace, or SIGSTOP, which freezes it. The platform
// replaces a killed pod by itself; healing waits for that. A frozen one is continued.
import { Usage } from '../errors.ts';
import { until } from '../poll.ts';
import type { Pod, Target } from '../targets/target.ts';
import type { Context, Fault, PodKill, Witness } from './fault.ts';
import { mustExist, refOf, serviceOf, vantage } from './place.ts';

/** How long the platform may take to bring a killed pod back. */
const RETURN = { forMs: 60_000, everyMs: 250 };

/**
 * Kills pods of a component: `pods` of them (default 1), a share (`'50%'`, rounded up) or all. `how: 'SIGTERM'` leaves each
 * the grace that it has of its own; `how: 'SIGSTOP'` freezes them in place of killing.
 * Example: `podKill('order-service', { pods: 'all' })`.
 */
export const podKill = (
  on: string,
  options: { readonly pods?: PodKill['pods']; readonly how?: PodKill['how'] } = {},
): PodKill => {
  const ref = refOf(on);
  if (!serviceOf(ref)) throw new Usage(`podKill needs a component, not '${on}'`);
  return { kind: 'podKill', on: ref, pods: options.pods ?? 1, how: options.how ?? 'SIGKILL' };
};

const ofService = (spec: PodKill, pods: readonly Pod[]): Pod[] =>
  pods.filter((pod) => pod.service === serviceOf(spec.on));

/** The victims: by name, rotated by the seed, so that the same seed picks the same ones. */
const victims = (spec: PodKill, pods: readonly Pod[], seed: number): Pod[] => {
  const all = ofService(spec, pods)
    .filter((pod) => pod.ready)
    .sort((a, b) => a.name.localeCompare(b.name));
  const first = all.length > 0 ? seed % all.length : 0;
  const rotated = [...all.slice(first), ...all.slice(0, first)];
  return rotated.slice(0, countOf(spec.pods, all.length));
};

const countOf = (pods: PodKill['pods'], there: number): number => {
  if (pods === 'all') return there;
  return typeof pods === 'number' ? pods : Math.ceil((Number.parseFloat(pods) / 100) * there);
};

const DONE = { SIGKILL: 'killed', SIGTERM: 'ended with their own grace', SIGSTOP: 'frozen' } as const;

export const podKillFault: Fault<PodKill> = {
  truth: (spec) => ({ on: spec.on, kinds: ['absent'] }),
  radius: (spec, facts) => {
    mustExist(spec.on, facts);
    const there = ofService(spec, facts.pods).length;
    const n = countOf(spec.pods, there);
    if (n > there) throw new Usage(`podKill wants ${n} pods of ${serviceOf(spec.on)}, which has ${there}`);
    if (spec.how === 'SIGSTOP' && facts.lacks.includes('freeze'))
      throw new Usage(`${facts.target} gives no way to freeze a pod: use how: 'SIGKILL' or 'SIGTERM'`);
    return {
      hurts: `${n} of ${there} pods of ${serviceOf(spec.on)} ${DONE[spec.how]}: every request that they serve, tagged or not`,
      spares: n < there ? 'requests served by its other pods' : 'requests that never reach it',
    };
  },
  inject: async (spec, context) => {
    const hit = victims(spec, await context.target.pods(), context.seed);
    if (hit.length === 0) throw new Usage(`no ready pod of ${serviceOf(spec.on)} to kill`);
    const before = ofService(spec, await context.target.pods()).length;
    if (spec.how !== 'SIGSTOP') await context.target.mayKill(hit.map(({ uid }) => uid));
    const injected = spec.how === 'SIGSTOP' ? frozen(spec, context, hit) : killed(spec, context.target, hit, before);
    try {
      for (const pod of hit) {
        await context.intend(spec.how, `pod:${pod.name} uid ${pod.uid}`);
        await context.target.signal(pod.uid, spec.how);
      }
    } catch (error) {
      // Half a fault is none: whom it has hit by now is healed before the refusal is told.
      await injected.heal();
      throw error;
    }
    return injected;
  },
};

const killed = (spec: PodKill, target: Target, hit: readonly Pod[], before: number) => ({
  witness: async (): Promise<Witness> => {
    const left = (await target.pods()).map((pod) => pod.uid);
    const gone = hit.filter((pod) => !left.includes(pod.uid));
    return {
      says: `${gone.length} of ${hit.length} killed pods are gone: ${hit.map((pod) => pod.name).join(', ')}`,
      holds: gone.length === hit.length,
    };
  },
  heal: async () => {
    await until(
      `replacements for the killed pods of ${serviceOf(spec.on)}`,
      async () => (ready(spec, await target.pods()).length >= before ? true : null),
      RETURN,
    );
  },
  witnessHealed: async (): Promise<Witness> => {
    const now = ready(spec, await target.pods());
    return {
      says: `${now.length} of ${before} pods ready again: ${now.map((pod) => pod.name).join(', ')}`,
      holds: now.length >= before,
    };
  },
});

const ready = (spec: PodKill, pods: readonly Pod[]): Pod[] => ofService(spec, pods).filter((pod) => pod.ready);

const frozen = (spec: PodKill, { target, facts, intend }: Context, hit: readonly Pod[]) => {
  const knock = (pod: Pod) => target.probe(vantage(spec.on, facts), pod.name, null);
  return {
    witness: async (): Promise<Witness> => {
      const probe = await knock(hit[0]!);
      return {
        says: `probe from ${probe.from} to frozen ${probe.to}: ${probe.outcome}`,
        holds: probe.outcome === 'timeout',
      };
    },
    heal: async () => {
      const alive = new Set((await target.pods()).map((pod) => pod.uid));
      for (const pod of hit.filter((one) => alive.has(one.uid))) {
        await intend('SIGCONT', `pod:${pod.name} uid ${pod.uid}`);
        await target.signal(pod.uid, 'SIGCONT');
      }
    },
    witnessHealed: async (): Promise<Witness> => {
      const probe = await knock(hit[0]!);
      return {
        says: `probe from ${probe.from} to ${probe.to}: ${probe.outcome} in ${probe.ms.toFixed(0)} ms`,
        holds: probe.outcome === 'answered',
      };
    },
  };
};
