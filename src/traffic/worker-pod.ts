// The traffic client as the program of a pod: it makes the plan itself, says so, waits to be told the start, and writes its
// share of the ledger to standard output. Its other commands are for whoever runs programs in its container.
//   work INPUT OF START      plan from the file INPUT (PlanInput as JSON); the share is $JOB_COMPLETION_INDEX of OF
//   clock                    reads this clock some times, a line of nanoseconds each
//   start START AT AHEAD     tells the worker that waits for the file START: traffic begins at AT, which this clock shows
//                            AHEAD later; both in nanoseconds
//   stop PID                 ends the traffic; what is under way gets a second more
// Exit codes: 0, or 64 for bad input.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { oneLine, Usage } from '../errors.ts';
import type { Nanos } from '../model.ts';
import { during, until } from '../poll.ts';
import { type Clock, systemClock } from '../time.ts';
import { fingerprint, type PlanInput, shard, trafficPlan } from './plan.ts';
import { tellTraffic } from './tell.ts';

/** A worker's first line. `planned` is its share; the fingerprint is the whole plan's. */
export type Hello = { readonly worker: number; readonly planned: number; readonly fingerprint: string };

type Start = { readonly at: Nanos; readonly ahead: Nanos };

/** The job that a worker belongs to ends it long before. */
const FOREVER = { forMs: 7 * 24 * 3_600_000, everyMs: 50 };
const READINGS = { forMs: 50, everyMs: 10 };

const work = async (inputFile: string, of: number, startFile: string): Promise<void> => {
  const ending = new AbortController();
  const stop = (): void => ending.abort();
  process.on('SIGTERM', stop).on('SIGINT', stop);
  const worker = count(process.env.JOB_COMPLETION_INDEX, 'JOB_COMPLETION_INDEX');
  if (worker >= of) throw new Usage(`there is no worker ${worker} of ${of}`);
  const whole = trafficPlan(await read(inputFile));
  const plan = shard(whole, worker, of);
  const hello: Hello = { worker, planned: plan.requests.length, fingerprint: fingerprint(whole) };
  say(JSON.stringify({ hello }));
  const start = await awaited(startFile, ending.signal);
  if (start) await tellTraffic(plan, start.at, ending, 'left', behind(start.ahead));
};

/** Null when it is ended before it has begun. */
const awaited = (file: string, signal: AbortSignal): Promise<Start | null> =>
  until('start', () => started(file), { ...FOREVER, signal }).catch((error: unknown) => {
    if (signal.aborted) return null;
    throw error;
  });

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const read = async (file: string): Promise<PlanInput> => {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as PlanInput;
  } catch (error) {
    throw new Usage(`${file} holds no traffic plan's input: ${oneLine(error)}`);
  }
};

const started = async (file: string): Promise<Start | null> => {
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) return null;
  const { at, ahead } = JSON.parse(text) as Record<keyof Start, string>;
  return { at: BigInt(at), ahead: BigInt(ahead) };
};

/** This machine's clock, set back by `ahead`: the clock of whoever gave the start, and of all the workers together. */
const behind = (ahead: Nanos): Clock => ({
  now: () => systemClock.now() - ahead,
  sleepUntil: (at, signal) => systemClock.sleepUntil(at + ahead, signal),
});

const tellStart = async (file: string, at: Nanos, ahead: Nanos): Promise<void> => {
  // Renamed, so that nobody reads half of it.
  await writeFile(`${file}.new`, JSON.stringify({ at: String(at), ahead: String(ahead) }));
  await rename(`${file}.new`, file);
};

const count = (text: string | undefined, what: string): number => {
  if (!/^\d+$/.test(text ?? '')) throw new Usage(`${what} must be a whole number, not '${text ?? ''}'`);
  return Number(text);
};

const nanos = (text: string | undefined): Nanos => {
  if (!/^-?\d+$/.test(text ?? '')) throw new Usage(`'${text ?? ''}' is no number of nanoseconds`);
  return BigInt(text!);
};

const COMMANDS: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  work: async ([input = '', of, start = '']) => work(input, count(of, 'OF'), start),
  clock: () => during(async () => say(String(systemClock.now())), READINGS),
  start: async ([file = '', at, ahead]) => tellStart(file, nanos(at), nanos(ahead)),
  stop: async ([pid]) => {
    process.kill(count(pid, 'PID'), 'SIGTERM');
  },
};

const [name = '', ...args] = process.argv.slice(2);
const command =
  COMMANDS[name] ?? (() => Promise.reject(new Usage(`no command '${name}'; there are work, clock, start, stop`)));
await command(args).catch((error: unknown) => {
  process.stderr.write(`traffic worker: ${oneLine(error)}\n`);
  process.exitCode = error instanceof Usage ? 64 : 70;
});
