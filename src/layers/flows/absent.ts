// Absent: a pod falls silent although it is asked, or is replaced by another, or its component is heard no more.
import { linearRegression } from 'simple-statistics';
import { type Nanos, service, type Window } from '../../model.ts';
import { SECOND, toMs } from '../../time.ts';
import { min } from './locate.ts';
import { type Accusation, routesInto, type Scene } from './scene.ts';
import { UNLIKELY } from './statistics.ts';
import { componentOf, type Sign, shownAt, type Try } from './tries.ts';

/** Garbage collection and scheduling silence a healthy process for a few hundred milliseconds, not for this long. */
const LONGEST_PAUSE = (3n * SECOND) / 2n;
const SLOT = SECOND / 2n;

/** One pod, by its address: what it was heard to send, in order of time. */
type Voice = { readonly ip: string; readonly name: string; readonly signs: readonly Sign[] };
type Silence = Window & { readonly after: Sign };
type Absence = {
  readonly since: Nanos;
  readonly score: number;
  readonly why: string;
  readonly evidence: readonly string[];
};

/** One accusation at most for each component, by the surest of its pods. */
export const absent = (scene: Scene): Accusation[] =>
  scene.topology.components.flatMap((component) => {
    const voices = voicesOf(component, scene);
    const found = [
      ...voices.flatMap((voice) => silenced(voice, component, voices, scene)),
      ...vanished(component, voices, scene),
    ];
    const surest = found.sort((a, b) => b.score - a.score)[0];
    return surest ? [{ ref: service(component), kind: 'absent' as const, at: component, from: null, ...surest }] : [];
  });

const voicesOf = (component: string, { history, topology }: Scene): Voice[] => {
  const signs = history.signs.filter(({ from }) => componentOf(from, topology) === component);
  return [...Map.groupBy(signs, ({ from }) => from.ip)].map(([ip, own]) => ({
    ip,
    name: own[0]!.from.pod ?? ip,
    signs: own,
  }));
};

const silenced = (voice: Voice, component: string, voices: readonly Voice[], scene: Scene): Absence[] => {
  const silence = longestSilence(voice.signs, scene);
  if (!silence) return [];
  const unserved = unservedBy(voice, component, silence, scene);
  if (isUnusual(unserved.length, component, scene)) return [unanswering(voice, silence, unserved)];
  const successor = voices.find(({ signs }) => signs[0]!.at > silence.from && signs[0]!.at >= scene.test.from);
  const isLast = silence.until >= scene.test.until;
  return successor && isLast && isSurprising(silence, voice.signs, scene) ? [replaced(voice, silence, successor)] : [];
};

const unanswering = (voice: Voice, silence: Silence, unserved: readonly Try[]): Absence => ({
  since: min(unserved.map(shownAt)),
  score: 0.95,
  why: `${voice.name} sent nothing for ${seconds(silence)} s while ${unserved.length} tries to reach it went unserved`,
  evidence: [silence.after.id, ...unserved.flatMap(({ ids }) => ids)].slice(0, 10),
});

const replaced = (voice: Voice, silence: Silence, successor: Voice): Absence => ({
  since: successor.signs[0]!.at,
  score: 0.9,
  why: `${voice.name} was not heard again, and ${successor.name}, never seen before, took its place`,
  evidence: [silence.after, ...successor.signs].map(({ id }) => id).slice(0, 10),
});

/** The longest stretch of the test window without a sign, for a voice that was heard in the baseline. */
const longestSilence = (signs: readonly Sign[], { test }: Scene): Silence | null => {
  if (signs.length === 0 || signs[0]!.at >= test.from) return null;
  const gaps = signs.map((after, index) => ({
    after,
    from: after.at,
    until: signs[index + 1]?.at ?? test.until,
  }));
  const inTest = gaps.filter(({ until }) => until > test.from);
  const longest = inTest.reduce((a, b) => (b.until - b.from > a.until - a.from ? b : a), inTest[0]!);
  return longest && longest.until - longest.from >= LONGEST_PAUSE ? longest : null;
};

