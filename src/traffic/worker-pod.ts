// The traffic client as the program of a pod. It makes the plan itself, says so, waits to be told the start, and writes its
// share of the ledger to a file, for a container's log may be rotated away before it is read. All files are in FOLDER. Its
// other commands are for whoever runs programs in its container.
//   work INPUT OF FOLDER     plan from the file INPUT (PlanInput as JSON); its share is $JOB_COMPLETION_INDEX of OF
//   ledger FOLDER FROM       the ledger from byte FROM on, as it is written, to its end
//   clock                    reads this clock some times, a line of nanoseconds each
//   start FOLDER AT AHEAD    traffic begins at AT, which this clock shows AHEAD later; both in nanoseconds
//   stop PID                 ends the traffic; what is under way gets a second more
// Exit codes: 0, or 64 for bad input.
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { access, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { oneLine, Usage } from '../errors.ts';
import type { Nanos } from '../model.ts';
import { during, until } from '../poll.ts';
import { type Clock, fromMs, systemClock } from '../time.ts';
import { overdue } from './overdue.ts';
import { fingerprint, type PlanInput, plannedOf, shard, type TrafficPlan, trafficPlan } from './plan.ts';
import { tellTraffic } from './tell.ts';

/** A ledger's first line. `planned` is the worker's share; the fingerprint is the whole plan's. */
export type Hello = {
  readonly hello: { readonly worker: number; readonly planned: number; readonly fingerprint: string };
};

type Start = { readonly at: Nanos; readonly ahead: Nanos };

const FILES = { ledger: 'ledger.ndjson', start: 'start.json', written: 'written' } as const;
/** The job that a worker belongs to ends it long before. */
const FOREVER_MS = 7 * 24 * 3_600_000;
const READINGS = { forMs: 50, everyMs: 10 };
const NEWS_MS = 100;
/** Once ended, so long may its ledger's last lines take to be read, as a pod's grace allows. */
const LINGER_MS = 4000;

const work = async (inputFile: string, of: number, folder: string): Promise<void> => {
  const [ending, leaving] = [new AbortController(), new AbortController()];
  let end = ending;
  process.on('SIGTERM', () => end.abort()).on('SIGINT', () => end.abort());
  const worker = count(process.env.JOB_COMPLETION_INDEX, 'JOB_COMPLETION_INDEX');
  const whole = await planIn(inputFile);
  if (worker >= of) throw new Usage(`there is no worker ${worker} of ${of}`);
  const plan = shard(whole, worker, of);
  const hello: Hello = { hello: { worker, planned: plannedOf(plan), fingerprint: fingerprint(whole) } };
  const output = createWriteStream(join(folder, FILES.ledger));
  output.write(`${JSON.stringify(hello)}\n`);
  const start = await awaited(folder, ending.signal);
  if (!start) return;
  await send(plan, start, output, ending);
  end = leaving;
  await writeFile(join(folder, FILES.written), '');
  // Its files go with it.
  const patience = ending.signal.aborted ? LINGER_MS : FOREVER_MS;
  await systemClock.sleepUntil(systemClock.now() + fromMs(patience), leaving.signal).catch(() => undefined);
};

const send = async (
  plan: TrafficPlan,
  { at, ahead }: Start,
  output: Writable,
  ending: AbortController,
): Promise<void> => {
  const clock = behind(ahead);
  await tellTraffic({ plan, startAt: at, output, ending, clock, unsent: overdue(plan, at, clock.now()) });
};

/** This machine's clock, set back by `ahead`: the clock of whoever gave the start, and of all the workers together. */
const behind = (ahead: Nanos): Clock => ({
  now: () => systemClock.now() - ahead,
  sleepUntil: (at, signal) => systemClock.sleepUntil(at + ahead, signal),
});

const planIn = async (file: string): Promise<TrafficPlan> => {
  try {
    return trafficPlan(JSON.parse(await readFile(file, 'utf8')) as PlanInput);
  } catch (error) {
    throw new Usage(`${file} holds no traffic plan's input: ${oneLine(error)}`);
  }
};

/** Null when it is ended before it has begun. */
const awaited = (folder: string, signal: AbortSignal): Promise<Start | null> =>
  until('start', () => started(join(folder, FILES.start)), { forMs: FOREVER_MS, everyMs: 50, signal }).catch(
    (error: unknown) => {
      if (signal.aborted) return null;
      throw error;
    },
  );

const started = async (file: string): Promise<Start | null> => {
  const text = await readFile(file, 'utf8').catch(() => null);
  if (text === null) return null;
  const { at, ahead } = JSON.parse(text) as Record<keyof Start, string>;
  return { at: BigInt(at), ahead: BigInt(ahead) };
};

const tellStart = async (folder: string, at: Nanos, ahead: Nanos): Promise<void> => {
  const file = join(folder, FILES.start);
  // Renamed, so that nobody reads half of it.
  await writeFile(`${file}.new`, JSON.stringify({ at: String(at), ahead: String(ahead) }));
  await rename(`${file}.new`, file);
};

const tellLedger = async (folder: string, from: number): Promise<void> => {
  let at = from;
  const news = async (): Promise<true | null> => {
    // Asked first: what is written when it is there is the whole.
    const whole = await access(join(folder, FILES.written)).then(
      () => true as const,
      () => null,
    );
    at += await copy(join(folder, FILES.ledger), at);
    return whole;
  };
  await until('end of the ledger', news, { forMs: FOREVER_MS, everyMs: NEWS_MS });
};

/** Copies a file from a byte on to standard output; resolves with how many bytes that were. */
const copy = async (file: string, start: number): Promise<number> => {
  const input = createReadStream(file, { start });
  for await (const chunk of input) if (!process.stdout.write(chunk)) await once(process.stdout, 'drain');
  return input.bytesRead;
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
  work: async ([input = '', of, folder = '']) => work(input, count(of, 'OF'), folder),
  ledger: async ([folder = '', from]) => tellLedger(folder, count(from, 'FROM')),
  clock: () => during(async () => void process.stdout.write(`${systemClock.now()}\n`), READINGS),
  start: async ([folder = '', at, ahead]) => tellStart(folder, nanos(at), nanos(ahead)),
  stop: async ([pid]) => void process.kill(count(pid, 'PID'), 'SIGTERM'),
};

const [name = '', ...args] = process.argv.slice(2);
const command =
  COMMANDS[name] ??
  (() => Promise.reject(new Usage(`no command '${name}'; there are ${Object.keys(COMMANDS).join(', ')}`)));
await command(args).catch((error: unknown) => {
  process.stderr.write(`traffic worker: ${oneLine(error)}\n`);
  process.exitCode = error instanceof Usage ? 64 : 70;
});
