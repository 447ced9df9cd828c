// Types of a user's file, checked when a TypeScript compiler is at hand: Node strips types without reading them.
import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, extname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { start } from './process.ts';

const TYPES = fileURLToPath(
  new URL(extname(import.meta.url) === '.ts' ? './index.ts' : './index.d.ts', import.meta.url),
);

/** Names and modules that the types know nothing of: whether they are there is for Node to say, which loads the file. */
const UNKNOWN_NAMES = new Set([2304, 2307, 2552, 2580, 2582, 2584, 2591, 7016]);

/**
 * The first type error in one of these TypeScript files, as `file:line: message`. Null when there is none, or when neither
 * the first file's folder nor firedrill's own has a compiler. Errors elsewhere, in what the files import, don't count.
 */
export const typeError = async (files: readonly string[]): Promise<string | null> => {
  const compiler = files[0] ? packageFolder('typescript', files[0]) : null;
  if (!compiler) return null;
  const own = new Set(await Promise.all(files.map((file) => realpath(file))));
  for (const line of (await diagnostics(join(compiler, 'bin/tsc'), [...own])).split('\n')) {
    const [, file, row, code, message] = /^(.+?)\((\d+),\d+\): error TS(\d+): (.+)$/.exec(line) ?? [];
    if (file && own.has(resolve(file)) && !UNKNOWN_NAMES.has(Number(code))) return `${file}:${row}: ${message}`;
  }
  return null;
};

/** What the compiler prints; nothing when it can't be started. */
const diagnostics = async (tsc: string, files: readonly string[]): Promise<string> => {
  const folder = await mkdtemp(join(tmpdir(), 'firedrill-types-'));
  try {
    const config = join(folder, 'tsconfig.json');
    await writeFile(config, JSON.stringify({ compilerOptions: optionsFor(files[0]!), files }));
    const argv = [process.execPath, tsc, '--pretty', 'false', '-p', config] as const;
    // The compiler would leave a cache of its own code in the temporary folder.
    const running = await start({ name: 'tsc', argv: [...argv], env: { NODE_DISABLE_COMPILE_CACHE: '1' } });
    let output = '';
    running.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    await running.ended;
    return output;
  } catch {
    return '';
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

/** As strict as a scenario's object literals need; `firedrill` means this very one, as it does when the file is loaded. */
const optionsFor = (file: string) => {
  const node = packageFolder('@types/node', file);
  return {
    noEmit: true,
    target: 'esnext',
    module: 'nodenext',
    strict: true,
    noImplicitAny: false,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    types: node ? ['node'] : [],
    ...(node ? { typeRoots: [dirname(node)] } : {}),
    paths: { firedrill: [TYPES] },
  };
};

/** Where a package lies for the file, else for firedrill itself; null when neither has it. */
const packageFolder = (name: string, file: string): string | null => {
  for (const from of [file, import.meta.url]) {
    try {
      return dirname(createRequire(from).resolve(`${name}/package.json`));
    } catch {
      // Not there: the next.
    }
  }
  return null;
};
