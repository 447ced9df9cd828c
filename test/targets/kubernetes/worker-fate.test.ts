import { describe, expect, test } from '@jest/globals';
import type { V1ContainerState, V1Pod, V1PodStatus } from '@kubernetes/client-node';
import { endOf, indexOf, riseOf } from '../../../src/targets/kubernetes/worker-fate.ts';

const pod = (status: V1PodStatus, metadata: V1Pod['metadata'] = {}): V1Pod => ({ metadata, status });
const container = (state: V1ContainerState, phase = 'Pending'): V1Pod =>
  pod({
    phase,
    containerStatuses: [
      { name: 'istio-proxy', ready: true, restartCount: 0, image: '', imageID: '', state: { running: {} } },
      { name: 'traffic', ready: false, restartCount: 0, image: '', imageID: '', state },
    ],
  });

describe('a worker on its way up', () => {
  test('runs when its own container does, whatever others do', () => {
    expect(riseOf(container({ running: {} }, 'Running'))).toBe('running');
    expect(riseOf(container({ waiting: { reason: 'ContainerCreating' } }, 'Running'))).toEqual({
      waits: 'ContainerCreating',
    });
  });

  test('is waited for, saying for what', () => {
    const unscheduled = { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes:\n cpu' };
    expect(riseOf(pod({ phase: 'Pending', conditions: [unscheduled] }))).toEqual({
      waits: 'Unschedulable: 0/3 nodes: cpu',
    });
    expect(riseOf(undefined)).toEqual({ waits: 'no pod has been made for it' });
    expect(riseOf(pod({}))).toEqual({ waits: 'its pod is new' });
  });

  test.each(['ErrImageNeverPull', 'ImagePullBackOff', 'InvalidImageName', 'CreateContainerConfigError'])(
    'is given up at once on %s',
    (reason) =>
      expect(riseOf(container({ waiting: { reason, message: 'image x' } }))).toEqual({
        hopeless: `${reason}: image x`,
      }),
  );

  test('is given up when it has ended or is being deleted', () => {
    const ended = container({ terminated: { exitCode: 64, reason: 'Error', message: 'traffic worker: no plan\n' } });
    expect(riseOf(ended)).toEqual({ hopeless: 'Error (exit code 64): traffic worker: no plan' });
    expect(riseOf(pod({ phase: 'Running' }, { deletionTimestamp: new Date(0) }))).toEqual({
      hopeless: 'its pod was deleted',
    });
  });
});

describe("a worker's end", () => {
  test('is told by whoever knows most: the kubelet, the disruption, the container', () => {
    const evicted = pod({ phase: 'Failed', reason: 'Evicted', message: 'The node was low on resource: memory.' });
    const target = { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI', message: 'drained' };
    expect(endOf(evicted)).toBe('Evicted: The node was low on resource: memory.');
    expect(endOf(pod({ phase: 'Running', conditions: [target] }))).toBe('EvictionByEvictionAPI: drained');
    expect(endOf(container({ terminated: { exitCode: 137, reason: 'OOMKilled' } }, 'Failed'))).toBe(
      'OOMKilled (exit code 137)',
    );
    expect(endOf(null)).toBe('its pod is gone');
  });
});

test('a pod without a number is nobody', () => {
  expect(indexOf(pod({}, { annotations: { 'batch.kubernetes.io/job-completion-index': '2' } }))).toBe(2);
  expect(indexOf(pod({}))).toBe(-1);
});
