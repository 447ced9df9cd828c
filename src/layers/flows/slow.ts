// Slow: a component takes longer for its own part of a request than it did, for all requests or for some.
import { median, quantile } from 'simple-statistics';
import { accuse } from './accuse.ts';
import { locate, type MarksOf, type Symptom } from './locate.ts';
import { ownTimes } from './own-time.ts';
import type { Accusation, Route, Scene } from './scene.ts';
import { type Mark, type Rise, rise } from './statistics.ts';
import { shownAt, type Try } from './tries.ts';

/** The middle shows that all requests shifted, the upper levels that some of them did. */
const LEVELS = [0.5, 0.8, 0.95];
/** Below a scheduler's time slice and a fifth of the usual time, a shift is load and not a fault. */
const LEAST_MS = 8;
const LEAST_SHARE = 0.2;
/** With fewer requests to compare with, a level says nothing. */
const LEAST_REQUESTS = 10;

type Own = (one: Try) => number | undefined;

/** Compares, per route, the callee's own time (see `ownTimes`) with the levels of the baseline. */
export const slow = (scene: Scene): Accusation[] => {
  const times = ownTimes(scene.history.tries);
  const own: Own = (one) => times.get(one);
  const found = scene.routes.flatMap((route) => shifted(route, scene, own));
  const limits = new Map(found.map(({ route, limit }) => [route, limit]));
  const marksOf: MarksOf = (route) => marks(route.after, own, limits.get(route) ?? usualLimit(route, scene, own));
  return locate(found, scene, marksOf).map((place) =>
    accuse(
      place,
      'slow',
      `took longer than ${describeLimits(found, place.symptoms)}, calls made meanwhile not counted`,
    ),
  );
};

/** Whether there is anything to measure times by: data packets or HTTP, in the baseline. */
export const hasTimes = ({ routes }: Scene): boolean =>
  routes.some(
    ({ before }) => before.filter(({ kind, ms }) => kind === 'request' && ms !== null).length >= LEAST_REQUESTS,
  );

type Shift = Symptom & { readonly limit: number };

const shifted = (route: Route, scene: Scene, own: Own): Shift[] => {
  const usual = values(route.before, own);
  if (usual.length < LEAST_REQUESTS) return [];
  const drift = hostDrift(route.to, scene, own);
  return LEVELS.flatMap((level) => {
    const limit = limitAt(level, usual) + drift;
    const found = rise(marks(route.before, own, limit), marks(route.after, own, limit), scene.test);
    return found ? [{ route, rise: found, limit }] : [];
  })
    .sort((a, b) => strength(b.rise) - strength(a.rise))
    .slice(0, 1);
};

const strength = ({ share, before }: Rise): number => share - before;

const limitAt = (level: number, usual: number[]): number =>
  quantile(usual, level) + Math.max(LEAST_MS, LEAST_SHARE * median(usual));

const usualLimit = (route: Route, scene: Scene, own: Own): number => {
  const usual = values(route.before, own);
  return usual.length === 0 ? Number.POSITIVE_INFINITY : limitAt(0.5, usual) + hostDrift(route.to, scene, own);
};

const values = (tries: readonly Try[], own: Own): number[] => tries.map(own).filter((value) => value !== undefined);

const marks = (tries: readonly Try[], own: Own, limit: number): Mark[] =>
  tries.flatMap((one) => {
    const value = own(one);
    const counts = value !== undefined && one.outcome !== 'dropped' && one.outcome !== 'reset';
    return counts ? [{ at: shownAt(one), bad: value > limit, ids: one.ids }] : [];
  });

/**
 * Milliseconds by which the other components, in the middle, got slower: what slows all of them is the machine that they
 * share, or the load, and is not held against one of them.
 */
const hostDrift = (component: string, scene: Scene, own: Own): number => {
  const others = scene.topology.components.filter((one) => one !== component);
  const drifts = others.flatMap((other) => {
    const routes = scene.routes.filter(({ to }) => to === other);
    const before = routes.flatMap((route) => values(route.before, own));
    const after = routes.flatMap((route) => values(route.after, own));
    return before.length < LEAST_REQUESTS || after.length < LEAST_REQUESTS ? [] : [median(after) - median(before)];
  });
  return drifts.length === 0 ? 0 : Math.max(0, median(drifts));
};

const describeLimits = (found: readonly Shift[], symptoms: readonly Symptom[]): string =>
  found
    .filter((one) => symptoms.includes(one))
    .map(({ limit }) => `${Math.round(limit)} ms`)
    .join(' and ');
