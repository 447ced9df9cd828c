// Blocked: the network turns packets away that it let through before, or swallows them without a word.
import { accuse } from './accuse.ts';
import { locate, type MarksOf, type Symptom } from './locate.ts';
import type { Accusation, Route, Scene } from './scene.ts';
import { type Mark, rise, UNLIKELY, UNLIKELY_DECISION } from './statistics.ts';
import { shownAt, type Try } from './tries.ts';

/** Drops that the observer shows, per connection and second: a retransmission and a second event of one packet add nothing. */
export const blocked = (scene: Scene): Accusation[] => {
  const marksOf: MarksOf = ({ after }) => after.flatMap(dropMarks);
  const symptoms = risen(scene, dropMarks, UNLIKELY_DECISION);
  const reasons = 'were dropped by the network';
  return locate(symptoms, scene, marksOf).map((place) => accuse(place, 'blocked', reasons));
};

/**
 * Connections refused, reset or never answered, though the network shows no drop. On one of several ways into a component,
 * it is the way that is blocked; on all of them, the component does not answer.
 */
export const unanswered = (scene: Scene): Accusation[] => {
  const marksOf: MarksOf = ({ after }) => after.flatMap(lossMarks);
  const symptoms = risen(scene, lossMarks, UNLIKELY);
  return locate(symptoms, scene, marksOf).map((place) =>
    accuse(place, place.from === null ? 'absent' : 'blocked', 'were refused, reset or not answered at all'),
  );
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

const LOST = new Set<Try['outcome']>(['unanswered', 'refused', 'reset']);

/** A request that was sent again and still not answered did not arrive; one sent once may just be slow. */
const lossMarks = (one: Try): Mark[] =>
  one.outcome === 'pending' || one.outcome === 'dropped'
    ? []
    : [{ at: shownAt(one), bad: LOST.has(one.outcome) || (one.outcome === 'silent' && one.again), ids: one.ids }];
