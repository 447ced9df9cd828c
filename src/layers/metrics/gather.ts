// Causes gathered into accusations: many callers' trouble with one callee is the callee's, one caller's alone is the way's.
import type { Edge } from '../../model.ts';
import type { Cause, Scene } from './causes.ts';
import { wayThere } from './shifts.ts';
import { sum, within } from './symptoms.ts';
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
    .filter((call) => sum(within(call, stretch), ({ requests }) => requests) >= ENOUGH)
    .some((call) => amount(scene, cause, call) < amount(scene, cause, view) / 2);
};

/** How much trouble of the cause's kind a way has: a share of its calls, or seconds per call. */
const amount = ({ views }: Scene, { trouble, symptom: { stretch } }: Cause, call: View): number => {
  if (trouble === 'slow') return wayThere(call, views.server.get(call.peer!), stretch);
  const slices = within(call, stretch);
  const bad = sum(slices, ({ unanswered, errors }) => (trouble === 'erroring' ? errors : unanswered));
  return bad / sum(slices, ({ requests }) => requests);
};

// ---- Places that nobody measures ------------------------------------------------------------------------------

/**
 * Services that are in trouble while all that they call looks well from within. A callee whose callers are all in trouble, two at
 * least, explains them all by one place. Otherwise each service's own work, each of its callees and each way to one is possible.
 */
const somewhereBelow = (scene: Scene, causes: readonly Cause[]): Accusation[] => {
  const troubled = new Set(scene.symptoms.filter(({ kind }) => kind !== 'silent').map(({ view }) => view.service));
  return causes.flatMap((cause) => {
    const { below } = cause.at as { below: string };
    const out = scene.topology.edges.filter(({ from }) => from === below);
    const shared = out.filter(
      ({ to }) => callersOf(scene, to).length > 1 && callersOf(scene, to).every((from) => troubled.has(from)),
    );
    const mute = out.filter(({ to }) =>
      scene.symptoms.some(({ kind, view }) => kind === 'silent' && view.service === to),
    );
    const likely = mute.length > 0 ? mute : shared;
    return [
      ...likely.map(({ to }) => ({
        at: { service: to },
        causes: [cause],
        certainty: ONLY_ONE / Math.sqrt(likely.length),
      })),
      { at: { service: below }, causes: [cause], certainty: likely.length > 0 ? POSSIBLE : LIKELY },
      ...out.filter((one) => !likely.includes(one)).map((one) => possible(scene, one, cause)),
    ];
  });
};

const callersOf = ({ topology }: Scene, service: string): string[] =>
  topology.edges.filter(({ to }) => to === service).map(({ from }) => from);

const possible = (scene: Scene, way: Edge, cause: Cause): Accusation => ({
  at: callersOf(scene, way.to).length > 1 ? way : { service: way.to },
  causes: [cause],
  certainty: POSSIBLE,
});
