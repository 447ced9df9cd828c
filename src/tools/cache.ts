// Where fetched programs are kept: one folder a bundle, put in place by a rename, so that what is there is whole.
import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { oneLine, Unreachable } from '../errors.ts';
import { systemClock, toMs } from '../time.ts';

export type Env = Readonly<Record<string, string | undefined>>;

const STAGING = '.staging-';
/** No fetch takes this long: what is older was interrupted. */
const ABANDONED_MS = 3_600_000;

/** FIREDRILL_CACHE, else firedrill's folder in the user's cache folder (XDG Base Directory Specification). */
export const cacheFolder = (env: Env): string =>
  env.FIREDRILL_CACHE || join(env.XDG_CACHE_HOME || join(env.HOME || home(), '.cache'), 'firedrill');

// A user id without an entry in the user database has no home at all.
const home = (): string => {
  try {
    return homedir();
  } catch {
    return '/';
  }
};

/** The part of the cache for machines like this one; a home folder may be shared by several kinds. */
export const shelf = async (env: Env): Promise<string> => {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const field = (key: string): string => new RegExp(`^${key}="?([^"\\n]*)"?$`, 'm').exec(release)?.[1] ?? '';
  const system = [field('ID') || process.platform, field('VERSION_ID')].filter(Boolean).join('-');
  return join(cacheFolder(env), `${system}-${process.arch}`);
};

/** The bundles that are there and whole. */
export const bundles = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder).catch(() => []);
  return entries.filter((entry) => !entry.startsWith('.')).map((entry) => join(folder, entry));
};

/**
 * Adds a bundle: `fill` gets a new folder and puts everything into its subfolder `root`, which is then renamed to its
 * place. A fetch that ends early leaves nothing that counts, and two at once end as two bundles, both whole. Throws
 * whatever `fill` throws.
 */
export const addBundle = async (
  folder: string,
  name: string,
  fill: (staging: string) => Promise<void>,
): Promise<string> => {
  const staging = await newStaging(folder);
  try {
    await fill(staging);
    const place = join(folder, `${name}.${basename(staging).slice(STAGING.length)}`);
    await rename(join(staging, 'root'), place);
    return place;
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
};

/** Makes the folder. Throws Unreachable, naming the variable that moves the cache, when it can't be written. */
export const ensureWritable = async (folder: string): Promise<void> => {
  try {
    await mkdir(folder, { recursive: true });
    await access(folder, constants.W_OK);
  } catch (error) {
    throw new Unreachable(
      `the cache folder ${folder} can't be written (${oneLine(error)}); set FIREDRILL_CACHE to a folder that can`,
    );
  }
};

const newStaging = async (folder: string): Promise<string> => {
  await sweep(folder);
  const staging = await mkdtemp(join(folder, STAGING));
  await mkdir(join(staging, 'root'));
  return staging;
};

const sweep = async (folder: string): Promise<void> => {
  const oldest = toMs(systemClock.now()) - ABANDONED_MS;
  for (const entry of await readdir(folder)) {
    if (!entry.startsWith(STAGING)) continue;
    const path = join(folder, entry);
    const changed = await stat(path).catch(() => null);
    if (changed && changed.mtimeMs < oldest) await rm(path, { recursive: true, force: true });
  }
};
