// The lines themselves: streams in memory, bounded by bytes, the oldest line dropped first.
import type { Nanos } from '../../model.ts';
import { type Entry, labelKey } from './logql/evaluate.ts';
import { type Labels, type Matcher, matches } from './logql/match.ts';

type Line = { readonly at: Nanos; readonly line: string };
type Stream = { readonly labels: Labels; lines: Line[]; first: number };

/** What the store holds and what it had to give up, in lines and bytes. */
export type Held = { readonly lines: number; readonly bytes: number; readonly dropped: number };

export type Streams = {
  add(labels: Readonly<Record<string, string>>, at: Nanos, line: string): void;
  /** Entries of the streams that match with `from` <= at < `until`, oldest first. */
  select(matchers: readonly Matcher[], from: Nanos, until: Nanos): Entry[];
  /** The labels of the streams that match and have a line in that time. */
  labels(matchers: readonly Matcher[], from: Nanos, until: Nanos): Labels[];
  held(): Held;
};

// What one line costs besides its text: an object, a bigint and a slot, roughly.
const OVERHEAD = 64;

const cost = ({ line }: Line): number => line.length + OVERHEAD;

export const streams = (maxBytes: number): Streams => {
  const all = new Map<string, Stream>();
  const held = { lines: 0, bytes: 0, dropped: 0 };

  const dropOldest = (): void => {
    const oldest = [...all.values()].reduce((a, b) => (b.lines[b.first]!.at < a.lines[a.first]!.at ? b : a));
    held.bytes -= cost(oldest.lines[oldest.first]!);
    held.lines--;
    held.dropped++;
    oldest.first++;
    if (oldest.first === oldest.lines.length) all.delete(labelKey(oldest.labels));
    else if (oldest.first > 1024 && oldest.first * 2 > oldest.lines.length) compact(oldest);
  };

  const add = (record: Readonly<Record<string, string>>, at: Nanos, line: string): void => {
    const labels = new Map(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));
    const key = labelKey(labels);
    const stream = all.get(key) ?? { labels, lines: [], first: 0 };
    if (!insert(stream, { at, line })) return;
    all.set(key, stream);
    held.lines++;
    held.bytes += cost({ at, line });
    while (held.bytes > maxBytes && held.lines > 1) dropOldest();
  };

  const matching = (matchers: readonly Matcher[]): Stream[] =>
    [...all.values()].filter(({ labels }) => matches(matchers, labels));

  return {
    add,
    select: (matchers, from, until) =>
      matching(matchers)
        .flatMap((stream) => between(stream, from, until).map(({ at, line }) => ({ at, line, labels: stream.labels })))
        .sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)),
    labels: (matchers, from, until) =>
      matching(matchers)
        .filter((stream) => between(stream, from, until).length > 0)
        .map(({ labels }) => labels),
    held: () => ({ ...held }),
  };
};

const compact = (stream: Stream): void => {
  stream.lines = stream.lines.slice(stream.first);
  stream.first = 0;
};

/** The first index whose line is at `at` or later. */
const lowerBound = (lines: readonly Line[], from: number, at: Nanos): number => {
  let [low, high] = [from, lines.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (lines[middle]!.at < at) low = middle + 1;
    else high = middle;
  }
  return low;
};

const between = ({ lines, first }: Stream, from: Nanos, until: Nanos): Line[] =>
  lines.slice(lowerBound(lines, first, from), lowerBound(lines, first, until));

/** Keeps the order of time; like Loki it takes the same line of the same instant only once. False: it was there. */
const insert = (stream: Stream, line: Line): boolean => {
  const { lines, first } = stream;
  const last = lines.at(-1);
  if (!last || last.at < line.at || first === lines.length) {
    lines.push(line);
    return true;
  }
  const here = lowerBound(lines, first, line.at);
  const after = lowerBound(lines, first, line.at + 1n);
  if (lines.slice(here, after).some((one) => one.line === line.line)) return false;
  lines.splice(after, 0, line);
  return true;
};
