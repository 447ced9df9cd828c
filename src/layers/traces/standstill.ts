// The entry has no callers whose spans would show that it was gone: only a silence in the midst of traffic does.
import { service } from '../../model.ts';
import type { Served } from './calls.ts';
import { lostPod } from './pods.ts';
import { evidenceOf, type Suspicion, type View, within } from './view.ts';

/** Longer than any pause of a runtime, and than traffic's own pauses. */
const MIN_GAP_MS = 1500;
const TIMES_USUAL = 3;
/** Odds against such a silence in Poisson traffic of the usual rate. */
const NEEDED = Math.log(1e5);

/** A silence of the entry that traffic alone does not explain and that has a second sign. */
export const standstill = (view: View): Suspicion[] => {
  const name = view.topology.entry;
  const [before, now] = [view.baseline.served, view.test.served].map((all) =>
    all.filter((one) => one.service === name),
  );
  const gap = longestGap(now!);
  const usual = longestGap(before!);
  if (!gap || !usual) return [];
  const length = gap.until - gap.from;
  const rate = before!.length / Math.max(1, before!.at(-1)!.t - before![0]!.t);
  const llr = rate * length - Math.log(now!.length);
  if (length < MIN_GAP_MS || length < TIMES_USUAL * (usual.until - usual.from) || llr < NEEDED) return [];
  const sign = secondSign(view, name, gap);
  if (!sign) return [];
  const after = now!.filter((one) => one.t >= gap.until).map(({ t, end, span }) => ({ t, end, id: span.id }));
  return [
    {
      ref: service(name),
      kind: 'absent',
      at: name,
      from: gap.from,
      until: gap.until,
      // Until then it might have been one of traffic's own pauses.
      since: gap.from + usual.until - usual.from,
      llr,
      needed: NEEDED,
      why: `${name} served nothing for ${(length / 1000).toFixed(1)} s amid traffic; ${sign}`,
      evidence: evidenceOf(after).evidence,
    },
  ];
};

type Gap = { readonly from: number; readonly until: number };

const longestGap = (served: readonly Served[]): Gap | null => {
  const gaps = served.slice(1).map((one, at) => ({ from: served[at]!.t, until: one.t }));
  return gaps.reduce<Gap | null>((a, b) => (a && a.until - a.from >= b.until - b.from ? a : b), null);
};

// Traffic may have had a break of its own: the silence needs another sign that the component was in trouble.
const secondSign = (view: View, name: string, gap: Gap): string | null => {
  const lost = lostPod(view, name, { ...gap, llr: 0, needed: 0, badShare: 1 });
  if (lost) return lost;
  const others = within(view.test.served, gap.from + MIN_GAP_MS / 3, gap.until).filter((one) => one.service !== name);
  if (others.length >= 3) return 'others were still at work';
  const length = gap.until - gap.from;
  const through = view.test.served.filter(
    (one) => one.service === name && one.t <= gap.from && one.end >= gap.until && one.selfMs >= length / 2,
  );
  return through.length > 0 ? 'what it had begun before ended only after' : null;
};
