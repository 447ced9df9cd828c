// One piece of evidence in a line that a person can read.
import type {
  AlertItem,
  FlowEnd,
  FlowItem,
  Item,
  LayerName,
  LogItem,
  PacketItem,
  SampleItem,
  SpanItem,
} from '../../model.ts';

const MOST = 600;

/** What the item says; at most 600 characters. */
export const itemWords = (layer: LayerName, item: Item): string => {
  const words = WORDS[layer](item as never);
  return words.length > MOST ? `${words.slice(0, MOST - 1)}…` : words;
};

const span = ({ service, pod, kind, name, peer, durationMs, error, status, message, traceId }: SpanItem): string =>
  listed(
    `${pod ?? service}: ${kind} ${name}`,
    peer && `to ${peer}`,
    `${round(durationMs)} ms`,
    status !== null && `status ${status}`,
    error && `error${message ? ` "${message}"` : ''}`,
    `trace ${traceId}`,
  );

const sample = ({ metric, service, pod, peer, status, le, value }: SampleItem): string =>
  [
    listed(`${pod ?? service}: ${metric}`, peer && `to ${peer}`, status && `status ${status}`, le && `at most ${le} s`),
    `= ${Number(value.toPrecision(6))}`,
  ].join(' ');

const alert = ({ name, state, labels, annotations, source }: AlertItem): string =>
  listed(`${name} ${state}`, `in ${source}`, pairs(labels), annotations.summary ?? annotations.description);

const log = ({ service, pod, line }: LogItem): string => `${pod ?? service}: ${line}`;

const flow = ({ source, destination, verdict, dropReason, flags, http }: FlowItem): string =>
  listed(
    `${endpoint(source)} → ${endpoint(destination)}`,
    verdict,
    dropReason,
    flags.join('+'),
    http && `${http.method} ${http.url} ${http.code} in ${round(http.latencyMs)} ms`,
  );

const packet = ({ event, client, server, ms, by }: PacketItem): string =>
  listed(`${endpoint(client)} → ${endpoint(server)}`, event, ms !== null && `${round(ms)} ms`, `by the ${by}`);

const WORDS: { readonly [L in LayerName]: (item: never) => string } = {
  traces: span,
  metrics: sample,
  alerts: alert,
  logs: log,
  flows: flow,
  packets: packet,
};

const listed = (...parts: readonly (string | null | undefined | false)[]): string => parts.filter(Boolean).join(', ');
const pairs = (labels: Readonly<Record<string, string>>): string =>
  Object.entries(labels)
    .map(([label, value]) => `${label}=${value}`)
    .join(' ');
const endpoint = ({ pod, service, ip, port }: FlowEnd): string => `${pod ?? service ?? ip}:${port}`;
const round = (ms: number): number => Math.round(ms * 10) / 10;