const FAILED = new Set<Try['outcome']>(['silent', 'refused', 'reset', 'unanswered']);

/** Tries during the silence that nobody served: not those that the network kept away, nor those that were only slow. */
const unservedBy = ({ ip }: Voice, component: string, silence: Silence, scene: Scene): Try[] => {
  const tries = routesInto(scene, component)
    .flatMap(({ before, after }) => [...before, ...after])
    .filter(({ at, server }) => server.ip === ip && at >= silence.from && at < silence.until);
  const failed = tries.filter(({ outcome }) => FAILED.has(outcome));
  const served = tries.filter(
    ({ kind, outcome }) => kind === 'request' && (outcome === 'late' || outcome === 'answered'),
  );
  if (tries.some(({ outcome }) => outcome === 'dropped')) return [];
  if (served.length > failed.length) return thawed(served) ? served : [];
  return failed;
};

/** A process that was stopped answers all that has piled up at once: the later asked, the shorter the wait. */
const thawed = (served: readonly Try[]): boolean => {
  const points = served.flatMap(({ at, ms }) => (ms === null ? [] : [[toMs(at - served[0]!.at), ms]]));
  return points.length > 2 && linearRegression(points).m < -0.5;
};

/** Whether so many tries in a row going unserved is out of proportion to the baseline (rule of succession; Laplace). */
const isUnusual = (count: number, component: string, scene: Scene): boolean => {
  const before = routesInto(scene, component).flatMap((route) => route.before);
  const usual = (before.filter(({ outcome }) => FAILED.has(outcome)).length + 1) / (before.length + 2);
  return count > 0 && usual ** count <= UNLIKELY;
};

/** Whether a voice with these signs in the baseline would hardly be silent for so long. */
const isSurprising = (silence: Window, signs: readonly Sign[], { baseline }: Scene): boolean => {
  const slots = Number((baseline.until - baseline.from) / SLOT);
  const heard = new Set(signs.filter(({ at }) => at < baseline.until).map(({ at }) => at / SLOT)).size;
  const quiet = (Math.max(0, slots - heard) + 1) / (slots + 2);
  return quiet ** (Number(silence.until - silence.from) / Number(SLOT)) <= UNLIKELY;
};

/**
 * A component that was cut off in use and never heard again, although its callers are still at work: where callers learn at
 * once that nobody is there, no try is left that could fail.
 */
const vanished = (component: string, voices: readonly Voice[], scene: Scene): Absence[] => {
  const signs = voices.flatMap((voice) => voice.signs).sort((a, b) => Number(a.at - b.at));
  const silence = longestSilence(signs, scene);
  if (!silence || silence.until < scene.test.until || !isSurprising(silence, signs, scene)) return [];
  const cuts = scene.history.cuts.filter(
    ({ at, server }) =>
      voices.some(({ ip }) => ip === server.ip) && at >= silence.from - SLOT && at <= silence.from + SLOT,
  );
  if (cuts.length === 0 || !callersAtWork(component, silence, scene)) return [];
  const evidence = cuts.map(({ id }) => id).slice(0, 10);
  const why = `${component} ended its connections and sent nothing for ${seconds(silence)} s while its callers went on`;
  return [{ since: cuts[0]!.at, score: 0.7, why, evidence }];
};

const callersAtWork = (component: string, silence: Window, scene: Scene): boolean => {
  const callers = new Set(routesInto(scene, component).map(({ from }) => from));
  const signs = scene.history.signs.filter(({ from }) => callers.has(componentOf(from, scene.topology)));
  const rate = ({ from, until }: Window): number =>
    signs.filter(({ at }) => at >= from && at < until).length / Number(until - from);
  return rate(silence) >= rate(scene.baseline) / 2;
};

const seconds = ({ from, until }: Window): string => (toMs(until - from) / 1000).toFixed(1);
