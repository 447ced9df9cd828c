// Cuts a byte stream that arrives in chunks of any size into records, in linear time and bounded memory.

/**
 * What reading records comes to: the bytes that one or several of them used (positive), the bytes that the first one needs in
 * all (negative), or, as text, why it is damaged.
 */
export type Step = number | string;

/**
 * Takes one captured packet: its bytes are those from `from` to `to`, valid only during the call; `length` is how many there
 * were on the wire. When it was captured, in seconds since the epoch and nanoseconds, both 0 where the file does not say.
 * Plain numbers, because a capture has millions of packets.
 */
export type Visit = (
  bytes: Buffer,
  from: number,
  to: number,
  length: number,
  linkType: number,
  seconds: number,
  nanos: number,
) => void;

/** Reads one record at `at`, or more that follow it; bytes before `at` and from `end` on are not theirs. */
export type Stepper = (bytes: Buffer, at: number, end: number) => Step;

export type Records = {
  push(chunk: Buffer): void;
  /** Where the stream stands: the first byte that no whole record covers, how many bytes wait there, and the damage. */
  state(): { readonly offset: number; readonly waiting: number; readonly corrupt: string | null };
};

/**
 * Whole records are read in place, from the chunk that they came in. Only a record split between chunks is copied, once:
 * a step that says what it needs is not asked again before it has that much. `stepped` is called after steps, before the
 * bytes that they read may change.
 */
export const createRecords = (step: Stepper, stepped: () => void): Records => {
  let pending = Buffer.alloc(0);
  let waiting = 0;
  let needed = 0;
  let offset = 0;
  let corrupt: string | null = null;

  const keep = (chunk: Buffer, from: number, to: number): void => {
    if (pending.length < waiting + to - from) {
      const larger = Buffer.allocUnsafe(Math.max(2 * pending.length, waiting + to - from));
      pending.copy(larger, 0, 0, waiting);
      pending = larger;
    }
    chunk.copy(pending, waiting, from, to);
    waiting += to - from;
  };

  const advance = (bytes: Buffer, at: number, end: number): number => {
    const stopped = steps(bytes, at, end);
    stepped();
    return stopped;
  };

  /** Steps from `at` for as long as there are whole records; returns where it stopped. */
  const steps = (bytes: Buffer, at: number, end: number): number => {
    while (at < end) {
      const result = step(bytes, at, end);
      if (typeof result === 'number' && result > 0) {
        at += result;
        offset += result;
        continue;
      }
      if (typeof result === 'string') corrupt = result;
      else needed = -result;
      return at;
    }
    return at;
  };

  /** Feeds the record that began in an earlier chunk; returns how much of this chunk it took. */
  const complete = (chunk: Buffer): number => {
    let from = 0;
    while (waiting > 0 && from < chunk.length && corrupt === null) {
      const to = Math.min(chunk.length, from + needed - waiting);
      keep(chunk, from, to);
      from = to;
      if (waiting === needed && advance(pending, 0, waiting) > 0) waiting = 0;
    }
    return from;
  };

  return {
    push(chunk) {
      if (corrupt !== null) return;
      const from = complete(chunk);
      const stopped = corrupt === null ? advance(chunk, from, chunk.length) : chunk.length;
      if (corrupt === null && stopped < chunk.length) keep(chunk, stopped, chunk.length);
    },
    state: () => ({ offset, waiting, corrupt }),
  };
};
