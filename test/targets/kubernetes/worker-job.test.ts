import { describe, expect, test } from '@jest/globals';
import { EXPIRES, type Owner, RUN } from '../../../src/targets/kubernetes/own.ts';
import { inputOf, jobOf } from '../../../src/targets/kubernetes/worker-job.ts';
import { type PlanInput, plannedOf, trafficPlan } from '../../../src/traffic/plan.ts';

const owner: Owner = { runId: 'a1b2c3d4e5f6', expires: 1_800_000_000_000_000_000n };
const input: PlanInput = {
  ...{ runId: owner.runId, seed: 1, url: 'http://shop.trading:8080', seconds: 90 },
  load: { rate: 5000, arrivals: 'poisson', users: 5, timeoutMs: 2500 },
  journeys: { look: [{ request: 'GET /prices', at: '0ms' }] },
};
const job = jobOf(owner, 'trading', 3, 'registry.example/firedrill:1', input);
const pod = job.spec!.template.spec!;
const [container] = pod.containers;

describe("the workers' Job", () => {
  test('has one numbered pod a worker, and none is ever replaced or takes the others with it', () => {
    expect(job.spec).toMatchObject({ completionMode: 'Indexed', completions: 3, parallelism: 3 });
    expect(job.spec!.backoffLimitPerIndex).toBe(0);
    // Each index fails once at most: the Job's own limit is not exceeded.
    expect(job.spec!.backoffLimit).toBeGreaterThanOrEqual(3);
    expect(pod.restartPolicy).toBe('Never');
    expect(container!.command).toContain('3');
  });

  test('is ours, its pods too, and ends by itself some time after the traffic', () => {
    const ours = { [RUN]: owner.runId, [EXPIRES]: '1800000000' };
    expect(job.metadata!.labels).toMatchObject(ours);
    expect(job.spec!.template.metadata!.labels).toMatchObject(ours);
    expect(job.spec!.activeDeadlineSeconds).toBeGreaterThan(90 + 2.5);
    expect(Number.isInteger(job.spec!.activeDeadlineSeconds)).toBe(true);
    expect(job.spec!.ttlSecondsAfterFinished).toBeGreaterThan(0);
  });

  test('its pods keep the rules of the restricted Pod Security Standard and have no token', () => {
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(pod.securityContext!.runAsUser).not.toBe(0);
    expect(container!.securityContext).toMatchObject({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    });
    expect(pod.automountServiceAccountToken).toBe(false);
    expect(pod.volumes!.every((one) => one.configMap || one.emptyDir)).toBe(true);
  });

  test('reads from a ConfigMap, which goes with it, what makes the same plan again, however large that is', () => {
    const map = inputOf(owner, 'trading', 'uid-1', input);
    const [file, text] = Object.entries(map.data!)[0]!;
    const mounted = container!.volumeMounts!.find(({ name }) => name === 'input')!;
    expect(pod.volumes!.find(({ name }) => name === 'input')!.configMap!.name).toBe(map.metadata!.name);
    expect(container!.command).toContain(`${mounted.mountPath}/${file}`);
    expect(map.metadata!.ownerReferences).toEqual([
      { apiVersion: 'batch/v1', kind: 'Job', name: job.metadata!.name, uid: 'uid-1' },
    ]);
    expect(plannedOf(trafficPlan(JSON.parse(text) as PlanInput))).toBeGreaterThan(400_000);
    expect(text.length).toBeLessThan(1000);
  });

  test('has room for its share of the ledger, however long that gets', () => {
    const roomOf = (n: number): number => {
      const { volumes } = jobOf(owner, 'trading', n, 'i', input).spec!.template.spec!;
      return Number(/^(\d+)Mi$/.exec(volumes!.find(({ name }) => name === 'own')!.emptyDir!.sizeLimit!)![1]);
    };
    expect(roomOf(3) * 2 ** 20).toBeGreaterThan((450_000 / 3) * 1000);
    expect(roomOf(30)).toBeLessThan(roomOf(3));
  });
});
