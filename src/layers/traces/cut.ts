// Calls that nobody answers: is the callee gone, or is it cut off, for everybody or for one caller?
import { quantile } from 'simple-statistics';
import { edge, service } from '../../model.ts';
import type { Call } from './calls.ts';
import { lostPod } from './pods.ts';
import { type Burst, newBurst } from './scan.ts';
import { evidenceOf, type Suspicion, takenUpAtOnce, type View, within } from './view.ts';

/** Single failures are normal: fewer than one call in a hundred is never taken to be the usual rate. */
const USUAL_FLOOR = 0.01;
/** Pauses of runtimes and schedulers are shorter than this and can make calls miss a deadline. */
const PAUSE_MS = 500;
/** Odds against an edge being as healthy as it looks by luck. */
const LUCK = 1e-3;

/** Everything that went unanswered more often than before, as blame for components and for edges. */
export const cuts = (view: View): Suspicion[] => view.topology.components.flatMap((to) => cutsInto(view, to));

const cutsInto = (view: View, to: string): Suspicion[] => {
  const before = callsInto(view.baseline.calls, to);
  const calls = callsInto(view.test.calls, to);
  const byCaller = Map.groupBy(calls, (call) => call.from);
  const bursts = [calls, ...byCaller.values()].map((some) => unansweredBurst(view, to, before, some));
  const found = strongest(bursts);
  if (!found) return [];
  const there = Map.groupBy(within(calls, found.from, found.until), (call) => call.from);
  const worst = Math.max(...there.values().map(badShare));
  const healthy = [...there].filter(([, some]) => isHealthy(some, worst));
  const reached = healthy.length > 0 || servesUsers(view, to, found);
  if (!reached || lostPod(view, to, found)) return [componentCut(view, to, calls, found)];
  return [...there]
    .filter(([, some]) => badShare(some) >= worst / 2)
    .map(([from, some]) => edgeCut(view, from, to, some, found));
};

const callsInto = (calls: readonly Call[], to: string): Call[] => calls.filter((one) => one.to === to && one.client);

const badShare = (calls: readonly Call[]): number => calls.filter((one) => one.unanswered).length / calls.length;

const strongest = (bursts: readonly (Burst | null)[]): Burst | null =>
  bursts.reduce((best, one) => (one && (!best || one.llr > best.llr) ? one : best), null);

const unansweredBurst = (view: View, to: string, before: readonly Call[], calls: readonly Call[]): Burst | null => {
  const outcomes = (some: readonly Call[]) => some.map((one) => ({ t: one.t, bad: one.unanswered }));
  const found = newBurst(outcomes(before), outcomes(calls), USUAL_FLOOR, 1);
  if (!found) return null;
  return found.until - found.from >= PAUSE_MS || lostPod(view, to, found) ? found : null;
};

// With the share of the worst edge, so many answers would hardly have come.
const isHealthy = (calls: readonly Call[], worst: number): boolean =>
  badShare(calls) <= worst / 5 && (1 - worst) ** calls.filter((one) => !one.failed).length < LUCK;

// Users come in without a client span of their own; only at the entry is a span without a parent somebody's call.
const servesUsers = (view: View, to: string, { from, until }: Burst): boolean => {
  if (to !== view.topology.entry) return false;
  const roots = ownWork(view, to, from, until).filter((one) => one.span.kind === 'server');
  return roots.length >= 3;
};

const ownWork = (view: View, of: string, from: number, until: number): View['test']['served'] => {
  const called = new Set(view.test.calls.flatMap((call) => call.server?.id ?? []));
  return within(view.test.served, from, until).filter((one) => one.service === of && !called.has(one.span.id));
};

const edgeCut = (view: View, from: string, to: string, calls: readonly Call[], found: Burst): Suspicion => {
  const slow = comesThroughSlowly(view, calls) || pickedOut(calls);
  return {
    ref: edge(from, to),
    kind: slow ? 'slow' : 'blocked',
    at: to,
    ...found,
    ...evidence(calls),
    why: slow
      ? `${percent(badShare(calls))} of ${from}'s calls to ${to} ran into timeouts while others came through`
      : `${percent(badShare(calls))} of ${from}'s calls to ${to} went unanswered while ${to} served others`,
  };
};

const evidence = (calls: readonly Call[]): Pick<Suspicion, 'since' | 'evidence'> =>
  evidenceOf(calls.filter((one) => one.unanswered).map(({ t, end, client }) => ({ t, end, id: client!.id })));

const percent = (share: number): string => `${Math.round(share * 100)} %`;

const componentCut = (view: View, to: string, all: readonly Call[], found: Burst): Suspicion => {
  const calls = within(all, found.from, found.until);
  const { kind, because } = judged(view, to, all, found);
  const why = `${percent(badShare(calls))} of the calls to ${to} went unanswered; ${because}`;
  return { ref: service(to), kind, at: to, ...found, ...evidence(calls), why };
};

type Judgement = { readonly kind: Suspicion['kind']; readonly because: string };

