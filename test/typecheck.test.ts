import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { expect, test } from '@jest/globals';
import { typeError } from '../src/typecheck.ts';

/** A folder of its own with these files in it. */
const folderOf = async (files: Readonly<Record<string, string>>) => {
  const path = await mkdtemp(join(tmpdir(), 'typecheck-'));
  for (const [name, text] of Object.entries(files)) await writeFile(join(path, name), text);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
};

const scenario = (fault: string): string =>
  `import { latency, scenario } from 'firedrill';\n\nexport default scenario('a drill', {\n  fault: ${fault},\n});\n`;

test('a misspelt option is one line: the file, the line, what is wrong', async () => {
  await using at = await folderOf({ 'own.ts': scenario("latency('a->b', '300ms', { hits: 'all' })") });
  const file = join(at.path, 'own.ts');
  const said = await typeError([file]);
  expect(said).toMatch(/^[^\n]+:4: .*'hits' does not exist.*$/);
  expect(said).toContain(relative('.', file));
});

test('a file with sound types, and Node in it, is fine wherever it lies', async () => {
  const text = `import { env } from 'node:process';\n${scenario("latency('a->b', env['ADD'] === undefined ? '300ms' : '1s')")}`;
  await using at = await folderOf({ 'own.ts': text });
  expect(await typeError([join(at.path, 'own.ts')])).toBeNull();
});

test('what a file imports is not judged, nor names that only Node can know', async () => {
  const helper = "export const add: number = 'not a number';\n";
  const text = `import './helper.ts';\nimport type { X } from 'no-such-package';\nexport type Y = X;\nnoSuchName();\n`;
  await using at = await folderOf({ 'own.ts': text, 'helper.ts': helper });
  expect(await typeError([join(at.path, 'own.ts')])).toBeNull();
  expect(await typeError([join(at.path, 'helper.ts')])).toMatch(/:1: Type 'string' is not assignable/);
});

test('a file that is reached by a link is judged too', async () => {
  await using at = await folderOf({ 'own.ts': "export const n: number = 'one';\n" });
  await symlink(join(at.path, 'own.ts'), join(at.path, 'link.ts'));
  expect(await typeError([join(at.path, 'link.ts')])).toMatch(/own\.ts:1: /);
});

test('without files there is nothing to say', async () => {
  expect(await typeError([])).toBeNull();
});
