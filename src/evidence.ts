// The evidence: asks every layer about the windows, again and again, and writes down what came, when, and by which query.
// It does not know what the fault was. A question that got no answer is a gap.
import { appendFile } from 'node:fs/promises';
import { oneLine, Usage } from './errors.ts';
import { linesOf } from './lines.ts';
import type { Answer, Gap, Item, LayerAdapter, LayerName, Nanos, Query, Window } from './model.ts';
import { during } from './poll.ts';
import { fromIso, fromMs, iso, systemClock } from './time.ts';

/** One asking of one layer: the n-th, when it was asked and answered, about which window, by which queries. */
export type Look = {
  readonly layer: LayerName;
  readonly n: number;
  readonly asked: Nanos;
  readonly answered: Nanos;
  readonly window: Window;
  readonly queries: readonly Query[];
  readonly items: number;
  readonly gaps: number;
};

/** A scenario's own query, asked at a look: its largest value, or null when the answer was empty. */
export type Asked = {
  readonly expectation: number;
  readonly at: Nanos;
  readonly value: number | null;
  readonly query: string;
  readonly failed: string | null;
};

/** Everything that was gathered. `seen` is the number of the look that first showed the item. */
export type Evidence = {
  readonly looks: readonly Look[];
  readonly items: ReadonlyMap<LayerName, readonly (Item & { readonly seen: number })[]>;
  readonly gaps: readonly (Gap & { readonly look: number })[];
  readonly asked: readonly Asked[];
};

export type Gathering = {
  /** Asks every layer every `everyMs` from now on, until `signal` aborts. */
  watch(from: Nanos, everyMs: number, signal: AbortSignal): Promise<void>;
  /** One last look at what may have come late. */
  gather(): Promise<void>;
};

const LOOK_TIMEOUT_MS = 8000;

type Question = { readonly expectation: number; readonly query: string; ask(at: Nanos): Promise<number | null> };

/**
 * `lateMs`: how late a layer may show a thing. What happened just before a look may still be on its way, so each look goes
 * back that far behind the one before. Everything goes to `file`, a line each.
 */
export const evidence = (
  adapters: readonly LayerAdapter[],
  questions: readonly Question[],
  lateMs: Readonly<Record<LayerName, number>>,
  file: string,
  onLook: (look: Look) => void = () => undefined,
): Gathering => {
  const seen = new Map<LayerName, Set<string>>(adapters.map(({ layer }) => [layer, new Set()]));
  const numbers = new Map<LayerName, number>();
  let writing: Promise<void> = Promise.resolve();

  const write = (lines: readonly object[]): Promise<void> => {
    writing = writing.then(() => appendFile(file, lines.map((line) => `${JSON.stringify(line, plain)}\n`).join('')));
    return writing;
  };

  const look = async (adapter: LayerAdapter, window: Window): Promise<readonly Gap[]> => {
    const n = (numbers.get(adapter.layer) ?? 0) + 1;
    numbers.set(adapter.layer, n);
    const asked = systemClock.now();
    const answer: Answer = await adapter.look(window, AbortSignal.timeout(LOOK_TIMEOUT_MS));
    const known = seen.get(adapter.layer)!;
    const fresh = answer.items.filter((item) => !known.has(item.id) && known.add(item.id));
    const { layer } = adapter;
    const one: Look = {
      layer,
      n,
      asked,
      answered: systemClock.now(),
      window,
      queries: answer.queries,
      items: fresh.length,
      gaps: answer.gaps.length,
    };
    await write([
      { t: 'look', ...one },
      ...answer.gaps.map((gap) => ({ t: 'gap', ...gap, look: n })),
      ...fresh.map((item) => ({ t: 'item', layer, seen: n, ...item })),
    ]);
    onLook(one);
    return answer.gaps;
  };

  const put = async (question: Question): Promise<void> => {
    const at = systemClock.now();
    const { expectation, query } = question;
    const asked = await question.ask(at).then(
      (value): Asked => ({ expectation, at, value, query, failed: null }),
      (error: unknown): Asked => ({ expectation, at, value: null, query, failed: oneLine(error) }),
    );
    await write([{ t: 'asked', ...asked }]);
  };

  const begins = new Map<LayerName, Nanos>();
  const next = async (adapter: LayerAdapter, from: Nanos): Promise<void> => {
    const until = systemClock.now();
    const gaps = await look(adapter, { from: max(from, begins.get(adapter.layer) ?? from), until });
    // What was not answered is asked again.
    const unanswered = gaps.map(({ window }) => window.from);
    begins.set(adapter.layer, unanswered.reduce(min, until - fromMs(lateMs[adapter.layer])));
  };
  let start = 0n;

  return {
    watch: async (from, everyMs, signal) => {
      start = from;
      const polling = { forMs: FOREVER_MS, everyMs, signal };
      const asking = questions.map((question) => during(() => put(question), polling));
      await Promise.all([...adapters.map((adapter) => during(() => next(adapter, from), polling)), ...asking]);
    },
    gather: async () => {
      await Promise.all(adapters.map((adapter) => next(adapter, start)));
      await writing;
    },
  };
};

const FOREVER_MS = 24 * 3_600_000;
const max = (a: Nanos, b: Nanos): Nanos => (a > b ? a : b);
const min = (a: Nanos, b: Nanos): Nanos => (a < b ? a : b);
const plain = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? iso(value) : value);

/**
 * Reads evidence back from `evidence.ndjson`, or from its gzipped form, without a last line that a crash has torn. Throws Usage with
 * file and line when it is damaged.
 */
export const readEvidence = async (file: string): Promise<Evidence> => {
  const looks: Look[] = [];
  const items = new Map<LayerName, (Item & { seen: number })[]>();
  const gaps: (Gap & { look: number })[] = [];
  const asked: Asked[] = [];
  const take: Record<string, (record: never) => void> = {
    look: (one: Look) => looks.push(one),
    gap: (one: Gap & { look: number }) => gaps.push(one),
    asked: (one: Asked) => asked.push(one),
    item: (one: Item & { seen: number; layer: LayerName }) =>
      (items.get(one.layer) ?? items.set(one.layer, []).get(one.layer)!).push(one),
  };
  let number = 0;
  for await (const lines of linesOf(file)) {
    for (const line of lines) {
      number += 1;
      const { t, ...record } = parse(line, file, number) as { t: string };
      take[t]?.(record as never);
    }
  }
  return { looks, items, gaps, asked };
};

const INSTANTS = new Set(['at', 'asked', 'answered', 'from', 'until']);

const parse = (line: string, file: string, number: number): unknown => {
  try {
    return revive(JSON.parse(line));
  } catch {
    throw new Usage(`${file}:${number}: not a line of evidence; the stored run is damaged here`);
  }
};

/** Instants are the record's own and its window's; a label that is called `at` stays the text that it is. */
const revive = (record: unknown): object => {
  if (typeof record !== 'object' || record === null) throw new TypeError('not an object');
  const fields = Object.entries(record).map(([key, value]) => {
    if (key === 'window') return [key, revive(value)];
    return [key, INSTANTS.has(key) && typeof value === 'string' ? fromIso(value) : value];
  });
  return Object.fromEntries(fields);
};
