// The verdict: what each layer's analyzer says, blind, compared with the ground truth as witnessed. Pure: the same stored run
// gives the same verdict, byte for byte. It does not know how to query.
import { analyzers } from './analyzers.ts';
import type { Asked, Evidence, Look } from './evidence.ts';
import { type Expectation, type Grade, gradeAtLeast, inWords, meets } from './expect.ts';
import type { Truth } from './faults/fault.ts';
import type { Entry } from './history.ts';
import {
  type AlertItem,
  ends,
  type Finding,
  type FlowItem,
  type Item,
  LAYERS,
  type LayerName,
  type Nanos,
  type Ref,
  type SpanItem,
  type Suspect,
  type Trouble,
  type Window,
} from './model.ts';
import { naming } from './naming.ts';
import { compare } from './ordering.ts';
import { type Plan, phase } from './plan.ts';
import { type Sentinels, sentinels } from './sentinel.ts';
import { fromIso, fromMs, iso, milliseconds, toMs } from './time.ts';
import { heldWindow, phaseWindow, type Times, timesOf } from './times.ts';
import type { Gist } from './traffic/gist.ts';
import type { TrafficSummary } from './traffic/ledger.ts';

export const OUTCOMES = [
  'pass',
  'fail',
  'inconclusive',
  'invalid-injection',
  'not-exposed',
  'layer-unhealthy',
  'still-broken',
] as const;
export type Outcome = (typeof OUTCOMES)[number];

/** 0 pass, 1 fail, 2 nothing can be said, 3 still broken. */
export const exitCodeOf = (outcome: Outcome): number =>
  ({ pass: 0, fail: 1, 'still-broken': 3 })[outcome as string] ?? 2;

/** A bracket, in milliseconds after the injection: after the last quiet look, by the first that showed it. */
export type Bracket = { readonly atLeast: number; readonly atMost: number };

export type LayerVerdict = {
  readonly grade: Grade;
  /** The least grade that the scenario asks for; null: reported, not required. */
  readonly wanted: Grade | null;
  readonly timeToDetect: Bracket | null;
  readonly timeToLocate: Bracket | null;
  /** `since` is ISO 8601 with nanoseconds. */
  readonly suspects: readonly (Omit<Suspect, 'since'> & { readonly since: string })[];
  readonly why: string;
  readonly items: { readonly baseline: number; readonly test: number };
  /** What became of tagged requests that were answered well; null: the layer was never asked. */
  readonly sentinels: Sentinels | null;
};

export type Verdict = {
  readonly schema: 1;
  readonly scenario: string;
  readonly target: string;
  readonly platform: string;
  readonly runId: string;
  readonly seed: number;
  readonly outcome: Outcome;
  readonly exitCode: number;
  /** One sentence: why this outcome. */
  readonly because: string;
  readonly groundTruth: {
    readonly fault: string;
    readonly on: Ref | null;
    readonly kind: Trouble | null;
    readonly from: string | null;
    readonly until: string | null;
    readonly witnessedBy: readonly string[];
    readonly healedAt: string | null;
    readonly healWitnessedBy: readonly string[];
  };
  readonly layers: Readonly<Record<LayerName, LayerVerdict>>;
  readonly fused: {
    readonly grade: Grade;
    readonly suspects: readonly {
      readonly ref: Ref;
      readonly kind: Trouble;
      readonly score: number;
      readonly layers: readonly LayerName[];
    }[];
  };
  readonly expectations: readonly {
    readonly says: string;
    readonly holds: boolean | null;
    readonly evidence: readonly string[];
    readonly why: string;
  }[];
  readonly traffic: TrafficSummary;
  readonly gaps: readonly {
    readonly layer: LayerName;
    readonly query: string;
    readonly window: { readonly from: string; readonly until: string };
    readonly why: string;
  }[];
  readonly ledgerSha256: string;
};

export type Stored = {
  readonly plan: Plan;
  readonly history: readonly Entry[];
  readonly ledger: Gist;
  readonly evidence: Evidence;
};

