// New firing alerts, followed along the call graph from those who suffer to the one they suffer from.
import {
  type AlertItem,
  type Analyzer,
  type Edge,
  edge,
  type Finding,
  type Suspect,
  service,
  type Topology,
  type Trouble,
} from '../../model.ts';
import { kindOf, type Subject, subjectOf, weightOf } from './meaning.ts';

const EVIDENCE = 10;

/** An alert that counts, with all items that show it. */
type Alert = {
  readonly items: readonly AlertItem[];
  readonly subject: Subject;
  readonly kind: Trouble;
  readonly weight: number;
  readonly reached: 'delivered' | 'held by Alertmanager' | 'known to Prometheus only';
};

/**
 * Suspects from alerts that fire in the test window and neither fired nor were pending in the baseline. Suppressed alerts are
 * told of and not counted. An alert about a caller is explained by one about what it calls, directly or not. Severity
 * weighs most, then the number of alerts, then which was first.
 */
export const analyzeAlerts: Analyzer<AlertItem> = ({ baseline, test, topology }) => {
  const known = baseline.items.filter(({ state }) => state === 'firing' || state === 'pending');
  const muted = test.items.filter(({ state }) => state === 'suppressed');
  const firing = test.items.filter(({ state }) => state === 'firing');
  const fresh = firing.filter((item) => !known.some((old) => same(old, item)) && !muted.some((one) => same(one, item)));
  const alerts = grouped(fresh).flatMap((items) => understood(items, test.items, topology) ?? []);
  const roots = Map.groupBy(alerts, (alert) => key(placed(follow(alert, alerts, topology), alerts, topology)));
  const suspects = [...roots.values()].map((those) => suspect(those, alerts, topology));
  return { suspects: suspects.sort((a, b) => b.score - a.score), why: summary(fresh, alerts, muted, known) };
};

/** The same alert, seen by one who adds labels (Alertmanager's external labels) and one who does not. */
const same = (a: AlertItem, b: AlertItem): boolean =>
  a.name === b.name &&
  Object.keys(a.labels).every((label) => !(label in b.labels) || a.labels[label] === b.labels[label]);

const grouped = (items: readonly AlertItem[]): AlertItem[][] => {
  const groups: AlertItem[][] = [];
  for (const item of items) {
    const group = groups.find(([first]) => same(first!, item));
    if (group) group.push(item);
    else groups.push([item]);
  }
  return groups;
};

const understood = (items: readonly AlertItem[], all: readonly AlertItem[], { components }: Topology): Alert | null => {
  const told = items.find(({ annotations }) => Object.keys(annotations).length > 0) ?? items[0]!;
  const subject = subjectOf(told, components);
  if (!subject) return null;
  const reached = reachedBy(items);
  // Where others were delivered, one that was not reached nobody.
  const unheard = reached !== 'delivered' && all.some(({ source }) => source === 'webhook');
  return { items, subject, reached, kind: kindOf(told) ?? 'erroring', weight: weightOf(told) * (unheard ? 0.9 : 1) };
};

const reachedBy = (items: readonly AlertItem[]): Alert['reached'] => {
  if (items.some(({ source }) => source === 'webhook')) return 'delivered';
  return items.some(({ source }) => source === 'alertmanager') ? 'held by Alertmanager' : 'known to Prometheus only';
};

// ---- The call graph -------------------------------------------------------------------------------------------

const key = (subject: Subject): string => ('to' in subject ? edge(subject.from, subject.to) : service(subject.service));
const own = (alerts: readonly Alert[], name: string): Alert[] =>
  alerts.filter(({ subject }) => 'service' in subject && subject.service === name);
const calls = (alerts: readonly Alert[], name: string): Alert[] =>
  alerts.filter(({ subject }) => 'to' in subject && subject.from === name);

const gravest = (alerts: readonly Alert[]): Alert | undefined =>
  alerts.reduce<Alert | undefined>((best, one) => (one.weight > (best?.weight ?? 0) ? one : best), undefined);

