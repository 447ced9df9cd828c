// The programs that firedrill runs but doesn't ship: on the machine, in our cache, or fetched into it without root.
import { delimiter, join } from 'node:path';
import { oneLine, Unreachable } from './errors.ts';
import { addBundle, bundles, type Env, ensureWritable, shelf } from './tools/cache.ts';
import { program, type ToolName } from './tools/catalog.ts';
import { unpackDebian } from './tools/debian.ts';
import { executable, type Found, findIn, findInBundle } from './tools/find.ts';
import { RELEASES, type Release, unpackRelease } from './tools/releases.ts';

export type { ToolName } from './tools/catalog.ts';

/** A program that runs: spawn `path` with `env` added to the environment. `source` says where it was had from. */
export type Tool = Found & { readonly source: 'PATH' | 'debian package' | 'release' | 'cache' };

export type ToolOptions = {
  /** Folders that are looked through after PATH; the system's sbin folders unless told. */
  readonly sbin?: readonly string[];
  /** Told once per fetch, in a line for people. */
  readonly onProgress?: (line: string) => void;
  /** PATH, FIREDRILL_CACHE, XDG_CACHE_HOME and HOME are read from it; default: the process's own. */
  readonly env?: Env;
};

type Missing = Map<ToolName, string[]>;
type Fetch = {
  readonly shelf: string;
  readonly env: Env;
  readonly sbin: readonly string[];
  readonly onProgress: (line: string) => void;
  readonly have: (name: ToolName, tool: Tool) => void;
  /** The tools still wanted, each with why it could not be had so far. */
  readonly missing: Missing;
};

/** One of `tools`. */
export const tool = async (name: ToolName, options: ToolOptions = {}): Promise<Tool> =>
  (await tools([name], options))[name];

/**
 * Finds each program: on PATH (and in the sbin folders), else in the cache, else by fetching all that are missing in one
 * go: as Debian's packages where apt is, else as upstream's pinned releases. Every one has been run once. Throws
 * Unreachable, in one line with what was tried and what to do.
 */
export const tools = async <Name extends ToolName>(
  names: readonly Name[],
  { onProgress = () => {}, env = process.env, sbin = SBIN }: ToolOptions = {},
): Promise<Record<Name, Tool>> => {
  const found = new Map<ToolName, Tool>();
  const missing: Missing = new Map(names.map((name) => [name, []]));
  const have = (name: ToolName, one: Tool): void => {
    found.set(name, one);
    missing.delete(name);
  };
  const fetch = { shelf: await shelf(env), env, sbin, onProgress, have, missing };
  for (const step of [onPath, inCache, canFetch, fromDebian, fromReleases]) if (missing.size > 0) await step(fetch);
  if (missing.size > 0) throw notToBeHad(fetch);
  return Object.fromEntries(found) as Record<Name, Tool>;
};

/** Programs of administrators, which are not on everybody's PATH. */
const SBIN = ['/usr/sbin', '/sbin'];

const onPath = async ({ env, sbin, missing, have }: Fetch): Promise<void> => {
  const folders = [...pathFolders(env), ...sbin];
  await each(missing, have, 'PATH', (name) => findIn(folders, name));
};

const inCache = async ({ shelf: folder, missing, have }: Fetch): Promise<void> => {
  for (const bundle of await bundles(folder)) await each(missing, have, 'cache', (name) => findInBundle(bundle, name));
};

const canFetch = ({ shelf: folder }: Fetch): Promise<void> => ensureWritable(folder);

const fromDebian = async (fetch: Fetch): Promise<void> => {
  if (!(await aptIsHere(fetch.env))) return;
  const names = [...fetch.missing.keys()];
  const packages = [...new Set(names.map((name) => program(name).debian))].sort();
  fetch.onProgress(`fetching ${names.join(', ')} from Debian's packages ...`);
  await add(fetch, names, packages.join('+'), 'debian package', (staging) =>
    unpackDebian(packages, staging, fetch.env),
  );
};

const fromReleases = async (fetch: Fetch): Promise<void> => {
  for (const [project, release] of Object.entries<Release>(RELEASES)) {
    const names = [...fetch.missing.keys()].filter((name) => program(name).release === project);
    if (names.length === 0) continue;
    fetch.onProgress(`fetching ${names.join(', ')} from the release ${project} ${release.version} ...`);
    await add(fetch, names, `${project}-${release.version}`, 'release', (staging) => unpackRelease(release, staging));
  }
};

/** Adds a bundle and takes the tools from it; a failure is noted as the reason why they are still missing. */
const add = async (
  { shelf: folder, missing, have }: Fetch,
  names: readonly ToolName[],
  bundle: string,
  source: Tool['source'],
  unpack: (staging: string) => Promise<void>,
): Promise<void> => {
  const broken = (name: ToolName): string => `${name} was unpacked but doesn't run here`;
  const note = (why: (name: ToolName) => string): void => {
    for (const name of names) missing.get(name)?.push(`${source}: ${why(name)}`);
  };
  try {
    const place = await addBundle(folder, bundle, async (staging) => {
      await unpack(staging);
      const running = await Promise.all(names.map((name) => findInBundle(join(staging, 'root'), name)));
      if (!running.some(Boolean)) throw new Unreachable(names.map(broken).join(', '));
    });
    await each(missing, have, source, (name) => findInBundle(place, name));
    note(broken);
  } catch (error) {
    note(() => oneLine(error));
  }
};

const each = async (
  missing: Missing,
  have: Fetch['have'],
  source: Tool['source'],
  find: (name: ToolName) => Promise<Found | null>,
): Promise<void> => {
  for (const name of [...missing.keys()]) {
    const found = await find(name);
    if (found) have(name, { ...found, source });
  }
};

const pathFolders = (env: Env): string[] => (env.PATH ?? '').split(delimiter).filter(Boolean);

const aptIsHere = async (env: Env): Promise<boolean> => {
  const folders = pathFolders(env);
  const there = (file: string): Promise<boolean[]> =>
    Promise.all(folders.map((folder) => executable(join(folder, file))));
  return (await Promise.all(['apt-get', 'dpkg-deb'].map(there))).every((found) => found.includes(true));
};

const notToBeHad = ({ missing, shelf: folder }: Fetch): Unreachable => {
  const names = [...missing.keys()];
  const reasons = [...new Set([...missing.values()].flat())];
  const packages = [...new Set(names.map((name) => program(name).debian))].join(' ');
  return new Unreachable(
    `${names.join(', ')}: not on PATH, not in ${folder}${reasons.map((why) => `; ${why}`).join('')}; ` +
      `install it with your system's packages (Debian: ${packages}) or put it on PATH`,
  );
};
