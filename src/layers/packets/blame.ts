// From edges in trouble to who is to blame for it: symptoms are explained away along the call graph.
import { edge as edgeRef, type Ref, service, type Trouble } from '../../model.ts';
import type { Broken } from './broken.ts';
import { kindOf, onlyWaiting, symptomsOf } from './kind.ts';
import { meanMs, type Slow } from './slow.ts';
import { callersOf, type EdgeView, edgeKey, type View, WORLD } from './view.ts';

/** What is blamed, before it is put in words. */
export type Blamed = {
  readonly ref: Ref;
  readonly kind: Trouble;
  readonly broken: readonly Broken[];
  readonly slow: readonly Slow[];
};

type InTime = { readonly from: number; readonly until: number };

/** Trouble at both ends of a call rarely begins in the same millisecond: a caller may notice seconds later. */
const SLACK_MS = 3000;

const overlap = (a: InTime, b: InTime): boolean => a.from <= b.until + SLACK_MS && b.from <= a.until + SLACK_MS;

// ---- Failed calls ------------------------------------------------------------------------------------------------

/** Who is to blame for failed calls: the fewest components, or edges, that explain them all. */
export const blameBroken = (view: View, all: readonly Broken[], slow: readonly Slow[]): Blamed[] => {
  const roots = all.filter((one) => !isSymptom(view, one, all, slow));
  const blamed: Blamed[] = [];
  for (let left = roots; left.length > 0; ) {
    const next = bestCover(view, left) ?? edgeAlone(view, left[0]!);
    blamed.push(next);
    left = left.filter((one) => !next.broken.includes(one));
  }
  return blamed;
};

/** Callers wait in vain for a program that itself waits for another one. */
const isSymptom = (view: View, one: Broken, all: readonly Broken[], slow: readonly Slow[]): boolean =>
  onlyWaiting(symptomsOf(view, [one])) &&
  [...all, ...slow].some((other) => other.view.edge.from === one.view.edge.to && other !== one && overlap(one, other));

type Cover = { readonly name: string; readonly inbound: readonly Broken[]; readonly outbound: readonly Broken[] };

/** The component that explains the most of these edges, if one explains any. */
const bestCover = (view: View, left: readonly Broken[]): Blamed | null => {
  const covers = view.topology.components
    .map((name) => coverOf(view, name, left))
    .filter((cover) => cover !== null)
    .sort((a, b) => size(b) - size(a) || b.inbound.length - a.inbound.length);
  const best = covers[0];
  if (!best) return null;
  const broken = [...best.inbound, ...best.outbound];
  // A component that goes on opening connections is alive; calls that were merely cut short may have died with it.
  const cutOff = best.outbound.some(({ bad }) => bad.some((one) => one.bad === 'unanswered' || one.bad === 'refused'));
  return { ref: service(best.name), kind: cutOff ? 'blocked' : kindOf(view, best.inbound), broken, slow: [] };
};

const size = ({ inbound, outbound }: Cover): number => inbound.length + outbound.length;

/**
 * A component is a cover when none of its callers still gets through to it; or, with no trouble towards it, when it reaches
 * none of several others any more.
 */
const coverOf = (view: View, name: string, left: readonly Broken[]): Cover | null => {
  const inbound = left.filter(({ view: { edge } }) => edge.to === name);
  const outbound = left.filter(({ view: { edge } }) => edge.from === name);
  const reached = (edges: readonly EdgeView[], during: readonly Broken[]): boolean =>
    edges.some((one) => !during.some((broken) => broken.view === one) && getsThrough(one, during));
  const into = [...view.edges.values()].filter(({ edge }) => edge.to === name);
  const outOf = [...view.edges.values()].filter(({ edge }) => edge.from === name);
  if (inbound.length > 0) return reached(into, inbound) ? null : { name, inbound, outbound };
  return outbound.length > 1 && !reached(outOf, outbound) ? { name, inbound, outbound } : null;
};

/** Fewer calls may have been under way when the trouble began. */
const FEWEST_THROUGH = 3;

/** Most calls along this edge went well while others failed. */
const getsThrough = ({ test }: EdgeView, during: readonly Broken[]): boolean => {
  const calls = test.filter(({ t }) => during.some(({ from, until }) => t >= from && t <= until));
  const well = calls.filter(({ bad }) => bad === null).length;
  return well >= FEWEST_THROUGH && well * 2 > calls.length;
};

