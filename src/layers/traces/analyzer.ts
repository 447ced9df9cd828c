// Blind attribution from traces: what changed between the windows, and whom that points at.
import { type Analyzer, type Blind, ends, type SpanItem, type Suspect } from '../../model.ts';
import { fromMs } from '../../time.ts';
import { reachable } from './calls.ts';
import { cuts } from './cut.ts';
import { failing } from './failing.ts';
import { replaced } from './replaced.ts';
import { slowness } from './slow.ts';
import { standstill } from './standstill.ts';
import { overlap, type Suspicion, type View, viewOf } from './view.ts';

/**
 * Compares calls and served work of the test window with those of the baseline. Suspects: components and edges whose
 * calls go unanswered (`absent`, `blocked`), whose durations grow (`slow`), or that fail by themselves (`erroring`).
 * What a deeper suspect explains is left out. Score: l / (l + n), for a log-likelihood ratio l where n was needed.
 * Without spans of both windows there are no suspects, and `why` says so.
 */
export const analyzeTraces: Analyzer<SpanItem> = (input) => {
  const missing = emptyWindow(input);
  if (missing) return { suspects: [], why: missing };
  const view = viewOf(input);
  const suspects = ranked(view, suspicions(view)).map((one) => suspectOf(one, input.baseline.window.from));
  return { suspects, why: summary(input, suspects) };
};

const emptyWindow = ({ baseline, test }: Blind<SpanItem>): string | null => {
  const empty = [baseline.items.length === 0 && 'the baseline', test.items.length === 0 && 'the test window'];
  const named = empty.filter((one) => one !== false);
  return named.length === 0 ? null : `no spans in ${named.join(' and ')}: traces can't show a change`;
};

const suspicions = (view: View): Suspicion[] => {
  const burst = cuts(view);
  const cut = [...burst, ...replaced(view).filter((one) => !burst.some(({ at }) => at === one.at))];
  const left = cut.filter((one) => !cut.some((other) => isolates(other, one)));
  const slow = slowness(view).filter((one) => !cut.some((other) => covers(other, one)));
  const found = [...left, ...slow, ...failing(view)];
  return found.length > 0 ? found : standstill(view);
};

// Whoever is cut off from its callers and can't reach others either is cut off itself.
const isolates = (component: Suspicion, way: Suspicion): boolean =>
  component.ref.startsWith('service:') &&
  lost(component) &&
  ends(way.ref)?.from === component.at &&
  overlap(component, way);

// Whoever is gone or cut off is slow to answer before and after, too.
const covers = (cut: Suspicion, slow: Suspicion): boolean => cut.at === slow.at && overlap(cut, slow);

type Ranked = Suspicion & { readonly score: number };

/**
 * The surest first. With one fault, of two suspects at a time the one further down the call graph is the likelier root; but
 * slowness further down does not make a component vanish.
 */
const ranked = (view: View, found: readonly Suspicion[]): Ranked[] => {
  const down = reachable(view.topology);
  const isBelow = (one: Suspicion, other: Suspicion): boolean =>
    overlap(one, other) &&
    (other.kind !== 'slow' || !lost(one)) &&
    down.get(one.at)!.has(other.at) &&
    !down.get(other.at)!.has(one.at);
  const scored = found.map((one) => {
    const score = one.llr / (one.llr + one.needed);
    return { ...one, score: found.some((other) => isBelow(one, other)) ? score / 2 : score };
  });
  return scored.sort((a, b) => b.score - a.score);
};

const lost = ({ kind }: Suspicion): boolean => kind === 'absent' || kind === 'blocked';

const suspectOf = (one: Ranked, origin: bigint): Suspect => ({
  ref: one.ref,
  kind: one.kind,
  since: origin + fromMs(one.since),
  score: one.score,
  why: one.why,
  evidence: one.evidence,
});

const summary = ({ baseline, test }: Blind<SpanItem>, suspects: readonly Suspect[]): string => {
  const seen = `${baseline.items.length} spans before, ${test.items.length} in the test window`;
  return suspects[0] ? `${suspects[0].why} (${seen})` : `nothing out of the ordinary (${seen})`;
};
