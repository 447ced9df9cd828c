// The lines themselves: streams in memory, bounded by bytes, the oldest line dropped first.
import type { Nanos } from '../../model.ts';
import { compare } from '../../ordering.ts';
import { type Entry, labelKey } from './logql/evaluate.ts';
import { type Labels, type Matcher, matches } from './logql/match.ts';

type Line = { readonly at: Nanos; readonly line: string; readonly labels: Labels };
type Stream = { readonly labels: Labels; lines: Line[]; first: number };

/** What the store holds and what it had to give up, in lines and bytes. */
export type Held = { readonly lines: number; readonly bytes: number; readonly dropped: number };

type Named = Readonly<Record<string, string>>;

export type Streams = {
  /** `metadata` are labels of this line alone (structured metadata). */
  add(labels: Named, at: Nanos, line: string, metadata?: Named): void;
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

  const add = (record: Named, at: Nanos, text: string, metadata: Named = {}): void => {
    // An empty label is none.
    const labels = sorted(Object.entries(record).filter(([, value]) => value !== ''));
    const key = labelKey(labels);
    const stream = all.get(key) ?? { labels, lines: [], first: 0 };
    const line = { at, line: text, labels: full(stream.labels, metadata) };
    if (!insert(stream, line)) return;
    all.set(key, stream);
    held.lines++;
    held.bytes += cost(line);
    while (held.bytes > maxBytes && held.lines > 1) dropOldest();
  };

  const matching = (matchers: readonly Matcher[]): Stream[] =>
    [...all.values()].filter(({ labels }) => matches(matchers, labels));

  return {
    add,
    select: (matchers, from, until) =>
      matching(matchers)
        .flatMap((stream) => between(stream, from, until).map((line) => ({ ...line, own: stream.labels })))
        .sort((a, b) => compare(a.at, b.at)),
    labels: (matchers, from, until) =>
      matching(matchers)
        .filter((stream) => between(stream, from, until).length > 0)
        .map(({ labels }) => labels),
    held: () => ({ ...held }),
  };
};

const sorted = (pairs: readonly (readonly [string, string])[]): Labels =>
  new Map([...pairs].sort(([a], [b]) => (a < b ? -1 : 1)));

/** Metadata that is called like a label of the stream does not hide it; its names become label names. */
const full = (own: Labels, metadata: Named): Labels => {
  const more = Object.entries(metadata).map(([name, value]) => {
    const label = name.replace(/\W/g, '_');
    return [own.has(label) ? `${label}_extracted` : label, value] as const;
  });
  return more.length === 0 ? own : sorted([...own, ...more]);
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

const same = (a: Line, b: Line): boolean =>
  a.line === b.line && (a.labels === b.labels || labelKey(a.labels) === labelKey(b.labels));

/** Keeps the order of time; like Loki it takes the same line (and metadata) of the same instant only once. False: it was there. */
const insert = (stream: Stream, line: Line): boolean => {
  const { lines, first } = stream;
  const last = lines.at(-1);
  if (!last || last.at < line.at || first === lines.length) {
    lines.push(line);
    return true;
  }
  const here = lowerBound(lines, first, line.at);
  const after = lowerBound(lines, first, line.at + 1n);
  if (lines.slice(here, after).some((one) => same(one, line))) return false;
  lines.splice(after, 0, line);
  return true;
};
