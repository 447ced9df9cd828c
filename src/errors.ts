// The four ways to go wrong. Each message is one line: what, where, what to do.

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

/** An error's message on one line, whatever was thrown. */
export const oneLine = (error: unknown): string =>
  (error instanceof Error ? error.message || error.name : String(error)).replace(/\s*\n\s*/g, ' ').trim();
