// Pods that went away: scrapes that fail or end, a process that started anew, a pod that another one replaced.
import type { Blind, Nanos, SampleItem, Window } from '../../model.ts';
import { SECOND } from '../../time.ts';
import { groupBy, largest, podOf, spacing } from './rises.ts';

/** A pod that was there in the baseline and was gone in the test window. */
export type Gone = {
  readonly service: string;
  readonly pod: string;
  readonly since: Nanos;
  readonly until: Nanos;
  readonly why: string;
  /** The same process came back as if nothing had been: only its scrapes are known to have failed. */
  readonly onlyUnseen: boolean;
  readonly evidence: readonly string[];
};

/** A missed scrape spans two intervals. Two in a row count for a pod that another one replaced, else three. */
const MISSED = 2.5;
const MISSED_UNREPLACED = 3.5;

type Pod = { readonly key: string; readonly samples: readonly SampleItem[] };
type Hole = { readonly from: Nanos; readonly until: Nanos };

/**
 * The pods that went away. One missed scrape is nobody's absence, nor is a hole like those of the baseline. When every pod
 * is out of sight at once, it is the monitoring that looked away: then none is gone.
 */
export const gone = (input: Blind<SampleItem>): Gone[] => {
  const all = [...input.baseline.items, ...input.test.items].filter(({ le }) => le === null);
  const every = spacing(all);
  const pods = [...groupBy(all, podOf)].map(([key, samples]) => ({ key, samples }));
  const known = pods.filter(({ samples }) => samples.some((item) => alive(item) && item.at < input.test.window.from));
  const end = lastScrape(all);
  const found = known.flatMap((one) => restarted(one, input.test.window) ?? unseen(one, pods, every, end, input) ?? []);
  const dark = found.filter(({ onlyUnseen }) => onlyUnseen);
  return known.length > 1 && dark.length === known.length ? [] : found;
};

const alive = ({ metric, value }: SampleItem): boolean => metric !== 'up' || value === 1;
const lastScrape = (items: readonly SampleItem[]): Nanos => items.reduce((last, { at }) => largest(last, at), 0n);

/** The same pod with a later process start. Clocks put right move a start by less than a second. */
const restarted = ({ samples }: Pod, test: Window): Gone | null => {
  const starts = samples.filter(({ metric }) => metric === 'started');
  for (const series of groupBy(starts, (item) => item.series).values()) {
    const next = series.findIndex((item, i) => i > 0 && item.at >= test.from && item.value > series[i - 1]!.value + 1);
    if (next < 0) continue;
    const [before, after] = [series[next - 1]!, series[next]!];
    const failed = samples.filter((item) => !alive(item) && item.at > before.at && item.at <= after.at);
    return {
      ...whose(after),
      since: failed[0]?.at ?? after.at,
      until: after.at,
      why: `its process started anew`,
      onlyUnseen: false,
      evidence: [before, ...failed.slice(0, 8), after].map(({ id }) => id),
    };
  }
  return null;
};

const whose = ({ service, pod }: SampleItem): { service: string; pod: string } => ({ service, pod: pod ?? service });

/** The first hole in a pod's scrapes that a missed scrape now and then does not explain. */
const unseen = (
  one: Pod,
  pods: readonly Pod[],
  every: Nanos,
  end: Nanos,
  { baseline: { window: baseline }, test: { window: test } }: Blind<SampleItem>,
): Gone | null => {
  const times = [...new Set(one.samples.filter(alive).map(({ at }) => at))];
  const usual = holes(times.filter((at) => at < test.from)).reduce(
    (most, { from, until }) => largest(most, until - from),
    every,
  );
  const long = ({ from, until }: Hole): boolean => {
    const missed = replacement(one, pods, from) ? MISSED : MISSED_UNREPLACED;
    return until - from >= largest(SECOND, BigInt(Math.round(missed * Number(every))), (usual * 3n) / 2n);
  };
  const hole = holes([...times, end]).find((it) => it.until >= test.from && long(it));
  if (!hole || hole.from < baseline.from) return null;
  const failed = one.samples.filter((item) => !alive(item) && item.at > hole.from && item.at <= hole.until);
  const next = replacement(one, pods, hole.from);
  const last = one.samples.filter((item) => alive(item) && item.at === hole.from);
  return {
    ...whose(one.samples[0]!),
    since: failed[0]?.at ?? hole.from + every,
    until: hole.until,
    why: [
      failed.length > 0 ? `${failed.length} scrapes failed` : 'its series ended',
      ...(next ? [`${next.pod} came instead`] : []),
    ].join(', '),
    onlyUnseen: next === null && hole.until < end,
    evidence: [...last.slice(0, 2), ...failed.slice(0, 6), ...(next ? [next] : [])].map(({ id }) => id),
  };
};

const holes = (times: readonly Nanos[]): Hole[] => times.slice(1).map((until, i) => ({ from: times[i]!, until }));

/** The first sample of another pod of the same service that was not there before `since`. */
const replacement = (one: Pod, pods: readonly Pod[], since: Nanos): SampleItem | null =>
  pods
    .filter(({ key, samples }) => key !== one.key && samples[0]!.service === one.samples[0]!.service)
    .map(({ samples }) => samples.find(alive))
    .find((first) => first !== undefined && first.at > since) ?? null;
