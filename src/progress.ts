// What a person sees while a drill runs: on a terminal one line that is redrawn, elsewhere a plain line for each event.

export type Progress = {
  /** A line that stays. */
  say(line: string): void;
  /** What goes on at this moment; seen on terminals only. */
  now(line: string): void;
  /** Ends the moment's line. */
  done(): void;
};

export type Out = { readonly isTTY?: boolean; readonly columns?: number; write(text: string): unknown };

const CLEAR = '\r\x1b[2K';

export const progress = (out: Out): Progress => {
  const tty = out.isTTY === true;
  return {
    say: (line) => out.write(`${tty ? CLEAR : ''}${line}\n`),
    now: (line) => {
      if (tty) out.write(`${CLEAR}${line.slice(0, (out.columns ?? 100) - 1)}`);
    },
    done: () => {
      if (tty) out.write(CLEAR);
    },
  };
};