/** The alert that explains this one and that no other explains; `seen` ends the walk where services call in a circle. */
const follow = (alert: Alert, all: readonly Alert[], topology: Topology, seen: readonly Alert[] = []): Alert => {
  if (seen.includes(alert)) return alert;
  const { subject } = alert;
  const named = 'to' in subject ? subject.to : subject.service;
  const absent = own(all, named).find(({ kind }) => kind === 'absent');
  if (absent) return absent;
  const others = all.filter((one) => one !== alert);
  const deeper =
    gravest(calls(others, named)) ??
    ('to' in subject ? gravest(own(others, named)) : undefined) ??
    gravest(below(others, named, topology));
  return deeper ? follow(deeper, all, topology, [...seen, alert]) : alert;
};

/** The alerts about the nearest services that `name` calls, directly or not, and that have any. */
const below = (all: readonly Alert[], name: string, { edges }: Topology): Alert[] => {
  const seen = new Set([name]);
  for (let level = [name]; level.length > 0; ) {
    level = edges.filter(({ from, to }) => level.includes(from) && !seen.has(to)).map(({ to }) => to);
    for (const one of level) seen.add(one);
    const found = level.flatMap((one) => [...own(all, one), ...calls(all, one)]);
    if (found.length > 0) return found;
  }
  return [];
};

/** Calls to a callee are the callee's trouble when all its callers complain, or the only one, or more than one. */
const placed = ({ subject }: Alert, all: readonly Alert[], { edges }: Topology): Subject => {
  if (!('to' in subject)) return subject;
  const callers = new Set(edges.filter(({ to }) => to === subject.to).map(({ from }) => from));
  const complain = new Set(
    all.flatMap((one) => ('to' in one.subject && one.subject.to === subject.to ? [one.subject.from] : [])),
  );
  const alone = complain.size === 1 && callers.size > 1;
  return alone ? (subject satisfies Edge) : { service: subject.to };
};

// ---- Suspects -------------------------------------------------------------------------------------------------

/** `those` are all alerts that lead to one place; its own ones among them say the kind. */
const suspect = (those: readonly Alert[], all: readonly Alert[], topology: Topology): Suspect => {
  const roots = [...new Set(those.map((alert) => follow(alert, all, topology)))];
  const place = placed(roots[0]!, all, topology);
  const main = roots.find(({ kind }) => kind === 'absent') ?? gravest(roots)!;
  const items = roots.flatMap((alert) => alert.items).sort((a, b) => Number(a.at - b.at));
  const first = all.flatMap((alert) => alert.items).every(({ at }) => at >= items[0]!.at);
  const weight = Math.max(...those.map((alert) => alert.weight));
  return {
    ref: 'to' in place ? edge(place.from, place.to) : service(place.service),
    kind: main.kind,
    since: items[0]!.at,
    score: Math.min(0.97, 0.8 * weight + 0.03 * Math.min(4, those.length - 1) + (first ? 0.05 : 0)),
    why: roots.map(describe).join('; ') + explained(those, roots),
    evidence: items.slice(0, EVIDENCE).map(({ id }) => id),
  };
};

const describe = ({ items: [first], reached, subject, kind }: Alert): string =>
  `${first!.name} (${first!.labels.severity ?? 'no severity'}, ${reached}) says that ${
    'to' in subject ? `calls from ${subject.from} to ${subject.to} are` : `${subject.service} is`
  } ${kind}`;

const explained = (those: readonly Alert[], roots: readonly Alert[]): string => {
  const others = those.filter((alert) => !roots.includes(alert)).map(({ items }) => items[0]!.name);
  return others.length > 0 ? `; that explains ${[...new Set(others)].join(', ')}` : '';
};

const summary = (
  fresh: readonly AlertItem[],
  alerts: readonly Alert[],
  muted: readonly AlertItem[],
  known: readonly AlertItem[],
): Finding['why'] => {
  const count = grouped(fresh).length;
  const names = [...new Set(known.map(({ name }) => name))];
  return [
    count === 0 ? 'no alert began to fire' : `${count} alerts began to fire, ${alerts.length} of them name a component`,
    ...grouped(muted).map(
      ([one]) => `${one!.name} is suppressed by ${one!.annotations.suppressed_by ?? 'somebody'} and not counted`,
    ),
    ...(names.length > 0 ? [`already there before: ${names.join(', ')}`] : []),
  ].join('; ');
};
