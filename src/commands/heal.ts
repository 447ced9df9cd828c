// `firedrill heal`: from the histories of runs that did not come to their end, in any process, any number of times.
import { readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openHistory, readHistory } from '../history.ts';
import { FILES } from '../stored.ts';
import type { ClusterArguments } from './where.ts';

export type HealArguments = Pick<ClusterArguments, 'kubeconfig' | 'context' | 'allow'> & {
  readonly out: string;
  readonly target: 'lab' | 'kubernetes';
  readonly force: boolean;
};

export const healCommand = async (argv: HealArguments): Promise<number> =>
  argv.target === 'kubernetes' ? (await import('./heal-cluster.ts')).healThere(argv) : healHere(argv.out);

const healHere = async (out: string): Promise<number> => {
  const left = [...(await staleFolders()), ...(await unfinished(out))];
  for (const one of left) process.stdout.write(`${await one.heal()}\n`);
  if (left.length === 0) process.stdout.write('nothing to heal\n');
  return 0;
};

type Leftover = { heal(): Promise<string> };

/** A lab's sockets lie in a folder that carries the process id of its firedrill; that one gone, the folder is rubbish. */
const staleFolders = async (): Promise<Leftover[]> => {
  const names = await readdir(tmpdir()).catch(() => []);
  return names.flatMap((name) => {
    const pid = Number(/^firedrill-(\d+)-\w+$/.exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(pid) || alive(pid)) return [];
    const folder = join(tmpdir(), name);
    const heal = async (): Promise<string> => {
      await rm(folder, { recursive: true, force: true });
      return `removed ${folder}, left by process ${pid}`;
    };
    return [{ heal }];
  });
};

/** A lab's namespaces die with the process that made them: what a run did there is undone when that process is gone. */
const unfinished = async (out: string): Promise<Leftover[]> => {
  const found: Leftover[] = [];
  for (const folder of await runFolders(out)) {
    const file = join(folder, FILES.history);
    const entries = await readHistory(file).catch(() => []);
    if (entries.length === 0 || entries.some((entry) => entry.type === 'ended')) continue;
    const pid = entries.flatMap((entry) => (entry.type === 'begun' ? [entry.pid] : []))[0];
    if (pid !== undefined && alive(pid)) {
      found.push({ heal: async () => `${folder}: process ${pid} is still at it; Ctrl-C there heals first` });
      continue;
    }
    found.push({
      heal: () =>
        close(
          folder,
          file,
          entries.some((entry) => entry.type === 'intent'),
        ),
    });
  }
  return found;
};

const close = async (folder: string, file: string, acted: boolean): Promise<string> => {
  await using history = await openHistory(file);
  const why = acted
    ? 'the run was killed while its fault was in; its lab, and the fault with it, died with it'
    : 'the run was killed before it broke anything';
  await history.append({ type: 'aborted', why });
  await history.append({ type: 'ended' });
  return `${folder}: ${why}`;
};

const runFolders = async (out: string): Promise<string[]> => {
  const below = async (folder: string): Promise<string[]> =>
    (await readdir(folder, { withFileTypes: true }).catch(() => []))
      .filter((one) => one.isDirectory())
      .map((one) => join(folder, one.name));
  return (await Promise.all((await below(out)).map(below))).flat();
};

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};