export const verdict = (stored: Stored): Verdict => {
  const { plan, history, ledger, evidence } = stored;
  const times = timesOf(history, ledger.first);
  const layers = Object.fromEntries(
    LAYERS.map((layer) => [layer, disbelieved(judgeLayer(layer, stored, times))]),
  ) as Record<LayerName, LayerVerdict>;
  const { traffic } = ledger;
  const effect = plan.truth.on && ledger.effect?.worse ? [`ledger: ${ledger.effect.says.join('; ')}`] : [];
  const expectations = plan.also.map((one, n) => judgeExpectation(one, n, stored, times));
  const decided = decide(stored, times, layers, expectations, traffic);
  const witnesses = (of: 'injection' | 'healing') =>
    history.flatMap((entry) => (entry.type === 'witness' && entry.of === of && entry.holds ? [entry.says] : []));
  return {
    schema: 1,
    scenario: plan.scenario,
    target: plan.target,
    platform: plan.platform,
    runId: plan.runId,
    seed: plan.seed,
    outcome: decided.outcome,
    exitCode: exitCodeOf(decided.outcome),
    because: decided.because,
    groundTruth: {
      fault: plan.fault.kind,
      on: plan.truth.on,
      kind: plan.truth.kinds[0] ?? null,
      from: times.injected && plan.truth.on ? iso(times.injected) : null,
      until: times.healing && plan.truth.on ? iso(times.healing) : null,
      witnessedBy: [...witnesses('injection'), ...effect],
      healedAt: times.healed && plan.truth.on ? iso(times.healed) : null,
      healWitnessedBy: witnesses('healing'),
    },
    layers,
    fused: fuse(layers, plan, times),
    expectations,
    traffic,
    gaps: evidence.gaps.map(({ layer, query, window, why }) => ({
      layer,
      query,
      window: { from: iso(window.from), until: iso(window.until) },
      why,
    })),
    ledgerSha256: ledger.sha256,
  };
};

// ---- One layer ----------------------------------------------------------------------------------------------------

/**
 * Freshly arrived evidence is not judged at once: one side of a call may have been exported and the other not yet.
 * Milliseconds behind the time of asking, added to the layer's own deadline parts.
 */
const settle = (plan: Plan, layer: LayerName): Nanos =>
  layer === 'alerts' || layer === 'metrics' ? 0n : fromMs(plan.deadlines[layer].ms - 500);

/**
 * Healing cuts connections of its own, which is not what is judged: evidence ends where healing begins. Only what the layer
 * itself dates late, a scrape of the last counts, an alert that was still waiting, is taken from after it.
 */
const tail = (plan: Plan, layer: LayerName): Nanos => {
  if (layer === 'metrics') return fromMs((plan.deadlines.metrics.parts['two scrapes'] ?? 0) / 2);
  return layer === 'alerts' ? fromMs(plan.deadlines.alerts.ms) : 0n;
};

const judgedUntil = (plan: Plan, layer: LayerName, times: Times): Nanos =>
  (times.healing ?? times.start + fromMs(phase(plan, 'hold').until)) + tail(plan, layer);

/** A layer's looks, up to one that shows all that is judged and may have waited its turn. */
const judgedLooks = ({ plan, evidence }: Stored, layer: LayerName, times: Times): Look[] => {
  const end = judgedUntil(plan, layer, times) + fromMs(5000);
  return evidence.looks.filter((look) => look.layer === layer && look.asked < end);
};

