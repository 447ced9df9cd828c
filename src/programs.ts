// Where the programs lie that firedrill runs as processes of their own: beside the module that asks, as TypeScript in
// the repository and as JavaScript in the installed package.
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Command line that runs the program `name` (a path without extension, relative to the module at `from`) on this Node, with these flags. */
export const program = (name: string, from: string, flags: readonly string[] = []): [string, ...string[]] => [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  ...flags,
  fileURLToPath(new URL(`${name}${extname(from)}`, from)),
];