/** Gone or cut off? The surest signs first. */
const judged = (view: View, to: string, all: readonly Call[], found: Burst): Judgement => {
  const calls = within(all, found.from, found.until);
  const bad = calls.filter((one) => one.unanswered);
  const lost = lostPod(view, to, found);
  if (lost) return { kind: 'absent', because: lost };
  if (stoodStill(bad)) return { kind: 'absent', because: `${to} took them all up later, at once: it stood still` };
  if (comesThroughSlowly(view, calls)) return { kind: 'slow', because: 'others came through late' };
  if (lostLastSpans(view, to, all, found))
    return { kind: 'absent', because: `the last spans of ${to} before that never came: its process died` };
  if (pickedOut(calls))
    return knowsPods(calls)
      ? { kind: 'slow', because: 'every pod still served the others: delayed rather than cut off' }
      : { kind: 'absent', because: 'the others were answered as ever: a part of it is gone' };
  if (ownWork(view, to, found.from, found.until).length >= 3)
    return { kind: 'blocked', because: `${to} went on with work of its own: it is cut off` };
  if (refused(bad)) return refusal(to, all, found);
  return { kind: 'blocked', because: 'they ran into timeouts: cut off rather than gone' };
};

const refusal = (to: string, all: readonly Call[], found: Burst): Judgement =>
  isIntact(all, found)
    ? { kind: 'blocked', because: `they were refused, yet ${to} lost no span and came back as it was: it is cut off` }
    : { kind: 'absent', because: 'they were refused: nobody listens' };

const late = (calls: readonly Call[]): Call[] => calls.filter((one) => one.served !== null && one.served >= one.end);

/** Most of what was given up on was taken up in the end, all at once. */
const stoodStill = (bad: readonly Call[]): boolean => {
  const taken = late(bad).map(({ t, served }) => ({ t, taken: served! }));
  return taken.length >= bad.length / 2 && takenUpAtOnce(taken);
};

// A tenth is far more than the usual share beyond the 99th percentile.
const SLOW_SHARE = 0.1;

/** Among calls given up on there are answers that took longer on the way than almost any before, or came too late. */
const comesThroughSlowly = (view: View, calls: readonly Call[]): boolean => {
  const bad = calls.filter((one) => one.unanswered);
  const keys = new Set(calls.map((one) => `${one.from} ${one.to}`));
  const usual = view.baseline.calls.flatMap((one) => (keys.has(`${one.from} ${one.to}`) ? (one.wayMs ?? []) : []));
  if (usual.length === 0) return false;
  const most = 2 * quantile(usual, 0.99);
  const answered = calls.filter((one) => !one.unanswered && one.wayMs !== null && one.wayMs > most);
  const slow = answered.length + late(bad).length;
  return slow >= 3 && slow >= SLOW_SHARE * (bad.length + answered.length);
};

/** What a network cuts off it cuts off whole; timeouts of some requests only are those requests' own delay. */
const pickedOut = (calls: readonly Call[]): boolean =>
  badShare(calls) < 0.8 && !refused(calls.filter((one) => one.unanswered));

const knowsPods = (calls: readonly Call[]): boolean => calls.some((one) => one.server?.pod);

const LAST_SPANS_MS = 10_000;

/** Spans leave a process in batches; those of the last seconds die with it, though its callers were answered. */
const lostLastSpans = (view: View, to: string, all: readonly Call[], { from }: Burst): boolean => {
  const unseen = (calls: readonly Call[]) =>
    calls.filter((one) => !one.failed).map((one) => ({ t: one.t, bad: one.server === null }));
  const before = unseen(callsInto(view.baseline.calls, to));
  return newBurst(before, unseen(within(all, from - LAST_SPANS_MS, from)), USUAL_FLOOR, 1) !== null;
};

/** The last calls before the trouble all have their server span, and whoever served then serves afterwards. */
const isIntact = (all: readonly Call[], { from, until }: Burst): boolean => {
  const last = within(all, from - 2000, from)
    .filter((one) => !one.failed)
    .slice(-5);
  const pods = new Set(last.map((one) => one.server?.pod ?? null));
  const back = all.filter((one) => one.t > until && one.server && pods.has(one.server.pod));
  return last.length >= 3 && !pods.has(null) && back.length > 0;
};

const REFUSED = /refused|reset|hang ?up|closed|unreach|no.{0,12}(endpoint|upstream|route)|unavailable|EPIPE|ENOTFOUND/i;
const TIMEOUT = /time.?d?.?out|deadline|abort|cancel/i;

/** By what the callers say; where they say nothing, a refusal takes no longer than an answer did. */
const refused = (bad: readonly Call[]): boolean => {
  const says = bad.map((one) => one.client!.message);
  const [no, late] = [says.filter((one) => REFUSED.test(one)), says.filter((one) => TIMEOUT.test(one))];
  if (no.length + late.length > 0) return no.length > late.length;
  const durations = bad.map((one) => one.client!.durationMs);
  // Timeouts all last the same, the deadline; refusals differ by their luck.
  return quantile(durations, 0.9) > 1.5 * quantile(durations, 0.1);
};
