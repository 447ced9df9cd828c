import { hash } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Usage } from '../../src/errors.ts';
import { type LedgerRecord, toLine } from '../../src/traffic/ledger.ts';
import { inBlocks, readLedger, writeLedger } from '../../src/traffic/ledger-file.ts';
import { record } from './helpers.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ledger-'));
  file = join(folder, 'ledger.ndjson');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const read = async (from = file): Promise<{ records: LedgerRecord[]; sha256: string }> => {
  const records: LedgerRecord[] = [];
  const sha256 = await readLedger(from, (one) => records.push(one));
  return { records, sha256 };
};
const lines = (records: readonly LedgerRecord[]): string => records.map((one) => `${toLine(one)}\n`).join('');
/** Some 3 MB, with characters of two, three and four bytes: chunks are cut inside of lines and of characters. */
const many = Array.from({ length: 5000 }, (_, n) => record(n, { atMs: n, user: `ü€😀${'x'.repeat(n % 7)}` }));

describe('a ledger in a file', () => {
  test('has its records in the order in which they ended, and its checksum is that of the file', async () => {
    const turned = many.toReversed();
    const writer = writeLedger(file, (error) => expect(error).toBeNull());
    for (const one of turned) writer.add(one);
    await writer.end();
    expect(await readFile(file, 'utf8')).toBe(lines(turned));
    const { records, sha256 } = await read();
    expect(records).toEqual(turned);
    expect(sha256).toBe(hash('sha256', await readFile(file)));
  });

  test('takes lines of any length, before and after others', async () => {
    const users = ['a', '€'.repeat(100_000), 'b', 'x'.repeat(70_000), 'c'];
    const written = users.map((user, n) => record(n, { atMs: n, user }));
    const writer = writeLedger(file, (error) => expect(error).toBeNull());
    for (const one of written) writer.add(one);
    await writer.end();
    expect(await readFile(file, 'utf8')).toBe(lines(written));
  });

  test('is the same when it is gzipped', async () => {
    await writeFile(`${file}.gz`, gzipSync(lines(many)));
    expect(await read(`${file}.gz`)).toEqual({ records: many, sha256: hash('sha256', lines(many)) });
  });

  test('that a killed process has left is read up to the half of a line at its end', async () => {
    const text = lines(many.slice(0, 3));
    await writeFile(file, text.slice(0, -20));
    expect((await read()).records).toEqual(many.slice(0, 2));
    await writeFile(file, text.slice(0, -1));
    expect((await read()).records).toEqual(many.slice(0, 3));
  });

  test('that is damaged elsewhere is refused with the number of the line', async () => {
    await writeFile(file, `${toLine(many[0]!)}\n\n{"n":1}\n${toLine(many[1]!)}\n`);
    await expect(read()).rejects.toThrow(Usage);
    await expect(read()).rejects.toThrow(`${file}:3: ledger: `);
  });

  test('that has no lines is refused before all of it is in memory', async () => {
    await writeFile(file, 'x'.repeat(40 << 20));
    await expect(read()).rejects.toThrow(/ledger\.ndjson:1: ledger: not JSON: x{80}$/);
  });

  test('with a time that is none is refused', async () => {
    await writeFile(file, lines([{ ...many[0]!, intended: '2026-02-30T00:00Z' }]));
    await expect(read()).rejects.toThrow(Usage);
  });

  test('that can not be written is told', async () => {
    const told = new Promise((resolve) => {
      const writer = writeLedger(join(folder, 'missing', 'ledger.ndjson'), resolve);
      writer.add(many[0]!);
    });
    expect(await told).toMatchObject({ code: 'ENOENT' });
  });
});

describe('lines', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());
  const written = (): { readonly out: string[]; readonly lines: ReturnType<typeof inBlocks> } => {
    const out: string[] = [];
    return {
      out,
      lines: inBlocks({ write: (bytes: Uint8Array) => out.push(Buffer.from(bytes).toString()) > 0 } as never),
    };
  };

  test('of ten milliseconds are written at once, and those that come later by themselves', () => {
    const { out, lines } = written();
    lines.add('a');
    jest.advanceTimersByTime(9);
    lines.add('b');
    expect(out).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(out).toEqual(['a\nb\n']);
    lines.add('c');
    jest.advanceTimersByTime(10);
    expect(out).toEqual(['a\nb\n', 'c\n']);
  });

  test('that fill a block do not wait, and none is written twice', () => {
    const { out, lines } = written();
    const line = 'x'.repeat(80_000);
    lines.add(line);
    lines.add(line);
    expect(out).toEqual([`${line}\n`]);
    lines.flush();
    jest.advanceTimersByTime(100);
    expect(out).toEqual([`${line}\n`, `${line}\n`]);
  });
});
