// `firedrill run`: each scenario in a lab of its own, judged, reported.
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { drill, folderFor } from '../drill.ts';
import { exitCodeFor, isSurroundings, oneLine, Unreachable, Usage } from '../errors.ts';
import { type Found, loadPlatform, loadScenarios } from '../load.ts';
import { type Plan, plan } from '../plan.ts';
import type { Platform } from '../platform.ts';
import { type Progress, progress } from '../progress.ts';
import { push, pushUrl } from '../push.ts';
import { judge } from '../report.ts';
import { line } from '../reporters/text.ts';
import { controlOf } from '../scenario.ts';
import type { Verdict } from '../verdict.ts';
import { narrator } from './narrator.ts';
import { stopSignal } from './stop.ts';
import { type Where, type WhereArguments, where } from './where.ts';

export type RunArguments = WhereArguments & {
  readonly scenario: readonly string[];
  readonly seed: number;
  readonly platform?: string | undefined;
  readonly out: string;
  readonly control: boolean;
  readonly json: boolean;
  readonly push?: string | undefined;
};

type Job = { readonly found: Found; readonly platform: Platform };

/** The worst outcome of all: still broken, then failed, then unknown, then passed. */
const worst = (codes: readonly number[]): number => [3, 1, 2, 0].find((code) => codes.includes(code)) ?? 0;

export const runCommand = async (argv: RunArguments): Promise<number> => {
  if (argv.push !== undefined) pushUrl(argv.push);
  const show = progress(process.stderr);
  await using place = await where(argv, (line) => show.say(line));
  const jobs = await jobsOf(argv, place);
  await mustHold(argv.out);
  for (const platform of new Map(jobs.map((job) => [job.platform.name, job.platform])).values())
    await place.check(platform);
  const stop = stopSignal((line) => show.say(line));
  const codes: number[] = [];
  const verdicts: Verdict[] = [];
  for (const [n, job] of jobs.entries()) {
    if (stop.signal.aborted) break;
    if (jobs.length > 1) show.say(`\n── ${n + 1} of ${jobs.length}: ${job.found.scenario.name}`);
    try {
      const verdict = await one(job, argv, place, show, stop.signal);
      verdicts.push(verdict);
      codes.push(verdict.exitCode);
    } catch (error) {
      // The others are still worth running, unless something was left broken or the fault is ours.
      if (jobs.length === 1 || ![2, 64].includes(exitCodeFor(error))) throw error;
      show.say(`firedrill: ${job.found.scenario.name}: ${oneLine(error)}`);
      codes.push(2);
    }
  }
  if (argv.json) process.stdout.write(`${JSON.stringify(verdicts.length === 1 ? verdicts[0] : verdicts, null, 2)}\n`);
  if (jobs.length > 1 && !argv.json) process.stdout.write(summary(verdicts));
  if (argv.push) await push(argv.push, verdicts).catch((error: unknown) => show.say(`firedrill: ${oneLine(error)}`));
  return stop.signal.aborted ? worst([...codes, 2]) : worst(codes);
};

/** Everything is loaded, checked and planned before anything is touched. */
const jobsOf = async (argv: RunArguments, place: Where): Promise<Job[]> => {
  if (!Number.isInteger(argv.seed) || argv.seed < 0)
    throw new Usage(`--seed ${argv.seed}: must be a whole number, 0 or more`);
  const found = await loadScenarios(argv.scenario);
  const jobs: Job[] = [];
  for (const one of found) {
    const scenario = argv.control ? controlOf(one.scenario) : one.scenario;
    const platform = await loadPlatform(argv.platform ?? scenario.platform);
    plan(scenario, platform, await place.facts(platform), argv.seed, 'dry-run');
    jobs.push({ found: { ...one, scenario }, platform });
  }
  if (jobs.length === 0) throw new Usage('no scenarios: put them in ./scenarios or name their files');
  return jobs;
};

/** Before a lab is up rather than after: throws Usage when reports can't be put there. */
const mustHold = async (out: string): Promise<void> => {
  try {
    await mkdir(out, { recursive: true });
    await access(out, constants.W_OK);
  } catch (error) {
    throw new Usage(`--out ${out}: reports can't be put there (${oneLine(error)})`);
  }
};

/** What ended a run when its files could not be written, as one line with their folder. */
const unstorable =
  (folder: string) =>
  (error: unknown): never => {
    if (!isSurroundings(error)) throw error;
    throw new Unreachable(`the run was healed and ended, for it can't be stored in ${folder}: ${oneLine(error)}`);
  };

const one = async (
  { found: { scenario }, platform }: Job,
  argv: RunArguments,
  place: Where,
  show: Progress,
  signal: AbortSignal,
): Promise<Verdict> => {
  const folder = folderFor(argv.out, scenario.name);
  const narrate = narrator(show);
  const runId = randomBytes(6).toString('hex');
  const { seed } = argv;
  const planned: Plan = plan(scenario, platform, await place.facts(platform), seed, runId);
  try {
    await using target = await place.open(platform, planned);
    const backends = await place.reads(platform);
    narrate.up({ ...target.endpoints, ...backends });
    const settings = { scenario, platform, seed, runId, folder, backends, signal, on: narrate.on };
    await drill(settings, target).catch(unstorable(folder));
  } finally {
    await place.audit(folder);
  }
  show.done();
  const { verdict, text } = await judge(folder);
  if (!argv.json) process.stdout.write(`${text}\nreport: ${join(folder, 'report.html')}\n`);
  return verdict;
};

const summary = (verdicts: readonly Verdict[]): string => `\n${verdicts.map(line).join('\n')}\n`;
