// Loki's query API → log items. Reads a production Loki and the lab's store alike.
import { createHash } from 'node:crypto';
import { request } from 'undici';
import { z } from 'zod';
import { oneLine, Unreachable } from '../../errors.ts';
import type { Answer, Gap, LayerAdapter, LogItem, Nanos, Query, Window } from '../../model.ts';
import type { Naming } from '../../naming.ts';
import type { Telemetry } from '../../platform.ts';

export type LokiOptions = {
  /** Base address, such as http://127.0.0.1:3100. */
  readonly url: string;
  readonly naming: Naming;
  readonly telemetry: Telemetry;
  /** Sent as X-Scope-OrgID. */
  readonly tenant?: string;
};

/** Loki's default max_entries_limit_per_query; more is refused. */
const PAGE = 5000;
/** A look that needs more pages than this is cut, and the rest of its window is a gap. */
const MAX_PAGES = 200;
const TIMEOUT_MS = 15_000;

const value = z.tuple([z.string(), z.string()]).rest(z.unknown());
const shape = z.object({
  data: z.object({
    resultType: z.literal('streams'),
    result: z.array(z.object({ stream: z.record(z.string(), z.string()), values: z.array(value) })),
  }),
});

/**
 * The logs layer on a Loki: one range query over every stream that has the profile's service label, forward in time. A look
 * never throws; what could not be read is a gap from where the reading stopped. Lines of streams that belong to no component
 * are left out. Protocol: https://grafana.com/docs/loki/latest/reference/loki-http-api/
 */
export const loki = (options: LokiOptions): LayerAdapter<LogItem> => ({
  layer: 'logs',
  look: (window, signal) => walk(options, window, signal),
  async [Symbol.asyncDispose]() {},
});

type Line = { readonly at: Nanos; readonly labels: Readonly<Record<string, string>>; readonly line: string };

/**
 * Loki has no pages: the next query starts at the last instant seen, whose lines come again and are dropped by their id.
 * https://github.com/grafana/loki/issues/11254
 */
const walk = async (options: LokiOptions, window: Window, signal: AbortSignal): Promise<Answer<LogItem>> => {
  const items = new Map<string, LogItem>();
  const queries: Query[] = [];
  let from = window.from;
  for (let page = 0; page < MAX_PAGES; page++) {
    const query = queryFor(options, { from, until: window.until }, queries.length);
    queries.push(query);
    const lines = await fetchLines(options, query, signal).catch(oneLine);
    if (typeof lines === 'string')
      return { items: [...items.values()], queries, gaps: [gap(query, from, window, lines)] };
    for (const line of lines) keep(items, options, line);
    if (lines.length < PAGE) return { items: [...items.values()], queries, gaps: [] };
    const last = latest(lines);
    if (last === from) return { items: [...items.values()], queries, gaps: [gap(query, from, window, CROWDED)] };
    from = last;
  }
  const cut = gap(queries.at(-1)!, from, window, `more than ${MAX_PAGES * PAGE} lines; the rest was not read`);
  return { items: [...items.values()], queries, gaps: [cut] };
};

const CROWDED = `${PAGE} lines or more in a single nanosecond; Loki can't be read past them`;

const latest = (lines: readonly Line[]): Nanos =>
  lines
    .map(({ at }) => at)
    .sort((a, b) => (a < b ? -1 : 1))
    .at(-1)!;

const gap = ({ text }: Query, from: Nanos, { until }: Window, why: string): Gap => ({
  layer: 'logs',
  query: text,
  window: { from, until },
  why,
});

const queryFor = ({ url, telemetry }: LokiOptions, { from, until }: Window, index: number): Query => {
  const text = `{${telemetry.logs.service}=~".+"}`;
  const at = new URL(`${url.replace(/\/$/, '')}/loki/api/v1/query_range`);
  const params = { query: text, start: String(from), end: String(until), limit: String(PAGE), direction: 'forward' };
  for (const [name, one] of Object.entries(params)) at.searchParams.set(name, one);
  return { id: `logs-${from}-${until}-${index}`, text, url: at.href };
};

const fetchLines = async ({ tenant }: LokiOptions, { url }: Query, signal: AbortSignal): Promise<Line[]> => {
  // Keeps structured metadata and parsed labels out of the stream's labels.
  const headers = {
    'x-loki-response-encoding-flags': 'categorize-labels',
    ...(tenant ? { 'x-scope-orgid': tenant } : {}),
  };
  const response = await request(url, {
    headers,
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  const body = await response.body.text();
  if (response.statusCode !== 200) throw new Unreachable(`HTTP ${response.statusCode}: ${body.slice(0, 200).trim()}`);
  return linesOf(body);
};

const linesOf = (body: string): Line[] => {
  const parsed = shape.safeParse(json(body));
  if (!parsed.success) throw new Unreachable("the answer is not one of Loki's range queries over streams");
  return parsed.data.data.result.flatMap(({ stream, values }) =>
    values.map(([at, line, more]) => ({ at: BigInt(at), labels: { ...metadata(more), ...stream }, line })),
  );
};

const json = (body: string): unknown => {
  try {
    return JSON.parse(body);
  } catch {
    const what = /^\s*</.test(body) ? 'HTML instead of JSON' : 'broken JSON';
    throw new Unreachable(`${what}: ${body.slice(0, 80)}`);
  }
};

const categorized = z.object({ structuredMetadata: z.record(z.string(), z.string()).default({}) });

const metadata = (more: unknown): Readonly<Record<string, string>> => {
  const parsed = categorized.safeParse(more);
  return parsed.success ? parsed.data.structuredMetadata : {};
};

const keep = (items: Map<string, LogItem>, { naming, telemetry }: LokiOptions, { at, labels, line }: Line): void => {
  const pod = labels[telemetry.logs.pod] ?? null;
  const service = naming.component(labels[telemetry.logs.service]) ?? naming.component(pod);
  if (!service) return;
  const id = identity(at, labels, line);
  items.set(id, { id, at, service, pod, labels, line });
};

/** The same for the same line of the same stream at the same nanosecond, in whatever answer it comes. */
const identity = (at: Nanos, labels: Readonly<Record<string, string>>, line: string): string => {
  const stream = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  const hash = createHash('sha1')
    .update(JSON.stringify([stream, line]))
    .digest('hex')
    .slice(0, 12);
  return `log-${at}-${hash}`;
};
