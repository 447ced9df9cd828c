// New or risen failures: of one component's calls to another, or of its own work.
import { median } from 'simple-statistics';
import type { Nanos } from '../../model.ts';
import type { Event } from './events.ts';
import { ALPHA, densest } from './statistics.ts';
import { between, declumped, grouped, offset, type Period } from './timeline.ts';
import type { Failure } from './words.ts';

/** `to` is null when the component complains of itself. `count` is of lines. */
export type Complaint = {
  readonly from: string;
  readonly to: string | null;
  readonly failure: Failure;
  readonly since: Nanos;
  readonly until: Nanos;
  readonly count: number;
  readonly before: number;
  /** How long the failed calls were waited for, in milliseconds, in the middle; null when no line says so. */
  readonly waitedMs: number | null;
  readonly ids: readonly string[];
};

// Attempts and layers of one failing request log within this; failures that are denser count as one each.
const CLUMP_MS = 100;
/** A pause of the whole process, such as a garbage collection, makes timeouts for less than this. */
const HICCUP_MS = 1000;

const key = ({ service, callee, failure }: Event): string | null =>
  failure === null ? null : JSON.stringify([service, callee, failure]);

/** Every (component, whom it called, how it failed) whose failures rose beyond chance within some stretch of the test window. */
export const complaints = (baseline: Period, test: Period): Complaint[] => {
  const before = grouped(baseline.events, key);
  const noisy = new Set([...before.keys()].map((one) => JSON.parse(one)[2] as Failure));
  const speakers = new Set(baseline.events.map(({ service }) => service)).size;
  return [...grouped(test.events, key)].flatMap(([name, events]) => {
    const [, , failure] = JSON.parse(name) as [string, string | null, Failure];
    const old = before.get(name) ?? [];
    // A kind of failure that nobody logged in the baseline was looked for at every component.
    const exposure = baseline.ms * (noisy.has(failure) ? 1 : Math.max(1, speakers));
    return risen(baseline, test, old, events, exposure);
  });
};

const risen = (
  baseline: Period,
  test: Period,
  old: readonly Event[],
  events: readonly Event[],
  exposure: number,
): Complaint[] => {
  const { service: from, callee: to, failure } = events[0]!;
  const times = declumped(
    events.map(({ at }) => offset(test, at)),
    CLUMP_MS,
  );
  const k0 = declumped(
    old.map(({ at }) => offset(baseline, at)),
    CLUMP_MS,
  ).length;
  const stretch = densest(times, k0, exposure, CLUMP_MS);
  if (!stretch || stretch.p > ALPHA) return [];
  if (failure === 'timeout' && stretch.until - stretch.from < HICCUP_MS) return [];
  const since = events.find(({ at }) => offset(test, at) >= stretch.from)!.at;
  const until = events.findLast(({ at }) => offset(test, at) <= stretch.until + CLUMP_MS)!.at;
  const inside = between(events, since, until);
  const ids = inside.slice(0, 5).map(({ id }) => id);
  return [
    {
      from,
      to,
      failure: failure!,
      since,
      until,
      count: inside.length,
      before: old.length,
      waitedMs: waited(inside),
      ids,
    },
  ];
};

const waited = (events: readonly Event[]): number | null => {
  const times = events.flatMap((one) => (one.times.length > 0 ? Math.max(...one.times.map(({ ms }) => ms)) : []));
  return times.length > 0 ? median(times) : null;
};
