// The run: executes a plan, the one impure loop. It writes each intention down before the act and always heals, on a clock
// of its own that no other deadline shortens. It does not know what counts as detection.
import { oneLine, StillBroken, Unreachable } from './errors.ts';
import type { Context, Injected, Witness } from './faults/fault.ts';
import { faultOf } from './faults/index.ts';
import type { History, HistoryEvent } from './history.ts';
import type { Nanos } from './model.ts';
import { type PhaseName, type Plan, phase } from './plan.ts';
import { during, until } from './poll.ts';
import type { Facts, Target, Traffic } from './targets/target.ts';
import { type Clock, fromMs, systemClock, toMs } from './time.ts';
import type { LedgerRecord } from './traffic/ledger.ts';

export type RunSettings = {
  readonly plan: Plan;
  readonly target: Target;
  readonly facts: Facts;
  readonly traffic: Traffic;
  readonly history: History;
  readonly onRecord: (record: LedgerRecord) => void;
  /** Aborts: the fault is healed first, then the run ends early. */
  readonly signal: AbortSignal;
  /** The start of traffic; phases count from here. */
  readonly startAt: Nanos;
  /** Null, or why the baseline is no steady state; asked once, when the baseline is over. */
  readonly unsteady: () => string | null;
  /** Null, or why the hold must end now; asked every two seconds while the fault is in. */
  readonly guard?: () => Promise<string | null>;
  readonly clock?: Clock;
};

const WITNESS = { forMs: 8000, everyMs: 250 };
/** Healing is tried for this long, whatever else has run out. */
const HEAL = { forMs: 90_000, everyMs: 1000 };
/** A call to the target that never comes back is given up this long after its retries would have ended. */
const HANG_MS = 90_000;

/**
 * Resolves when traffic has ended and the fault is undone: true when the plan was carried out to its end. Throws StillBroken
 * when the fault could not be undone.
 */
export const run = async (settings: RunSettings): Promise<boolean> => {
  const { traffic, startAt, signal, onRecord, history } = settings;
  const ending = new AbortController();
  const stopped = AbortSignal.any([signal, ending.signal]);
  const sending = (async () => {
    for await (const record of traffic.run(startAt, stopped)) onRecord(record);
  })();
  sending.catch(() => undefined);
  try {
    const whole = await phases(settings);
    if (whole) await sending;
    signal.throwIfAborted();
    return whole;
  } catch (error) {
    // A run whose client or platform was lost is stored and judged as that; what is neither is our bug.
    if (error instanceof StillBroken || !(signal.aborted || error instanceof Unreachable)) throw error;
    await history.append({ type: 'aborted', why: oneLine(signal.aborted ? signal.reason : error) });
    return false;
  } finally {
    ending.abort();
    await sending.catch(() => undefined);
    await note(history, { type: 'ended' });
  }
};

/** Writes down what must not hold back healing, or hide that it failed, when it can't be written. */
const note = (history: History, event: HistoryEvent): Promise<void> => history.append(event).catch(() => undefined);

/** False when nothing was broken, because the platform was not well or the target refused: there is nothing to wait for. */
const phases = async (settings: RunSettings): Promise<boolean> => {
  const { plan, history, startAt, signal, unsteady } = settings;
  const clock = settings.clock ?? systemClock;
  const enter = async (name: PhaseName): Promise<void> => {
    await clock.sleepUntil(startAt + fromMs(phase(plan, name).from), signal);
    await history.append({ type: 'phase', name });
  };
  await enter('warm-up');
  await enter('baseline');
  await enter('quiet');
  const why = unsteady();
  if (why) {
    await history.append({ type: 'not-injected', why });
    return false;
  }
  await enter('hold');
  if (!(await hold(settings, clock))) return false;
  await enter('recovery');
  await clock.sleepUntil(startAt + fromMs(phase(plan, 'recovery').until), signal);
  return true;
};

const hold = async (settings: RunSettings, clock: Clock): Promise<boolean> => {
  const { plan, history, startAt, signal } = settings;
  const injected = await inject(settings);
  if (!injected) return false;
  try {
    await history.append({ type: 'injected' });
    await bearWitness(history, 'injection', () => injected.witness(), clock, signal);
    await holdOn(settings, startAt + fromMs(phase(plan, 'hold').until), clock);
  } finally {
    await heal(history, injected, plan, clock);
  }
  return true;
};

