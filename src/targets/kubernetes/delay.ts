// Delays: an agent in every pod of the callee, each with the kernel's rules and a proxy. They follow the pods that come up
// meanwhile, on both ends, and end by themselves at the run's expiry, whatever becomes of us.
import { randomBytes } from 'node:crypto';
import type { Who } from '../../agent/redirect.ts';
import { oneLine, Unreachable } from '../../errors.ts';
import { during } from '../../poll.ts';
import { milliseconds, systemClock, toMs } from '../../time.ts';
import type { Act, DelayAct } from '../target.ts';
import { type Agents, endAgent, nameAt, runningAgents } from './agents.ts';
import type { At, Cluster } from './cluster.ts';
import type { FoundPod, Ground, Leftover } from './ground.ts';
import { nameOf } from './own.ts';
import { sparedAddresses } from './spared.ts';

const FOLLOW_MS = 1000;

/** A pod's agent, as soon as its delay is in force, and whom it was last told to delay. */
type Delayed = { readonly at: Promise<At>; who: string };

/** A delay, from its beginning to its end. `pods` are those that it was brought into, or was tried to be, by uid. */
type Standing = {
  readonly id: string;
  readonly ground: Ground;
  readonly agents: Agents;
  readonly act: DelayAct;
  readonly pods: Map<string, Delayed>;
};

/**
 * Delays a component's pods, or, for an edge, the callee's pods for what comes from the caller's. The node and the spared
 * namespaces are not delayed; everybody else's connections are carried by the proxy, and those that stood before are reset.
 * Resolves when the delay is in force in every pod. Throws Unreachable, with all of it undone, when one can't be reached.
 */
export const startDelay = async (ground: Ground, agents: Agents, act: DelayAct): Promise<Act> => {
  const id = nameOf(`delay-${randomBytes(3).toString('hex')}`, ground.owner.runId);
  const standing: Standing = { id, ground, agents, act, pods: new Map() };
  try {
    await begin(standing);
  } catch (error) {
    await lift(standing).catch((left: unknown) => {
      throw new Unreachable(`${oneLine(error)}; and what was begun could not be undone: ${oneLine(left)}`);
    });
    throw error;
  }
  const over = new AbortController();
  const followed = follow(standing, over.signal);
  const undo = async (): Promise<void> => {
    over.abort();
    await followed;
    await lift(standing);
  };
  return { id, undo };
};

const begin = async (standing: Standing): Promise<void> => {
  const reached = await reach(standing);
  if (reached.length === 0) throw new Unreachable(`component ${callee(standing.act)} has no pod to delay`);
  // All are waited for: one that comes later than another's failure would not be undone.
  await Promise.allSettled(reached);
  await Promise.all(reached);
};

const callee = ({ place }: DelayAct): string => ('service' in place ? place.service : place.to);

/** Brings the delay into each pod that it is not in yet, and renews whom it is meant for where that has changed. */
const reach = async (standing: Standing): Promise<readonly Promise<unknown>[]> => {
  const pods = (await standing.ground.pods()).filter(({ ip }) => ip !== '');
  const who = await whoIn(standing, pods);
  return pods
    .filter(({ service }) => service === callee(standing.act))
    .map((pod) => {
      const known = standing.pods.get(pod.uid);
      return known ? renew(standing, known, who) : enter(standing, pod, who);
    });
};

const whoIn = async ({ ground, act: { place } }: Standing, pods: readonly FoundPod[]): Promise<Who> => {
  if ('service' in place) return { except: await sparedAddresses(ground) };
  const callers = pods.filter(({ service }) => service === place.from);
  return { only: callers.map(({ ip }) => ip).sort() };
};

const enter = ({ id, agents, act, pods }: Standing, pod: FoundPod, who: Who): Promise<unknown> => {
  const at = agents.delay(pod, {
    act: id,
    ip: pod.ip,
    port: pod.port,
    addMs: milliseconds(act.add),
    jitterMs: milliseconds(act.jitter),
    tag: act.hit === 'tagged' ? act.runId : null,
    seed: pod.port,
    who,
  });
  pods.set(pod.uid, { at, who: JSON.stringify(who) });
  return at;
};

/** Noted before it is told, so that a look that comes meanwhile does not tell it too; told again after a failure. */
const renew = async ({ id, agents }: Standing, known: Delayed, who: Who): Promise<void> => {
  const text = JSON.stringify(who);
  if (known.who === text) return;
  known.who = text;
  try {
    await agents.tell(await known.at, 'callers', { act: id, who });
  } catch (error) {
    known.who = '';
    throw error;
  }
};

/** A look that fails is made up for by the next; a pod that takes long is not waited for. */
const follow = (standing: Standing, signal: AbortSignal): Promise<void> =>
  during(
    async () => {
      const begun = await reach(standing).catch(() => []);
      void Promise.allSettled(begun);
    },
    { forMs: toMs(standing.ground.owner.expires - systemClock.now()), everyMs: FOLLOW_MS, signal },
  );

/** Ends the delay in every pod. Where it is not known how far its beginning came, whatever of it runs there is ended. */
const lift = async ({ id, ground, pods }: Standing): Promise<void> => {
  const { cluster, owner, mapping } = ground;
  let unsure = false;
  const lifted = [...pods].map(async ([uid, { at }]) => {
    const there = await at.catch(() => null);
    if (there) await endAgent(cluster, { at: there, uid, run: owner.runId, act: id });
    else unsure = true;
    pods.delete(uid);
  });
  await Promise.allSettled(lifted);
  await Promise.all(lifted);
  if (!unsure) return;
  const left = (await runningAgents(cluster, mapping.namespaces)).filter(({ act }) => act === id);
  await Promise.all(left.map((one) => endAgent(cluster, one)));
};

/** Agents of any run that still run in pods of these namespaces; to undo one is to end it. */
export const delayLeftovers = async (cluster: Cluster, namespaces: readonly string[]): Promise<Leftover[]> =>
  (await runningAgents(cluster, namespaces)).map((one) => ({
    says: `${nameAt(one.at)} (ends by itself at ${one.until})`,
    runId: one.run,
    undo: () => endAgent(cluster, one),
  }));
