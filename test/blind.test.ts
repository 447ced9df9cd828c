import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { start } from '../src/process.ts';

const ROOT = resolve(import.meta.dirname, '..');
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'blind-'));
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** What the compiler says of an analyzer whose body is this. */
const compile = async (body: string): Promise<{ code: number | string; says: string }> => {
  const source = `import type { Analyzer, SpanItem } from '${relative(folder, ROOT)}/src/model.ts';\nexport const analyze: Analyzer<SpanItem> = (input) => ({ suspects: [], why: String(${body}) });\n`;
  await writeFile(join(folder, 'analyzer.ts'), source);
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      extends: `${ROOT}/tsconfig.json`,
      compilerOptions: { typeRoots: [`${ROOT}/node_modules/@types`] },
      include: ['analyzer.ts'],
    }),
  );
  const tsc = await start({
    name: 'tsc',
    argv: [process.execPath, join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', folder],
  });
  let says = '';
  tsc.child.stdout?.on('data', (text) => {
    says += text;
  });
  return { code: await tsc.ended, says };
};

test('an analyzer that looks at its evidence compiles', async () => {
  expect(await compile('input.test.items.length')).toEqual({ code: 0, says: '' });
});

test.each(['fault', 'truth', 'plan', 'history', 'ledger', 'injectedAt'])(
  'an analyzer that reaches for the %s does not compile',
  async (word) => {
    const { code, says } = await compile(`input.${word}`);
    expect(code).not.toBe(0);
    expect(says).toContain(`Property '${word}' does not exist on type 'Blind<SpanItem>'`);
  },
);
