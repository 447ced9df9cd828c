// One log file, read as it grows. The file is held open, so that a rename or removal takes nothing away.
import { type FileHandle, open } from 'node:fs/promises';
import { splitting } from '../follow.ts';

export type Tail = AsyncDisposable & {
  /** Device and inode: the same file under whatever name. */
  readonly id: string;
  /** Reads what has come since; says whether there was any. A file that was cut short is read from its beginning. */
  read(): Promise<boolean>;
};

const CHUNK = 64 * 1024;
/** More than that waits for the next turn, so that one busy container does not starve the others. */
const TURN = 16 * CHUNK;

/** Opens a file, to be read from this offset on; null when it has gone meanwhile. */
export const openTail = async (path: string, from: number, onLine: (line: string) => void): Promise<Tail | null> => {
  const file = await open(path).catch(ifGone);
  if (!file) return null;
  const { dev, ino } = await file.stat();
  let at = from;
  let lines = splitting(onLine);
  const buffer = Buffer.alloc(CHUNK);
  const read = async (): Promise<boolean> => {
    if ((await file.stat()).size < at) {
      at = 0;
      lines = splitting(onLine);
    }
    const begin = at;
    for (let got = 1; got > 0 && at - begin < TURN; at += got) {
      got = await readAt(file, buffer, at);
      if (got > 0) lines.add(buffer.subarray(0, got));
    }
    return at > begin;
  };
  return { id: `${dev}:${ino}`, read, [Symbol.asyncDispose]: () => file.close() };
};

const readAt = async (file: FileHandle, buffer: Buffer, position: number): Promise<number> =>
  (await file.read({ buffer, position })).bytesRead;

const ifGone = (error: NodeJS.ErrnoException): null => {
  if (error.code === 'ENOENT') return null;
  throw error;
};
