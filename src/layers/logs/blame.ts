// From evidence to suspects: symptoms are explained away along the call graph, what is left is blamed.
import { edge, type Nanos, type Suspect, service, type Trouble, type Window } from '../../model.ts';
import { failuresFirst } from '../failures-first.ts';
import type { Complaint } from './complaints.ts';
import { alive, type Evidence, fine, quiet, sameProcesses } from './evidence.ts';
import { callersOf, reachable } from './graph.ts';
import { pathOf, type Slow } from './slowness.ts';
import { earliest, latest } from './timeline.ts';

/** All that speaks against one component. */
type Case = {
  readonly name: string;
  /** What its callers say of it, and what it says of itself. */
  readonly heard: readonly Complaint[];
  readonly own: readonly Complaint[];
  readonly slowCalls: readonly Slow[];
  readonly slowSelf: Slow | null;
  readonly restarted: boolean;
};

/** The suspects of a window, the surest first. */
export const blame = (evidence: Evidence): Suspect[] => {
  const cases = evidence.topology.components.map((name) => caseOf(evidence, name)).filter(isTrouble);
  const unexplained = cases.filter((one) => !explained(evidence, one, cases));
  const common = commonCallee(evidence, unexplained);
  const roots = common ? [...unexplained.filter((one) => !onlySlowSelf(one)), common] : steadyGround(unexplained);
  const firm = roots.filter((one) => !isHearsay(one));
  const blamed = (firm.length > 0 ? firm : roots).flatMap((one) => verdicts(evidence, one));
  const suspects = blamed.length > 0 ? wholeCaller(evidence, blamed) : silentOnes(evidence);
  return failuresFirst(suspects);
};

const caseOf = ({ complaints, slowness, restarts }: Evidence, name: string): Case => ({
  name,
  heard: complaints.filter(({ to }) => to === name),
  own: complaints.filter(({ from, to }) => from === name && to === null),
  slowCalls: slowness.slow.filter(({ callee }) => callee === name),
  slowSelf: slowness.slow.find(({ service, callee }) => service === name && callee === null) ?? null,
  restarted: restarts.some(({ service }) => service === name),
});

const isTrouble = ({ heard, own, slowCalls, slowSelf, restarted }: Case): boolean =>
  heard.length + own.length + slowCalls.length > 0 || slowSelf !== null || restarted;

// A component that only complains of itself is likelier to feel somebody else's trouble than one whom others complain of.
const isHearsay = ({ heard, slowCalls, slowSelf, restarted }: Case): boolean =>
  heard.length + slowCalls.length === 0 && slowSelf === null && !restarted;

/** Nobody's callee can make it refuse connections, restart, or fall silent under calls: such a case stands by itself. */
const standsAlone = (evidence: Evidence, { name, heard, restarted }: Case): boolean =>
  restarted ||
  heard.some(({ failure }) => failure === 'gone') ||
  heard.some(({ failure, since, until }) => failure === 'timeout' && quiet(evidence, name, { from: since, until }));

/** A case is a symptom when something that its requests reach is in trouble too; in a circle, when that one stands alone. */
const explained = (evidence: Evidence, one: Case, cases: readonly Case[]): boolean =>
  !standsAlone(evidence, one) &&
  cases.some((other) => {
    if (other.name === one.name || isTrifle(one, other) || !reachable(evidence.topology, one.name).has(other.name))
      return false;
    return !reachable(evidence.topology, other.name).has(one.name) || standsAlone(evidence, other);
  });

/** Slowness below explains calls that were given up on only if it is of the order of the time for which they were waited. */
const isTrifle = ({ heard }: Case, other: Case): boolean => {
  const waits = heard.flatMap(({ failure, waitedMs }) => (failure === 'timeout' ? (waitedMs ?? []) : []));
  if (waits.length === 0 || other.heard.length + other.own.length > 0 || other.restarted) return false;
  const slow = [...other.slowCalls, ...(other.slowSelf ? [other.slowSelf] : [])];
  return Math.max(...slow.map(({ during }) => during)) < Math.min(...waits) / 2;
};

/**
 * Callers that are slow for no reason of their own and log no calls: when they are all the callers of one component, it is that
 * one, or the way into it.
 */
const commonCallee = ({ topology }: Evidence, roots: readonly Case[]): Case | null => {
  const slow = roots.filter(onlySlowSelf);
  const shared = topology.components.find((name) => {
    const callers = callersOf(topology, name);
    return callers.length > 1 && callers.length === slow.length && slow.every((one) => callers.includes(one.name));
  });
  const slowCalls = slow.flatMap(({ slowSelf }) => slowSelf ?? []);
  return shared ? { name: shared, heard: [], own: [], slowCalls, slowSelf: null, restarted: false } : null;
};

