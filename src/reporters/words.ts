// How a verdict is put into words and numbers, the same for every audience. Pure.
import { type Grade, gradeAtLeast } from '../expect.ts';
import { LAYERS, type LayerName } from '../model.ts';
import type { Sentinels } from '../sentinel.ts';
import { fromIso, toMs } from '../time.ts';
import type { Bracket, LayerVerdict, Outcome, Verdict } from '../verdict.ts';

/** `NOT EXPOSED` */
export const headline = (outcome: Outcome): string => outcome.replaceAll('-', ' ').toUpperCase();

/** `2.1-4.2 s`: after the last quiet look, by the first that showed it. */
export const bracket = (it: Bracket | null): string =>
  it ? `${(it.atLeast / 1000).toFixed(1)}-${(it.atMost / 1000).toFixed(1)} s` : '-';

/** Steps above `silent`; those below are no achievement. */
export const STEPS = ['noticed', 'located', 'explained'] as const satisfies readonly Grade[];
export type Step = (typeof STEPS)[number];

/** Whether a layer reached a step; `-` where it had nothing to go by, or where there is no fault to locate. */
export const reached = (verdict: Verdict, layer: LayerName, step: Step): 'yes' | 'no' | '-' => {
  const { grade } = verdict.layers[layer];
  if (grade === 'blind' || (verdict.groundTruth.on === null && step !== 'noticed')) return '-';
  return gradeAtLeast(grade, step) ? 'yes' : 'no';
};

export const misses = ({ grade, wanted }: LayerVerdict): boolean => wanted !== null && !gradeAtLeast(grade, wanted);

/** Layers that did not explain the fault, or blamed somebody when there was none. */
export const unexplained = (verdict: Verdict): LayerName[] =>
  LAYERS.filter((layer) => {
    const { grade } = verdict.layers[layer];
    return verdict.groundTruth.on === null ? grade !== 'silent' : grade !== 'explained';
  });

/** `service:order-service absent, score 0.93`, or null when nobody is blamed. */
export const blamed = ({ suspects: [top] }: LayerVerdict): string | null =>
  top ? `${top.ref} ${top.kind}, score ${top.score.toFixed(2)}` : null;

/** `06:48:20.123` of an ISO time. */
export const clock = (time: string): string => time.slice(11, 23);

/** Seconds from one ISO time to another. */
export const secondsBetween = (from: string, until: string): number => toMs(fromIso(until) - fromIso(from)) / 1000;

export type GapGroup = {
  readonly layer: LayerName;
  readonly why: string;
  readonly count: number;
  readonly from: string;
  readonly until: string;
  /** One of the queries that got no answer. */
  readonly query: string;
};

/** Gaps of one layer with one reason, together: a backend that is down gives the same gap at every look. */
export const gapGroups = (gaps: Verdict['gaps']): GapGroup[] => {
  const groups = Map.groupBy(gaps, ({ layer, why }) => `${layer} ${why}`);
  return [...groups.values()].map((group) => {
    const { layer, why, query } = group[0]!;
    const from = group.map(({ window }) => window.from).sort()[0]!;
    const until = group
      .map(({ window }) => window.until)
      .sort()
      .at(-1)!;
    return { layer, why, query, count: group.length, from, until };
  });
};

/** What became of a layer's sentinels, as cells: `661/661`, `453/453`, `0.0-1.5 s`, `2.7 s`, `its trace id`. */
export const arrivals = ({ by, baseline, test, lagMs }: Sentinels): readonly string[] => {
  const share = ({ sent, arrived }: Sentinels['test']): string => (sent > 0 ? `${arrived}/${sent}` : '-');
  const most = lagMs ? `${(lagMs.max.atMost / 1000).toFixed(1)} s` : '-';
  return [share(baseline), share(test), bracket(lagMs?.median ?? null), most, by];
};

export const ARRIVALS = ['in baseline', 'after it', 'median lag', 'at most', 'arrived by'] as const;
