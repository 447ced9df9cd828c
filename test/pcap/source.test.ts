import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Unreachable } from '../../src/errors.ts';
import { readSource, type SourceEnd } from '../../src/pcap/source.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'source-'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Larger than two chunks, and not compressible, so that packed files have many blocks. */
const BYTES = Buffer.alloc(2_500_000);
for (let i = 0, x = 1; i < BYTES.length; i += 1) {
  x = (Math.imul(x, 1_103_515_245) + 12_345) | 0;
  BYTES[i] = x >>> 16;
}

const read = async (bytes: Buffer): Promise<SourceEnd & { got: Buffer; last: number }> => {
  const file = join(folder, 'file');
  await writeFile(file, bytes);
  const chunks: Buffer[] = [];
  let last = 0;
  const end = await readSource(file, (chunk, at) => {
    expect(at).toBeGreaterThanOrEqual(last);
    last = at;
    chunks.push(Buffer.from(chunk));
  });
  return { ...end, got: Buffer.concat(chunks), last };
};

describe('a file is read from its first byte to its last', () => {
  test.each([
    ['plain', BYTES],
    ['gzip', gzipSync(BYTES)],
    ['gzip', Buffer.concat([gzipSync(BYTES.subarray(0, 1e6)), gzipSync(BYTES.subarray(1e6))])],
    ['zstd', zstdCompressSync(BYTES)],
    ['zstd', Buffer.concat([zstdCompressSync(BYTES.subarray(0, 1e6)), zstdCompressSync(BYTES.subarray(1e6))])],
  ] as const)('%s', async (packing, file) => {
    const { got, last, ...end } = await read(file);
    expect(end).toEqual({ packing, damage: null });
    expect(got.equals(BYTES)).toBe(true);
    expect(last).toBe(file.length);
  });

  test('an empty file has no bytes', async () => {
    expect((await read(Buffer.alloc(0))).got).toHaveLength(0);
  });
});

describe('a packed file that is cut short gives what can be had, and says where it ended', () => {
  test.each([
    ['gzip', gzipSync(BYTES)],
    ['zstd', zstdCompressSync(BYTES)],
  ] as const)('%s', async (packing, whole) => {
    const { got, damage } = await read(whole.subarray(0, 1_900_000));
    expect(damage).toMatch(new RegExp(`^${packing}: .+ near byte \\d+$`));
    expect(got.length).toBeGreaterThan(1_500_000);
    expect(got.equals(BYTES.subarray(0, got.length))).toBe(true);
  });

  test('what follows a zstd frame and is none is damage', async () => {
    const { got, damage } = await read(Buffer.concat([zstdCompressSync(BYTES), Buffer.from('trailing')]));
    expect(got.length).toBe(BYTES.length);
    expect(damage).toMatch(/^zstd: /);
  });
});

test('no such file is unreachable, in one line', async () => {
  const reading = readSource(join(folder, 'none'), () => {});
  await expect(reading).rejects.toThrow(Unreachable);
  await expect(reading).rejects.toThrow(/can't be read: .*ENOENT/);
});
