import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { start } from '../src/process.ts';

const SCRIPT = resolve(import.meta.dirname, '../scripts/check-borders.ts');
let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'borders-'));
  await mkdir(join(root, 'scripts'));
  await writeFile(join(root, 'package.json'), '{"type":"module"}');
  await copyFile(SCRIPT, join(root, 'scripts/check-borders.ts'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

/** What the script says of a tree that has these files in src/. */
const check = async (files: Readonly<Record<string, string>>, script = join(root, 'scripts/check-borders.ts')) => {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, 'src', name)), { recursive: true });
    await writeFile(join(root, 'src', name), text);
  }
  const checking = await start({
    name: 'borders',
    argv: [process.execPath, '--disable-warning=ExperimentalWarning', script],
  });
  let out = '';
  checking.child.stdout!.on('data', (text) => {
    out += text;
  });
  return { code: await checking.ended, out: out.trim(), err: checking.complaint() };
};

describe('the borders', () => {
  test('hold in this very tree', async () => {
    expect(await check({}, SCRIPT)).toEqual({ code: 0, out: 'borders hold', err: '' });
  });

  test.each([
    ['layers/traces/analyzer.ts', "import type { Truth } from '../../faults/fault.ts';", 'an analyzer is blind'],
    ['layers/traces/analyzer.ts', "import { readHistory } from '../../history.ts';", 'an analyzer is blind'],
    ['layers/traces/adapter.ts', "import { phase } from '../../plan.ts';", 'a layer knows a wire format'],
    ['run.ts', "import { verdict } from './verdict.ts';", 'the run does not know what counts as detection'],
    ['run.ts', "import { lab } from './targets/lab/lab.ts';", 'the run does not know'],
    ['evidence.ts', "export * from './faults/fault.ts';", 'evidence does not know what the fault was'],
    [
      'verdict.ts',
      "const { jaeger } = await import('./layers/traces/adapter.ts');",
      'the verdict does not know how to query',
    ],
    ['plan.ts', "import './process.ts';", 'a plan does not know how to act'],
    ['model.ts', "import { iso } from './time.ts';", 'the nouns import nothing'],
    ['faults/pod-kill.ts', "import { pods } from '../targets/lab/pods.ts';", 'a fault knows the target’s contract'],
    ['traffic/client.ts', "import { lab } from '../targets/lab/lab.ts';", 'traffic knows only its own plan'],
    [
      'targets/lab/lab.ts',
      "import { spawn } from 'node:child_process';",
      'src/process.ts is the one place that spawns',
    ],
    ['plan.ts', 'export const now = Date.now();', 'src/time.ts is the one clock'],
    ['layers/logs/blame.ts', 'export const now = systemClock.now();', 'an analyzer knows no clock'],
  ])('do not let %s say %s', async (name, text, because) => {
    const { code, out, err } = await check({ [name]: text });
    expect(code).toBe(1);
    expect(out).toMatch(/^[12] trespasses$/);
    expect(err).toMatch(new RegExp(`^src/${name.replace('.', '\\.')}.*: ${because}`, 'm'));
  });

  test('let everybody have the nouns', async () => {
    const nouns = "import type { Ref } from '../../model.ts';";
    expect(await check({ 'layers/traces/analyzer.ts': nouns, 'model.ts': 'export type Ref = string;' })).toMatchObject({
      code: 0,
    });
  });
});