const judgeLayer = (layer: LayerName, stored: Stored, times: Times): LayerVerdict => {
  const { plan, evidence } = stored;
  const baseline = phaseWindow(plan, times, 'baseline');
  const quiet = phaseWindow(plan, times, 'quiet');
  const end = judgedUntil(plan, layer, times);
  const items = evidence.items.get(layer) ?? [];
  const looks = evidence.looks.filter((look) => look.layer === layer);
  // No alert is what a healthy alerting layer shows; no span, sample, line, flow or packet is what a dead one does.
  const heard = looks.some((look) => look.gaps === 0);
  const judge = (until: Nanos, byLook: number): { finding: Finding; grade: Grade } => {
    const seen = items.filter((item) => item.seen <= byLook);
    const input = {
      baseline: { window: baseline, items: within(seen, baseline) },
      test: { window: { from: quiet.from, until }, items: within(seen, { from: quiet.from, until }) },
      topology: plan.topology,
    };
    const finding = analyzers[layer](input as never);
    const data = input.baseline.items.length + input.test.items.length > 0 || (layer === 'alerts' && heard);
    return { finding, grade: grade(finding, data, plan, times) };
  };
  const last = judge(end, Number.POSITIVE_INFINITY);
  const judged = judgedLooks(stored, layer, times).filter(({ asked }) => asked > (times.injected ?? quiet.until));
  const grades =
    times.injected && plan.truth.on
      ? climb(judged, last.grade, (look) => judge(min(end, look.asked - settle(plan, layer)), look.n).grade)
      : [];
  const bracket = (wanted: Grade): Bracket | null =>
    grades.length > 0 && times.injected && gradeAtLeast(last.grade, wanted)
      ? bracketOf(looks, grades, wanted, times.injected)
      : null;
  return {
    grade: last.grade,
    wanted: plan.demands[layer] ?? null,
    timeToDetect: bracket('noticed'),
    timeToLocate: bracket('located'),
    suspects: last.finding.suspects.map((suspect) => ({
      ...suspect,
      score: round(suspect.score),
      since: iso(suspect.since),
    })),
    why: last.finding.why,
    items: { baseline: within(items, baseline).length, test: within(items, { from: quiet.from, until: end }).length },
    sentinels: sentinels(layer, stored, baseline),
  };
};

/**
 * A layer that has fallen silent is blind: neither is its silence a miss, nor what it blames for being silent a finding. What
 * located the fault arrived, whatever else did not.
 */
const disbelieved = (layer: LayerVerdict): LayerVerdict => {
  const { sentinels: sent, grade, suspects } = layer;
  if (!sent?.silence) return layer;
  if (gradeAtLeast(grade, 'located')) return { ...layer, sentinels: { ...sent, silence: null } };
  const [top] = suspects;
  const blames = top ? `; that it blames ${top.ref} (${top.kind}) may be that silence too` : '';
  const why = `${sent.silence}${blames}`;
  return { ...layer, grade: 'blind', timeToDetect: null, timeToLocate: null, suspects: [], why };
};

/** Grades look after look, up to the first that locates what the last grade says can be located: later ones tell nothing new. */
const climb = (looks: readonly Look[], last: Grade, gradeOf: (look: Look) => Grade): { look: Look; grade: Grade }[] => {
  const enough: Grade = gradeAtLeast(last, 'located') ? 'located' : 'noticed';
  const grades: { look: Look; grade: Grade }[] = [];
  for (const look of gradeAtLeast(last, 'noticed') ? looks : []) {
    const one = { look, grade: gradeOf(look) };
    grades.push(one);
    if (gradeAtLeast(one.grade, enough)) break;
  }
  return grades;
};

const within = <I extends Item>(items: readonly I[], window: Window): I[] =>
  items
    .filter((item) => item.at >= window.from && item.at < window.until)
    .sort((a, b) => compare(a.at, b.at) || compare(a.id, b.id));

const gapIn = ({ gaps }: Evidence, layer: LayerName, { from, until }: Window): Evidence['gaps'][number] | undefined =>
  gaps.find((gap) => gap.layer === layer && gap.window.from < until && gap.window.until > from);

/** The first look that reached the grade, and the last before it that was answered and had not. */
const bracketOf = (
  looks: readonly Look[],
  grades: readonly { look: Look; grade: Grade }[],
  wanted: Grade,
  injected: Nanos,
): Bracket => {
  const first = grades.find((one) => gradeAtLeast(one.grade, wanted));
  const firing = first?.look ?? looks.at(-1);
  const quiet = looks.filter((look) => firing && look.n < firing.n && look.gaps === 0).at(-1);
  const after = (at: Nanos | undefined): number => Math.max(0, Math.round(toMs((at ?? injected) - injected)));
  return { atLeast: after(quiet?.asked), atMost: after(firing?.answered) };
};

