import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Usage } from '../src/errors.ts';
import { type Evidence, evidence, type Look, readEvidence } from '../src/evidence.ts';
import {
  type Answer,
  type Item,
  LAYERS,
  type LayerAdapter,
  type LayerName,
  type Nanos,
  type Window,
} from '../src/model.ts';
import { fromMs, systemClock } from '../src/time.ts';

let folder: string;
let files = 0;
const file = (): string => join(folder, `${++files}.ndjson`);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evidence-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const LATE_MS = 40;
const late = Object.fromEntries(LAYERS.map((layer) => [layer, LATE_MS])) as Record<LayerName, number>;
const query = { id: 'q', text: 'all lines', url: 'http://loki/q' };
const item = (id: string, at: Nanos = 1n): Item => ({ id, at });

type Reply = { readonly items?: readonly Item[]; readonly unanswered?: (window: Window) => Window };

/** A layer that gives these answers one after the other, then empty ones; it keeps the windows that it was asked about. */
const layer = (replies: readonly Reply[]) => {
  const windows: Window[] = [];
  const adapter: LayerAdapter = {
    layer: 'logs',
    look: async (window): Promise<Answer> => {
      const { items = [], unanswered } = replies[windows.length] ?? {};
      windows.push(window);
      const gaps = unanswered
        ? [{ layer: 'logs' as const, query: query.text, window: unanswered(window), why: 'HTTP 503' }]
        : [];
      return { items, queries: [query], gaps };
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
  return { adapter, windows };
};

type Questions = Parameters<typeof evidence>[1];

/** Watches until there have been `n` looks, then gathers; what was stored, and the watch's beginning. */
const watched = async (adapter: LayerAdapter, n: number, questions: Questions = []) => {
  const path = file();
  const enough = new AbortController();
  const looks: Look[] = [];
  const gathering = evidence([adapter], questions, late, path, (look) => {
    looks.push(look);
    if (looks.length >= n) enough.abort();
  });
  const from = systemClock.now() - fromMs(1000);
  await gathering.watch(from, 1, enough.signal);
  await gathering.gather();
  return { stored: await readEvidence(path), from, path };
};

describe('a look', () => {
  test('begins where the one before ended, less what the layer may show late', async () => {
    const { adapter, windows } = layer([]);
    const { from, stored } = await watched(adapter, 2);
    expect(windows).toHaveLength(3);
    expect(windows[0]!.from).toBe(from);
    expect(windows[1]!.from).toBe(windows[0]!.until - fromMs(LATE_MS));
    expect(windows[2]!.from).toBe(windows[1]!.until - fromMs(LATE_MS));
    expect(stored.looks.map(({ window }) => window)).toEqual(windows);
  });

  test('that failed becomes a gap, and the next look covers its window', async () => {
    const { adapter, windows } = layer([{}, { unanswered: (window) => window }]);
    const { stored } = await watched(adapter, 2);
    expect(stored.gaps).toEqual([{ layer: 'logs', query: 'all lines', window: windows[1], why: 'HTTP 503', look: 2 }]);
    expect(windows[2]!.from).toBe(windows[1]!.from);
    expect(windows[2]!.until).toBeGreaterThan(windows[1]!.until);
  });

  test('goes back to the beginning of the first of many failures, until one is answered', async () => {
    const failed: Reply = { unanswered: (window) => window };
    const { adapter, windows } = layer([{}, failed, failed, failed]);
    await watched(adapter, 5);
    expect(windows.slice(2, 5).map(({ from }) => from)).toEqual([windows[1]!.from, windows[1]!.from, windows[1]!.from]);
    expect(windows[5]!.from).toBe(windows[4]!.until - fromMs(LATE_MS));
  });

  test('that was cut off in the middle is taken up where it was cut off', async () => {
    const middle = (window: Window): Window => ({ from: (window.from + window.until) / 2n, until: window.until });
    const { adapter, windows } = layer([{ unanswered: middle }]);
    await watched(adapter, 1);
    expect(windows[1]!.from).toBe(middle(windows[0]!).from);
  });

  test('never goes back behind the beginning of the watch', async () => {
    const { adapter, windows } = layer([{ unanswered: ({ until }) => ({ from: 0n, until }) }]);
    const { from } = await watched(adapter, 1);
    expect(windows[1]!.from).toBe(from);
  });

  test('is stored with its number, its times and the queries that a person can repeat', async () => {
    const { stored } = await watched(layer([{ items: [item('a')] }]).adapter, 1);
    expect(stored.looks.map(({ n, items, gaps }) => [n, items, gaps])).toEqual([
      [1, 1, 0],
      [2, 0, 0],
    ]);
    expect(stored.looks[0]!.queries).toEqual([query]);
    expect(stored.looks[0]!.answered).toBeGreaterThanOrEqual(stored.looks[0]!.asked);
  });
});

test('an item seen twice is kept once, with the look that first showed it', async () => {
  const { adapter } = layer([
    { items: [item('a')] },
    { items: [item('a'), item('b')] },
    { items: [item('b'), item('b')] },
  ]);
  const { stored } = await watched(adapter, 2);
  expect(stored.items.get('logs')).toEqual([
    { layer: 'logs', seen: 1, ...item('a') },
    { layer: 'logs', seen: 2, ...item('b') },
  ]);
});

test("a scenario's own query is asked with the looks; one that fails is stored with its reason on one line", async () => {
  let times = 0;
  const ask = async (): Promise<number | null> => {
    times += 1;
    if (times === 1) throw new Error('HTTP 503:\n  try later');
    return times;
  };
  const { stored } = await watched(layer([]).adapter, 3, [{ expectation: 4, query: 'up', ask }]);
  expect(stored.asked[0]).toMatchObject({ expectation: 4, query: 'up', value: null, failed: 'HTTP 503: try later' });
  expect(stored.asked[1]).toMatchObject({ value: 2, failed: null });
});

describe('stored evidence', () => {
  const lines = async (text: string): Promise<Evidence> => {
    const path = file();
    await writeFile(path, text);
    return readEvidence(path);
  };

  test('is read back from its gzipped form too', async () => {
    const { stored, path } = await watched(layer([{ items: [item('a')] }]).adapter, 1);
    await writeFile(`${path}.gz`, gzipSync(await readFile(path)));
    expect(await readEvidence(`${path}.gz`)).toEqual(stored);
  });

  test('gives instants back to the nanosecond, and text that only looks like one as it was', async () => {
    const nanos = fc.bigInt({ min: 0n, max: 253402300799_999999999n });
    const texts = fc.dictionary(
      fc.constantFrom('at', 'from', 'until', 'asked', 'pod'),
      fc.oneof(fc.string(), fc.constant('2026-11-21T06:48:20Z')),
    );
    await fc.assert(
      fc.asyncProperty(nanos, texts, async (at, labels) => {
        const one = { ...item('a', at), labels } as Item;
        const { stored } = await watched(layer([{ items: [one] }]).adapter, 1);
        expect(stored.items.get('logs')).toEqual([{ layer: 'logs', seen: 1, ...one }]);
      }),
      { numRuns: 25 },
    );
  });

  test.each(['{"t":"item"', 'null', '7', 'half a line', '{"t":"item","at":"2026-13-41T00:00:00Z"}'])(
    'says in which line it is damaged: %s',
    async (bad) => {
      const reading = lines(
        `{"t":"item","layer":"logs","seen":1,"id":"a","at":"2026-01-01T00:00:00.000000001Z"}\n${bad}\n`,
      );
      await expect(reading).rejects.toThrow(new RegExp(`${files}\\.ndjson:2: not a line`));
      await expect(reading).rejects.toBeInstanceOf(Usage);
    },
  );

  test('damaged in whatever way is read or refused as Usage, never with another error', async () => {
    const { path } = await watched(layer([{ items: [item('a')] }, { unanswered: (window) => window }]).adapter, 2);
    const whole = await readFile(path, 'utf8');
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length), fc.string(), async (where, noise) => {
        const read = await lines(whole.slice(0, where) + noise).catch((error: unknown) => error);
        if (read instanceof Error) expect(read).toBeInstanceOf(Usage);
        else expect((read as Evidence).looks.length).toBeLessThanOrEqual(3);
      }),
      { numRuns: 60 },
    );
  });

  test('of a run that stored none is empty', async () => {
    const path = file();
    await appendFile(path, '');
    expect(await readEvidence(path)).toEqual({ looks: [], items: new Map(), gaps: [], asked: [] });
  });
});
