// The report: a stored run is judged and told to each audience. A file is whole or not there: each is written beside and renamed.
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { oneLine, Unreachable } from './errors.ts';
import { html } from './reporters/html.ts';
import { junit } from './reporters/junit.ts';
import { text } from './reporters/text.ts';
import { FILES, readRun } from './stored.ts';
import { type Stored, type Verdict, verdict } from './verdict.ts';

/** Judges a run from its folder and writes the verdict and the reports beside it; `text` is for a terminal. */
export const judge = async (
  folder: string,
  only?: readonly ['verdict'],
): Promise<{ readonly verdict: Verdict; readonly text: string }> => {
  const stored = await readRun(folder);
  const judged = verdict(stored);
  await whole(join(folder, FILES.verdict), `${JSON.stringify(judged, null, 2)}\n`);
  if (!only) await write(folder, stored, judged);
  return { verdict: judged, text: text(judged, stored.plan) };
};

export const writeReports = async (folder: string): Promise<void> => {
  const stored = await readRun(folder);
  await write(folder, stored, verdict(stored));
};

const write = async (folder: string, stored: Stored, judged: Verdict): Promise<void> => {
  await whole(join(folder, FILES.junit), junit([judged]));
  await whole(join(folder, FILES.html), await html(stored, judged));
};

const whole = async (file: string, content: string): Promise<void> => {
  try {
    await writeFile(`${file}.part`, content);
    await rename(`${file}.part`, file);
  } catch (error) {
    await rm(`${file}.part`, { force: true }).catch(() => undefined);
    throw new Unreachable(`${file} can't be written: ${oneLine(error)}`);
  }
};
