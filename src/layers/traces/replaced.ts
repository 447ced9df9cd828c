// A pod that served until some moment and never again, and another one in its place: its death, even when hardly a call was lost.
import { service } from '../../model.ts';
import type { Call, Served } from './calls.ts';
import { EXPECTED, podsOf } from './pods.ts';
import { evidenceOf, type Suspicion, type View, within } from './view.ts';

/** A pod's last spans may die with it, so that calls begin to fail a little after the last one that is known. */
const EXPORT_MS = 2000;

/**
 * One suspicion for each component that lost a pod. A pod that is replaced in good order loses no call: that is no trouble,
 * so at least one call to the component must have gone unanswered in between.
 */
export const replaced = (view: View): Suspicion[] =>
  view.topology.components.flatMap((name) => {
    const pods = podsOf([...view.baseline.served, ...view.test.served], name);
    return [...pods].flatMap(([pod, served]) => replacement(view, name, pod, served, pods) ?? []).slice(0, 1);
  });

const replacement = (
  view: View,
  name: string,
  pod: string,
  served: readonly Served[],
  pods: ReadonlyMap<string, readonly Served[]>,
): Suspicion | null => {
  const last = served.at(-1)!;
  const fresh = [...pods].find(([, others]) => others[0]!.t > last.t && !within(others, 0, last.t).length);
  const missed = missing(view, served, last.t);
  if (!fresh || missed < EXPECTED) return null;
  const [successor, its] = fresh;
  const lost = view.test.calls.filter((one) => one.to === name && one.client && one.unanswered);
  const between = within(lost, last.t, its[0]!.t + EXPORT_MS);
  if (between.length === 0) return null;
  return {
    ref: service(name),
    kind: 'absent',
    at: name,
    from: last.t,
    until: its[0]!.t,
    llr: missed,
    needed: EXPECTED,
    why: `pod ${pod} served no more, ${between.length} calls to ${name} went unanswered, and ${successor} took its place`,
    ...evidenceOf(between.map(({ t, end, client }: Call) => ({ t, end, id: client!.id }))),
  };
};

/** How many more spans there would have been by now at the baseline's pace. */
const missing = (view: View, served: readonly Served[], last: number): number => {
  const all = [...view.baseline.served, ...view.test.served];
  const [begin, end] = [all[0]?.t ?? 0, all.at(-1)?.t ?? 0];
  return last > begin ? (served.length / (last - begin)) * (end - last) : 0;
};