/** Others get through to the server: what fails is the way from this caller, or what the server does for it. */
const edgeAlone = (view: View, one: Broken): Blamed => {
  const { from, to } = one.view.edge;
  const kind = onlyWaiting(symptomsOf(view, [one])) ? kindOf(view, [one]) : 'blocked';
  return { ref: edgeRef(from, to), kind, broken: [one], slow: [] };
};

// ---- Late answers ------------------------------------------------------------------------------------------------

/** The share of a component's lateness that what it calls must account for, to be its explanation. */
const EXPLAINED = 0.6;

/** Who is to blame for late answers: whoever's own time has grown, not whoever waits for another. */
export const blameSlow = (view: View, all: readonly Slow[], broken: readonly Broken[]): Blamed[] => {
  const roots = all.filter((one) => !isExplained(view, one, broken));
  const blamed = [...Map.groupBy(roots, ({ view: { edge } }) => edge.to)].flatMap(([name, slow]) =>
    blameServer(view, name, slow),
  );
  return blamed.filter((one) => !isEgress(view, one, blamed, all));
};

const isExplained = (view: View, one: Slow, broken: readonly Broken[]): boolean => {
  const { to } = one.view.edge;
  if (
    broken.some(
      (other) =>
        (other.view.edge.from === to || other.view === one.view || other.view.edge.to === to) && overlap(one, other),
    )
  )
    return true;
  const edges = [...view.edges.values()];
  const inbound = lateness(
    edges.filter(({ edge }) => edge.to === to),
    one,
  );
  const outbound = lateness(
    edges.filter(({ edge }) => edge.from === to && edge.to !== to),
    one,
  );
  return outbound >= EXPLAINED * inbound;
};

/** All the milliseconds that calls along these edges took beyond what is usual, in that time. */
const lateness = (edges: readonly EdgeView[], { from, until }: InTime): number =>
  edges.reduce((sum, { baseline, test }) => {
    const usual = meanMs(baseline);
    const during = test.filter(({ t, ms }) => ms !== null && t >= from && t <= until);
    return during.reduce((late, { ms }) => late + (ms! - usual), sum);
  }, 0);

/** All callers get late answers, or the only one: the component. One of several: the way from there. */
const blameServer = (view: View, name: string, slow: readonly Slow[]): Blamed[] => {
  const late = new Set(slow.map(({ view: { edge } }) => edge.from));
  const others = callersOf(view.topology, name)
    .filter((from) => !late.has(from))
    .flatMap((from) => view.edges.get(edgeKey({ from, to: name })) ?? []);
  const spared = others.some((one) => isSpared(one, slow));
  if (!spared && name !== WORLD) return [{ ref: service(name), kind: 'slow', broken: [], slow }];
  return slow.map((one) => ({ ref: edgeRef(one.view.edge.from, name), kind: 'slow', broken: [], slow: [one] }));
};

/** Whether a caller that we saw often enough was not late at all, or by far less. */
const isSpared = ({ baseline, test }: EdgeView, slow: readonly Slow[]): boolean => {
  const during = test.filter(({ t, ms }) => ms !== null && slow.some(({ from, until }) => t >= from && t <= until));
  const excess = slow.map(({ view, from, until }) => {
    const calls = view.test.filter(({ t, ms }) => ms !== null && t >= from && t <= until);
    return meanMs(calls) - meanMs(view.baseline);
  });
  return during.length > 2 && baseline.length > 2 && meanMs(during) - meanMs(baseline) < Math.min(...excess) / 2;
};

/** A component that answers late and gets all of its own answers late has its network to blame, not those that it calls. */
const isEgress = (view: View, one: Blamed, blamed: readonly Blamed[], all: readonly Slow[]): boolean => {
  const callers = new Set(one.slow.map(({ view: { edge } }) => edge.from));
  const [caller] = callers;
  if (callers.size !== 1 || !blamed.some(({ ref }) => ref === service(caller!))) return false;
  const outOf = [...view.edges.values()].filter(({ edge, test }) => edge.from === caller && test.length > 0);
  return outOf.length > 1 && outOf.every((edge) => all.some((slow) => slow.view === edge));
};
