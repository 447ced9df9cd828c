// Packets → suspects: who hung up, who went silent, who answers late.
import type { Analyzer, Finding, Nanos, PacketItem, Suspect } from '../../model.ts';
import { fromMs } from '../../time.ts';
import { failuresFirst } from '../failures-first.ts';
import { type Blamed, blameBroken, blameSlow } from './blame.ts';
import { type Broken, brokenEdges } from './broken.ts';
import { type Slow, slowness } from './slow.ts';
import { edgeKey, type Outcome, type View, viewOf } from './view.ts';

/** Enough to convince a reader. */
const EVIDENCE = 10;

/**
 * Blames components or edges from what TCP did. Calls that fail (refused, unanswered, silent, cut off) more than in the
 * baseline mark an edge as broken; answers that come later than in the baseline, all or some, mark it as slow. What trouble
 * further down the call graph explains is not blamed. Both tests are scan statistics, so that trouble may begin and end
 * anywhere in the test window; the outside, in names, is `world`.
 */
export const analyzePackets: Analyzer<PacketItem> = (input): Finding => {
  const seen = input.baseline.items.length + input.test.items.length;
  if (seen === 0) return { suspects: [], why: 'no TCP was seen, neither before nor in the test' };
  const view = viewOf(input);
  const broken = brokenEdges(view);
  const slow = [...view.edges.values()].flatMap((edge) => slowness(edge) ?? []);
  const blamed = [...blameBroken(view, broken, slow), ...blameSlow(view, slow, broken)];
  const suspects = failuresFirst(blamed.map((one) => suspect(view, one)));
  return { suspects, why: suspects[0]?.why ?? quiet(view) };
};

const quiet = ({ edges, test }: View): string =>
  `${test.length} TCP events on ${edges.size} edges, none of them failing or slower than in the baseline`;

const suspect = (view: View, { ref, kind, broken, slow }: Blamed): Suspect => {
  const outcomes: readonly Outcome[] = [...broken.flatMap(({ bad }) => bad), ...slow.flatMap(({ late }) => late)];
  const first = outcomes.reduce((a, b) => (b.t < a.t ? b : a));
  const strength = Math.max(...[...broken, ...slow].map((one) => one.strength));
  return {
    ref,
    kind,
    since: since(view, first),
    // From 0.5, as strong as needed, towards 1.
    score: strength / (1 + strength),
    why: broken.length > 0 ? whyBroken(broken) : whySlow(slow),
    evidence: spread(outcomes).map(({ item }) => item.id),
  };
};

const since = ({ origin }: View, { t }: Outcome): Nanos => origin + fromMs(t);

/** The first ones, and of the rest evenly many. */
const spread = (outcomes: readonly Outcome[]): Outcome[] => {
  const sorted = [...outcomes].sort((a, b) => a.t - b.t);
  const step = Math.max(1, sorted.length / EVIDENCE);
  return Array.from({ length: Math.min(EVIDENCE, sorted.length) }, (_, i) => sorted[Math.floor(i * step)]!);
};

const WORDS = { refused: 'refused', unanswered: 'never answered', silent: 'left waiting', cut: 'hung up on' } as const;

const whyBroken = (broken: readonly Broken[]): string => {
  const outcomes = broken.flatMap(({ bad }) => bad);
  const counts = [...Map.groupBy(outcomes, ({ bad }) => bad!)].map(([bad, all]) => `${all.length} ${WORDS[bad]}`);
  return `calls ${names(broken)}: ${counts.join(', ')}`;
};

const whySlow = (slow: readonly Slow[]): string => {
  const words = slow.map(
    ({ usual, excess, late }) =>
      `${late.length} answers took about ${round(usual + excess)} ms instead of ${round(usual)} ms`,
  );
  return `calls ${names(slow)}: ${words.join('; ')}`;
};

const names = (found: readonly (Broken | Slow)[]): string => found.map(({ view }) => edgeKey(view.edge)).join(', ');

const round = (ms: number): number => (ms < 10 ? Math.round(ms * 10) / 10 : Math.round(ms));
