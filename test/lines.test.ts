import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { linesOf } from '../src/lines.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lines-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const read = async (bytes: string | Buffer, name = 'some.ndjson'): Promise<string[]> => {
  const file = join(folder, name);
  await writeFile(file, bytes);
  const lines: string[] = [];
  for await (const some of linesOf(file)) lines.push(...some);
  return lines;
};
/** Some 3 MB, with characters of two, three and four bytes: chunks are cut inside of lines and of characters. */
const many = Array.from({ length: 30_000 }, (_, n) => JSON.stringify({ n, text: `ü€😀${'x'.repeat(n % 97)}` }));
const text = `${many.join('\n')}\n`;

describe('the lines of a file', () => {
  test('are those that were written, wherever its bytes are cut', async () => {
    expect(await read(text)).toEqual(many);
  });

  test('are the same when it is gzipped', async () => {
    expect(await read(gzipSync(text), 'some.ndjson.gz')).toEqual(many);
  });

  test('end with the last whole one, in the middle of a character too', async () => {
    const bytes = Buffer.from('{"a":1}\n{"b":"€"}\n');
    for (let length = 8; length < bytes.length - 1; length += 1)
      expect(await read(bytes.subarray(0, length))).toEqual(['{"a":1}']);
    expect(await read(bytes.subarray(0, -1))).toEqual(['{"a":1}', '{"b":"€"}']);
  });

  test('keep empty ones, so that a line has its number', async () => {
    expect(await read('1\n\n2\n')).toEqual(['1', '', '2']);
  });

  test('that never end are not gathered for ever', async () => {
    const [first] = await read('x'.repeat(40 << 20));
    expect(first!.length).toBeLessThan(20 << 20);
  });
});
