// A log line as the analyzer thinks of it: who says what about whom.
import type { LogItem, Nanos, Topology } from '../../model.ts';
import { durationsOf, type Measured } from './durations.ts';
import { levelOf, type Parsed, parseLine } from './fields.ts';
import { template } from './template.ts';
import { type Failure, failureOf, prose, STARTING } from './words.ts';

export type Event = {
  readonly id: string;
  readonly at: Nanos;
  readonly service: string;
  readonly pod: string | null;
  /** The component that the line says was called, or null when it is about the service itself. */
  readonly callee: string | null;
  readonly failure: Failure | null;
  readonly starting: boolean;
  /** Of the message; empty when the line measures nothing. */
  readonly template: string;
  readonly times: readonly Measured[];
};

const PEER_KEY =
  /(^|[._-])(peer|upstream|target|remote|callee|dest|destination|dst|server|backend|dependency|host|hostname|addr|address|authority|url|uri|endpoint|service|to)([._-]?(name|host|service|address|addr|url|cluster))?$/i;

/** Reads lines of one platform. The callee is a component that the topology says the service calls. */
export const reader = ({ components, edges }: Topology): ((item: LogItem) => Event) => {
  const find = finder(components);
  const callees = new Map(
    components.map((one) => [one, new Set(edges.filter(({ from }) => from === one).map(({ to }) => to))]),
  );
  return (item) => {
    const parsed = withLevel(parseLine(item.line), item.labels);
    const text = prose(parsed);
    const failure = failureOf(parsed, text);
    const mine = callees.get(item.service) ?? new Set<string>();
    const callee = named(parsed, text, find, mine) ?? implied(failure, text, mine);
    const { id, at, service, pod } = item;
    const starting = failure === null && STARTING.test(parsed.message);
    const times = durationsOf(parsed);
    const kind = times.length > 0 ? template(parsed.message) : '';
    return { id, at, service, pod, callee, failure, starting, template: kind, times };
  };
};

const withLevel = (parsed: Parsed, labels: LogItem['labels']): Parsed => {
  const label = labels.level ?? labels.severity ?? labels.detected_level;
  return parsed.level === null && label && label !== 'unknown' ? { ...parsed, level: levelOf(label) } : parsed;
};

type Find = (text: string) => string[];

/**
 * Component names in a text, also as `name:8080`, `name.namespace.svc`, `http://name/` or the pod `name-6d4f-x2x`; a path such
 * as `/name` is not one. The longest name wins: `order-service` is not `order`.
 */
const finder = (components: readonly string[]): Find => {
  const longestFirst = [...components]
    .sort((a, b) => b.length - a.length)
    .map((name) => name.replace(/[^\w-]/g, '\\$&'));
  const pattern = new RegExp(`(?<![\\w-]|(?<!/)/)(${longestFirst.join('|')})(?!\\w)`, 'gi');
  return (text) =>
    longestFirst.length === 0 ? [] : [...text.matchAll(pattern)].map(([, name]) => name!.toLowerCase());
};

// A field that is there to name the other side is surer than a name in prose.
const named = (parsed: Parsed, text: string, find: Find, callees: ReadonlySet<string>): string | null => {
  if (callees.size === 0) return null;
  const fields = [...parsed.fields].filter(([key]) => PEER_KEY.test(key)).map(([, value]) => String(value));
  const all = [...fields, text].flatMap(find);
  return all.find((name) => callees.has(name)) ?? null;
};

const OUTGOING =
  /\b(?:connect|connecting|dial|upstream|fetch|lookup|call(?:ing)?|request) (?:to |tcp |error|timeout|E[A-Z]+)/i;

// An outgoing connection that failed without a name can only be to the one component that is ever called.
const implied = (failure: Failure | null, text: string, callees: ReadonlySet<string>): string | null =>
  (failure === 'gone' || failure === 'timeout') && callees.size === 1 && OUTGOING.test(text) ? [...callees][0]! : null;
