// From symptoms to causes: each symptom is followed down the call graph to the deepest place that shows trouble.
import type { Edge, Topology, Trouble } from '../../model.ts';
import type { Gone } from './pods.ts';
import { answeredSlowdown, contribution, ownSlowdown, slowdown, standsOut, wayThere } from './shifts.ts';
import { inside, type Symptom, sum, within } from './symptoms.ts';
import type { Slice, View, Views } from './views.ts';

/** All that is known when causes are sought. */
export type Scene = {
  readonly topology: Topology;
  readonly views: Views;
  readonly symptoms: readonly Symptom[];
  readonly gone: readonly Gone[];
};

/**
 * Where following a symptom ended. `at` is a service, the way along an edge, or somewhere below a service that doesn't
 * measure the calls it makes.
 */
export type Cause = {
  readonly at: { readonly service: string } | Edge | { readonly below: string };
  readonly trouble: Exclude<Symptom['kind'], 'silent'> | 'absent';
  readonly symptom: Symptom;
};

/** Where the symptom leads, or null when it leads to nothing that can be blamed. */
export const follow = (scene: Scene, symptom: Symptom, seen: readonly View[] = []): Cause | null => {
  const { view } = symptom;
  if (seen.includes(view)) return { at: placeOf(view), trouble: troubleOf(symptom), symptom };
  const next = (one: Symptom): Cause | null => follow(scene, one, [...seen, view]);
  const callee = view.peer ?? view.service;
  if (scene.gone.some(({ service }) => service === callee))
    return { at: { service: callee }, trouble: 'absent', symptom };
  if (symptom.kind === 'slow')
    return view.peer === null ? slowServer(scene, symptom, next) : slowCall(scene, symptom, next);
  return view.peer === null ? failingServer(scene, symptom, next) : failingCall(scene, symptom, next);
};

type Next = (symptom: Symptom) => Cause | null;

const placeOf = ({ service, peer }: View): Cause['at'] => (peer === null ? { service } : { from: service, to: peer });
const troubleOf = ({ kind }: Symptom): Cause['trouble'] => (kind === 'silent' ? 'unanswered' : kind);
const blame = (symptom: Symptom, at: Cause['at'] = placeOf(symptom.view)): Cause => ({
  at,
  trouble: troubleOf(symptom),
  symptom,
});

const overlap = (a: Symptom, b: Symptom): boolean =>
  a.stretch.first <= b.stretch.last + 1 && b.stretch.first <= a.stretch.last + 1;

/** The strongest symptom of these kinds, at the same time, in the calls that `service` makes. */
const worstCall = (scene: Scene, symptom: Symptom, service: string, ...kinds: Symptom['kind'][]): Symptom | undefined =>
  ofViews(scene, symptom, (view) => view.service === service && view.peer !== null, kinds);

const serverSymptom = (scene: Scene, symptom: Symptom, service: string, ...kinds: Symptom['kind'][]) =>
  ofViews(scene, symptom, (view) => view.service === service && view.peer === null, kinds);

const ofViews = (
  { symptoms }: Scene,
  symptom: Symptom,
  which: (view: View) => boolean,
  kinds: readonly Symptom['kind'][],
): Symptom | undefined =>
  symptoms
    .filter((one) => which(one.view) && kinds.includes(one.kind) && overlap(one, symptom))
    .sort((a, b) => b.stretch.strength - a.stretch.strength)[0];

// ---- Failures -------------------------------------------------------------------------------------------------

const failingCall = (scene: Scene, symptom: Symptom, next: Next): Cause | null => {
  const callee = symptom.view.peer!;
  const deeper =
    symptom.kind === 'erroring'
      ? (serverSymptom(scene, symptom, callee, 'erroring') ??
        worstCall(scene, symptom, callee, 'unanswered', 'erroring'))
      : (worstCall(scene, symptom, callee, 'unanswered') ??
        serverSymptom(scene, symptom, callee, 'slow') ??
        worstCall(scene, symptom, callee, 'slow') ??
        serverSymptom(scene, symptom, callee, 'erroring'));
  return deeper ? next(deeper) : blame(symptom);
};

const failingServer = (scene: Scene, symptom: Symptom, next: Next): Cause | null => {
  const { service } = symptom.view;
  const call =
    worstCall(scene, symptom, service, 'unanswered', 'erroring') ?? worstCall(scene, symptom, service, 'slow');
  return call ? next(call) : ownOrBelow(scene, symptom, next);
};

/**
 * A service that may not measure its calls: a callee that is gone, or one that has as much of the same trouble, explains
 * it. Else it is the service itself or anything between it and its callees.
 */
const ownOrBelow = (scene: Scene, symptom: Symptom, next: Next): Cause | null => {
  const { service } = symptom.view;
  const callees = calleesOf(scene.topology, service);
  const blamed = (at?: Cause['at']): Cause | null =>
    symptom.kind === 'slow'
      ? ifItStandsOut(scene, slowdown(symptom.view, symptom.stretch), symptom, at)
      : blame(symptom, at);
  if (callees.length === 0 || callsOf(scene, service).length > 0) return blamed();
  const away = scene.gone.find((one) => callees.includes(one.service));
  if (away) return { at: { service: away.service }, trouble: 'absent', symptom };
  const same = ofViews(scene, symptom, ({ service, peer }) => peer === null && callees.includes(service), [
    symptom.kind,
  ]);
  const all = callees
    .flatMap((callee) => scene.views.server.get(callee) ?? [])
    .map((callee) => amount(callee, symptom));
  const explained = all.reduce((sum, one) => sum + Math.max(0, one), 0);
  return same && explained >= amount(symptom.view, symptom) / 2 ? next(same) : blamed({ below: service });
};

