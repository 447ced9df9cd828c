// The history: what was done, in order, append-only. Each intention is on disk before its act, so that a crash can be healed.
import { type FileHandle, open, readFile } from 'node:fs/promises';
import type { Witness } from './faults/fault.ts';
import type { PhaseName } from './plan.ts';
import { iso, systemClock } from './time.ts';

export type HistoryEvent =
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

export const readHistory = async (file: string): Promise<Entry[]> =>
  (await readFile(file, 'utf8'))
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Entry);
