// A run's folder: what is in it, and how it is read back.
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Usage } from './errors.ts';
import { type Evidence, readEvidence } from './evidence.ts';
import { type Entry, readHistory } from './history.ts';
import type { Plan } from './plan.ts';
import { fromLine, type LedgerRecord } from './traffic/ledger.ts';
import type { Stored } from './verdict.ts';

export const FILES = {
  plan: 'plan.json',
  history: 'history.ndjson',
  ledger: 'ledger.ndjson',
  evidence: 'evidence.ndjson',
  capture: 'capture.pcap',
  verdict: 'verdict.json',
  html: 'report.html',
  junit: 'junit.xml',
} as const;

/** Reads a stored run. Throws Usage that names the file that is missing or damaged. */
export const readRun = async (folder: string): Promise<Stored> => {
  const plan = await read(folder, FILES.plan, async (file) => JSON.parse(await readFile(file, 'utf8')) as Plan);
  if (plan.schema !== 1)
    throw new Usage(`${join(folder, FILES.plan)}: schema ${String(plan.schema)} is not one that this firedrill reads`);
  const history: Entry[] = await read(folder, FILES.history, readHistory);
  const ledger: LedgerRecord[] = await read(folder, FILES.ledger, async (file) =>
    (await readFile(file, 'utf8')).split('\n').filter(Boolean).map(fromLine),
  );
  const evidence: Evidence = await read(folder, FILES.evidence, readEvidence);
  return { plan, history, ledger, evidence };
};

const read = async <T>(folder: string, name: string, how: (file: string) => Promise<T>): Promise<T> => {
  const file = await existing(join(folder, name));
  try {
    return await how(file);
  } catch (error) {
    if (error instanceof SyntaxError) throw new Usage(`${file}: damaged: ${error.message}`);
    throw error;
  }
};

/** The file itself or its gzipped form. */
const existing = async (file: string): Promise<string> => {
  for (const one of [file, `${file}.gz`]) {
    if (
      await access(one).then(
        () => true,
        () => false,
      )
    )
      return one;
  }
  throw new Usage(`${file} is missing; a run that was stored whole has it`);
};