/** The trouble of the symptom's kind and time that a server had: seconds of slowdown, or failed requests, over all its requests. */
const amount = (server: View, { kind, stretch }: Symptom): number =>
  kind === 'slow'
    ? slowdown(server, stretch) * sum(within(server, stretch), ({ timed }) => timed)
    : sum(within(server, stretch), ({ errors, unanswered }) => errors + unanswered);

const calleesOf = ({ edges }: Topology, service: string): string[] =>
  edges.filter(({ from }) => from === service).map(({ to }) => to);
const callsOf = ({ views }: Scene, service: string): View[] => views.client.filter((call) => call.service === service);

// ---- Slowness -------------------------------------------------------------------------------------------------

/** The least part of its usual time by which a place must have become slower to be blamed for slowness. */
const TENTH = 0.1;

const slowServer = (scene: Scene, symptom: Symptom, next: Next): Cause | null => {
  const { view, stretch } = symptom;
  const calls = callsOf(scene, view.service);
  if (calls.length === 0) return ownOrBelow(scene, symptom, next);
  const parts = calls.map((call) => ({ call, part: contribution(view, call, stretch) }));
  const most = parts.reduce((a, b) => (b.part > a.part ? b : a));
  const own = ownSlowdown(view, calls, stretch);
  if (most.part > own) return next({ kind: 'slow', view: most.call, stretch });
  const unanswered = worstCall(scene, symptom, view.service, 'unanswered');
  return unanswered ? next(unanswered) : ifItStandsOut(scene, own, symptom);
};

const slowCall = (scene: Scene, symptom: Symptom, next: Next): Cause | null => {
  const { view, stretch } = symptom;
  const unanswered = worstCall(scene, symptom, view.service, 'unanswered');
  // Slow only because the unanswered calls were waited for: it is not the answers that are slow. Where the durations of
  // both are in one series, most calls going unanswered tells the same.
  if (
    unanswered?.view === view &&
    (mostlyUnanswered(symptom) || answeredSlowdown(view, stretch) < slowdown(view, stretch) / 2)
  )
    return next(unanswered);
  const server = scene.views.server.get(view.peer!);
  const way = wayThere(view, server, stretch);
  const inside = server ? slowdown(server, stretch) : 0;
  return server && inside > way ? next({ kind: 'slow', view: server, stretch }) : ifItStandsOut(scene, way, symptom);
};

const mostlyUnanswered = ({ view, stretch }: Symptom): boolean => {
  const meanwhile = within(view, stretch);
  return sum(meanwhile, (slice) => slice.unanswered) > sum(meanwhile, ({ requests }) => requests) / 2;
};

const ifItStandsOut = (scene: Scene, part: number, symptom: Symptom, at?: Cause['at']): Cause | null => {
  const { view, stretch } = symptom;
  const usual = sum(view.baseline, ({ time }) => time) / sum(view.baseline, ({ timed }) => timed);
  const blamed = part >= TENTH * usual && standsOut(part, view, scene.views, scene.topology, stretch);
  return blamed ? blame(symptom, at) : null;
};

/** Suspicions in words of the model: what an unanswered call means is told apart by whether the calls arrived. */
export const kindOf = (scene: Scene, { trouble, symptom }: Cause, at: { service: string } | Edge): Trouble => {
  const callee = symptom.view.peer;
  if (callee === null && 'service' in at && at.service !== symptom.view.service)
    return beyond(scene, symptom, at.service);
  if (trouble !== 'unanswered') return trouble;
  return callee !== null && arrived(scene, callee, symptom) ? 'slow' : 'blocked';
};

/** Of a callee that nobody measures the calls to: it is mute when its requests ceased; else it is as its callers are. */
const beyond = ({ symptoms }: Scene, { kind }: Symptom, callee: string): Trouble => {
  const mute = symptoms.some((one) => one.kind === 'silent' && one.view.service === callee);
  return mute || kind !== 'slow' ? 'blocked' : 'slow';
};

/** Whether most of the calls that got no answer were served all the same, too late. */
const arrived = ({ views: { server, client } }: Scene, callee: string, { stretch }: Symptom): boolean => {
  const served = server.get(callee);
  const calls = client.filter(({ peer }) => peer === callee);
  const total = (slices: (view: View) => readonly Slice[], of: (slice: Slice) => number): number =>
    calls.reduce((all, view) => all + rate(view, slices(view), of), 0);
  const now = (view: View): readonly Slice[] => inside(view, stretch);
  const made = total(now, ({ requests }) => requests);
  const unanswered = total(now, (slice) => slice.unanswered);
  if (!served || made === 0) return false;
  const usual =
    rate(served, served.baseline) /
    total(
      ({ baseline }) => baseline,
      ({ requests }) => requests,
    );
  return rate(served, now(served)) >= usual * (made - unanswered / 2);
};

/** A count per second of all the view's pods, over the time that scrapes cover: pods are scraped at different moments. */
const rate = (
  view: View,
  slices: readonly Slice[],
  of: (slice: Slice) => number = ({ requests }) => requests,
): number => {
  const covered = sum(slices, (slice) => slice.covered);
  const pods = sum(view.baseline, (slice) => slice.covered) / sum(view.baseline, ({ seconds }) => seconds);
  return covered > 0 ? (pods * sum(slices, of)) / covered : 0;
};
