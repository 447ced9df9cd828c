// Sentinels: tagged requests that were answered well, and whether each layer came to show them, and how late. A layer that no
// longer shows what is known to have happened proves nothing by its silence. Pure.
import { median } from 'simple-statistics';
import { type Sentinel, strictest, waysOf } from './arrival.ts';
import type { Evidence, Look } from './evidence.ts';
import type { AlertItem, LayerName, Nanos, Window } from './model.ts';
import type { Plan } from './plan.ts';
import { fromMs, iso, toMs } from './time.ts';
import type { Answers, Gist } from './traffic/gist.ts';
import { moreFailures } from './traffic/witness.ts';

/** Milliseconds from a request's end: asked in vain by the last look that hadn't it, shown by the first that had. */
export type Between = { readonly atLeast: number; readonly atMost: number };

/** Of those requests whose time to show had passed when the gathering ended. */
export type Count = { readonly sent: number; readonly arrived: number };

export type Sentinels = {
  /** What counts as a sentinel that arrived, or why there is none. */
  readonly by: string;
  readonly baseline: Count;
  /** Answered after the injection and before the healing. */
  readonly test: Count;
  /** The ingestion lag of those that arrived: the true median, and the true maximum, lie in between. */
  readonly lagMs: { readonly median: Between; readonly max: Between } | null;
  /** Why nothing can be concluded from the layer's silence; null: nothing speaks against it. */
  readonly silence: string | null;
};

type Run = {
  readonly plan: Plan;
  readonly ledger: Pick<Gist, 'baseline' | 'test'>;
  readonly evidence: Evidence;
};

const NONE_DUE = 'no sentinel: none was answered in time to be seen';

/** What became of a layer's sentinels; null when the layer was never asked. */
export const sentinels = (layer: LayerName, run: Run, baseline: Window): Sentinels | null => {
  if (!run.evidence.looks.some((look) => look.layer === layer)) return null;
  if (layer === 'alerts') return ofAlerts(run, baseline);
  const { by, before, after } = told(layer, run);
  return {
    by: before.length + after.length > 0 ? by : NONE_DUE,
    baseline: count(before),
    test: count(after),
    lagMs: lagOf([...before, ...after]),
    silence: never(before, after) ?? stopped(before, after, run.plan.deadlines[layer].ms),
  };
};

// ---- Which arrived, and when -------------------------------------------------------------------------------------

type Told = Sentinel & { readonly lag: Between | null };

const told = (layer: Exclude<LayerName, 'alerts'>, { plan, ledger, evidence }: Run, choose = strictest) => {
  const looks = evidence.looks.filter((look) => look.layer === layer);
  const items = evidence.items.get(layer) ?? [];
  const [first, second] = [ledger.baseline.some, ledger.test.some];
  const { ms } = plan.deadlines[layer];
  const all = [...first, ...second];
  const { by, arrival } = choose(waysOf(layer, items, plan.topology, ms, all), all);
  const tell = (of: readonly Sentinel[]): Told[] => of.map((one) => ({ ...one, lag: lagAt(one, arrival(one), looks) }));
  const before = tell(first);
  const due = dueBy(looks, Math.max(ms, ...before.map(({ lag }) => lag?.atMost ?? 0)));
  return { by: `${by}${partly(ledger)}`, before: before.filter(due), after: tell(second).filter(due) };
};

/** Of very many requests only some are looked for. */
const partly = ({ baseline, test }: Run['ledger']): string => {
  const part = ({ some, all }: Answers): string => `${some.length} of ${all}`;
  if (baseline.some.length === baseline.all && test.some.length === test.all) return '';
  return ` (looked for: ${part(baseline)} of the baseline, ${part(test)} after the injection)`;
};

const lagAt = ({ sent, ended }: Sentinel, seen: number | null, looks: readonly Look[]): Between | null => {
  const shown = looks.find(({ n }) => n === seen);
  if (!shown) return null;
  const vain = looks.findLast((look) => look.n < shown.n && look.gaps === 0 && look.window.from <= sent);
  const after = (at: Nanos): number => Math.max(0, Math.round(toMs(at - ended)));
  return { atLeast: vain ? after(vain.asked) : 0, atMost: after(shown.answered) };
};

/** Missing is only what was given as much time as the baseline's slowest took, and was then asked for and answered in full. */
const dueBy = (looks: readonly Look[], patienceMs: number): ((one: Told) => boolean) => {
  const last = looks.findLast(({ gaps }) => gaps === 0)?.asked;
  return ({ ended, lag }) => lag !== null || (last !== undefined && ended + fromMs(patienceMs) <= last);
};

const arrived = ({ lag }: Told): boolean => lag !== null;
const count = (all: readonly Told[]): Count => ({ sent: all.length, arrived: all.filter(arrived).length });

