// What an alert says: whom it names, what kind of trouble its words mean, and how grave it is.
import type { AlertItem, Edge, Trouble } from '../../model.ts';

/** Labels that name whom the trouble is with, when another label names who suffers from it. */
const CALLED = [
  'peer',
  'peer_service',
  'destination',
  'destination_service',
  'destination_workload',
  'upstream',
  'upstream_service',
  'callee',
  'target',
  'server',
];
/** Labels that name the one who suffers or is in trouble itself, the most telling first. */
const OWN = [
  'service',
  'source',
  'source_workload',
  'client',
  'caller',
  'app',
  'app_kubernetes_io_name',
  'deployment',
  'workload',
  'container',
  'pod',
  'job',
  'instance',
  'firedrill_component',
];
const NO_NAMES = new Set(['alertname', 'severity', 'alertstate', 'cluster', 'namespace', ...CALLED]);

/** Whom an alert is about: a component, or a component's calls to another. */
export type Subject = { readonly service: string } | Edge;

/** The subject, by labels first and by the alert's own words last; null when it names none of the components. */
export const subjectOf = (alert: AlertItem, components: readonly string[]): Subject | null => {
  const named = (labels: readonly string[]): string | undefined =>
    labels.map((label) => componentIn(alert.labels[label], components)).find(Boolean) ?? undefined;
  const called = named(CALLED);
  const own = named([...OWN, ...Object.keys(alert.labels).filter((label) => !NO_NAMES.has(label))]);
  if (called) return own && own !== called ? { from: own, to: called } : { service: called };
  const service = own ?? inWords(alert, components);
  return service ? { service } : null;
};

const longestFirst = (components: readonly string[]): string[] => [...components].sort((a, b) => b.length - a.length);

/** `orders`, the pod `orders-6d4f-x2x` and the host `orders.shop:8080` all name `orders`. */
const componentIn = (value: string | undefined, components: readonly string[]): string | null =>
  (value &&
    longestFirst(components).find(
      (one) => value === one || (value.startsWith(one) && /^[-.:/]/.test(value.slice(one.length))),
    )) ||
  null;

const letters = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');

const inWords = ({ name, annotations }: AlertItem, components: readonly string[]): string | null => {
  const said = [name, annotations.summary ?? '', annotations.description ?? ''].map(letters);
  return longestFirst(components).find((one) => said.some((text) => text.includes(letters(one)))) ?? null;
};

/** The words of the field for each kind; of a name that has several, the first line that fits counts. */
const WORDS: readonly (readonly [Trouble, RegExp])[] = [
  ['absent', /down\b|absent|unavailable|missing|restart|crash|not.?ready|no.?pods|vanish|oom.?kill|dead\b/],
  ['blocked', /drop|block|den(y|ied)|unreachable|time.?d?.?out|refused|unanswered|no.?answer|no.?route|network/],
  ['slow', /latency|slow|duration|response.?time|delay|quantile|p\d\d\b|lag\b/],
  ['erroring', /error|5xx|fail|exception/],
];
/** Resources that run short make a service slow before they do anything else. */
const SCARCE = /cpu|memory|saturat|throttl|backlog|disk/;

/** The kind of trouble, by the alert's name, else by its summary and description; null when no word tells. */
export const kindOf = ({ name, annotations }: AlertItem): Trouble | null => {
  // `HighErrorRate` is three words.
  const title = name.replace(/([a-z\d])([A-Z])/g, '$1 $2').toLowerCase();
  const text = `${annotations.summary ?? ''} ${annotations.description ?? ''}`.toLowerCase();
  const tell = (words: string): Trouble | undefined => WORDS.find(([, pattern]) => pattern.test(words))?.[0];
  return tell(title) ?? tell(text) ?? (SCARCE.test(`${title} ${text}`) ? 'slow' : null);
};

/** How much an alert weighs, 0 to 1: someone is woken, told, or only informed. */
export const weightOf = (alert: AlertItem): number => {
  const severity = (alert.labels.severity ?? alert.labels.priority ?? '').toLowerCase();
  if (/crit|page|emerg|fatal|p1|sev1/.test(severity)) return 1;
  return /info|none|low|debug/.test(severity) || SCARCE.test(alert.name.toLowerCase()) ? 0.35 : 0.7;
};
