// The packages that firedrill runs with, without what Node never loads.
import { cp, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

/** The part of npm's lock file (version 3) that says where packages are and who needs them. */
export type Lock = {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly optional?: boolean }>>;
};

/** Folders of the packages of a production install, outer ones first. Optional ones may not be there. */
export const production = ({ packages }: Lock): { readonly folder: string; readonly optional: boolean }[] =>
  Object.entries(packages)
    .filter(([folder, { dev }]) => folder !== '' && !dev)
    .map(([folder, { optional }]) => ({ folder, optional: optional === true }));

/** Declarations, source maps, prose, and the same code once more for bundlers and browsers. */
const NEVER_LOADED = /\.(?:[cm]?ts|map|md|markdown|flow)$/;
const LICENCE = /^(?:licen[cs]e|notice|copying)/i;

/** Whether a file of a package goes into an image. Licences do, whatever they are called. */
export const isNeeded = (file: string): boolean => LICENCE.test(basename(file)) || !NEVER_LOADED.test(file);

/** Copies the production packages of the project in `from` to `into`/node_modules. */
export const copyPackages = async (from: string, into: string): Promise<void> => {
  const lock = JSON.parse(await readFile(join(from, 'package-lock.json'), 'utf8')) as Lock;
  for (const { folder, optional } of production(lock)) {
    const own = join(from, folder);
    const filter = (file: string): boolean => isNeeded(file) && !file.slice(own.length + 1).startsWith('node_modules');
    await cp(own, join(into, folder), { recursive: true, filter }).catch((error: NodeJS.ErrnoException) => {
      if (!optional || error.code !== 'ENOENT') throw error;
    });
  }
};
