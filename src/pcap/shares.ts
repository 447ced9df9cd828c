// A survey on several cores. Each thread reads all of the capture, which is the lesser part of the work where HTTP is looked at, and
// follows a share of its conversations: nothing has to be passed on between threads for a packet (docs/adr/0002).
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type FileRead, readFiles, sizeOf, type Tell } from './files.ts';
import type { Share } from './filter.ts';
import { packingOf } from './source.ts';
import { createSurvey, type Found, resultOf, type SurveyOptions, type SurveyResult } from './survey.ts';

export type Wanted = Pick<SurveyOptions, 'filter' | 'tags' | 'http'>;

/** What a thread is given. */
export type Part = { readonly files: readonly string[]; readonly wanted: Wanted; readonly share: Share };

export type Surveyed = { readonly files: readonly FileRead[]; readonly result: SurveyResult };

/** A thread needs some time to begin: for fewer bytes than that another is not worth it. */
const LEAST_BYTES = 128 * 1024 * 1024;
/** Each has memory of its own, and what all of them do again grows with their number. */
const MOST_THREADS = 3;

/**
 * How many threads these files are worth. Where HTTP is not looked at, reading is most of the work, and of packed files it is unpacking:
 * every thread would do it again.
 */
export const threadsFor = async (
  files: readonly string[],
  { http }: Pick<Wanted, 'http'>,
  cores = availableParallelism(),
): Promise<number> => {
  const sizes = await Promise.all(files.map(sizeOf));
  const worth = Math.ceil(sizes.reduce((a, b) => a + b, 0) / LEAST_BYTES);
  const most = Math.min(worth, cores, MOST_THREADS);
  if (!http || most <= 1) return 1;
  const packings = await Promise.all(files.map(packingOf));
  return packings.every((packing) => packing === 'plain') ? most : 1;
};

/**
 * Reads the files as one capture and says what it shows: the same with any number of threads, as long as no share has more conversations
 * at once, or more names, than are followed. Throws as readFiles does.
 */
export const surveyFiles = async (
  files: readonly string[],
  wanted: Wanted,
  threads: number,
  tell?: Tell,
): Promise<Surveyed> => {
  const others = Array.from({ length: threads - 1 }, (_, i) =>
    threadFor({ files, wanted, share: { part: i + 1, of: threads } }),
  );
  try {
    const found = Promise.all(others.map(foundBy));
    // Whatever is wrong with the files this thread is told as well, and better.
    found.catch(() => undefined);
    const mine = await surveyShare({ files, wanted, share: { part: 0, of: threads } }, tell);
    return { files: mine.files, result: resultOf([mine.found, ...(await found)]) };
  } finally {
    await Promise.all(others.map((thread) => thread.terminate()));
  }
};

/** What one thread does. */
export const surveyShare = async (
  { files, wanted, share }: Part,
  tell?: Tell,
): Promise<{ readonly files: readonly FileRead[]; readonly found: Found }> => {
  const survey = createSurvey({ ...wanted, share });
  return { files: await readFiles(files, survey.take, tell), found: survey.found() };
};

const threadFor = (part: Part): Worker =>
  new Worker(new URL(`./share-thread${extname(import.meta.url)}`, import.meta.url), { workerData: part });

const foundBy = async (thread: Worker): Promise<Found> => {
  const [found] = (await once(thread, 'message')) as [Found];
  return found;
};
