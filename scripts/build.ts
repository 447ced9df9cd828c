// Makes dist/ for the published package: JavaScript, declarations, and the data files that the compiler leaves out.

import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

const COPIED = /\.(proto|json|css|js)$/;

rmSync('dist', { recursive: true, force: true });
const tsc = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
  stdio: 'inherit',
});
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

const copy = (folder: string): void => {
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    if (statSync(file).isDirectory()) copy(file);
    else if (COPIED.test(name)) cpSync(file, join('dist', file));
  }
};
copy('src');
chmodSync('dist/src/cli.js', 0o755);
cpSync('package.json', 'dist/package.json');
