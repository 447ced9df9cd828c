// What the documentation shows works, and what it points to is there.
import { access, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { start } from '../src/process.ts';

const ROOT = resolve(import.meta.dirname, '..');
const CLI = [process.execPath, '--disable-warning=ExperimentalWarning', join(ROOT, 'src/cli.ts')] as const;

const pages = async (): Promise<string[]> => {
  const docs = await readdir(join(ROOT, 'docs'), { recursive: true });
  return ['ARCHITECTURE.md', ...docs.filter((name) => name.endsWith('.md')).map((name) => join('docs', name))];
};

/** The page's TypeScript that begins with its file's name: `// shop.ts`. */
const examples = (page: string): [name: string, code: string][] =>
  [...page.matchAll(/^```ts\n\/\/ (\S+\.ts)\n(.*?)^```$/gms)].map(([, name, code]) => [name!, code!]);

test('the platform that is shown, and the scenario on it, are planned as they stand', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'docs-'));
  const shown = examples(await readFile(join(ROOT, 'docs/adding-a-platform.md'), 'utf8'));
  for (const [name, code] of shown) await writeFile(join(folder, name), code);
  const argv = [...CLI, 'plan', 'slow-stock.ts', '--platform', 'shop.ts'] as const;
  const running = await start({ name: 'firedrill', argv: [...argv], cwd: folder });
  expect({ code: await running.ended, err: running.complaint() }).toEqual({ code: 0, err: '' });
  await rm(folder, { recursive: true });
}, 30_000);

test('every link to a file leads to one', async () => {
  const missing: string[] = [];
  for (const page of await pages()) {
    const text = await readFile(join(ROOT, page), 'utf8');
    for (const [, to] of text.matchAll(/\]\((?!https?:)([^)#]+)/g))
      await access(join(ROOT, dirname(page), to!)).catch(() => missing.push(`${page}: ${to}`));
  }
  expect(missing).toEqual([]);
});
