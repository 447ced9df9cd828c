// What has become of a worker's pod, in words. Pure.
import type { V1ContainerState, V1Pod } from '@kubernetes/client-node';
import { CONTAINER, INDEX } from './worker-job.ts';

/** Waiting for these ends never. */
const HOPELESS = [
  'ErrImageNeverPull',
  'InvalidImageName',
  'ImagePullBackOff',
  'CreateContainerConfigError',
  'CreateContainerError',
];

export const indexOf = (pod: V1Pod): number => Number(pod.metadata?.annotations?.[INDEX] ?? -1);

const stateOf = (pod: V1Pod): V1ContainerState | undefined =>
  pod.status?.containerStatuses?.find(({ name }) => name === CONTAINER)?.state;

const oneLine = (...parts: (string | undefined)[]): string =>
  parts
    .filter((part) => part)
    .join(': ')
    .replace(/\s+/g, ' ')
    .trim();

/** Where a pod is on its way up: it runs, it still may, or why it never will. */
export type Rise = 'running' | { readonly waits: string } | { readonly hopeless: string };

export const riseOf = (pod: V1Pod | undefined): Rise => {
  if (!pod) return { waits: 'no pod has been made for it' };
  const { phase, conditions = [] } = pod.status ?? {};
  const state = stateOf(pod);
  if (pod.metadata?.deletionTimestamp || phase === 'Failed' || phase === 'Succeeded' || state?.terminated)
    return { hopeless: endOf(pod) };
  if (state?.running) return 'running';
  const why = oneLine(state?.waiting?.reason, state?.waiting?.message);
  if (HOPELESS.includes(state?.waiting?.reason ?? '')) return { hopeless: why };
  const unscheduled = conditions.find(({ type, status }) => type === 'PodScheduled' && status === 'False');
  return { waits: oneLine(unscheduled?.reason, unscheduled?.message) || why || `its pod is ${phase ?? 'new'}` };
};

/** How a worker ended, as its pod tells it; null: the pod is gone. */
export const endOf = (pod: V1Pod | null): string => {
  if (!pod) return 'its pod is gone';
  const { reason, message, conditions = [] } = pod.status ?? {};
  const ended = stateOf(pod)?.terminated;
  const disrupted = conditions.find(({ type, status }) => type === 'DisruptionTarget' && status === 'True');
  if (reason) return oneLine(reason, message);
  if (disrupted) return oneLine(disrupted.reason, disrupted.message);
  if (pod.metadata?.deletionTimestamp) return 'its pod was deleted';
  if (ended) return oneLine(`${ended.reason ?? 'ended'} (exit code ${ended.exitCode})`, ended.message);
  return `its pod is ${pod.status?.phase ?? 'in no phase'}`;
};
