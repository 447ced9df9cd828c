// Whole drills, where the machine is as small as it may be: told when they do not pass, and then run again.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LAYERS } from '../../src/model.ts';
import { until } from '../../src/poll.ts';
import { FILES } from '../../src/stored.ts';
import { SECOND, systemClock } from '../../src/time.ts';
import type { LedgerRecord } from '../../src/traffic/ledger.ts';
import type { Verdict } from '../../src/verdict.ts';
import { watchStolen } from '../helpers/stolen.ts';
import { firedrill, launch, type Ran, runsIn, type Who } from './tool.ts';

const ATTEMPTS = 3;

export type Drilled = { readonly ran: Ran; readonly verdict: Verdict | null; readonly run: string };

type Options = {
  readonly who?: Who;
  readonly env?: Readonly<Record<string, string>>;
  /** Which exit codes will do; 0. */
  readonly codes?: readonly number[];
  /** What must hold before the drill is run again. */
  readonly between?: () => Promise<void>;
};

const MOST_STOLEN = 0.3;

/** Of two seconds, the share of time that the host of this machine gave to others. */
const stolen = async (clock = systemClock): Promise<number> => {
  const share = watchStolen();
  await clock.sleepUntil(clock.now() + 2n * SECOND);
  return share()[0]!;
};

/** Waits for a machine of which most is ours, longer after it was not; where it never is, the drill has to make do. */
const ourTurn = async (attempt: number): Promise<void> => {
  const calm = async (): Promise<true | null> => ((await stolen()) < MOST_STOLEN ? true : null);
  await until('a machine of our own', calm, { forMs: attempt === 1 ? 60_000 : 180_000, everyMs: 100 }).catch(
    () => undefined,
  );
};

/** What an attempt came to, and why there should be another; null: none. */
type Attempt<T> = { readonly done: T; readonly again: string | null };

/**
 * The platform, its observers and the tool share two cores, often with strangers: they disturb each other now and then,
 * and layers that are right to say so are not what is asked here. What has to be done again is told on standard error, with the
 * reason, and the last attempt is returned.
 */
export const attempts = async <T>(name: string, once: (attempt: number) => Promise<Attempt<T>>): Promise<T> => {
  for (let attempt = 1; ; attempt += 1) {
    await ourTurn(attempt);
    const { done, again } = await once(attempt);
    if (again === null || attempt === ATTEMPTS) return done;
    process.stderr.write(`${name}, attempt ${attempt}: ${again}\n`);
  }
};

/** A drill, again where it does not pass, or does not end by one of the exit codes that will do. */
export const drilled = (args: readonly string[], out: string, options: Options = {}): Promise<Drilled> =>
  attempts(args[0]!, async (attempt) => {
    if (attempt > 1) await options.between?.();
    const own = join(out, String(attempt));
    const ran = await firedrill(['run', ...args, '--out', own], options.who, options.env);
    const [run = own] = await runsIn(own).catch(() => []);
    const verdict = await verdictOf(run).catch(() => null);
    const will = (options.codes ?? [0]).includes(ran.code as number);
    return { done: { ran, verdict, run }, again: will ? null : await whole(ran, run, verdict) };
  });

/** A drill under way, and its folder of reports, once its standard error matches; begun again where it ended before that. */
export const underWay = async (args: readonly string[], out: string, pattern: RegExp) => {
  const begun = await attempts(args[0]!, async (attempt) => {
    const own = join(out, String(attempt));
    const tool = await launch(['run', ...args, '--out', own]);
    const error = await tool.seen(pattern).catch((error: Error) => error);
    return { done: error ?? { tool, out: own }, again: error?.message ?? null };
  });
  if (begun instanceof Error) throw begun;
  return begun;
};

export const verdictOf = async (run: string): Promise<Verdict> =>
  JSON.parse(await readFile(join(run, FILES.verdict), 'utf8')) as Verdict;

/** What went wrong, on one screen. */
export const tale = (one: Verdict): string =>
  [
    `${one.outcome}: ${one.because}`,
    ...LAYERS.map(
      (layer) =>
        `${layer} ${one.layers[layer].grade}: ${one.layers[layer].suspects.map(({ ref, kind, score }) => `${ref} ${kind} ${score}`).join(', ')} (${one.layers[layer].why})`,
    ),
  ].join('\n');

/** The claim that it passed, in a form that says what went wrong where it did not. */
export const outcomeOf = ({ ran, verdict }: Drilled) => ({ code: ran.code, tale: verdict ? tale(verdict) : ran.err });

const whole = async (ran: Ran, run: string, verdict: Verdict | null): Promise<string> =>
  verdict ? `${tale(verdict)}\n${await failures(run).catch(String)}` : `exit code ${ran.code}: ${ran.err}`;

/** How requests failed, the most frequent first. */
const failures = async (run: string): Promise<string> => {
  const lines = (await readFile(join(run, FILES.ledger), 'utf8')).trim().split('\n');
  const counts = new Map<string, number>();
  for (const { request, status, error } of lines.map((line) => JSON.parse(line) as LedgerRecord)) {
    const key = `${request} ${error ?? status}`;
    if (error || (status ?? 0) >= 400) counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const most = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 6);
  return `failed, of ${lines.length}: ${most.map(([key, count]) => `${count} ${key}`).join('; ') || 'none'}`;
};
