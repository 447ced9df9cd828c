// The bytes of capture files: read ahead in large chunks, and unpacked when they are compressed.
import { createReadStream, read } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { oneLine, Unreachable } from '../errors.ts';

/** Large enough that reading costs little per packet, small enough to stay in a processor's cache. */
const CHUNK = 1024 * 1024;
const PACKED_CHUNK = 64 * 1024;

/** Takes the next bytes, valid only during the call, and how many bytes of the file itself have been read by then. */
export type Push = (chunk: Buffer, read: number) => void;

export type Packing = 'plain' | 'gzip' | 'zstd';

/** How a file ended: whole, or with the reason why it could not be unpacked to its end. */
export type SourceEnd = { readonly packing: Packing; readonly damage: string | null };

/**
 * Gives a capture file's bytes from its first to its last, unpacked when its own first bytes say gzip (RFC 1952) or zstd
 * (RFC 8878). What could be unpacked before damage is given. Throws Unreachable when the file can't be read, and the
 * signal's reason when it aborts.
 */
export const readSource = async (file: string, push: Push, signal?: AbortSignal): Promise<SourceEnd> => {
  const handle = await opened(file);
  try {
    const packing = await packingIn(handle, file);
    if (packing !== 'plain') return { packing, damage: await unpack(file, packing, push, signal) };
    await feedFrom(handle, file, 0, push, signal);
    return { packing, damage: null };
  } finally {
    await handle.close();
  }
};

const opened = (file: string): Promise<FileHandle> =>
  open(file).catch((error: unknown) => {
    throw new Unreachable(`capture file can't be read: ${oneLine(error)}`);
  });

/** How a file is packed, by its first bytes. Throws Unreachable when it can't be read. */
export const packingOf = async (file: string): Promise<Packing> => {
  const handle = await opened(file);
  try {
    return await packingIn(handle, file);
  } finally {
    await handle.close();
  }
};

const packingIn = async (handle: FileHandle, file: string): Promise<Packing> => {
  const first = Buffer.alloc(4);
  await readAt(handle, file, first, 0);
  if (first[0] === 0x1f && first[1] === 0x8b) return 'gzip';
  return first.readUInt32LE(0) === 0xfd2fb528 ? 'zstd' : 'plain';
};

/** Gives an open file's bytes from `offset` to its present end, one read ahead of whoever takes them; returns that end. */
export const feedFrom = async (
  handle: FileHandle,
  file: string,
  offset: number,
  push: Push,
  signal?: AbortSignal,
): Promise<number> => {
  let [chunk, other] = [Buffer.allocUnsafeSlow(CHUNK), Buffer.allocUnsafeSlow(CHUNK)];
  let at = offset;
  let got = await readAt(handle, file, chunk, at);
  while (got > 0) {
    signal?.throwIfAborted();
    at += got;
    const ahead = readAt(handle, file, other, at);
    try {
      push(chunk.subarray(0, got), at);
    } finally {
      got = await ahead;
    }
    [chunk, other] = [other, chunk];
  }
  return at;
};

/** By the file's descriptor: FileHandle's own read takes twice as long to say that it is done. */
const readAt = (handle: FileHandle, file: string, into: Buffer, at: number): Promise<number> =>
  new Promise((resolve, reject) => {
    read(handle.fd, into, 0, into.length, at, (error, got) => {
      if (error) reject(new Unreachable(`${file}: can't be read: ${oneLine(error)}`));
      else resolve(got);
    });
  });

const unpack = async (
  file: string,
  packing: 'gzip' | 'zstd',
  push: Push,
  signal?: AbortSignal,
): Promise<string | null> => {
  const { size } = await stat(file);
  // Node's zstd stops after a frame, but a file may have several (RFC 8878, 3); its gzip reads all members itself.
  for (let at = 0; at < size; ) {
    const { used, damage } = await unpackFrom(file, packing, at, push, signal);
    if (damage !== null) return damage;
    at = packing === 'gzip' ? size : at + used;
  }
  return null;
};

type Unpacked = { readonly used: number; readonly damage: string | null };

/** Unpacks from `start` on, to the file's end or to that of a frame, after which Node's zstd takes nothing more. */
const unpackFrom = async (
  file: string,
  packing: 'gzip' | 'zstd',
  start: number,
  push: Push,
  signal?: AbortSignal,
): Promise<Unpacked> => {
  const packed = createReadStream(file, { start, highWaterMark: PACKED_CHUNK });
  const unpacked = packing === 'gzip' ? createGunzip({ chunkSize: CHUNK }) : createZstdDecompress({ chunkSize: CHUNK });
  unpacked.on('data', (chunk: Buffer) => push(chunk, start + unpacked.bytesWritten));
  const ended = finished(unpacked);
  ended.catch(() => undefined);
  try {
    let fed = 0;
    for await (const chunk of packed) {
      signal?.throwIfAborted();
      // Of bytes that it can't unpack Node's zlib never says that they were written.
      await Promise.race([written(unpacked, chunk as Buffer), ended]);
      fed += (chunk as Buffer).length;
      if (unpacked.bytesWritten < fed) return { used: unpacked.bytesWritten, damage: null };
    }
    unpacked.end();
    await ended;
    return { used: unpacked.bytesWritten, damage: null };
  } catch (error) {
    signal?.throwIfAborted();
    const where = start + unpacked.bytesWritten;
    if (isDamage(error)) return { used: 0, damage: `${packing}: ${oneLine(error)}, near byte ${where}` };
    throw new Unreachable(`${file}: can't be read: ${oneLine(error)}`);
  } finally {
    packed.destroy();
    unpacked.destroy();
  }
};

const written = (to: Writable, chunk: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    to.write(chunk, (error) => (error ? reject(error) : resolve()));
  });

/** zlib's own errors have codes of their own, such as Z_DATA_ERROR, Z_BUF_ERROR, ZSTD_error_…. */
const isDamage = (error: unknown): boolean => /^Z_|^ZSTD_/.test(String((error as NodeJS.ErrnoException)?.code));
