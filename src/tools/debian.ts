// Debian's and Ubuntu's packages without root: apt with all of its state in a folder of our own, then dpkg-deb.
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { oneLine, Unreachable } from '../errors.ts';
import { run } from '../process.ts';
import type { Env } from './cache.ts';

// Hooks belong to the machine's own apt, and we read only the indexes of packages.
const CONFIGURATION = `
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Update::Post-Invoke-Stats;
Debug::NoLocking "true";
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::IndexTargets::deb-src::Sources::DefaultEnabled "false";
`;

/**
 * Debian's Alertmanager reads its templates from /usr/share, wherever it was unpacked. Started by this script it has a
 * mount namespace of its own, in which /usr/share is the bundle's; the process stays the one that was started.
 */
const ALERTMANAGER = `#!/bin/sh
root=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
unshare --mount true 2>/dev/null || user='--user --map-root-user'
exec unshare $user --mount sh -c '
  mount --bind "$0/usr/share" /usr/share && exec "$0/usr/bin/prometheus-alertmanager" "$@"' "$root" "$@"
`;

/**
 * Unpacks the packages, and what they depend on that the machine lacks, into `staging`/root. The rest of `staging` is
 * apt's. Throws Unreachable with apt's own last word.
 */
export const unpackDebian = async (packages: readonly string[], staging: string, env: Env): Promise<void> => {
  const apt = await ownApt(staging, env);
  const debs = join(staging, 'debs');
  await mkdir(debs);
  // One source of several may be down and the packages still be had from the others.
  const outdated = await apt(['update']).then(() => '', lastWord);
  try {
    // A package may count as installed while its program was removed, as in slimmed images: hence --reinstall.
    const plan = await apt(['install', '--print-uris', '--reinstall', '--no-install-recommends', ...packages]);
    await apt(['download', ...binaryPackages(plan)], debs);
  } catch (error) {
    throw new Unreachable([lastWord(error), outdated].filter(Boolean).join('; '));
  }
  for (const deb of await readdir(debs)) {
    await run({ name: 'dpkg-deb', argv: ['dpkg-deb', '-x', join(debs, deb), join(staging, 'root')], env: plain(env) });
  }
  if (packages.includes('prometheus-alertmanager')) {
    await writeFile(join(staging, 'root/usr/bin/alertmanager'), ALERTMANAGER, { mode: 0o755 });
  }
};

type Apt = (args: readonly string[], cwd?: string) => Promise<string>;

const ownApt = async (staging: string, env: Env): Promise<Apt> => {
  const state = join(staging, 'state');
  const cache = join(staging, 'cache');
  await mkdir(join(state, 'lists', 'partial'), { recursive: true });
  await mkdir(join(cache, 'archives', 'partial'), { recursive: true });
  const configuration = join(staging, 'apt.conf');
  await writeFile(configuration, CONFIGURATION);
  const folders = [`Dir::State=${state}`, 'Dir::State::status=/var/lib/dpkg/status', `Dir::Cache=${cache}`];
  const options = folders.flatMap((folder) => ['-o', folder]);
  return (args, cwd = staging) =>
    run({
      name: 'apt-get',
      argv: ['apt-get', '-qq', '-y', '-c', configuration, ...options, ...args],
      cwd,
      env: plain(env),
    });
};

/** Only the search path matters of a given environment; messages are wanted in one language. */
const plain = (env: Env): Record<string, string> => ({ ...(env.PATH ? { PATH: env.PATH } : {}), LC_ALL: 'C' });

/**
 * Names with architecture, as `apt-get download` takes them, out of the lines of `--print-uris`: `'URI' FILE SIZE HASH`,
 * FILE being `name_version_architecture.deb`. Packages for all architectures hold neither programs nor libraries.
 */
export const binaryPackages = (uris: string): string[] =>
  [...uris.matchAll(/^'[^']*' ([^_\s]+)_[^_\s]+_([^_\s]+)\.deb /gm)]
    .filter(([, , architecture]) => architecture !== 'all')
    .map(([, name, architecture]) => `${name}:${architecture}`);

const lastWord = (error: unknown): string => {
  const text = oneLine(error);
  return /\bE: .*$/.exec(text)?.[0] ?? text;
};
