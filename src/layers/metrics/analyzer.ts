// From accusations to suspects: who, of which kind, since when, how surely and by which samples.
import {
  type Analyzer,
  type Blind,
  edge,
  type Nanos,
  type SampleItem,
  type Suspect,
  service,
  type Trouble,
} from '../../model.ts';
import { follow, kindOf, type Scene } from './causes.ts';
import { type Accusation, accusations } from './gather.ts';
import { type Gone, gone } from './pods.ts';
import { resources } from './resources.ts';
import { smallest } from './rises.ts';
import { type Symptom, sum, symptoms, within } from './symptoms.ts';
import { type Slice, type View, views } from './views.ts';

const EVIDENCE = 10;

/**
 * Compares the test window's metrics with the baseline's, blind. Pods that went away are blamed at once. Otherwise every
 * view (a service's of its requests, a caller's of its calls) that got worse is followed down the call graph to where the
 * trouble begins. Where callers don't measure their calls, every place that explains what is seen is named, with a lower
 * score.
 */
export const analyzeMetrics: Analyzer<SampleItem> = (input) => {
  const missing = noData(input);
  if (missing) return { suspects: [], why: missing };
  const seen = views(input);
  const all = [...seen.server.values(), ...seen.client].flatMap(symptoms);
  const away = gone(input).filter((one) => !servedAllAlong(one, seen.client));
  const scene: Scene = { topology: input.topology, views: seen, symptoms: all, gone: away };
  const found = [...absences(scene, input), ...troubles(scene, input)];
  const suspects = (found.length > 0 ? found : silences(scene, input)).sort((a, b) => b.score - a.score);
  return { suspects, why: suspects[0]?.why ?? quietWhy(scene) };
};

const noData = ({ baseline, test }: Blind<SampleItem>): string | null => {
  if (baseline.items.length + test.items.length === 0) return 'no samples in either window';
  if (baseline.items.length === 0) return 'no samples in the baseline: nothing to compare with';
  return test.items.length === 0 ? 'no samples in the test window' : null;
};

const quietWhy = ({ views: { server, client } }: Scene): string =>
  server.size + client.length === 0
    ? 'no request metrics of any component, and every pod was there'
    : `nothing got worse in ${server.size} services and ${client.length} ways between them`;

// ---- Absent ---------------------------------------------------------------------------------------------------

/** Failed scrapes of a process that went on answering its callers are the monitoring's trouble, not the pod's. */
const servedAllAlong = ({ service: callee, since, until, onlyUnseen }: Gone, calls: readonly View[]): boolean => {
  const meanwhile = calls
    .filter(({ peer }) => peer === callee)
    .flatMap(({ test }) => test.filter(({ at }) => at !== null && at >= since && at < until));
  const made = sum(meanwhile, ({ requests }) => requests);
  return onlyUnseen && made >= 20 && sum(meanwhile, ({ unanswered }) => unanswered) < 0.05 * made;
};

const absences = ({ gone: away }: Scene, input: Blind<SampleItem>): Suspect[] =>
  [...Map.groupBy(away, (one) => one.service)].map(([name, pods]) => {
    const known = new Set(input.baseline.items.filter((item) => item.service === name).map(({ pod }) => pod));
    return {
      ref: service(name),
      kind: 'absent',
      since: smallest(...pods.map(({ since }) => since)),
      score: pods.length >= known.size ? 0.97 : 0.93,
      why: `${name}: ${pods.map(({ pod, why }) => `${pod}: ${why}`).join('; ')} (${pods.length} of ${known.size} pods)`,
      evidence: pods.flatMap(({ evidence }) => evidence).slice(0, EVIDENCE),
    };
  });

// ---- Failing and slow -----------------------------------------------------------------------------------------

const troubles = (scene: Scene, input: Blind<SampleItem>): Suspect[] => {
  const causes = scene.symptoms.filter(({ kind }) => kind !== 'silent').flatMap((one) => follow(scene, one) ?? []);
  const accused = accusations(
    scene,
    causes.filter(({ trouble }) => trouble !== 'absent'),
  );
  const most = Math.max(...accused.map(weight));
  return accused.map((one) => {
    const main = one.causes.reduce((a, b) => (b.symptom.stretch.strength > a.symptom.stretch.strength ? b : a));
    const kind = kindOf(scene, main, one.at);
    const since = smallest(...one.causes.map(({ symptom }) => onset(symptom, input)));
    return {
      ref: 'to' in one.at ? edge(one.at.from, one.at.to) : service(one.at.service),
      kind,
      since,
      score: one.certainty * (0.5 + 0.5 * Math.sqrt(weight(one) / most)),
      why: explain(one, main.symptom, kind) + resources(input, one.at, since),
      evidence: evidenceOf(main.symptom),
    };
  });
};

const weight = ({ causes }: Accusation): number =>
  causes.reduce((total, { symptom }) => total + symptom.stretch.strength, 0);

/** The samples that a symptom is seen by. */
const telling = ({ kind }: Symptom, { metric, status }: SampleItem): boolean => {
  if (kind === 'slow') return metric.endsWith('urationSum');
  return /equests$|urationCount$/.test(metric) && (kind === 'silent' || (status !== null && !/^[1-4]/.test(status)));
};

const evidenceOf = (symptom: Symptom): string[] =>
  within(symptom.view, symptom.stretch)
    .flatMap(({ samples }) => samples.filter((item) => telling(symptom, item)))
    .slice(0, EVIDENCE)
    .map(({ id }) => id);

const onset = ({ view, stretch }: Symptom, { test }: Blind<SampleItem>): Nanos =>
  within(view, stretch).find(({ at }) => at !== null)?.at ?? test.window.from;

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
const mean = (slices: readonly Slice[]): string =>
  `${(
    (1000 * sum(slices, ({ time }) => time)) /
      Math.max(
        1,
        sum(slices, ({ timed }) => timed),
      )
  ).toPrecision(3)} ms`;

const explain = ({ at, certainty }: Accusation, { kind, view, stretch }: Symptom, told: Trouble): string => {
  const place = 'to' in at ? `${at.from} -> ${at.to}` : at.service;
  const who = view.peer === null ? `requests to ${view.service}` : `calls from ${view.service} to ${view.peer}`;
  const what =
    kind === 'slow'
      ? `took ${mean(within(view, stretch))} instead of ${mean(view.baseline)}`
      : `${kind === 'erroring' ? 'failed' : 'got no answer'} in ${percent(stretch.share)} instead of ${percent(stretch.before)}`;
  return `${place} is ${told}: ${who} ${what}${certainty < 0.5 ? '; other places explain it as well' : ''}`;
};

// ---- Silent ---------------------------------------------------------------------------------------------------

/**
 * Requests that ceased while nothing failed. Only the topmost such service is told, and only when no caller says that it
 * simply stopped calling.
 */
const silences = ({ symptoms: all, topology, views: { client } }: Scene, input: Blind<SampleItem>): Suspect[] => {
  const mute = all.filter(({ kind, view }) => kind === 'silent' && view.peer === null);
  const names = new Set(mute.map(({ view }) => view.service));
  const isTop = (name: string): boolean =>
    !topology.edges.some(({ from, to }) => to === name && names.has(from)) && !client.some(({ peer }) => peer === name);
  return mute
    .filter(({ view }) => isTop(view.service))
    .map((symptom) => ({
      ref: service(symptom.view.service),
      kind: 'blocked' as const,
      since: onset(symptom, input),
      score: 0.5,
      why: `${symptom.view.service} is up, but got ${percent(symptom.stretch.share)} of its usual requests`,
      evidence: evidenceOf(symptom),
    }));
};
