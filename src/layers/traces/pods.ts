// Which pods of a component served, and whether one of them was lost in a burst of trouble.
import type { Served } from './calls.ts';
import type { Burst } from './scan.ts';
import { type View, within } from './view.ts';

/** How many spans a pod would have served for its silence to be no accident (e^-7 is less than one in a thousand). */
export const EXPECTED = 7;

/** How a pod of the component was lost around the burst, in words, or null when none was, or pods are unknown. */
export const lostPod = (view: View, of: string, { from, until }: Burst): string | null => {
  const before = podsOf(view.baseline.served, of);
  const after = podsOf(view.test.served, of);
  const fresh = [...after.keys()].filter((pod) => !before.has(pod));
  const gone = [...before.keys()].filter((pod) => !after.get(pod)?.some((one) => one.t > from));
  if (fresh.length > 0 && gone.length > 0) return `pod ${gone[0]} was replaced by ${fresh[0]}`;
  const silent = silentPod(before, podsOf(within(view.test.served, from, until), of));
  return silent && `pod ${silent} fell silent while others of ${of} served`;
};

/** What each pod of the component served, where spans name their pod. */
export const podsOf = (served: readonly Served[], of: string): Map<string, Served[]> => {
  const known = served.filter((one) => one.service === of && one.span.pod !== null);
  return Map.groupBy(known, (one) => one.span.pod!);
};

const silentPod = (before: ReadonlyMap<string, Served[]>, during: ReadonlyMap<string, Served[]>): string | null => {
  const total = sum(before);
  const silent = [...before].find(([pod, served]) => {
    const share = served.length / total;
    // The others' spans tell how many there should have been of this pod's.
    return !during.has(pod) && (sum(during) * share) / (1 - share) >= EXPECTED;
  });
  return silent?.[0] ?? null;
};

const sum = (pods: ReadonlyMap<string, Served[]>): number => pods.values().reduce((n, served) => n + served.length, 0);
