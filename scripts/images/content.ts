// What is in each image.
import { existsSync } from 'node:fs';
import { cp, readFile, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Usage } from '../../src/errors.ts';
import { run } from '../../src/process.ts';
import { tool } from '../../src/tools.ts';
import type { Runs } from './archive.ts';
import { librariesOf, type Placed } from './libraries.ts';
import { copyPackages } from './packages.ts';

/** Files to copy and, for what is not a copy, a function that makes it in the root file system's folder. */
export type Content = { readonly files: readonly Placed[]; readonly make?: (root: string) => Promise<void> };
export type Image = { readonly runs: Runs; readonly content: () => Promise<Content> };

/** Programs are all in one folder, so that whoever runs them by name needs no search path of many. */
const PROGRAMS = '/usr/local/bin';
/** The user of images that need no rights; the number that distroless images use. */
const NONROOT = '65532';
const APP = '/app';
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';

const env = { PATH: '/usr/local/bin:/usr/bin:/bin' };
const nonroot = (...entry: string[]): Runs => ({ entry, user: NONROOT, env });

const file = async (name: string, path: string, libraries: Readonly<Record<string, string>> = {}) => [
  { from: path, to: join(PROGRAMS, name) },
  ...(await librariesOf(path, libraries)),
];

/** A program that firedrill finds or fetches itself. */
const ours = async (name: Parameters<typeof tool>[0]): Promise<Placed[]> => {
  const found = await tool(name);
  return file(name, found.path, found.env);
};

/** Types are the business of `npm run check`: an image is made of what runs. */
const compile = async (into: string): Promise<void> => {
  const flags = ['--noCheck', '--declaration', 'false'];
  await run({ name: 'build', argv: [process.execPath, 'scripts/build.ts', join(into, 'dist'), ...flags] });
};

const firedrill = async (): Promise<Content> => ({
  files: [
    ...(await file('node', process.execPath)),
    ...(await ours('nft')),
    ...(await ours('tcpdump')),
    ...(existsSync(CERTIFICATES) ? [{ from: CERTIFICATES, to: CERTIFICATES }] : []),
  ],
  make: async (root) => {
    await compile(join(root, APP));
    await copyPackages('.', join(root, APP));
  },
});

/** The agent's programs import nothing but Node's own modules and ours. */
const agent = async (): Promise<Content> => ({
  files: [...(await file('node', process.execPath)), ...(await ours('nft')), ...(await ours('tcpdump'))],
  make: async (root) => {
    await compile(join(root, APP));
    for (const other of ['platforms', 'scenarios']) await rm(join(root, APP, 'dist', other), { recursive: true });
  },
});

/** A backend for clusters that can't pull it: the program that a variable names or, where firedrill has one itself, that. */
const given = async (name: string, otherwise?: () => Promise<string>): Promise<string> => {
  const variable = `FIREDRILL_${name.toUpperCase()}`;
  const path = process.env[variable] || (await otherwise?.());
  if (!path) throw new Usage(`image ${name}: set ${variable} to the program to put into it`);
  if (!existsSync(path)) throw new Usage(`image ${name}: ${variable} names ${path}, which is not there`);
  return path;
};

const backend = async (name: string): Promise<Content> => ({ files: await file(name, await given(name)) });

/** Debian's is built without Kubernetes' discovery, which the manifests rely on; Go keeps the names of its packages. */
const prometheus = async (): Promise<Content> => {
  const path = await given('prometheus', async () => (await tool('prometheus')).path);
  if (!(await readFile(path)).includes('prometheus/discovery/kubernetes'))
    throw new Usage(
      `image prometheus: ${path} is built without Kubernetes discovery; set FIREDRILL_PROMETHEUS to one that has it, such as upstream's release`,
    );
  return { files: await file('prometheus', path) };
};

/** Debian's Alertmanager reads its templates from /usr/share, and is started by a script of ours that lies beside it. */
const alertmanager = async (): Promise<Content> => {
  const path = await given('alertmanager', async () => {
    const found = (await tool('alertmanager')).path;
    const debian = join(dirname(found), 'prometheus-alertmanager');
    return existsSync(debian) ? debian : found;
  });
  const templates = join(dirname(path), '../share/prometheus/alertmanager');
  const isDebian = basename(path) === 'prometheus-alertmanager' && existsSync(templates);
  return {
    files: await file('alertmanager', path),
    ...(isDebian
      ? { make: (root) => cp(templates, join(root, 'usr/share/prometheus/alertmanager'), { recursive: true }) }
      : {}),
  };
};

/** By name; those for which firedrill itself is the content come first. */
export const IMAGES: Readonly<Record<string, Image>> = {
  firedrill: { runs: nonroot(`${PROGRAMS}/node`, `${APP}/dist/src/cli.js`), content: firedrill },
  // In a pod's network namespace it needs capabilities, which Kubernetes gives to root alone.
  'firedrill-agent': {
    runs: { entry: [`${PROGRAMS}/node`, `${APP}/dist/src/agent/agent.js`], user: '0', env },
    content: agent,
  },
  prometheus: { runs: nonroot(`${PROGRAMS}/prometheus`), content: prometheus },
  alertmanager: { runs: nonroot(`${PROGRAMS}/alertmanager`), content: alertmanager },
  jaeger: { runs: nonroot(`${PROGRAMS}/jaeger`), content: () => backend('jaeger') },
  loki: { runs: nonroot(`${PROGRAMS}/loki`), content: () => backend('loki') },
};

/** All images of one checkout have its version. */
export const tagOf = async (name: string): Promise<string> => {
  const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
  return `docker.io/library/${name}:${version}`;
};
