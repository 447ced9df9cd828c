// Looks for a program in folders and makes sure that it runs.
import { constants } from 'node:fs';
import { access, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { start } from '../process.ts';
import { program, type ToolName } from './catalog.ts';

/** A program that answered when it was asked for its version. `env` is what it needs on top of the environment. */
export type Found = { readonly path: string; readonly env: Readonly<Record<string, string>>; readonly version: string };

const BINARIES = ['usr/bin', 'usr/sbin', 'bin', 'sbin', '.'];
const LIBRARIES = ['usr/lib', 'lib', 'usr/lib64', 'lib64'];

/** The first of these folders' programs of that name that runs. */
export const findIn = async (
  folders: readonly string[],
  name: ToolName,
  envs: readonly Readonly<Record<string, string>>[] = [{}],
): Promise<Found | null> => {
  for (const path of folders.flatMap((folder) => program(name).binaries.map((binary) => join(folder, binary)))) {
    if (!(await executable(path))) continue;
    for (const env of envs) {
      const version = await versionOf(name, path, env);
      if (version !== null) return { path, env, version };
    }
  }
  return null;
};

/** The same in an unpacked bundle, with the machine's own libraries or else with those in the bundle. */
export const findInBundle = async (bundle: string, name: ToolName): Promise<Found | null> => {
  const folders = BINARIES.map((folder) => join(bundle, folder));
  const libraries = await libraryFolders(bundle);
  if (libraries.length === 0) return findIn(folders, name);
  const path = [...libraries, ...(process.env.LD_LIBRARY_PATH ? [process.env.LD_LIBRARY_PATH] : [])].join(':');
  return findIn(folders, name, [{}, { LD_LIBRARY_PATH: path }]);
};

/** Whether the user may run the file at `path`. */
export const executable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

const versionOf = async (
  name: ToolName,
  path: string,
  env: Readonly<Record<string, string>>,
): Promise<string | null> => {
  const running = await start({ name, argv: [path, ...program(name).version], env }).catch(() => null);
  if (!running) return null;
  let output = '';
  running.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  if ((await running.ended) !== 0) return null;
  // Some print it to standard error.
  const text = `${output}\n${running.complaint()}`.trim();
  return /\d+(?:\.\d+)+[^\s,)]*/.exec(text)?.[0] ?? text.split('\n')[0]!;
};

/** The folders of a bundle that hold shared libraries: the usual ones and, with Debian's multiarch, one below. */
const libraryFolders = async (bundle: string): Promise<string[]> => {
  const usual = LIBRARIES.map((folder) => join(bundle, folder));
  const below = await Promise.all(
    usual.map(async (folder) => (await list(folder)).map((entry) => join(folder, entry))),
  );
  const candidates = [...usual, ...below.flat()];
  const holds = await Promise.all(candidates.map(async (folder) => (await list(folder)).some(isLibrary)));
  return candidates.filter((_, at) => holds[at]);
};

const isLibrary = (file: string): boolean => /\.so(\.|$)/.test(file);
const list = (folder: string): Promise<string[]> => readdir(folder).catch(() => []);
