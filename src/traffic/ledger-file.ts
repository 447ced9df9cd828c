// The ledger as a file: a line for each record as it ends, read back without ever being whole in memory.
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { oneLine, Usage } from '../errors.ts';
import { linesOf } from '../lines.ts';
import { after } from '../time.ts';
import { fromLine, type LedgerRecord, toLine } from './ledger.ts';

export type LedgerWriter = {
  add(record: LedgerRecord): void;
  /** Resolves when all of it is written, or can't be: then `onError` was told. */
  end(): Promise<void>;
};

/** Records are written in the order in which they end: whatever stops the run, those before it are in the file, but for its last ten milliseconds. */
export const writeLedger = (file: string, onError: (error: Error) => void): LedgerWriter => {
  const output = createWriteStream(file).on('error', onError);
  const lines = inBlocks(output);
  return {
    add: (record) => lines.add(toLine(record)),
    end: () => {
      lines.flush();
      return new Promise((resolve) => output.end(() => resolve()));
    },
  };
};

const BLOCK = 256 * 1024;
const LF = 10;
const WRITE_EVERY_MS = 10;

/**
 * Takes lines, without their line breaks, and writes what ten milliseconds bring, or a block is full of, at once: a write costs more than
 * a record, and so does waking whoever does it. Until then they are bytes, for text that waits is moved about by every collection of garbage.
 */
export const inBlocks = (output: Pick<NodeJS.WritableStream, 'write'>): { add(line: string): void; flush(): void } => {
  let block = Buffer.allocUnsafeSlow(BLOCK);
  let from = 0;
  let to = 0;
  let cancel = (): void => {};
  const flush = (): void => {
    cancel();
    if (to > from) output.write(block.subarray(from, to));
    from = to;
  };
  const add = (line: string): void => {
    // In UTF-8 no unit of a string's UTF-16 has more than three bytes.
    const most = 3 * line.length + 1;
    if (most > block.length - to) {
      flush();
      block = Buffer.allocUnsafeSlow(Math.max(BLOCK, most));
      from = to = 0;
    }
    if (from === to) cancel = after(WRITE_EVERY_MS, flush);
    to += block.write(line, to);
    block[to++] = LF;
  };
  return { add, flush };
};

/**
 * Gives every record of a ledger, or of its gzipped form, to `take`; resolves with the SHA-256, in hex, of its text. The half of a
 * line that a killed process left at its end is no record. Throws Usage with file and line where it is damaged.
 */
export const readLedger = async (file: string, take: (record: LedgerRecord) => void): Promise<string> => {
  const hash = createHash('sha256');
  let number = 0;
  const taken = (line: string): void => {
    number += 1;
    if (line === '') return;
    try {
      take(fromLine(line));
    } catch (error) {
      throw new Usage(`${file}:${number}: ${oneLine(error)}`);
    }
  };
  for await (const lines of linesOf(file, (bytes) => hash.update(bytes))) for (const line of lines) taken(line);
  return hash.digest('hex');
};