/** A suspect whose trouble began before the injection (give or take what a scrape can hide) detects nothing. */
const ALREADY_MS = 1500;

const afterInjection = (since: Nanos, plan: Plan, times: Times): boolean =>
  plan.truth.on === null || times.injected === null || since >= times.injected - fromMs(ALREADY_MS);

const grade = (finding: Finding, data: boolean, plan: Plan, times: Times): Grade => {
  if (!data) return 'blind';
  const suspects = finding.suspects.filter(({ since }) => afterInjection(since, plan, times));
  const top = suspects[0];
  if (!top) return 'silent';
  return gradeSuspect(top, plan.truth, plan.topology.components);
};

/**
 * How right a suspect is. Who blames an edge's end, or for a component's fault the way into it, sends people to the right
 * place: located. Explained is only the very place and the right kind.
 */
export const gradeSuspect = (
  suspect: Pick<Suspect, 'ref' | 'kind'>,
  truth: Truth,
  components: readonly string[],
): Grade => {
  const blamed = componentRef(suspect.ref, components);
  if (truth.on === null) return 'noticed';
  if (blamed !== truth.on) return nextTo(blamed, truth.on) ? 'located' : 'noticed';
  return truth.kinds.includes(suspect.kind) ? 'explained' : 'located';
};

const nextTo = (blamed: Ref, on: Ref): boolean => {
  const [way, broken] = [ends(blamed), ends(on)];
  if (broken) return blamed === `service:${broken.from}` || blamed === `service:${broken.to}`;
  return way !== null && on === `service:${way.to}`;
};

/** A pod counts as its component. */
const componentRef = (ref: Ref, components: readonly string[]): Ref => {
  if (!ref.startsWith('pod:')) return ref;
  const name = naming(components, () => new Map()).component(ref.slice('pod:'.length));
  return name ? `service:${name}` : ref;
};

const round = (x: number): number => Math.round(x * 1000) / 1000;
const min = (a: Nanos, b: Nanos): Nanos => (a < b ? a : b);

// ---- All layers together ---------------------------------------------------------------------------------------------

const fuse = (layers: Verdict['layers'], plan: Plan, times: Times): Verdict['fused'] => {
  const found = new Map<string, { ref: Ref; kind: Trouble; score: number; layers: LayerName[] }>();
  const fresh = (layer: LayerName) =>
    layers[layer].suspects.filter(({ since }) => afterInjection(fromIso(since), plan, times));
  for (const layer of LAYERS) {
    // A layer has one voice for each blame, the surest, however many pods of the component it names.
    for (const [key, { ref, kind, score }] of surest(fresh(layer), plan)) {
      const one = found.get(key) ?? { ref, kind, score: 0, layers: [] };
      found.set(key, { ...one, score: one.score + score, layers: [...one.layers, layer] });
    }
  }
  const suspects = [...found.values()]
    .map((one) => ({ ...one, score: round(one.score / LAYERS.length) }))
    .sort((a, b) => b.score - a.score || (a.ref < b.ref ? -1 : 1));
  const blind = LAYERS.every((layer) => layers[layer].grade === 'blind');
  const top = suspects[0];
  return {
    grade: top ? gradeSuspect(top, plan.truth, plan.topology.components) : blind ? 'blind' : 'silent',
    suspects,
  };
};

const surest = (
  suspects: LayerVerdict['suspects'],
  { topology }: Plan,
): Map<string, { ref: Ref; kind: Trouble; score: number }> => {
  const found = new Map<string, { ref: Ref; kind: Trouble; score: number }>();
  for (const { ref, kind, score } of suspects) {
    const blamed = componentRef(ref, topology.components);
    const key = `${blamed} ${kind}`;
    if (score > (found.get(key)?.score ?? -1)) found.set(key, { ref: blamed, kind, score });
  }
  return found;
};

type Decision = { readonly outcome: Outcome; readonly because: string };

