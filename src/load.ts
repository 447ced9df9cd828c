// Finds scenarios and platforms: files of the user's own, or the shipped ones by name. TypeScript loads as it is.
import { access, readdir } from 'node:fs/promises';
import { registerHooks } from 'node:module';
import { basename, extname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { oneLine, Usage } from './errors.ts';
import { type Platform, type PlatformProfile, platform } from './platform.ts';
import { isScenario, type Scenario } from './scenario.ts';
import { typeError } from './typecheck.ts';

const ROOT = new URL('..', import.meta.url);
const OWN = new URL(`./index${extname(import.meta.url)}`, import.meta.url).href;

// A scenario's import of 'firedrill' is this very firedrill, wherever the scenario lies and whatever is installed there.
registerHooks({
  resolve: (specifier, context, next) =>
    specifier === 'firedrill' ? { url: OWN, shortCircuit: true } : next(specifier, context),
});

export type Found = { readonly scenario: Scenario; readonly file: string };

/** The shipped folder of that name: scenarios/ or platforms/. */
const shipped = (folder: string): string => fileURLToPath(new URL(folder, ROOT));
const exists = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );
const isCode = (name: string): boolean => /\.(ts|mts|js|mjs)$/.test(name) && !/\.d\.m?ts$/.test(name);

/** Every scenario file of a folder, by name. */
export const listFolder = async (folder: string): Promise<string[]> =>
  (await exists(folder))
    ? (await readdir(folder))
        .filter(isCode)
        .sort()
        .map((name) => join(folder, name))
    : [];

/** Names that `firedrill run` takes without a path: those of ./scenarios, else the shipped ones. */
export const defaultFiles = async (): Promise<string[]> => {
  const own = await listFolder(resolve('scenarios'));
  return own.length > 0 ? own : listFolder(shipped('scenarios'));
};

/** The scenarios that the words mean, a word being a file or a name; no words: all of them. */
export const loadScenarios = async (words: readonly string[]): Promise<Found[]> => {
  const files = words.length > 0 ? await Promise.all(words.map(fileOf)) : await defaultFiles();
  const loaded: Found[] = [];
  for (const file of files) loaded.push(...(await loadScenario(file)));
  await mustTypeCheck(files);
  return loaded;
};

const checked = new Set<string>();

/** After the files have loaded, since what they say about themselves is plainer. Our own were checked when we were built. */
const mustTypeCheck = async (files: readonly string[]): Promise<void> => {
  const isTheirs = (file: string): boolean => /\.m?ts$/.test(file) && !file.startsWith(fileURLToPath(ROOT));
  const wrong = await typeError(files.filter((file) => isTheirs(file) && !checked.has(file)));
  if (wrong) throw new Usage(wrong);
  for (const file of files) checked.add(file);
};

const fileOf = async (word: string): Promise<string> => {
  if (await exists(word)) return resolve(word);
  const known = [...(await defaultFiles()), ...(await listFolder(shipped('scenarios')))];
  const found = known.find((file) => basename(file, extname(file)) === word);
  if (found) return found;
  const names = [...new Set(known.map((file) => basename(file, extname(file))))];
  throw new Usage(`no scenario '${word}': neither a file nor one of ${names.join(', ')}`);
};

const loadScenario = async (file: string): Promise<Found[]> => {
  const exported = await importDefault(file);
  const scenarios = Array.isArray(exported) ? exported : [exported];
  if (scenarios.length === 0 || !scenarios.every(isScenario))
    throw new Usage(`${file}: does not export a scenario; write export default scenario('what is noticed', { … })`);
  return scenarios.map((scenario) => ({ scenario, file }));
};

const importDefault = async (file: string): Promise<unknown> => {
  try {
    return ((await import(pathToFileURL(file).href)) as { default?: unknown }).default;
  } catch (error) {
    const where = error instanceof SyntaxError ? (/^(.*:\d+)$/m.exec(error.stack ?? '')?.[1] ?? file) : file;
    throw new Usage(`${where.replace(/^file:\/\//, '')}: ${oneLine(error)}`);
  }
};

/** A platform's profile by its file, or a shipped one by its name. */
export const loadPlatform = async (word: string): Promise<Platform> => {
  const byName = join(shipped('platforms'), `${word}${extname(import.meta.url)}`);
  const file = (await exists(byName)) ? byName : resolve(word);
  if (!(await exists(file))) {
    throw new Usage(`no platform '${word}': neither a file nor one of ${(await platformNames()).join(', ')}`);
  }
  const profile = await importDefault(file);
  if (typeof profile !== 'object' || profile === null)
    throw new Usage(
      `${file}: does not export a platform profile; write export default platform({ name: …, components: … })`,
    );
  const made = platform(profile as PlatformProfile);
  await mustTypeCheck([file]);
  return made;
};

/** The shipped platforms. */
export const platformNames = async (): Promise<string[]> =>
  (await listFolder(shipped('platforms'))).map((file) => basename(file, extname(file)));
