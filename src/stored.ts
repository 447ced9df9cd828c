// A run's folder: what is in it, and how it is read back.
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { z } from 'zod';
import { oneLine, Usage } from './errors.ts';
import { type Evidence, readEvidence } from './evidence.ts';
import { type Entry, historyOf } from './history.ts';
import { LAYERS } from './model.ts';
import { PHASES, type Plan } from './plan.ts';
import { problems } from './platform.ts';
import { frameOf } from './times.ts';
import { type Gist, gathering } from './traffic/gist.ts';
import { readLedger } from './traffic/ledger-file.ts';
import type { Stored } from './verdict.ts';

export const FILES = {
  plan: 'plan.json',
  history: 'history.ndjson',
  ledger: 'ledger.ndjson',
  evidence: 'evidence.ndjson',
  capture: 'capture.pcap',
  /** What was touched in a cluster: a line for each request that changed something. */
  audit: 'audit.ndjson',
  verdict: 'verdict.json',
  html: 'report.html',
  junit: 'junit.xml',
} as const;

/** What a verdict can't do without. The rest of a plan is taken as it was written. */
const skeleton = z.looseObject({
  scenario: z.string(),
  runId: z.string(),
  seed: z.number(),
  fault: z.looseObject({ kind: z.string() }),
  truth: z.looseObject({ on: z.string().nullable(), kinds: z.array(z.string()) }),
  topology: z.looseObject({ components: z.array(z.string()), edges: z.array(z.looseObject({})) }),
  load: z.looseObject({ rate: z.number(), timeoutMs: z.number() }),
  profile: z.looseObject({ journeys: z.record(z.string(), z.array(z.looseObject({ request: z.string() }))) }),
  phases: z.array(z.looseObject({ name: z.string(), from: z.number(), until: z.number() })).length(PHASES.length),
  deadlines: z.record(z.enum(LAYERS), z.looseObject({ ms: z.number() })),
  demands: z.looseObject({}),
  also: z.array(z.looseObject({ kind: z.string() })),
});

/** Reads a stored run. Throws Usage that names the file that is missing or damaged. */
export const readRun = async (folder: string): Promise<Stored> => {
  const plan = await read(folder, FILES.plan, async (file) => JSON.parse(await textOf(file)) as Plan | null);
  if (plan?.schema !== 1)
    throw new Usage(`${join(folder, FILES.plan)}: schema ${String(plan?.schema)} is not one that this firedrill reads`);
  const lacking = skeleton.safeParse(plan).error;
  if (lacking) throw new Usage(`${join(folder, FILES.plan)}: damaged: ${problems(lacking, 'plan')}`);
  const history: Entry[] = await read(folder, FILES.history, async (file) => historyOf(await textOf(file), file));
  const ledger: Gist = await read(folder, FILES.ledger, async (file) => {
    const { add, gist } = gathering(frameOf(plan, history));
    return gist(await readLedger(file, add));
  });
  const evidence: Evidence = await read(folder, FILES.evidence, readEvidence);
  return { plan, history, ledger, evidence };
};

const read = async <T>(folder: string, name: string, how: (file: string) => Promise<T>): Promise<T> => {
  const file = await existing(join(folder, name));
  try {
    return await how(file);
  } catch (error) {
    if (error instanceof SyntaxError || isZlib(error)) throw new Usage(`${file}: damaged: ${oneLine(error)}`);
    throw error;
  }
};

const isZlib = (error: unknown): boolean => /^Z_/.test(String((error as NodeJS.ErrnoException).code));

const textOf = async (file: string): Promise<string> => {
  const bytes = await readFile(file);
  return (file.endsWith('.gz') ? await promisify(gunzip)(bytes) : bytes).toString('utf8');
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