/** The worst finding wins; what can't be said is never a pass. */
const decide = (
  stored: Stored,
  times: Times,
  layers: Verdict['layers'],
  expectations: Verdict['expectations'],
  traffic: TrafficSummary,
): Decision =>
  brokenStill(stored) ??
  notInjected(stored, times) ??
  unexposed(stored, times) ??
  unheard(stored, layers) ??
  clientTrouble(stored, traffic) ??
  (stored.plan.truth.on === null
    ? controlDecision(stored, layers)
    : faultDecision(stored, times, layers, expectations));

const brokenStill = ({ history, plan }: Stored): Decision | null => {
  const broken = history.find((entry) => entry.type === 'still-broken');
  if (broken?.type === 'still-broken') return { outcome: 'still-broken', because: broken.why };
  const looked = history.filter((entry) => entry.type === 'witness' && entry.of === 'healing');
  const last = looked.at(-1);
  if (plan.truth.on !== null && last?.type === 'witness' && !last.holds)
    return { outcome: 'still-broken', because: `healed, but not by what was seen: ${last.says}` };
  return null;
};

const notInjected = ({ history, plan }: Stored, times: Times): Decision | null => {
  const aborted = history.find((entry) => entry.type === 'aborted');
  if (aborted?.type === 'aborted') return { outcome: 'inconclusive', because: `ended early: ${aborted.why}` };
  const short = history.find((entry) => entry.type === 'cut-short');
  if (short?.type === 'cut-short') return { outcome: 'inconclusive', because: `the hold was cut short: ${short.why}` };
  const refused = history.find((entry) => entry.type === 'not-injected');
  if (refused?.type === 'not-injected')
    return {
      outcome: refused.why.startsWith('no steady state') ? 'inconclusive' : 'invalid-injection',
      because: refused.why,
    };
  if (!history.some((entry) => entry.type === 'ended'))
    return { outcome: 'inconclusive', because: 'the run did not come to its end' };
  const witness = history.find((entry) => entry.type === 'witness' && entry.of === 'injection');
  if (plan.truth.on !== null && witness?.type === 'witness' && !witness.holds)
    return { outcome: 'invalid-injection', because: `nothing witnesses that the fault took effect: ${witness.says}` };
  if (plan.truth.on !== null && times.injected === null)
    return { outcome: 'invalid-injection', because: 'the fault was never injected' };
  return null;
};

const unexposed = ({ plan, ledger }: Stored, times: Times): Decision | null =>
  heldWindow(plan, times) === null || ledger.exposed > 0
    ? null
    : { outcome: 'not-exposed', because: `no request came by ${plan.truth.on} while the fault was in` };

/** A layer of which something is wanted, and which could not be asked at all or has fallen silent. */
const unheard = ({ plan, evidence }: Stored, layers: Verdict['layers']): Decision | null => {
  const wanted = LAYERS.filter((layer) => plan.demands[layer] !== undefined && plan.demands[layer] !== 'blind');
  const dead = wanted.filter((layer) => {
    const looks = evidence.looks.filter((look) => look.layer === layer);
    return looks.length > 0 && layers[layer].grade === 'blind' && looks.every((look) => look.gaps > 0);
  });
  const gap = evidence.gaps.find(({ layer }) => layer === dead[0]);
  const says = [
    ...(gap ? [`${dead.join(', ')} could not be asked: ${gap.why}`] : []),
    ...(plan.truth.on === null ? [] : silences(wanted, layers)),
  ];
  return says.length > 0 ? { outcome: 'layer-unhealthy', because: says.join('; ') } : null;
};

const silences = (of: readonly LayerName[], layers: Verdict['layers']): string[] =>
  of.flatMap((layer) => {
    const silence = layers[layer].sentinels?.silence;
    return silence ? [`${layer}: ${silence}`] : [];
  });

const clientTrouble = ({ ledger }: Stored, traffic: TrafficSummary): Decision | null => {
  if (ledger.records === 0) return { outcome: 'inconclusive', because: 'no request was sent' };
  return traffic.saturated
    ? { outcome: 'inconclusive', because: `the client itself could not keep up: ${traffic.saturated}` }
    : null;
};

