// The format in which container runtimes write logs: a time, the stream, tags, and the text, which may be a part of a line.
// https://github.com/kubernetes/design-proposals-archive/blob/main/node/kubelet-cri-logging.md
import type { Nanos } from '../../../model.ts';
import { fromIso } from '../../../time.ts';

export type CriLine = {
  readonly at: Nanos;
  readonly stream: 'stdout' | 'stderr';
  /** More of the same line follows, in the same stream. */
  readonly partial: boolean;
  readonly text: string;
};

const LINE = /^(\S+) (stdout|stderr) ([FP])(?::\S*)?(?: (.*))?$/s;

/** One line of a log file, or null when it is none. */
export const parseCri = (line: string): CriLine | null => {
  const [, time = '', stream, tag, text = ''] = LINE.exec(line) ?? [];
  const at = stream ? timeOf(time) : null;
  return at === null ? null : { at, stream: stream as CriLine['stream'], partial: tag === 'P', text };
};

const timeOf = (text: string): Nanos | null => {
  try {
    return fromIso(text);
  } catch {
    return null;
  }
};

export type Joiner = { add(line: CriLine): void };
type Joined = Pick<CriLine, 'at' | 'text'>;

/** Longer lines are passed on in pieces: Loki's own limit, beyond which it refuses a line. */
const LONGEST = 256 * 1024;

/** Puts lines together that the runtime wrote in parts; a line has the time of its first part. */
export const createJoiner = (onLine: (line: Joined) => void): Joiner => {
  const open = new Map<CriLine['stream'], Joined>();
  return {
    add: ({ stream, partial, at, text }) => {
      const before = open.get(stream);
      const line = before ? { at: before.at, text: before.text + text } : { at, text };
      const whole = !partial || line.text.length >= LONGEST;
      if (whole) open.delete(stream);
      else open.set(stream, line);
      if (whole) onLine(line);
    },
  };
};
