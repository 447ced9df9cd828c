// CPU and memory: no suspects by themselves, but they back up what is said of a service.
import type { Blind, Edge, Nanos, SampleItem } from '../../model.ts';
import { groupBy } from './rises.ts';

/** Half as much again is worth a word. */
const WORTH = 1.5;

/** A clause on the service's use of CPU (cores) or memory when it rose since then; empty when it did not, or for an edge. */
export const resources = (
  { baseline, test }: Blind<SampleItem>,
  at: { service: string } | Edge,
  since: Nanos,
): string => {
  if (!('service' in at)) return '';
  const pick = (items: readonly SampleItem[], metric: SampleItem['metric']): SampleItem[] =>
    items.filter((item) => item.service === at.service && item.metric === metric);
  const later = test.items.filter((item) => item.at >= since);
  const cores = [cpuRate(pick(baseline.items, 'cpu')), cpuRate(pick(later, 'cpu'))] as const;
  const bytes = [highest(pick(baseline.items, 'memory')), highest(pick(later, 'memory'))] as const;
  return [rose('CPU', cores, 'cores'), rose('memory', [bytes[0] / 2 ** 20, bytes[1] / 2 ** 20], 'MiB')].join('');
};

const rose = (what: string, [before, after]: readonly [number, number], unit: string): string =>
  before > 0 && after > WORTH * before
    ? `; its ${what} rose from ${before.toPrecision(2)} to ${after.toPrecision(2)} ${unit}`
    : '';

const highest = (items: readonly SampleItem[]): number => items.reduce((most, { value }) => Math.max(most, value), 0);

/** Cores used, summed over pods: each series' rise over its time. */
const cpuRate = (items: readonly SampleItem[]): number =>
  [...groupBy(items, ({ series }) => series).values()].reduce((sum, one) => {
    const [first, last] = [one[0]!, one.at(-1)!];
    return last.at > first.at && last.value > first.value
      ? sum + (last.value - first.value) / (Number(last.at - first.at) / 1e9)
      : sum;
  }, 0);
