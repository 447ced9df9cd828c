// Several capture files, read one after the other as one capture.
import { stat } from 'node:fs/promises';
import { Usage } from '../errors.ts';
import type { Take } from './block.ts';
import { createPcapScanner, type PcapEnd } from './reader.ts';
import { type Packing, readSource } from './source.ts';

/** How one file was read; `end` says where and why it ended too early, or is null. */
export type FileRead = {
  readonly file: string;
  readonly format: 'pcap' | 'pcapng';
  readonly packing: Packing;
  readonly packets: number;
  readonly end: string | null;
};

/** How far the reading is: a share of all bytes, and the packets so far. */
export type Tell = (file: string, share: number, packets: number) => void;

/** Gives the packets of all files to `take`. Throws Usage for one that is no capture, Unreachable for one that can't be read. */
export const readFiles = async (
  files: readonly string[],
  take: Take,
  tell: Tell = () => undefined,
): Promise<FileRead[]> => {
  const sizes = await Promise.all(files.map(sizeOf));
  const total = Math.max(1, sizes.reduce(sum, 0));
  const read: FileRead[] = [];
  let before = 0;
  let packets = 0;
  for (const [i, file] of files.entries()) {
    const one = await readFile(file, take, (done, count) => tell(file, (before + done) / total, packets + count));
    read.push(one);
    before += sizes[i]!;
    packets += one.packets;
  }
  return read;
};

export const sizeOf = async (file: string): Promise<number> => (await stat(file)).size;

const sum = (a: number, b: number): number => a + b;

const readFile = async (file: string, take: Take, tell: (done: number, packets: number) => void): Promise<FileRead> => {
  const scanner = createPcapScanner(take);
  const { packing, damage } = await readSource(file, (chunk, done) => {
    scanner.push(chunk);
    tell(done, scanner.packets());
  });
  const { format, packets, end } = scanner.end();
  if (format === null) throw new Usage(`${file}: ${damage ?? (end === 'complete' ? 'empty' : end.why)}`);
  return { file, format, packing, packets, end: damage ?? endText(end) };
};

/** Null for a whole capture; else where it ends, and why. */
const endText = (end: PcapEnd['end']): string | null => {
  if (end === 'complete') return null;
  return 'corrupt' in end
    ? `damaged at byte ${end.corrupt}: ${end.why}`
    : `cut short at byte ${end.truncated}: ${end.why}`;
};