/** Order statistics keep their order: the median (or maximum) of all lower ends is at most that of the lags, and so on. */
const lagOf = (all: readonly Told[]): Sentinels['lagMs'] => {
  const lags = all.flatMap(({ lag }) => lag ?? []);
  if (lags.length === 0) return null;
  const ends = (of: (values: number[]) => number): Between => ({
    atLeast: Math.round(of(lags.map(({ atLeast }) => atLeast))),
    atMost: Math.round(of(lags.map(({ atMost }) => atMost))),
  });
  return { median: ends(median), max: ends((values) => Math.max(...values)) };
};

// ---- What silence is worth ---------------------------------------------------------------------------------------

const NOTHING = 'its silence proves nothing';

const never = (before: readonly Told[], after: readonly Told[]): string | null => {
  if (before.length + after.length === 0 || [...before, ...after].some(arrived)) return null;
  return `none of ${requests(after.length)} answered after the injection was seen there, nor any of the baseline's ${before.length}: ${NOTHING}`;
};

const requests = (n: number): string => `${n} tagged request${n === 1 ? '' : 's'}`;

/** The chance of one false stop in a layer, as rare as the ledger's false witness. */
const ALPHA = 1e-4;
/** Where arrivals come in bursts (batches, connections that are reused) the baseline has silences too; twice its longest is another. */
const TIMES_THE_SILENCE = 2;

/**
 * Arrivals that stop at some instant and don't come back: all that were answered from then on are missing, for longer than the
 * layer may take and than it was ever silent in the baseline, and by Fisher's exact test more of them than the baseline's share
 * makes likely (times the number of instants at which they could have stopped, Bonferroni).
 */
const stopped = (before: readonly Told[], after: readonly Told[], deadlineMs: number): string | null => {
  const missing = after.slice(after.findLastIndex(arrived) + 1);
  const base = count(before);
  const share = { requests: base.sent, failed: base.sent - base.arrived };
  const chance = moreFailures(share, { requests: missing.length, failed: missing.length }) * after.length;
  const enough = Math.max(deadlineMs, TIMES_THE_SILENCE * longestSilence(before));
  if (missing.length === 0 || chance >= ALPHA || lengthOf(missing) < enough) return null;
  const from = missing.length < after.length ? ` from ${iso(missing[0]!.ended)} on` : '';
  const all = base.arrived === base.sent ? 'all' : String(base.arrived);
  return `none of ${requests(missing.length)} answered after the injection${from} was seen there, of the baseline's ${base.sent} ${all} were: ${NOTHING}`;
};

const lengthOf = (all: readonly Told[]): number => (all.length > 0 ? toMs(all.at(-1)!.ended - all[0]!.ended) : 0);

/** The longest time between arrivals, and from the first or to the last request, in milliseconds. */
const longestSilence = (all: readonly Told[]): number => {
  const known = all.filter((one, i) => arrived(one) || i === 0 || i === all.length - 1);
  return Math.max(0, ...known.slice(1).map((one, i) => toMs(one.ended - known[i]!.ended)));
};

// ---- Alerts ------------------------------------------------------------------------------------------------------

/**
 * A request raises no alert. What can be known: an alert that fires all the time, as a Watchdog does, has to be in
 * Alertmanager too; and rules have nothing to judge once no sample of anybody arrives any more.
 */
const ofAlerts = (run: Run, { from }: Window): Sentinels => {
  const alerts = (run.evidence.items.get('alerts') ?? []) as readonly (AlertItem & { seen: number })[];
  const standing = unique(
    alerts.filter(({ source, state, at }) => source === 'prometheus' && state === 'firing' && at < from),
  );
  const held = alerts.filter(({ source }) => source === 'alertmanager');
  const found = standing.filter((one) => held.some((other) => carries(other, one)));
  return {
    by:
      standing.length > 0
        ? 'alerts that fire all the time, in Alertmanager too'
        : 'no sentinel: nothing fires all the time here',
    baseline: { sent: standing.length, arrived: found.length },
    test: { sent: 0, arrived: 0 },
    lagMs: null,
    silence: starved(run),
  };
};

/** An alert that fires again and again is one. */
const unique = (alerts: readonly AlertItem[]): AlertItem[] =>
  alerts.filter((one, i) => alerts.findIndex((other) => carries(other, one) && carries(one, other)) === i);

/** Alertmanager's alert has all labels of the rule's, and those that Prometheus adds for the outside. */
const carries = (held: AlertItem, { labels }: AlertItem): boolean =>
  Object.entries(labels).every(([name, value]) => held.labels[name] === value);

const starved = (run: Run): string | null => {
  if (!run.evidence.looks.some(({ layer }) => layer === 'metrics')) return null;
  const { before, after } = told('metrics', run, (ways) => ways.at(-1)!);
  const silence = stopped(before, after, run.plan.deadlines.metrics.ms);
  return silence && `rules had no samples to judge: ${silence}`;
};