const onlySlowSelf = ({ heard, own, slowCalls, slowSelf, restarted }: Case): boolean =>
  heard.length + own.length + slowCalls.length === 0 && slowSelf !== null && !restarted;

// One cause makes one root. When unrelated components become slow together it is the machine under them.
const steadyGround = (roots: readonly Case[]): readonly Case[] => {
  const slowOnly = ({ heard, own, restarted }: Case): boolean => heard.length + own.length === 0 && !restarted;
  return roots.filter(slowOnly).length > 2 ? roots.filter((one) => !slowOnly(one)) : roots;
};

const verdicts = (evidence: Evidence, one: Case): Suspect[] => {
  const lost = one.heard.filter(({ failure }) => failure === 'gone' || failure === 'timeout');
  if (lost.length > 0) return lostCalls(evidence, one, lost);
  if (one.restarted) return [restartOf(evidence, one)];
  if (one.slowSelf !== null && one.heard.length === 0) return [slowService(one, one.slowSelf)];
  if (one.heard.length > 0) return [failing(evidence, one, one.heard)];
  if (one.slowCalls.length > 0) return slowCalls(evidence, one);
  return [failing(evidence, one, one.own)];
};

// ---- Calls that nobody answered ------------------------------------------------------------------------------------

const lostCalls = (evidence: Evidence, one: Case, lost: readonly Complaint[]): Suspect[] => {
  const span = spanOf(lost);
  const complaining = new Set(lost.map(({ from }) => from));
  const others = callersOf(evidence.topology, one.name).filter((name) => !complaining.has(name));
  const whole = one.restarted || quiet(evidence, one.name, span);
  if (!whole && others.some((other) => isServed(evidence, other, one.name, span)))
    return [...complaining].map((from) =>
      cutEdge(
        one.name,
        from,
        lost.filter((it) => it.from === from),
        others,
      ),
    );
  const kind = lostKind(evidence, one, lost, span, whole);
  const said = lost.map(
    ({ from, count, before, failure }) => `${from} in ${count} lines (${before} before), ${WORDS[failure]}`,
  );
  const state = whole ? 'it or one of its pods fell silent' : 'it went on logging';
  return [suspect(one.name, kind, lost, `calls to ${one.name} went unanswered: ${said.join('; ')}; ${state}`)];
};

const WORDS = {
  gone: 'refused or reset',
  timeout: 'timed out',
  answered: 'answered with an error',
  failed: 'failed',
} as const;

/**
 * Another caller's calls go on. One that logs only failures, lives and does not complain is served too, if the callee works for
 * somebody; a tenth of the usual lines shows either.
 */
const isServed = (evidence: Evidence, from: string, to: string, window: Window): boolean =>
  fine(evidence, from, to, window) ?? [from, to].every((name) => (alive(evidence, name, window) ?? 0) > 0.1);

const cutEdge = (to: string, from: string, lost: readonly Complaint[], others: readonly string[]): Suspect => {
  const count = lost.reduce((sum, one) => sum + one.count, 0);
  const why = `calls from ${from} to ${to} went unanswered in ${count} lines while those of ${others.join(', ')} went on`;
  return { ...suspect(to, 'blocked', lost, why), ref: edge(from, to) };
};

/**
 * Refused: nobody is there, unless the same processes go on afterwards: then the network refused for them. No answer: nobody is there if it fell silent, it is slow if it goes on with all of its work, and cut
 * off if it lives but has lost work.
 */
const lostKind = (evidence: Evidence, one: Case, lost: readonly Complaint[], span: Window, whole: boolean): Trouble => {
  if (lost.some(({ failure }) => failure === 'gone'))
    return sameProcesses(evidence, one.name, span.until) ? 'blocked' : 'absent';
  if (whole) return 'absent';
  if (one.slowCalls.length > 0 || one.slowSelf !== null) return 'slow';
  const share = alive(evidence, one.name, span);
  if (share === null) return 'absent';
  return share >= 0.7 ? 'slow' : 'blocked';
};

