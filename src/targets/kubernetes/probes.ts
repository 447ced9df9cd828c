// Probes: one request from inside of a pod to another pod's address, the way that the platform's own requests go.
import type { ProbeOrder, ProbeResult } from '../../agent/probe.ts';
import { oneLine, Unreachable } from '../../errors.ts';
import type { Probe } from '../target.ts';
import type { Agents } from './agents.ts';
import type { FoundPod, Ground } from './ground.ts';

/** As long as the lab's: one that takes longer says nothing that a shorter one would not. */
const TIMEOUT_MS = 2000;

/**
 * One try from a pod of `from` to a pod of the component `to`, or to the pod of that name; any HTTP answer of its /health
 * counts as answered. From null it goes out of a pod of any other component: a port-forward would reach the pod on its
 * own loopback, past every policy and every delay, and prove nothing. `refused` when there is no such pod that is ready.
 */
export const probe = async (
  ground: Ground,
  agents: Agents,
  from: string | null,
  to: string,
  tag: string | null,
): Promise<Probe> => {
  const pods = await ground.pods();
  const ready = pods.filter((pod) => pod.ready && pod.ip !== '');
  const destination = ready.find((pod) => pod.service === to) ?? ready.find((pod) => pod.name === to);
  const source = sourceOf(ready, from, destination);
  const named = { from: source?.name ?? from ?? 'users', to: destination?.name ?? to };
  if (!destination || !source) return { outcome: 'refused', ms: 0, ...named };
  const url = `http://${host(destination)}:${destination.port}/health`;
  const order: ProbeOrder = { url, tag, timeoutMs: TIMEOUT_MS };
  const { outcome, ms } = result(await agents.tell(await agents.look(source), 'probe', order), named.from);
  return { outcome, ms, ...named };
};

/** Ready pods that are not on their node's network; an onlooker there would be the node. */
const sourceOf = (ready: readonly FoundPod[], from: string | null, to: FoundPod | undefined): FoundPod | undefined =>
  ready.find((pod) => !pod.hostNetwork && (from === null ? pod.service !== to?.service : pod.service === from));

const host = ({ ip }: FoundPod): string => (ip.includes(':') ? `[${ip}]` : ip);

const result = (text: string, from: string): ProbeResult => {
  try {
    return JSON.parse(text) as ProbeResult;
  } catch (error) {
    throw new Unreachable(`the probe from ${from} answered nonsense: ${oneLine(error)}`);
  }
};
