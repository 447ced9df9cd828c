// The objects of which traffic workers are made: an Indexed Job, and the plan's input that its pods read. Pure.
import type { V1ConfigMap, V1Job, V1PodSpec } from '@kubernetes/client-node';
import { about, type PlanInput } from '../../traffic/plan.ts';
import { YOUNG } from '../../traffic/young.ts';
import { labels, nameOf, type Owner } from './own.ts';

export const COMPONENT = { 'app.kubernetes.io/component': 'traffic-worker' } as const;
export const CONTAINER = 'traffic';
/** The annotation in which an Indexed Job numbers its pods. */
export const INDEX = 'batch.kubernetes.io/job-completion-index';

/** Where the images of firedrill have the worker program. */
export const PROGRAM = ['/usr/local/bin/node', ...YOUNG, '/app/dist/src/traffic/worker-pod.js'] as const;
const INPUT = { folder: '/etc/firedrill', file: 'input.json' } as const;
/** Where a worker has its files. */
export const FOLDER = '/run/firedrill';

/** The images' own user; said again, since not every way to import an image keeps it. */
const NOBODY = 65532;

/** Until all workers are up and until the start that they are told. */
export const PATIENCE_S = 600;
/** From the last request's timeout to the last line of a ledger. */
export const GRACE_S = 60;
/** Time for the ledger's end after SIGTERM: requests under way get a second, and all of it is to be read. */
const TERMINATION_S = 5;
const KEPT_S = 600;

export const jobName = ({ runId }: Owner): string => nameOf('traffic', runId);

/**
 * One pod a worker, numbered from 0, none of them ever replaced: a newcomer would know no start. A worker that fails must not
 * take the others with it, as `backoffLimit: 0` would: so the limit is each index's own, and the Job's is never reached.
 */
export const jobOf = (owner: Owner, namespace: string, n: number, image: string, input: PlanInput): V1Job => ({
  metadata: { name: jobName(owner), namespace, labels: { ...labels(owner), ...COMPONENT } },
  spec: {
    completionMode: 'Indexed',
    completions: n,
    parallelism: n,
    backoffLimit: n,
    backoffLimitPerIndex: 0,
    activeDeadlineSeconds: Math.ceil(PATIENCE_S + input.seconds + input.load.timeoutMs / 1000 + GRACE_S),
    ttlSecondsAfterFinished: KEPT_S,
    template: { metadata: { labels: { ...labels(owner), ...COMPONENT } }, spec: podOf(owner, n, image, input) },
  },
});

/** Holds all the rules of the `restricted` Pod Security Standard. */
const podOf = (owner: Owner, n: number, image: string, input: PlanInput): V1PodSpec => ({
  restartPolicy: 'Never',
  automountServiceAccountToken: false,
  enableServiceLinks: false,
  terminationGracePeriodSeconds: TERMINATION_S,
  securityContext: { runAsNonRoot: true, runAsUser: NOBODY, seccompProfile: { type: 'RuntimeDefault' } },
  // Workers are for when one machine is not enough.
  topologySpreadConstraints: [
    {
      maxSkew: 1,
      topologyKey: 'kubernetes.io/hostname',
      whenUnsatisfiable: 'ScheduleAnyway',
      labelSelector: { matchLabels: { ...COMPONENT } },
    },
  ],
  containers: [
    {
      name: CONTAINER,
      image,
      imagePullPolicy: 'IfNotPresent',
      terminationMessagePolicy: 'FallbackToLogsOnError',
      command: [...PROGRAM, 'work', `${INPUT.folder}/${INPUT.file}`, String(n), FOLDER],
      // No limit of CPU: to be throttled is to be late. The plan is generated, the ledger written as it goes.
      resources: { requests: { cpu: '100m', memory: '256Mi' }, limits: { memory: '1Gi' } },
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      },
      volumeMounts: [
        { name: 'input', mountPath: INPUT.folder, readOnly: true },
        { name: 'own', mountPath: FOLDER },
      ],
    },
  ],
  volumes: [
    { name: 'input', configMap: { name: jobName(owner) } },
    { name: 'own', emptyDir: { sizeLimit: `${ledgerMi(input, n)}Mi` } },
  ],
});

/** A record takes some 600 bytes, and more where names and paths are long. */
const RECORD_BYTES = 1500;
const LEAST_MI = 64;

/** Room for the ledger of one of `n` workers, in MiB. */
const ledgerMi = (input: PlanInput, n: number): number =>
  LEAST_MI + Math.ceil(((about(input) / n) * RECORD_BYTES) / 2 ** 20);

/** Goes when its Job goes. Workers make the plan themselves: a plan can be larger than any object may be. */
export const inputOf = (owner: Owner, namespace: string, jobUid: string, input: PlanInput): V1ConfigMap => ({
  metadata: {
    name: jobName(owner),
    namespace,
    labels: { ...labels(owner), ...COMPONENT },
    ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: jobName(owner), uid: jobUid }],
  },
  immutable: true,
  data: { [INPUT.file]: JSON.stringify(input) },
});
