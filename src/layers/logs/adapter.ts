// Loki's query API → log items. Reads a production Loki and the lab's store alike.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { address, clockTrouble, getJson, TooLong } from '../../connection.ts';
import { type Access, ANYBODY, withHeaders } from '../../credentials.ts';
import { oneLine, Unreachable } from '../../errors.ts';
import type { Answer, Gap, LayerAdapter, LogItem, Nanos, Query, Window } from '../../model.ts';
import type { Naming } from '../../naming.ts';
import type { Telemetry } from '../../platform.ts';

export type LokiOptions = {
  /** Base URL, such as http://127.0.0.1:3100. */
  readonly url: string;
  readonly naming: Naming;
  readonly telemetry: Telemetry;
  readonly access?: Access;
};

/** Loki's default max_entries_limit_per_query; more is refused. */
const PAGE = 5000;
/** A look that needs more pages than this is cut, and the rest of its window is a gap. */
const MAX_PAGES = 200;
const SHORT_PAGE = 50;
/** Characters of the lines of one look: they are kept in memory. */
const MAX_TEXT = 128 * 2 ** 20;

const value = z.tuple([z.string().regex(/^\d+$/), z.string()]).rest(z.unknown());
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

/** What one look has gathered so far. */
type Notes = { readonly items: Map<string, LogItem>; readonly queries: Query[]; text: number; skewMs: number };

/**
 * Loki has no pages: the next query starts at the last instant seen, whose lines come again and are dropped by their id.
 * https://github.com/grafana/loki/issues/11254
 */
const walk = async (options: LokiOptions, window: Window, signal: AbortSignal): Promise<Answer<LogItem>> => {
  const notes: Notes = { items: new Map(), queries: [], text: 0, skewMs: 0 };
  const step = { from: window.from, limit: PAGE };
  let end: string | null | undefined;
  for (let page = 0; page < MAX_PAGES && end === undefined; page++)
    end = await turn(options, notes, step, window, signal);
  if (end === undefined) end = `more than ${MAX_PAGES} pages; the rest was not read`;
  const clock = notes.items.size === 0 ? clockTrouble(notes.skewMs) : null;
  const whys = [end, clock].filter((why) => why !== null);
  const gaps = whys.map((why) => gap(notes.queries.at(-1)!, step.from, window, why));
  return { items: [...notes.items.values()].sort(byTime), queries: notes.queries, gaps };
};

const byTime = (a: LogItem, b: LogItem): number => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0);

/** Where the reading is, and how many lines are asked for. */
type Step = { from: Nanos; limit: number };

/** Reads one page. Undefined: there is more; null: that was all; a text: why the rest from `step.from` on can't be read. */
const turn = async (
  options: LokiOptions,
  notes: Notes,
  step: Step,
  { until }: Window,
  signal: AbortSignal,
): Promise<string | null | undefined> => {
  const query = queryFor(options, { from: step.from, until }, step.limit, notes.queries.length);
  notes.queries.push(query);
  const told = await fetchLines(options, query, signal).catch((error: unknown) => ({ error }));
  if ('error' in told) return shorter(told.error, step);
  notes.skewMs = told.skewMs;
  for (const line of told.lines) notes.text += keep(notes.items, options, line);
  if (told.lines.length < step.limit) return null;
  const last = latest(told.lines);
  if (last === step.from) return `${step.limit} lines or more in a single nanosecond; Loki can't be read past them`;
  step.from = last;
  return notes.text > MAX_TEXT ? `more than ${MAX_TEXT / 2 ** 20} MB of lines; the rest was not read` : undefined;
};

/** A page of long lines is too long to be read, and a shorter one need not be. */
const shorter = (error: unknown, step: Step): string | undefined => {
  if (!(error instanceof TooLong) || step.limit <= SHORT_PAGE) return oneLine(error);
  step.limit = Math.max(SHORT_PAGE, Math.floor(step.limit / 8));
  return undefined;
};

const latest = (lines: readonly Line[]): Nanos => {
  let last = 0n;
  for (const { at } of lines) if (at > last) last = at;
  return last;
};

const gap = ({ text }: Query, from: Nanos, { until }: Window, why: string): Gap => ({
  layer: 'logs',
  query: text,
  window: { from, until },
  why,
});

const queryFor = ({ url, telemetry }: LokiOptions, { from, until }: Window, limit: number, index: number): Query => {
  const text = `{${telemetry.logs.service}=~".+"}`;
  const params = { query: text, start: `${from}`, end: `${until}`, limit: `${limit}`, direction: 'forward' };
  const at = address(url, '/loki/api/v1/query_range', params);
  return { id: `logs-${from}-${until}-${index}`, text, url: at };
};

/** Keeps structured metadata and parsed labels out of the stream's labels. */
const CATEGORIZED = { 'x-loki-response-encoding-flags': 'categorize-labels' };

const fetchLines = async ({ access }: LokiOptions, { url }: Query, signal: AbortSignal) => {
  const { status, body, skewMs } = await getJson(url, signal, withHeaders(access ?? ANYBODY, CATEGORIZED));
  if (status !== 200) throw new Unreachable(`HTTP ${status}: ${JSON.stringify(body).slice(0, 200)}`);
  return { lines: linesOf(body), skewMs };
};

const linesOf = (body: unknown): Line[] => {
  const parsed = shape.safeParse(body);
  if (!parsed.success) throw new Unreachable("the answer is not one of Loki's range queries over streams");
  return parsed.data.data.result.flatMap(({ stream, values }) =>
    values.map(([at, line, more]) => ({ at: BigInt(at), labels: { ...metadata(more), ...stream }, line })),
  );
};

const categorized = z.object({ structuredMetadata: z.record(z.string(), z.string()).default({}) });

const metadata = (more: unknown): Readonly<Record<string, string>> => {
  const parsed = categorized.safeParse(more);
  return parsed.success ? parsed.data.structuredMetadata : {};
};

/** How many characters that adds. */
const keep = (items: Map<string, LogItem>, { naming, telemetry }: LokiOptions, { at, labels, line }: Line): number => {
  const pod = labels[telemetry.logs.pod] ?? null;
  const service = naming.component(labels[telemetry.logs.service]) ?? naming.component(pod);
  if (!service) return 0;
  const id = identity(at, labels, line);
  items.set(id, { id, at, service, pod, labels, line });
  return line.length;
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
