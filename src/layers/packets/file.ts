// Capture files, read from where the last reading stopped.
import { open } from 'node:fs/promises';
import { oneLine, Unreachable } from '../../errors.ts';
import type { Naming } from '../../naming.ts';
import { type CaptureReading, type CaptureState, createCapture } from './capture.ts';

const CHUNK = 1024 * 1024;

/** Feeds a file's bytes from `offset` to its present end; returns that end. Unreachable when it can't be read. */
export const feed = async (
  file: string,
  offset: number,
  push: (chunk: Buffer) => void,
  signal?: AbortSignal,
): Promise<number> => {
  const handle = await open(file).catch((error: unknown) => {
    throw new Unreachable(`capture file can't be read: ${oneLine(error)}`);
  });
  try {
    const chunk = Buffer.allocUnsafe(CHUNK);
    for (let at = offset; ; ) {
      signal?.throwIfAborted();
      const { bytesRead } = await handle.read(chunk, 0, CHUNK, at);
      if (bytesRead === 0) return at;
      push(chunk.subarray(0, bytesRead));
      at += bytesRead;
    }
  } catch (error) {
    throw new Unreachable(`capture file ${file}: ${oneLine(error)}`);
  } finally {
    await handle.close();
  }
};

/**
 * Reads a finished capture from its first to its last packet. `state.end` says whether it is whole, cut or damaged, and at
 * which byte; what came before that is in the items. Throws Unreachable when there is no such file.
 */
export const readCapture = async (file: string, naming: Naming): Promise<CaptureState> => {
  const capture: CaptureReading = createCapture(naming);
  await feed(file, 0, capture.push);
  const { last } = capture.state();
  if (last !== null) capture.settle(last);
  return capture.state();
};
