// The gist of a ledger: all that a verdict and its pictures need of it, taken record by record, in memory that does not grow
// with their number. Pure.
import type { Nanos, Window } from '../model.ts';
import { fromIso, inWindow, offsets } from '../time.ts';
import { type Axis, type Bins, binning } from './bins.ts';
import { failed, type LedgerRecord, type TrafficSummary, untold } from './ledger.ts';
import { sample } from './sample.ts';
import { tally } from './summary.ts';
import { type LedgerEffect, witness } from './witness.ts';

/** What of a run's times a ledger is read for. */
export type Frame = {
  readonly seed: number;
  /** How many requests there were to be. */
  readonly planned: number;
  readonly axis: Axis;
  readonly baseline: Window;
  /** In which answers are looked for in the layers. */
  readonly test: Window;
  /** In which the fault was in; null: none ever was. */
  readonly held: Window | null;
  /** In which requests are compared with the baseline's: while the fault was in, or all that follows a control's baseline. */
  readonly compared: Window | null;
  /** The kinds of requests that come by the fault; null: all of them. */
  readonly crossing: readonly string[] | null;
};

/** A tagged request that was answered well. */
export type Answered = { readonly sent: Nanos; readonly ended: Nanos; readonly ids: readonly string[] };

/** In the order of their ends; where there are very many, a sample of `all`. */
export type Answers = { readonly all: number; readonly some: readonly Answered[] };

export type Gist = {
  readonly records: number;
  /** Of the ledger as it was written, in hex. */
  readonly sha256: string;
  /** When the first record's request was due, ISO 8601; null: there is no record. */
  readonly first: string | null;
  readonly traffic: TrafficSummary;
  /** Requests that were sent by way of the fault while it was in. */
  readonly exposed: number;
  /** What those that come by the fault show of it, or all of a control's, in which nothing is to be seen; null where the fault never was in. */
  readonly effect: LedgerEffect | null;
  readonly baseline: Answers;
  readonly test: Answers;
  readonly bins: Bins;
};

export type Gathering = { add(record: LedgerRecord): void; gist(sha256: string): Gist };

/** `frame` is asked for with the first record's time, for that may be all that tells when a run began. */
export const gathering = (frame: (first: string | null) => Frame): Gathering => {
  let first: string | null = null;
  let parts: Parts | null = null;
  let records = 0;
  const add = (record: LedgerRecord): void => {
    first ??= record.intended;
    parts ??= partsOf(frame(first));
    records += 1;
    parts.add(record);
  };
  return { add, gist: (sha256) => ({ records, sha256, first, ...(parts ?? partsOf(frame(null))).all() }) };
};

type Parts = { add(record: LedgerRecord): void; all(): Omit<Gist, 'records' | 'sha256' | 'first'> };

const partsOf = ({ seed, planned, axis, baseline, test, held, compared, crossing }: Frame): Parts => {
  const traffic = tally();
  const effect = compared && witness(baseline, compared, seed);
  const [before, after] = [answers(baseline, seed), answers(test, seed)];
  const pictures = binning(axis, seed);
  const inHeld = held ? inWindow(held) : () => false;
  let exposed = 0;
  const add = (record: LedgerRecord): void => {
    for (const part of [traffic, before, after, pictures]) part.add(record);
    if (crossing !== null && !crossing.includes(record.request)) return;
    effect?.add(record);
    if (record.sent !== null && inHeld(record.sent)) exposed += 1;
  };
  const all = (): ReturnType<Parts['all']> => {
    const { sent, answered, failed, connections, saturated } = traffic.summary(planned, null);
    const summary = { sent, answered, failed, connections, saturated };
    const parts = { baseline: before.answers(), test: after.answers(), bins: pictures.bins() };
    return { traffic: summary, exposed, effect: effect?.effect() ?? null, ...parts };
  };
  return { add, all };
};

/** Every layer is searched for each of them. */
const MOST_ANSWERS = 10_000;

/** Those that were sent and answered well within the window. */
const answers = (window: Window, seed: number): { add(record: LedgerRecord): void; answers(): Answers } => {
  const since = offsets(window.from);
  const length = Number(window.until - window.from);
  const some = sample<Answered>(MOST_ANSWERS, seed);
  let all = 0;
  const add = (record: LedgerRecord): void => {
    const { sent, ended } = record;
    if (untold(record) || failed(record) || sent === null || ended === null) return;
    if (since(sent) < 0 || since(ended) >= length) return;
    all += 1;
    some.add(record.n, () => answeredOf(record, sent, ended));
  };
  const inOrder = (one: Answered, other: Answered): number => Number(one.ended - other.ended);
  return { add, answers: () => ({ all, some: some.kept().sort(inOrder) }) };
};

const answeredOf = ({ traceId, requestId, correlationId }: LedgerRecord, sent: string, ended: string): Answered => ({
  sent: fromIso(sent),
  ended: fromIso(ended),
  ids: [traceId, requestId, correlationId],
});