/** A component all of whose calls are cut off, to two others or more, is itself the one that is cut off. */
const wholeCaller = ({ topology }: Evidence, suspects: readonly Suspect[]): Suspect[] => {
  const cut = Map.groupBy(suspects, ({ ref }) => (ref.startsWith('edge:') ? ref.slice(5).split('->')[0]! : ''));
  return [...cut].flatMap(([from, group]) => {
    const callees = topology.edges.filter((one) => one.from === from).length;
    if (from === '' || group.length < 2 || group.length < callees) return group;
    const first = group.reduce((a, b) => (b.since < a.since ? b : a));
    const evidence = group.flatMap((one) => one.evidence).slice(0, MOST_IDS);
    return [
      { ...first, ref: service(from), evidence, why: `all calls that ${from} makes went unanswered; ${first.why}` },
    ];
  });
};

// ---- Errors, restarts, slowness, silence ---------------------------------------------------------------------------

const failing = (evidence: Evidence, { name }: Case, complaints: readonly Complaint[]): Suspect => {
  const all = complaints.map(
    ({ from, count, before, failure }) => `${from} in ${count} lines (${before} before), ${WORDS[failure]}`,
  );
  const unanswered =
    complaints.every(({ failure }) => failure === 'failed') && quiet(evidence, name, spanOf(complaints));
  return suspect(
    name,
    unanswered ? 'absent' : 'erroring',
    complaints,
    `failures of ${name} rose, as logged by ${all.join('; ')}`,
  );
};

const restartOf = ({ restarts }: Evidence, { name }: Case): Suspect => {
  const { since, gone, ids } = restarts.find(({ service }) => service === name)!;
  return {
    ref: service(name),
    kind: 'absent',
    since,
    score: 0.8,
    why: `pod ${gone} of ${name} logged nothing more and another pod came up for it`,
    evidence: ids,
  };
};

const slowService = ({ name, slowCalls }: Case, slow: Slow): Suspect => ({
  ...slowSuspect([slow, ...slowCalls]),
  ref: service(name),
  why: `${name} itself took ${figures(slow)}`,
});

/**
 * All calls to it are slow though it is not: something right in front of it. Only one of several callers' are: the way from there.
 */
const slowCalls = ({ slowness, topology }: Evidence, { name, slowCalls: slow }: Case): Suspect[] => {
  const callers = callersOf(topology, name).filter((from) => slowness.measured.has(pathOf(from, name)));
  const said = slow.map((one) => `${one.service} ${figures(one)}`).join('; ');
  const self = slowness.measured.has(name) ? `; ${name}'s own time did not move` : '';
  if (slow.length >= callers.length)
    return [{ ...slowSuspect(slow), ref: service(name), why: `calls to ${name} took ${said}${self}` }];
  return slow.map((one) => ({
    ...slowSuspect([one]),
    ref: edge(one.service, name),
    why: `calls from ${one.service} to ${name} took ${figures(one)}, those of its other callers did not${self}`,
  }));
};

const figures = ({ before, during, count }: Slow): string =>
  `${before.toFixed(1)} ms before and ${during.toFixed(1)} ms in ${count} slow lines`;

const slowSuspect = (all: readonly Slow[]): Omit<Suspect, 'ref' | 'why'> => ({
  kind: 'slow',
  since: earliest(all.map(({ since }) => since)),
  score: scoreOf(all.reduce((sum, { count }) => sum + count, 0)),
  evidence: all.flatMap(({ ids }) => ids).slice(0, MOST_IDS),
});

/** Nobody complains and somebody is silent: the silent ones that were still called. With everybody silent that is the entry. */
const silentOnes = ({ silent, topology }: Evidence): Suspect[] =>
  [...silent]
    .filter(([name]) => callersOf(topology, name).every((caller) => !silent.has(caller)))
    .map(([name, { since, until, ids }]) => ({
      ref: service(name),
      kind: 'absent',
      since,
      score: 0.5,
      why: `${name} logged nothing for ${(Number(until - since) / 1e9).toFixed(1)} s, which its usual rate rules out`,
      evidence: ids,
    }));

const MOST_IDS = 10;

const spanOf = (complaints: readonly Complaint[]): { from: Nanos; until: Nanos } => ({
  from: earliest(complaints.map(({ since }) => since)),
  until: latest(complaints.map(({ until }) => until)),
});

const suspect = (name: string, kind: Trouble, complaints: readonly Complaint[], why: string): Suspect => ({
  ref: service(name),
  kind,
  since: spanOf(complaints).from,
  score: scoreOf(complaints.reduce((sum, { count }) => sum + count, 0)),
  why,
  evidence: complaints.flatMap(({ ids }) => ids).slice(0, MOST_IDS),
});

/** Grows with the number of lines that say so, never to 1. */
const scoreOf = (lines: number): number => 0.5 + 0.5 * (lines / (lines + 10));
