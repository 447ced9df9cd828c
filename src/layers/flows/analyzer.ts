// Flows' opinion on what is wrong, from flows alone.
import type { Analyzer, Finding, FlowItem, Suspect } from '../../model.ts';
import { absent } from './absent.ts';
import { blocked, unanswered } from './blocked.ts';
import { erroring } from './erroring.ts';
import { explain } from './explain.ts';
import { type Accusation, type Scene, sceneOf } from './scene.ts';
import { hasTimes, slow } from './slow.ts';

/**
 * Looks for what changed between the baseline and the test window: packets dropped (blocked), pods that fall silent or are
 * replaced (absent), own time that grew (slow), server errors (erroring). Only changes count: what was already there in the
 * baseline detects nothing. Symptoms that follow from another one along the call graph are left out.
 */
export const analyzeFlows: Analyzer<FlowItem> = ({ baseline, test, topology }) => {
  const scene = sceneOf(baseline, test, topology);
  const accusations = [...blocked(scene), ...absent(scene), ...unanswered(scene), ...slow(scene), ...erroring(scene)];
  const suspects = explain(unique(accusations), scene).map(toSuspect);
  return { suspects, why: summary(suspects, scene) } satisfies Finding;
};

/** The first of those that say the same: the detectors come in order of how directly they see it. */
const unique = (accusations: readonly Accusation[]): Accusation[] => [
  ...new Map([...accusations].reverse().map((one) => [`${one.ref} ${one.kind}`, one])).values(),
];

const toSuspect = ({ ref, kind, since, score, why, evidence }: Accusation): Suspect => ({
  ref,
  kind,
  since,
  score,
  why,
  evidence,
});

const summary = (suspects: readonly Suspect[], scene: Scene): string => {
  const [first] = suspects;
  if (first) return first.why;
  if (scene.routes.length === 0) return 'no flows between components, so that nothing can be told';
  const blindness = hasTimes(scene)
    ? ''
    : '; response times are not to be seen: aggregation leaves no data packets, and there is no layer 7';
  return `no route has more drops, losses, delays or errors than before${blindness}`;
};
