// The four ways to go wrong. Each message is one line: what, where, what to do.
import { inspect } from 'node:util';

/** The user's scenario, platform file or command line is at fault; nothing has been touched. Exit code 64. */
export class Usage extends Error {
  override readonly name = 'Usage';
}

/** A backend, a cluster or a needed program can't be reached or answers nonsense. In evidence it becomes a gap. */
export class Unreachable extends Error {
  override readonly name = 'Unreachable';
}

/** What was broken could not be healed: the loudest error, exit code 3. `left` names every reference still hurt. */
export class StillBroken extends Error {
  override readonly name = 'StillBroken';
  readonly left: readonly string[];
  constructor(message: string, left: readonly string[]) {
    super(message);
    this.left = left;
  }
}

const SURROUNDINGS = ['ENOSPC', 'EDQUOT', 'EROFS', 'EACCES', 'EPERM', 'EIO', 'EFBIG', 'EMFILE', 'ENFILE', 'ENOTDIR'];

/** Whether Node's own error says that the disk, a permission or a limit is at fault, and not the program. */
export const isSurroundings = (error: unknown): boolean =>
  error instanceof Error && SURROUNDINGS.includes((error as NodeJS.ErrnoException).code ?? '');

/** An error's message on one line, whatever was thrown. */
export const oneLine = (error: unknown): string => {
  if (typeof error === 'string') return joined(error);
  return Error.isError(error) ? joined(error.message || error.name) : shown(error);
};

/** Any value in a few words on one line, a text in its quotes: a message may name what has no way of its own to be a text. */
export const shown = (value: unknown): string =>
  joined(inspect(value, { depth: 0, breakLength: Infinity, customInspect: false, maxStringLength: 100 }));

const joined = (text: string): string => text.replace(/\s*\n\s*/g, ' ').trim();

/** The exit code that an error means: 64 usage, 3 still broken, 2 nothing can be said, 70 our bug. */
export const exitCodeFor = (error: unknown): number => {
  if (error instanceof Usage) return 64;
  if (error instanceof StillBroken) return 3;
  return error instanceof Unreachable || isSurroundings(error) ? 2 : 70;
};
