// Makes dist/ for the published package: JavaScript, declarations, and the data files that the compiler leaves out.
// `node scripts/build.ts [FOLDER [options of tsc]]` makes it elsewhere.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const DATA = /\.(proto|json|css|js)$/;

const [dist = 'dist', ...options] = process.argv.slice(2);
rmSync(dist, { recursive: true, force: true });
const compiler = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', dist];
const tsc = spawnSync(process.execPath, [...compiler, ...options], { stdio: 'inherit' });
if (tsc.status !== 0) process.exit(tsc.status ?? 1);

for (const file of readdirSync('src', { recursive: true, encoding: 'utf8' }))
  if (DATA.test(file)) cpSync(join('src', file), join(dist, 'src', file));
chmodSync(join(dist, 'src/cli.js'), 0o755);
// What the code reads of its own package. No name: inside of dist, 'firedrill' must not mean dist itself.
const { version, type } = JSON.parse(readFileSync('package.json', 'utf8'));
writeFileSync(join(dist, 'package.json'), `${JSON.stringify({ version, type }, null, 2)}\n`);
