// A cluster of which only Jobs of traffic workers are there: their pods are processes on this machine, really run.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { V1ConfigMap, V1Job, V1Pod } from '@kubernetes/client-node';
import { Unreachable } from '../../../src/errors.ts';
import { type Running, start } from '../../../src/process.ts';
import { program } from '../../../src/programs.ts';
import { type At, type Cluster, type Exec, Refused } from '../../../src/targets/kubernetes/cluster.ts';
import { CONTAINER, FOLDER, INDEX, PROGRAM } from '../../../src/targets/kubernetes/worker-job.ts';

const WORKER = program('../../../src/traffic/worker-pod', import.meta.url);

export type WorkerCluster = AsyncDisposable & {
  readonly cluster: Cluster;
  readonly jobs: Map<string, V1Job>;
  readonly pods: Map<string, { readonly pod: V1Pod; readonly running: Running; readonly folder: string }>;
  readonly maps: Map<string, V1ConfigMap>;
  /** Asked before a program is run in a container; throws to refuse it. */
  onExec: (at: At, args: readonly string[]) => void;
};

const notFound = (what: string): never => {
  throw new Refused(`${what} not found`, 404);
};

export const workerCluster = async (): Promise<WorkerCluster> => {
  const root = await mkdtemp(join(tmpdir(), 'workers-'));
  const jobs: WorkerCluster['jobs'] = new Map();
  const pods: WorkerCluster['pods'] = new Map();
  const maps: WorkerCluster['maps'] = new Map();
  const own = (folder: string, text: string): string => text.replace(FOLDER, folder).replace('/etc/firedrill', folder);

  const createPod = async (job: V1Job, index: number, data: string): Promise<void> => {
    const folder = await mkdtemp(join(root, 'pod-'));
    await writeFile(join(folder, 'input.json'), data);
    const { metadata, spec } = job.spec!.template;
    const args = spec!.containers[0]!.command!.slice(PROGRAM.length).map((one) => own(folder, one));
    const env = { JOB_COMPLETION_INDEX: String(index) };
    const running = await start({ name: `worker ${index}`, argv: [...WORKER, ...args], env });
    const name = `${job.metadata!.name}-${index}`;
    const pod = { metadata: { ...metadata, name, annotations: { [INDEX]: String(index) } } };
    pods.set(name, { pod, running, folder });
  };

  const withStatus = ({ pod, running }: { pod: V1Pod; running: Running }): V1Pod => {
    const { exitCode, signalCode } = running.child;
    const over = exitCode !== null || signalCode !== null;
    const terminated = {
      exitCode: exitCode ?? 137,
      reason: exitCode === 0 ? 'Completed' : 'Error',
      message: running.complaint(),
    };
    const state = over ? { terminated } : { running: {} };
    const status = { name: CONTAINER, ready: !over, restartCount: 0, image: '', imageID: '', state };
    return { ...pod, status: { phase: over ? 'Failed' : 'Running', containerStatuses: [status] } };
  };

  const matching = (labels: Record<string, string> | undefined, selector: string): boolean =>
    selector.split(',').every((part) => {
      const [key, value] = part.split('=') as [string, string?];
      return value === undefined ? key in (labels ?? {}) : labels?.[key] === value;
    });

  const removePods = async (): Promise<void> => {
    await Promise.all([...pods.values()].map(({ running }) => running.stop()));
    pods.clear();
    maps.clear();
  };

  const batch = {
    createNamespacedJob: async ({ body }: { body: V1Job }) => {
      const job = { ...body, metadata: { ...body.metadata, uid: 'uid-job' } };
      jobs.set(body.metadata!.name!, job);
      return job;
    },
    deleteNamespacedJob: async ({ name }: { name: string }) => {
      if (!jobs.delete(name)) notFound(`jobs ${name}`);
      await removePods();
    },
    listNamespacedJob: async ({ namespace, labelSelector }: { namespace: string; labelSelector: string }) => ({
      items: [...jobs.values()].filter(
        ({ metadata }) => metadata!.namespace === namespace && matching(metadata!.labels, labelSelector),
      ),
    }),
  };
  const core = {
    createNamespacedConfigMap: async ({ body }: { body: V1ConfigMap }) => {
      maps.set(body.metadata!.name!, body);
      const job = jobs.get(body.metadata!.name!)!;
      const data = Object.values(body.data!)[0]!;
      for (let index = 0; index < job.spec!.completions!; index += 1) await createPod(job, index, data);
    },
    readNamespacedConfigMap: async ({ name }: { name: string }) => maps.get(name) ?? notFound(`configmaps ${name}`),
    listNamespacedPod: async ({ labelSelector }: { labelSelector: string }) => ({
      items: [...pods.values()].filter(({ pod }) => matching(pod.metadata!.labels, labelSelector)).map(withStatus),
    }),
    readNamespacedPod: async ({ name }: { name: string }) => withStatus(pods.get(name) ?? notFound(`pods ${name}`)),
  };

  const exec = async (at: At, argv: readonly string[], { onOutput, signal }: Exec = {}) => {
    const found = pods.get(at.pod) ?? notFound(`pods ${at.pod}`);
    const given = argv.slice(PROGRAM.length);
    fake.onExec(at, given);
    const args = given.map((one) => own(found.folder, one));
    if (args[0] === 'stop') args[1] = String(found.running.child.pid);
    await using running = await start({ name: args[0]!, argv: [...WORKER, ...args] });
    running.child.stdout!.on('data', (chunk: Buffer) => void onOutput?.(chunk));
    // As in a container, nothing outlives its first process.
    const over = new Promise<never>((_, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      void found.running.ended.then(() => reject(new Unreachable('the container is gone')));
    });
    const code = await Promise.race([running.ended, over]);
    return { code: Number(code), out: '', err: running.complaint() };
  };

  const fake: WorkerCluster = {
    cluster: { batch, core, exec } as unknown as Cluster,
    ...{ jobs, pods, maps },
    onExec: () => undefined,
    [Symbol.asyncDispose]: async () => {
      await removePods();
      await rm(root, { recursive: true, force: true });
    },
  };
  return fake;
};