const controlDecision = (stored: Stored, layers: Verdict['layers']): Decision =>
  alarmed(stored, layers) ?? unalarmed(stored, layers);

/** An alarm is false where the client's own requests fared as before: a machine that others take from does make services slow. */
const alarmed = ({ ledger: { effect } }: Stored, layers: Verdict['layers']): Decision | null => {
  const alarms = LAYERS.flatMap((layer) => {
    const [first] = layers[layer].suspects;
    return first ? [`${layer} blames ${first.ref} (${first.kind})`] : [];
  }).join('; ');
  if (alarms === '') return null;
  if (!effect?.worse) return { outcome: 'fail', because: `false alarm with no fault in: ${alarms}` };
  return {
    outcome: 'inconclusive',
    because: `with no fault in, ${effect.says[0]}; so what is reported may be right (${alarms}): run the control again`,
  };
};

/** A layer that was asked and never showed a thing would have raised no alarm either way: its silence proves nothing. */
const unalarmed = ({ evidence }: Stored, layers: Verdict['layers']): Decision => {
  const asked = LAYERS.filter((layer) => evidence.looks.some((look) => look.layer === layer));
  const blind = asked.filter((layer) => layers[layer].grade === 'blind' && !layers[layer].sentinels?.silence);
  const says = [
    ...(blind.length > 0 ? [`${blind.join(', ')} showed nothing at all, so its silence proves nothing`] : []),
    ...silences(asked, layers),
  ];
  return says.length > 0
    ? { outcome: 'layer-unhealthy', because: says.join('; ') }
    : { outcome: 'pass', because: 'no fault was in, and no layer reported one' };
};

const faultDecision = (
  stored: Stored,
  times: Times,
  layers: Verdict['layers'],
  expectations: Verdict['expectations'],
): Decision => {
  const { plan, evidence } = stored;
  const short = LAYERS.filter(
    (layer) => plan.demands[layer] && !gradeAtLeast(layers[layer].grade, plan.demands[layer]),
  );
  const excused = short.filter((layer) => {
    const { from } = phaseWindow(plan, times, 'baseline');
    const until = judgedUntil(plan, layer, times);
    return gapIn(evidence, layer, { from, until }) !== undefined;
  });
  const missed = short.filter((layer) => !excused.includes(layer));
  const broken = expectations.filter((one) => one.holds === false);
  const unknown = expectations.filter((one) => one.holds === null);
  const says = [
    ...missed.map((layer) => `${layer} is ${layers[layer].grade}, ${plan.demands[layer]} is asked for`),
    ...broken.map((one) => `not so: ${one.says}`),
  ];
  if (says.length > 0) return { outcome: 'fail', because: says.join('; ') };
  const open = [
    ...excused.map((layer) => `${layer} has gaps where an answer was needed`),
    ...unknown.map((one) => `nobody knows: ${one.says} (${one.why})`),
    ...LAYERS.filter((layer) => plan.demands[layer] && !excused.includes(layer)).flatMap((layer) =>
      lost(stored, layer, times),
    ),
  ];
  if (open.length > 0) return { outcome: 'inconclusive', because: open.join('; ') };
  return { outcome: 'pass', because: 'every layer that was asked to saw the fault and blamed the right place' };
};

/**
 * What a layer answered before the fault and, in the later half of its looks or longer, no more: a part of it was lost. Another part
 * may have located the fault, as Prometheus does without the Alertmanager that would have told somebody.
 */
