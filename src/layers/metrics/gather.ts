// Causes gathered into accusations: many callers' trouble with one callee is the callee's, one caller's alone is the way's.
import type { Edge } from '../../model.ts';
import type { Cause, Scene } from './causes.ts';
import { wayThere } from './shifts.ts';
import { inside, sum } from './symptoms.ts';
import type { View } from './views.ts';

/** A place, and the causes that led there. `certainty` (0 to 1) is below a half where other places explain as much. */
export type Accusation = {
  readonly at: { readonly service: string } | Edge;
  readonly causes: readonly Cause[];
  readonly certainty: number;
};

const KNOWN = 0.9;
/** Callers that measure nothing of their calls: this place explains all of it and no other explains as much. */
const ONLY_ONE = 0.7;
const LIKELY = 0.55;
const POSSIBLE = 0.3;

export const accusations = (scene: Scene, causes: readonly Cause[]): Accusation[] => {
  const services = causes.flatMap((cause) =>
    'service' in cause.at ? [{ at: cause.at, causes: [cause], certainty: KNOWN }] : [],
  );
  const ways = causes.filter(({ at }) => 'to' in at);
  const belows = causes.filter(({ at }) => 'below' in at);
  return merged([...services, ...waysInto(scene, ways), ...somewhereBelow(scene, belows)]);
};

const nameOf = ({ at }: Accusation): string => ('to' in at ? `${at.from}->${at.to}` : at.service);

/** One accusation a place, with the causes of all and the certainty of the surest. */
const merged = (all: readonly Accusation[]): Accusation[] => {
  const places = new Map<string, Accusation>();
  for (const one of all) {
    const before = places.get(nameOf(one));
    places.set(
      nameOf(one),
      before
        ? { ...one, causes: [...before.causes, ...one.causes], certainty: Math.max(before.certainty, one.certainty) }
        : one,
    );
  }
  return [...places.values()];
};

// ---- Ways, measured by their callers --------------------------------------------------------------------------

const edgeOf = ({ at }: Cause): Edge => at as Edge;

const waysInto = (scene: Scene, causes: readonly Cause[]): Accusation[] => {
  const stuck = new Set(causes.map((cause) => edgeOf(cause).from).filter((from) => isCaller(scene, from, causes)));
  return causes.map((cause) => {
    const { from, to } = edgeOf(cause);
    const at = stuck.has(from) ? { service: from } : healthy(scene, cause, causes) ? { from, to } : { service: to };
    return { at, causes: [cause], certainty: KNOWN };
  });
};

/** A caller all of whose several ways out are in trouble, each of them for it alone, is itself the trouble. */
const isCaller = (scene: Scene, from: string, causes: readonly Cause[]): boolean => {
  const out = scene.views.client.filter(({ service }) => service === from);
  const hit = causes.filter((cause) => edgeOf(cause).from === from);
  const callees = new Set(hit.map((cause) => edgeOf(cause).to));
  const alone = hit.every(({ at }) =>
    causes.every((other) => edgeOf(other).to !== (at as Edge).to || edgeOf(other).from === from),
  );
  return out.length > 1 && out.every(({ peer }) => callees.has(peer!)) && alone;
};

/** Fewer calls than this say nothing of a way's health. */
const ENOUGH = 5;

/** Whether another caller of the same callee had, at that time, less than half of the trouble. */
const healthy = (scene: Scene, cause: Cause, causes: readonly Cause[]): boolean => {
  const { from, to } = edgeOf(cause);
  const hit = new Set(causes.filter((other) => edgeOf(other).to === to).map((other) => edgeOf(other).from));
  const { stretch, view } = cause.symptom;
  return scene.views.client
    .filter((call) => call.peer === to && call.service !== from && !hit.has(call.service))
    .filter((call) => sum(inside(call, stretch), ({ requests }) => requests) >= ENOUGH)
    .some((call) => amount(scene, cause, call) < amount(scene, cause, view) / 2);
};

/** How much trouble of the cause's kind a way has: a share of its calls, or seconds per call. */
const amount = ({ views }: Scene, { trouble, symptom: { stretch } }: Cause, call: View): number => {
  if (trouble === 'slow') return wayThere(call, views.server.get(call.peer!), stretch);
  const slices = inside(call, stretch);
  const bad = sum(slices, ({ unanswered, errors }) => (trouble === 'erroring' ? errors : unanswered));
  return bad / sum(slices, ({ requests }) => requests);
};

// ---- Places that nobody measures ------------------------------------------------------------------------------

/**
 * Services that are in trouble while all that they call looks well from within. A callee that hears nothing any more, or whose
 * callers are all in such trouble, two at least, explains it by one place. Otherwise each service's own work, each of
 * its callees and each way to one is possible.
 */
const somewhereBelow = (scene: Scene, causes: readonly Cause[]): Accusation[] => {
  const stuck = new Set(causes.map(belowOf));
  return causes.flatMap((cause) => {
    const out = scene.topology.edges.filter(({ from }) => from === belowOf(cause));
    const mute = out.filter(({ to }) => hearsNothing(scene, to));
    const shared = out.filter(({ to }) => sharedBy(scene, to, stuck));
    // When nothing at all is called any more and nobody waits for it, the service fails before it calls.
    const likely = mute.length > 0 && (mute.length < out.length || waits(cause, causes)) ? mute : shared;
    return [
      ...likely.map(({ to }) => place({ service: to }, cause, ONLY_ONE / Math.sqrt(likely.length))),
      place({ service: belowOf(cause) }, cause, likely.length > 0 ? POSSIBLE : LIKELY),
      ...out.filter((one) => !likely.includes(one)).map((one) => possible(scene, one, cause)),
    ];
  });
};

const belowOf = ({ at }: Cause): string => (at as { below: string }).below;
const place = (at: Accusation['at'], cause: Cause, certainty: number): Accusation => ({
  at,
  causes: [cause],
  certainty,
});

/** Silent, and not merely seldom called: most of that time without a single request. */
const hearsNothing = ({ symptoms }: Scene, callee: string): boolean =>
  symptoms.some(({ kind, view, stretch }) => {
    const slices = inside(view, stretch);
    const empty = slices.filter(({ requests }) => requests === 0);
    return kind === 'silent' && view.service === callee && empty.length >= 0.8 * slices.length;
  });

const sharedBy = (scene: Scene, callee: string, stuck: ReadonlySet<string>): boolean => {
  const callers = callersOf(scene, callee);
  return callers.length > 1 && callers.every((from) => stuck.has(from));
};

const waits = (cause: Cause, causes: readonly Cause[]): boolean =>
  causes.some((one) => belowOf(one) === belowOf(cause) && one.trouble === 'slow');

const callersOf = ({ topology }: Scene, service: string): string[] =>
  topology.edges.filter(({ to }) => to === service).map(({ from }) => from);

const possible = (scene: Scene, way: Edge, cause: Cause): Accusation =>
  place(callersOf(scene, way.to).length > 1 ? way : { service: way.to }, cause, POSSIBLE);
