// The containers' logs of this node, as the kubelet lays them out: <namespace>_<pod>_<uid>/<container>/<restart>.log. A full
// file is renamed and a new one begun; a container that is started again begins a file of its own.
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { oneLine } from '../../../errors.ts';
import type { Nanos } from '../../../model.ts';
import { during } from '../../../poll.ts';
import { createJoiner, parseCri } from './cri.ts';
import { openTail, type Tail } from './tail.ts';

/** A container, as its log's folder names it. */
export type Container = {
  readonly namespace: string;
  readonly pod: string;
  readonly uid: string;
  readonly container: string;
};

export type LogsOptions = {
  /** Usually /var/log/pods. */
  readonly folder: string;
  readonly namespaces: readonly string[];
  readonly onLine: (from: Container, at: Nanos, text: string) => void;
  /** Whether a container's lines can be taken yet; until then they wait in their file. */
  readonly known: (from: Container) => boolean;
  /** Told in a line of files that can't be read and lines that are no log lines. */
  readonly onTrouble: (why: string) => void;
  readonly signal: AbortSignal;
  readonly everyMs?: number;
};

const EVERY_MS = 100;
const FOREVER_MS = 100 * 365 * 86_400_000;
/** A runtime may write to a renamed file until it has been told; then it is quiet. */
const QUIET_TURNS = 3;
/** New files are looked for, and quiet ones read, only every so many turns: a node has far more logs than busy ones. */
const SLOW_TURNS = 5;

/** `quiet`: turns without growth since its name is gone; `idle`: turns without growth. */
type Open = { readonly tail: Tail; quiet: number; idle: number };
type Found = { readonly from: Container; readonly path: string; readonly id: string; readonly size: number };

/**
 * Follows all logs of the namespaces until the signal aborts, then reads what there is once more. Files that are there at
 * the start are followed from their end, later ones from their beginning.
 */
export const followLogs = async (options: LogsOptions): Promise<void> => {
  const open = new Map<string, Open>();
  const old = new Map((await find(options)).map(({ id, size }) => [id, size]));
  let turns = 0;
  const turn = (all = turns++ % SLOW_TURNS === 0): Promise<void> =>
    (all ? oneTurn(options, open, old) : readBusy(open)).catch((error: unknown) => options.onTrouble(oneLine(error)));
  await during(() => turn(), { forMs: FOREVER_MS, everyMs: options.everyMs ?? EVERY_MS, signal: options.signal });
  await turn(true);
  await Promise.all([...open.values()].map(({ tail }) => tail[Symbol.asyncDispose]()));
};

const readBusy = async (open: Map<string, Open>): Promise<void> => {
  for (const one of open.values()) if (one.idle < SLOW_TURNS) await readOne(one);
};

const readOne = async (one: Open): Promise<boolean> => {
  const grew = await one.tail.read();
  one.idle = grew ? 0 : one.idle + 1;
  return grew;
};

const oneTurn = async (options: LogsOptions, open: Map<string, Open>, old: Map<string, number>): Promise<void> => {
  const found = await find(options);
  for (const one of found) if (!open.has(one.id) && options.known(one.from)) await take(one, options, open, old);
  const there = new Set(found.map(({ id }) => id));
  for (const [id, one] of open) {
    const grew = await readOne(one);
    one.quiet = grew || there.has(id) ? 0 : one.quiet + 1;
    if (one.quiet <= QUIET_TURNS) continue;
    open.delete(id);
    await one.tail[Symbol.asyncDispose]();
  }
};

const take = async (
  { from, path, id }: Found,
  { onLine, onTrouble }: LogsOptions,
  open: Map<string, Open>,
  old: Map<string, number>,
): Promise<void> => {
  const joiner = createJoiner(({ at, text }) => onLine(from, at, text));
  const onRaw = (raw: string): void => {
    const line = parseCri(raw);
    if (line) joiner.add(line);
    else onTrouble(`${path}: not a line of a container's log: ${JSON.stringify(raw.slice(0, 80))}`);
  };
  const tail = await openTail(path, old.get(id) ?? 0, onRaw);
  old.delete(id);
  if (tail) open.set(tail.id, { tail, quiet: 0, idle: 0 });
};

/** Every container's files that are written to or were by an earlier start of it; renamed and packed ones have other names. */
const find = async ({ folder, namespaces }: LogsOptions): Promise<Found[]> => {
  const pods = (await names(folder)).map((name) => name.split('_')).filter((parts) => parts.length === 3);
  const found = pods
    .filter(([namespace]) => namespaces.includes(namespace!))
    .map(async ([namespace, pod, uid]) => {
      const home = join(folder, `${namespace}_${pod}_${uid}`);
      const containers = await names(home);
      return Promise.all(
        containers.map((container) =>
          files({ namespace: namespace!, pod: pod!, uid: uid!, container }, join(home, container)),
        ),
      );
    });
  return (await Promise.all(found)).flat(2);
};

const files = async (from: Container, home: string): Promise<Found[]> => {
  const logs = (await names(home)).filter((name) => /^\d+\.log$/.test(name)).map((name) => join(home, name));
  const found = logs.map(async (path) => {
    const info = await stat(path).catch(() => null);
    return info ? [{ from, path, id: `${info.dev}:${info.ino}`, size: info.size }] : [];
  });
  return (await Promise.all(found)).flat();
};

/** Empty when the folder is gone meanwhile, or was never there. */
const names = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
