// Erroring: a component answers more of its requests with a server error than it did.
import { service } from '../../model.ts';
import { accuse } from './accuse.ts';
import { type Accusation, routesInto, type Scene } from './scene.ts';
import { type Mark, rise } from './statistics.ts';
import { shownAt, type Try } from './tries.ts';

/** By the HTTP codes of all that it answers; needs flows of layer 7. */
export const erroring = (scene: Scene): Accusation[] =>
  scene.topology.components.flatMap((component) => {
    const routes = routesInto(scene, component);
    const marks = (tries: readonly Try[]): Mark[] => tries.flatMap(mark).sort((a, b) => Number(a.at - b.at));
    const before = marks(routes.flatMap((route) => route.before));
    const found = rise(before, marks(routes.flatMap((route) => route.after)), scene.test);
    if (!found) return [];
    const symptoms = routes.map((route) => ({ route, rise: found }));
    const place = { ref: service(component), at: component, from: null, symptoms };
    return [accuse(place, 'erroring', 'were answered with a 5xx')];
  });

const mark = (one: Try): Mark[] =>
  one.code === null ? [] : [{ at: shownAt(one), bad: one.code >= 500, ids: one.ids }];