const lost = (stored: Stored, layer: LayerName, times: Times): string[] => {
  const looks = judgedLooks(stored, layer, times);
  const isSince = ({ asked }: Look): boolean => times.injected !== null && asked > times.injected;
  const since = looks.filter(isSince);
  const later = since.slice(Math.floor(since.length / 2));
  const gaps = stored.evidence.gaps.filter((gap) => gap.layer === layer);
  const without = (look: Look, query: string): boolean =>
    gaps.some((gap) => gap.look === look.n && gap.query === query);
  const answered = (look: Look, query: string): boolean =>
    look.queries.some(({ text }) => text === query) && !without(look, query);
  return [...new Map(gaps.map(({ query, why }) => [query, why]))]
    .filter(([query]) => looks.some((look) => !isSince(look) && answered(look, query)))
    .filter(([query]) => later.length > 1 && later.every((look) => without(look, query)))
    .map(([query, why]) => `${layer}: ${query} was answered before the fault and then no more (${why})`);
};

// ---- Expectations ----------------------------------------------------------------------------------------------------

const judgeExpectation = (
  one: Expectation,
  n: number,
  stored: Stored,
  times: Times,
): Verdict['expectations'][number] => {
  const says = inWords(one);
  if (times.injected === null) return { says, holds: null, evidence: [], why: 'nothing was injected' };
  const window: Window = { from: times.injected, until: times.injected + fromMs(milliseconds(one.within)) };
  return {
    says,
    ...('bound' in one
      ? byQuery(
          one,
          stored.evidence.asked.filter((asked) => asked.expectation === n),
          window,
        )
      : byItems(one, stored.evidence, window)),
  };
};

type Answered = { readonly holds: boolean | null; readonly evidence: readonly string[]; readonly why: string };

const byQuery = (one: Extract<Expectation, { bound: unknown }>, asked: readonly Asked[], window: Window): Answered => {
  const looks = asked.filter(({ at }) => at >= window.from && at < window.until);
  const answered = looks.filter(({ failed }) => failed === null);
  const good = answered.find(({ value }) => meets(one.bound, value));
  if (good)
    return {
      holds: true,
      evidence: [`${iso(good.at)} ${good.query} = ${good.value}`],
      why: `first true at ${iso(good.at)}`,
    };
  const last = answered.at(-1);
  if (!last || answered.length < looks.length)
    return {
      holds: null,
      evidence: [],
      why: looks.find(({ failed }) => failed !== null)?.failed ?? 'it was never asked in that time',
    };
  return {
    holds: false,
    evidence: [`${iso(last.at)} ${last.query} = ${last.value ?? 'nothing'}`],
    why: `last look: ${last.value ?? 'nothing'}`,
  };
};

const byItems = (
  one: Extract<Expectation, { kind: 'alert' | 'trace' | 'flow' }>,
  evidence: Evidence,
  window: Window,
): Answered => {
  const layer = ({ alert: 'alerts', trace: 'traces', flow: 'flows' } as const)[one.kind];
  const items = within(evidence.items.get(layer) ?? [], window);
  const found = items.filter((item) => matches(one, item));
  if (found.length > 0)
    return {
      holds: true,
      evidence: found.slice(0, 10).map((item) => item.id),
      why: `${found.length} found, the first at ${iso(found[0]!.at)}`,
    };
  const gap = gapIn(evidence, layer, window);
  return gap
    ? { holds: null, evidence: [], why: gap.why }
    : { holds: false, evidence: [], why: `none among ${items.length} seen in that time` };
};

const matches = (one: Extract<Expectation, { kind: 'alert' | 'trace' | 'flow' }>, item: Item): boolean => {
  if (one.kind === 'alert') {
    const alert = item as AlertItem;
    return (
      alert.state === 'firing' &&
      Object.entries(one.labels).every(
        ([label, value]) => (label === 'alertname' ? alert.name : alert.labels[label]) === value,
      )
    );
  }
  if (one.kind === 'trace') {
    const span = item as SpanItem;
    const { error, slowerThan, calling } = one.having;
    return (
      span.service === one.service &&
      (error === undefined || span.error === error) &&
      (calling === undefined || span.peer === calling) &&
      (slowerThan === undefined || span.durationMs > milliseconds(slowerThan))
    );
  }
  const flow = item as FlowItem;
  return (
    flow.verdict === one.verdict &&
    (one.from === undefined || flow.source.service === one.from) &&
    (one.to === undefined || flow.destination.service === one.to)
  );
};
