import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Usage } from '../src/errors.ts';
import { type Entry, historyOf, openHistory, readHistory } from '../src/history.ts';

let folder: string;
let files = 0;
const file = (): string => join(folder, `${++files}.ndjson`);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'history-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const INTENT = { type: 'intent', act: 'SIGKILL', on: 'pod:shop-a' } as const;

test('an entry is on disk when append resolves, and told only then', async () => {
  const path = file();
  const told: Entry[] = [];
  await using history = await openHistory(path, (entry) => told.push(entry));
  const appending = history.append(INTENT);
  expect(told).toEqual([]);
  await appending;
  expect(await readHistory(path)).toEqual(told);
  expect(told).toEqual([{ at: expect.stringMatching(/^\d{4}-.*\.\d{9}Z$/), ...INTENT }]);
});

test('entries come back in their order, over as many openings as there were', async () => {
  const path = file();
  for (const name of ['warm-up', 'baseline', 'quiet'] as const) {
    await using history = await openHistory(path);
    await history.append({ type: 'phase', name });
  }
  const entries = await readHistory(path);
  expect(entries.map((entry) => entry.type === 'phase' && entry.name)).toEqual(['warm-up', 'baseline', 'quiet']);
});

describe('a line that a crash has torn', () => {
  test('is left out by the reader, and cut off before anything is written behind it', async () => {
    const path = file();
    {
      await using history = await openHistory(path);
      await history.append(INTENT);
    }
    await appendFile(path, '{"at":"2026-11-21T06:48:20.0Z","type":"inj');
    expect(await readHistory(path)).toHaveLength(1);
    {
      await using history = await openHistory(path);
      await history.append({ type: 'ended' });
    }
    expect((await readHistory(path)).map(({ type }) => type)).toEqual(['intent', 'ended']);
    expect((await readFile(path, 'utf8')).endsWith('}\n')).toBe(true);
  });

  test('anywhere leaves all the lines before it', async () => {
    const path = file();
    await using history = await openHistory(path);
    for (let n = 0; n < 3; n += 1) await history.append(INTENT);
    const text = await readFile(path, 'utf8');
    fc.assert(
      fc.property(fc.nat(text.length), (where) => {
        const left = text.slice(0, where);
        expect(historyOf(left, path)).toHaveLength(left.split('\n').length - 1);
      }),
    );
  });
});

test.each([
  'null',
  '7',
  '{}',
  'half a line',
  '{"type":"ended"}',
  '{"at":"now","type":"ended"}',
  '{"at":"2026-11-21T06:48:20Z"}',
])('a line in the middle that is no entry is refused with its number: %s', async (bad) => {
  const path = file();
  await writeFile(
    path,
    `{"at":"2026-11-21T06:48:20Z","type":"ended"}\n${bad}\n{"at":"2026-11-21T06:48:20Z","type":"ended"}\n`,
  );
  await expect(readHistory(path)).rejects.toThrow(
    new Usage(`${path}:2: not an entry of a history; the stored run is damaged here`),
  );
});