const GUARD_EVERY_MS = 2000;

/** Sleeps until the hold is over, or until the guard says that it must be. */
const holdOn = async ({ guard, history, signal }: RunSettings, end: Nanos, clock: Clock): Promise<void> => {
  if (!guard) return clock.sleepUntil(end, signal);
  const tripped = new AbortController();
  const ask = async (): Promise<void> => {
    const why = await guard();
    if (why === null || tripped.signal.aborted) return;
    await history.append({ type: 'cut-short', why });
    tripped.abort();
  };
  await during(ask, {
    forMs: toMs(end - clock.now()),
    everyMs: GUARD_EVERY_MS,
    signal: AbortSignal.any([signal, tripped.signal]),
    clock,
  });
  signal.throwIfAborted();
  if (!tripped.signal.aborted) await clock.sleepUntil(end, signal);
};

/** Null when the target refused: then nothing was done, and the history says why. */
const inject = async ({ plan, target, facts, history }: RunSettings): Promise<Injected | null> => {
  let injected: Injected | null = null;
  // An act needs its intention on disk; the undoing of an act does not wait for a disk that is full.
  const intend = (act: string, on: string): Promise<void> =>
    (injected ? note : append)(history, { type: 'intent', act, on });
  const context: Context = { target, facts, runId: plan.runId, seed: plan.seed, intend };
  await history.append({ type: 'injecting' });
  try {
    injected = await faultOf(plan.fault).inject(plan.fault, context);
  } catch (error) {
    await history.append({ type: 'not-injected', why: oneLine(error) });
  }
  return injected;
};

const append = (history: History, event: HistoryEvent): Promise<void> => history.append(event);

const heal = async (history: History, injected: Injected, plan: Plan, clock: Clock): Promise<void> => {
  await note(history, { type: 'healing' });
  const once = async (): Promise<true> => {
    await injected.heal();
    return true;
  };
  try {
    await atMost('healing', HEAL.forMs + HANG_MS, clock, until('healing', once, { ...HEAL, clock }));
    await note(history, { type: 'healed' });
  } catch (error) {
    await note(history, { type: 'still-broken', why: oneLine(error) });
    const left = plan.truth.on ?? 'the platform';
    throw new StillBroken(`could not heal ${left}: ${oneLine(error)}`, [left]);
  }
  await bearWitness(history, 'healing', () => injected.witnessHealed(), clock);
};

/** Looks until it holds; the last look is written down either way. */
const bearWitness = async (
  history: History,
  of: 'injection' | 'healing',
  look: () => Promise<Witness>,
  clock: Clock,
  signal?: AbortSignal,
): Promise<void> => {
  let last: Witness | null = null;
  const once = async (): Promise<true | null> => {
    last = await look();
    return last.holds ? true : null;
  };
  const what = `witness of the ${of}`;
  const looking = until(what, once, { ...WITNESS, clock, ...(signal ? { signal } : {}) });
  const failed = await atMost(what, WITNESS.forMs + HANG_MS, clock, looking, signal).catch((error: unknown) => {
    if (!(error instanceof Unreachable)) throw error;
    return { says: oneLine(error), holds: false };
  });
  const event = { type: 'witness', of, ...(last ?? (failed as Witness)) } as const;
  await (of === 'healing' ? note : append)(history, event);
};

/** The work's result; Unreachable when it takes longer than `ms`, the signal's reason when that aborts first. */
const atMost = async <T>(
  what: string,
  ms: number,
  clock: Clock,
  work: Promise<T>,
  signal?: AbortSignal,
): Promise<T> => {
  const done = new AbortController();
  const late = clock
    .sleepUntil(clock.now() + fromMs(ms), signal ? AbortSignal.any([signal, done.signal]) : done.signal)
    .then(() => Promise.reject(new Unreachable(`${what}: not within ${ms / 1000} s`)));
  try {
    return await Promise.race([work, late]);
  } finally {
    done.abort();
  }
};
