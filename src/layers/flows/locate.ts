// From routes that show a symptom to the fewest places that explain them: a component, or one way into it.
import { edge, type Ref, service } from '../../model.ts';
import { type Route, routesInto, routesOutOf, type Scene } from './scene.ts';
import { binomialHead, type Mark, type Rise } from './statistics.ts';

/** A route on which a symptom rose. */
export type Symptom = { readonly route: Route; readonly rise: Rise };

/** A place that explains symptoms; `at` is its component, `from` the only caller that is hurt, or null. */
export type Place = {
  readonly ref: Ref;
  readonly at: string;
  readonly from: string | null;
  readonly symptoms: readonly Symptom[];
};

/** Shows the symptom's marks of a route in the test window. */
export type MarksOf = (route: Route) => readonly Mark[];

/**
 * Takes, again and again, the component that explains the most symptoms: one that is hurt on every way into it (and, if so,
 * on every way out), or on two or more ways out and all of them. What no component explains is an edge.
 */
export const locate = (symptoms: readonly Symptom[], scene: Scene, marksOf: MarksOf): Place[] => {
  const places: Place[] = [];
  let left = symptoms;
  while (left.length > 0) {
    const best = scene.topology.components
      .map((component) => ({ component, explained: explainedBy(component, left, symptoms, scene, marksOf) }))
      .reduce((a, b) => (b.explained.length > a.explained.length ? b : a));
    const place = best.explained.length > 0 ? whole(best.component, best.explained) : single(left[0]!);
    places.push(place);
    left = left.filter((one) => !place.symptoms.includes(one));
  }
  return places;
};

const whole = (component: string, symptoms: readonly Symptom[]): Place => ({
  ref: service(component),
  at: component,
  from: null,
  symptoms,
});

const single = (symptom: Symptom): Place => {
  const { from, to } = symptom.route;
  return { ref: edge(from, to), at: to, from, symptoms: [symptom] };
};

const explainedBy = (
  component: string,
  left: readonly Symptom[],
  all: readonly Symptom[],
  scene: Scene,
  marksOf: MarksOf,
): Symptom[] => {
  const hurt = (routes: readonly Route[]): Symptom[] => {
    const found = all.filter(({ route }) => routes.includes(route));
    const spared = routes.some((route) => found.length > 0 && isSpared(route, found, marksOf));
    return spared ? [] : found;
  };
  const into = hurt(routesInto(scene, component));
  const outOf = hurt(routesOutOf(scene, component));
  const own = into.length > 0 || outOf.length > 1 ? [...into, ...outOf] : [];
  return own.filter((one) => left.includes(one));
};

/** Chance at which a route without the symptom may still be one that had too few tries to show it. */
const DOUBT = 0.05;

/** Whether a route has so few bad tries, while the symptom was there, that it can't have had it. */
const isSpared = (route: Route, symptoms: readonly Symptom[], marksOf: MarksOf): boolean => {
  if (symptoms.some((one) => one.route === route)) return false;
  const [since, until] = [min(symptoms.map(({ rise }) => rise.since)), max(symptoms.map(({ rise }) => rise.until))];
  const marks = marksOf(route).filter(({ at }) => at >= since && at <= until);
  const share = Math.min(...symptoms.map(({ rise }) => rise.share));
  return marks.length > 0 && binomialHead(marks.filter(({ bad }) => bad).length, marks.length, share) < DOUBT;
};

const inOrder = (values: readonly bigint[]): bigint[] => values.toSorted((a, b) => Number(a - b));
export const min = (values: readonly bigint[]): bigint => inOrder(values)[0]!;
const max = (values: readonly bigint[]): bigint => inOrder(values).at(-1)!;
