// What a dynamically linked program needs beside itself: its libraries and its loader, as `ldd` tells.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Unreachable } from '../../src/errors.ts';
import { run } from '../../src/process.ts';

/** A file of this machine and the absolute path that it has in an image. */
export type Placed = { readonly from: string; readonly to: string };

/** glibc opens these by name at the first look-up of a host or a user; `ldd` does not know of them. */
const OPENED_LATER = ['libnss_dns.so.2', 'libnss_files.so.2', 'libresolv.so.2'];

/**
 * Libraries of the program at `path`, each with its place in an image: the loader where the program looks for it, all
 * others in the C library's folder, in which that loader looks by itself. None for a static program. Throws Unreachable,
 * naming the library, when one is missing.
 */
export const librariesOf = async (path: string, env: Readonly<Record<string, string>> = {}): Promise<Placed[]> => {
  const found = linked(await ldd(path, env));
  const lost = found.find(({ file }) => file === null);
  if (lost) throw new Unreachable(`${path} needs ${lost.name}, which this machine does not have`);
  const libc = found.find(({ name }) => name.startsWith('libc.so'));
  if (!libc) return [];
  const home = dirname(libc.file!);
  const later = OPENED_LATER.map((name) => ({ name, file: join(home, name) })).filter(({ file }) => existsSync(file));
  return [...found, ...later].map(({ name, file }) => ({
    from: file!,
    to: name.startsWith('/') ? name : join(home, name),
  }));
};

/**
 * What a program is linked with: lines are `libc.so.6 => /lib/libc.so.6 (0x…)`, `libx.so.1 => not found` or, for the
 * loader, `/lib64/ld-linux-x86-64.so.2 (0x…)`. The kernel's own has no file and is left out.
 */
export const linked = (text: string): { readonly name: string; readonly file: string | null }[] =>
  [...text.matchAll(/^\s*(\S+)(?: => (not found|\S+))?(?: \(0x[0-9a-f]+\))?$/gm)]
    .map(([, name, file]) => ({ name: name!, file: file === 'not found' ? null : (file ?? name!) }))
    .filter(({ file }) => file === null || file.startsWith('/'));

/** Empty for a static program, which `ldd` calls a failure. */
const ldd = (path: string, env: Readonly<Record<string, string>>): Promise<string> =>
  run({ name: 'ldd', argv: ['ldd', path], env: { ...env, LC_ALL: 'C' } }).catch((error: Unreachable) => {
    if (/not a dynamic executable/.test(error.message)) return '';
    throw error;
  });
