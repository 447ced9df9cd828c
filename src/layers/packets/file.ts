// Capture files, read from where the last reading stopped.
import { open } from 'node:fs/promises';
import { oneLine, Unreachable } from '../../errors.ts';
import type { Naming } from '../../naming.ts';
import { feedFrom, readSource } from '../../pcap/source.ts';
import { type CaptureReading, type CaptureState, createCapture } from './capture.ts';

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
    signal?.throwIfAborted();
    return await feedFrom(handle, file, offset, push, signal);
  } catch (error) {
    throw new Unreachable(`capture file ${file}: ${oneLine(error)}`);
  } finally {
    await handle.close();
  }
};

/**
 * Reads a finished capture, also one with gzip or zstd, from its first to its last packet. `state.end` says whether it is
 * whole, cut or damaged, and at which byte; what came before that is in the items. Throws Unreachable when there is no
 * such file, and when its packing is damaged.
 */
export const readCapture = async (file: string, naming: Naming): Promise<CaptureState> => {
  const capture: CaptureReading = createCapture(naming);
  const { damage } = await readSource(file, capture.push);
  if (damage !== null) throw new Unreachable(`${file}: ${damage}`);
  const { last } = capture.state();
  if (last !== null) capture.settle(last);
  return capture.state();
};
