// Edges on which calls fail: nobody answers, or somebody hangs up.
import type { PacketItem } from '../../model.ts';
import { strongest, threshold } from './scan.ts';
import { at, type EdgeView, type Outcome, type View } from './view.ts';

/** A stretch of time, in milliseconds after the view's origin, in which calls that failed began. */
export type Broken = {
  readonly view: EdgeView;
  readonly from: number;
  readonly until: number;
  readonly bad: readonly Outcome[];
  /** How strong the evidence is, as a multiple of what is needed. */
  readonly strength: number;
};

/** One run in 100 000 may show such a stretch on an edge by chance. */
const CHANCE = 1e-5;
/** Nothing fails less often than this, however clean a short baseline was. */
const RAREST = 0.005;
/**
 * Silences that begin within one second count together no more than a third of what is needed: one pause of a machine
 * makes many of them at once.
 */
const SECONDS_NEEDED = 3;

/** Every edge that fails more than it did in the baseline. */
export const brokenEdges = (view: View): Broken[] => {
  const scanned = [...view.edges.values()].flatMap((edge) => failing(edge) ?? []);
  const found = new Set(scanned.map(({ view: { edge } }) => edge));
  return [...scanned, ...vanished(view).filter((one) => !found.has(one.view.edge))];
};

const failing = (view: EdgeView): Broken | null => {
  const bad0 = view.baseline.filter(({ bad }) => bad !== null).length;
  const usual = Math.max(RAREST, (bad0 + 1) / (view.baseline.length + 2));
  const worse = usual + (1 - usual) / 2;
  const needed = threshold(view.test.length, CHANCE);
  const scores = scored(view.test, Math.log(worse / usual), Math.log((1 - worse) / (1 - usual)), needed);
  const stretch = strongest(scores);
  if (!stretch || stretch.strength < needed) return null;
  const inside = view.test.slice(stretch.from, stretch.to + 1);
  return broken(
    view,
    inside.filter(({ bad }) => bad !== null),
    stretch.strength / needed,
  );
};

const broken = (view: EdgeView, bad: readonly Outcome[], strength: number): Broken => ({
  view,
  bad,
  strength,
  from: bad[0]!.t,
  until: bad.at(-1)!.t,
});

const scored = (outcomes: readonly Outcome[], ifBad: number, ifGood: number, needed: number): number[] => {
  let second = Number.NaN;
  let left = 0;
  return outcomes.map(({ t, bad }) => {
    if (bad === null) return ifGood;
    if (bad !== 'silent') return ifBad;
    if (Math.floor(t / 1000) !== second) {
      second = Math.floor(t / 1000);
      left = needed / SECONDS_NEEDED;
    }
    const score = Math.min(ifBad, left);
    left -= score;
    return score;
  });
};

// ---- Addresses that fall silent -----------------------------------------------------------------------------------

/** So many answers must be missing that their absence by chance has a probability of e^-10. */
const MISSING = 10;
/** And the silence must be this many times the longest one of the baseline, since traffic comes in bursts. */
const LONGER = 3;

/**
 * Addresses that failed a call and from then on answered nobody, for longer than their usual rate allows. This finds one
 * dead pod of several, whose callers turn to the others at once, and connections that carry many requests at a time.
 */
const vanished = (view: View): Broken[] => {
  const answers = byAddress(view.baseline.filter(answered));
  const later = byAddress(view.test.filter(answered));
  return [...view.edges.values()].flatMap((edge) =>
    [...Map.groupBy(edge.test.filter(failed), ({ item }) => item.server.ip)].flatMap(([ip, bad]) => {
      const usual = (answers.get(ip) ?? []).map((item) => at(view, item.at));
      const after = (later.get(ip) ?? []).map((item) => at(view, item.at));
      const strength = silence(view, usual, after, bad);
      const since = bad.slice(strength?.first);
      return strength === null || !convincing(since) ? [] : [broken(edge, since, strength.times)];
    }),
  );
};

/** A caller that gives up one slow call may open its next connection to another pod, and leave a sound one idle. */
const convincing = (failures: readonly Outcome[]): boolean =>
  failures.length > 1 || failures.some(({ bad }) => bad !== 'silent');

const answered = ({ event }: PacketItem): boolean => event === 'exchange';
const failed = ({ bad }: Outcome): boolean => bad !== null;
const byAddress = (items: readonly PacketItem[]): Map<string, PacketItem[]> =>
  Map.groupBy(items, ({ server }) => server.ip);

/** Where in `bad` the address's long silence began, and how much longer than needed it lasted; null when it did not. */
const silence = (
  { span }: View,
  usual: readonly number[],
  answers: readonly number[],
  bad: readonly Outcome[],
): { first: number; times: number } | null => {
  if (usual.length < MISSING) return null;
  const every = span.baselineMs / usual.length;
  const longest = Math.max(...gaps([0, ...usual, span.baselineMs]));
  const needed = Math.max(MISSING * every, LONGER * longest);
  const lengths = bad.map(({ t }) => (answers.find((one) => one > t) ?? span.testUntil) - t);
  const first = lengths.findIndex((length) => length >= needed);
  return first < 0 ? null : { first, times: lengths[first]! / needed };
};

const gaps = (times: readonly number[]): number[] => times.slice(1).map((time, i) => time - times[i]!);
