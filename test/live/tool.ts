// Runs firedrill itself, as a user would, and looks at what the machine is like afterwards.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Running, run, start } from '../../src/process.ts';

export const ROOT = resolve(import.meta.dirname, '../..');
const CLI = [process.execPath, '--disable-warning=ExperimentalWarning', join(ROOT, 'src/cli.ts')] as const;
const NOBODY = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'] as const;

export type Ran = { readonly code: number | string; readonly out: string; readonly err: string };
export type Who = 'me' | 'nobody';

/** Starts firedrill; `seen` resolves once its standard error matches. */
export const launch = async (args: readonly string[], who: Who = 'me', env: Readonly<Record<string, string>> = {}) => {
  const argv = [...(who === 'nobody' ? NOBODY : []), ...CLI, ...args] as unknown as [string, ...string[]];
  const running: Running = await start({ name: 'firedrill', argv, cwd: ROOT, env: { NODE_OPTIONS: '', ...env } });
  let out = '';
  let err = '';
  const watchers: { pattern: RegExp; resolve: () => void }[] = [];
  running.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  running.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err += text;
    for (const one of watchers) if (one.pattern.test(err)) one.resolve();
  });
  const ended = running.ended.then((code): Ran => ({ code, out, err }));
  const seen = (pattern: RegExp): Promise<void> =>
    new Promise((resolve, reject) => {
      watchers.push({ pattern, resolve });
      if (pattern.test(err)) resolve();
      void ended.then(() => reject(new Error(`ended before ${pattern} was seen: ${err}`)));
    });
  return { pid: running.child.pid!, ended, seen, kill: (signal: NodeJS.Signals) => running.child.kill(signal) };
};

export const firedrill = async (
  args: readonly string[],
  who: Who = 'me',
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> => (await launch(args, who, env)).ended;

/** What a drill must not change: network namespaces, mounts, processes, our files in the temporary folder. */
export const machine = async () => ({
  namespaces: (await run({ name: 'ip', argv: ['ip', 'netns', 'list'] })).trim(),
  links: (await run({ name: 'ip', argv: ['ip', '-br', 'link'] })).split('\n').map((line) => line.split(' ')[0]),
  mounts: (await run({ name: 'mounts', argv: ['cat', '/proc/self/mounts'] }))
    .split('\n')
    .filter((line) => /firedrill|netns/.test(line)),
  processes: await labProcesses(),
  temporary: (await readdir(tmpdir())).filter((name) => /^firedrill-\d+-/.test(name) || name === 'node-compile-cache'),
});

const labProcesses = async (): Promise<string[]> =>
  (await run({ name: 'ps', argv: ['ps', '-eo', 'args'] }))
    .split('\n')
    .filter((line) =>
      /targets\/lab\/(inside|service)|traffic\/worker|agent\/delay-proxy|\/run\/firedrill|tcpdump .*nflog/.test(line),
    );

/** A folder for reports that anybody may write to, gone when the scope ends. */
export const folder = async () => {
  const path = await mkdtemp(join(tmpdir(), 'drills-'));
  await run({ name: 'chmod', argv: ['chmod', '777', path] });
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
};

/** The folders of the runs below `out`. */
export const runsIn = async (out: string): Promise<string[]> => {
  const below = async (path: string): Promise<string[]> => (await readdir(path)).map((name) => join(path, name));
  return (await Promise.all((await below(out)).map(below))).flat();
};

/** Null when labs can be made here, else why the suite is skipped. */
export const noLab = async (who: Who): Promise<string | null> => {
  const { code, out } = await firedrill(
    ['doctor'],
    who,
    who === 'nobody' ? { HOME: '/nonexistent', FIREDRILL_CACHE: NOBODYS_CACHE } : {},
  );
  return code === 0 ? null : (out.split('\n').find((line) => line.startsWith('BAD')) ?? 'doctor is not content');
};

export const NOBODYS_CACHE = join(tmpdir(), 'firedrill-test-cache-of-nobody');
