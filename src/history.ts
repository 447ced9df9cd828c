// The history: what was done, in order, append-only. Each intention is on disk before its act, so that a crash can be healed.
import { type FileHandle, open, readFile, truncate } from 'node:fs/promises';
import { Usage } from './errors.ts';
import type { Witness } from './faults/fault.ts';
import type { PhaseName } from './plan.ts';
import { fromIso, iso, systemClock } from './time.ts';

export type HistoryEvent =
  /** The process that does all that follows: as long as it lives, healing is its own business. */
  | { readonly type: 'begun'; readonly pid: number }
  | { readonly type: 'phase'; readonly name: PhaseName }
  | { readonly type: 'intent'; readonly act: string; readonly on: string }
  | { readonly type: 'injecting' | 'injected' | 'healing' | 'healed' | 'ended' }
  | ({ readonly type: 'witness'; readonly of: 'injection' | 'healing' } & Witness)
  | { readonly type: 'aborted'; readonly why: string }
  | { readonly type: 'not-injected'; readonly why: string }
  /** The scenario's abort condition ended the hold. */
  | { readonly type: 'cut-short'; readonly why: string }
  | { readonly type: 'still-broken'; readonly why: string }
  | { readonly type: 'capture'; readonly captured: number; readonly droppedByKernel: number };

/** `at` is ISO 8601 with nanoseconds. */
export type Entry = HistoryEvent & { readonly at: string };

export type History = AsyncDisposable & {
  /** Resolves when the event is on disk. */
  append(event: HistoryEvent): Promise<void>;
};

export const openHistory = async (
  file: string,
  onEntry: (entry: Entry) => void = () => undefined,
): Promise<History> => {
  await dropTornLine(file);
  const handle: FileHandle = await open(file, 'a');
  return {
    append: async (event) => {
      const entry: Entry = { at: iso(systemClock.now()), ...event };
      await handle.appendFile(`${JSON.stringify(entry)}\n`);
      await handle.datasync();
      onEntry(entry);
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
};

/** What a crash left of its last line was never acknowledged, and nothing was done on its word. */
const dropTornLine = async (file: string): Promise<void> => {
  const bytes = await readFile(file).catch(() => Buffer.alloc(0));
  const whole = bytes.lastIndexOf('\n') + 1;
  if (whole < bytes.length) await truncate(file, whole);
};

export const readHistory = async (file: string): Promise<Entry[]> => historyOf(await readFile(file, 'utf8'), file);

/** The entries of a history's text, without a last line that a crash has torn. Throws Usage with file and line when damaged. */
export const historyOf = (text: string, file: string): Entry[] => {
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  return lines.flatMap((line, i) => (line ? [entryOf(line, `${file}:${i + 1}`)] : []));
};

const entryOf = (line: string, where: string): Entry => {
  try {
    const entry = JSON.parse(line) as Entry;
    fromIso(entry.at);
    if (typeof entry.type === 'string') return entry;
  } catch {
    // Told below, like an entry without a type.
  }
  throw new Usage(`${where}: not an entry of a history; the stored run is damaged here`);
};
