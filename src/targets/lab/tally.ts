// Failures that may come many times a second, told a few times in all.

export type Tally = {
  /** Counts `n` more; says the count when it is the first and whenever it has doubled since it was last said. */
  add(n: number, why: string): void;
  /** Says the final count, when it has grown since it was last said. */
  end(): void;
};

export const tally = (say: (total: number, why: string) => void): Tally => {
  let total = 0;
  let said = 0;
  let last = '';
  const tell = (): void => {
    said = total;
    say(total, last);
  };
  return {
    add: (n, why) => {
      total += n;
      last = why;
      if (total >= 2 * said) tell();
    },
    end: () => {
      if (total > said) tell();
    },
  };
};
