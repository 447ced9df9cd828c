// How long a component itself took over each request: the time it was not waiting for those it called meanwhile.
import type { Nanos } from '../../model.ts';
import { toMs } from '../../time.ts';
import { type Try, WORLD } from './tries.ts';

type Step = { readonly at: Nanos; readonly inward: number; readonly outward: number };

/**
 * Milliseconds of own work for each request that was answered or given up. Nobody tells which call was made for which request;
 * so, at each instant, a pod that serves `n` requests and waits for `m` calls is taken to spend the part `1 - m/n` of each
 * of its requests on its own work. Calls out of the platform count as own work.
 */
export const ownTimes = (tries: readonly Try[]): ReadonlyMap<Try, number> => {
  const requests = tries.filter(({ kind, ms, endedAt }) => kind === 'request' && ms !== null && endedAt !== null);
  const byServer = Map.groupBy(requests, ({ server }) => server.ip);
  const byClient = Map.groupBy(
    requests.filter(({ to }) => to !== WORLD),
    ({ client }) => client.ip,
  );
  const own = new Map<Try, number>();
  for (const [ip, served] of byServer) {
    const share = workShare(served, byClient.get(ip) ?? []);
    for (const one of served) own.set(one, one.ms! * share(one.at, one.endedAt!));
  }
  return own;
};

/** The part of a stretch of time that a pod spent working rather than waiting. */
const workShare = (served: readonly Try[], made: readonly Try[]): ((from: Nanos, until: Nanos) => number) => {
  const { times, work } = integrate([...served.flatMap(steps(1, 0)), ...made.flatMap(steps(0, 1))]);
  const at = (instant: Nanos): number => work[floorIndex(times, instant)] ?? 0;
  return (from, until) => (until > from ? Math.min(1, (at(until) - at(from)) / toMs(until - from)) : 1);
};

const steps =
  (inward: number, outward: number) =>
  (one: Try): Step[] => [
    { at: one.at, inward, outward },
    { at: one.endedAt!, inward: -inward, outward: -outward },
  ];

/** Milliseconds of work, summed from the beginning to each step. */
const integrate = (unordered: readonly Step[]): { times: Nanos[]; work: number[] } => {
  const times: Nanos[] = [];
  const work: number[] = [];
  let [serving, waiting, sum] = [0, 0, 0];
  for (const step of [...unordered].sort((a, b) => Number(a.at - b.at))) {
    const before = times.at(-1) ?? step.at;
    if (serving > 0) sum += toMs(step.at - before) * Math.max(0, 1 - waiting / serving);
    times.push(step.at);
    work.push(sum);
    serving += step.inward;
    waiting += step.outward;
  }
  return { times, work };
};

/** Index of the last time that is not after `instant`. */
const floorIndex = (times: readonly Nanos[], instant: Nanos): number => {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! <= instant) low = middle + 1;
    else high = middle;
  }
  return low - 1;
};
