// Blocked: the network turns packets away that it let through before, or swallows them without a word.
import { accuse } from './accuse.ts';
import { locate, type MarksOf, type Place, type Symptom } from './locate.ts';
import type { Accusation, Route, Scene } from './scene.ts';
import { type Mark, rise, UNLIKELY, UNLIKELY_DECISION } from './statistics.ts';
import { PATIENCE, shownAt, type Try } from './tries.ts';

/** Drops that the observer shows, per connection and second: a retransmission and a second event of one packet add nothing. */
export const blocked = (scene: Scene): Accusation[] => {
  const marksOf: MarksOf = ({ after }) => after.flatMap(dropMarks);
  const symptoms = risen(scene, dropMarks, UNLIKELY_DECISION);
  const reasons = 'were dropped by the network';
  return locate(symptoms, scene, marksOf).map((place) => accuse(place, 'blocked', reasons));
};

/**
 * Connections refused, reset or never answered, though the network shows no drop. On one of several ways into a component,
 * or when its pods are heard elsewhere meanwhile, it is the way that is blocked; else the component does not answer.
 */
export const unanswered = (scene: Scene): Accusation[] => {
  const marksOf: MarksOf = ({ after }) => after.flatMap(lossMarks);
  const symptoms = risen(scene, lossMarks, UNLIKELY);
  return locate(symptoms, scene, marksOf).map((place) => {
    const kind = place.from !== null || isAlive(place, scene) ? 'blocked' : 'absent';
    return accuse(place, kind, 'were refused, reset or not answered at all');
  });
};

/** Whether most of the tries that went unanswered were to pods that were heard while they did not answer. */
const isAlive = ({ symptoms }: Place, { history }: Scene): boolean => {
  const lost = symptoms.flatMap(({ route, rise: { since, until } }) =>
    route.after.filter((one) => isLost(one) && shownAt(one) >= since && shownAt(one) <= until),
  );
  const [first, last] = [lost[0]?.at ?? 0n, lost.at(-1)?.at ?? 0n];
  const heard = new Set(
    history.signs.filter(({ at }) => at > first + PATIENCE && at < last).map(({ from }) => from.ip),
  );
  return lost.filter(({ outcome, server }) => UNHEARD.has(outcome) && heard.has(server.ip)).length > lost.length / 2;
};

const risen = (scene: Scene, marks: (one: Try) => Mark[], level: number): Symptom[] =>
  scene.routes.flatMap((route: Route) => {
    const found = rise(route.before.flatMap(marks), route.after.flatMap(marks), scene.test, level);
    return found ? [{ route, rise: found }] : [];
  });

const dropMarks = (one: Try): Mark[] =>
  one.outcome === 'dropped'
    ? one.drops.map(({ at, id }) => ({ at, bad: true, ids: [id] }))
    : [{ at: one.at, bad: false, ids: one.ids }];

const UNHEARD = new Set<Try['outcome']>(['unanswered', 'silent']);
const REFUSED = new Set<Try['outcome']>(['refused', 'reset']);

/** A request that was sent again and still not answered did not arrive; one sent once may just be slow. */
const isLost = ({ outcome, again }: Try): boolean =>
  REFUSED.has(outcome) || outcome === 'unanswered' || (outcome === 'silent' && again);

const lossMarks = (one: Try): Mark[] =>
  one.outcome === 'pending' || one.outcome === 'dropped' ? [] : [{ at: shownAt(one), bad: isLost(one), ids: one.ids }];
