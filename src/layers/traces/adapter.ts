// Jaeger's wire formats turned into spans: API v3 where it is, the older API where it is not.
import { address, clockTrouble, getJson, TooLong } from '../../connection.ts';
import type { Access } from '../../credentials.ts';
import { oneLine, Unreachable } from '../../errors.ts';
import type { Answer, Gap, LayerAdapter, Nanos, Query, SpanItem, Window } from '../../model.ts';
import { iso, MILLISECOND } from '../../time.ts';
import { legacyParams, legacyServices, legacySpans } from './api-legacy.ts';
import { v3Params, v3Services, v3Spans } from './api-v3.ts';
import { type Names, type RawSpan, spanItem } from './span.ts';

export type JaegerSource = Names & {
  /** Base URL of Jaeger's query service, with its base path if it has one. */
  readonly url: string;
  readonly access?: Access;
  /** The components to ask about; other services' spans come along in their traces. */
  readonly services: readonly string[];
};

/** Traces asked for at once: more make answers of tens of megabytes. */
const LIMIT = 500;
/** A stretch so short and still too full is given up on. */
const SHORTEST: Nanos = 10n * MILLISECOND;
/** Spans of one look at most: some hundreds of megabytes. */
const MAX_SPANS = 300_000;

/**
 * Reads a Jaeger, or what speaks its query API. A look asks which services there are and searches each one's traces that
 * have a span beginning in the window. As truncation is silent, an answer with as many traces as were asked for counts as
 * truncated: the window is halved, down to 10 ms, where it becomes a gap; so it is when an answer is too long to be read.
 */
export const jaeger = (source: JaegerSource): LayerAdapter<SpanItem> => ({
  layer: 'traces',
  look: (window, signal) => look(source, window, signal),
  [Symbol.asyncDispose]: async () => {},
});

type Api = {
  readonly base: string;
  services(body: unknown): string[] | null;
  params(service: string, window: Window, limit: number): Record<string, string>;
  spans(status: number, body: unknown): RawSpan[] | null;
};

const APIS: readonly Api[] = [
  { base: '/api/v3', services: v3Services, params: v3Params, spans: v3Spans },
  { base: '/api', services: legacyServices, params: legacyParams, spans: legacySpans },
];

/** What one look has gathered so far. */
type Notes = {
  readonly items: Map<string, SpanItem>;
  readonly queries: Query[];
  readonly gaps: Gap[];
  /** How far Jaeger's clock is ahead of ours. */
  skewMs: number;
};

const look = async (source: JaegerSource, window: Window, signal: AbortSignal): Promise<Answer<SpanItem>> => {
  const notes: Notes = { items: new Map(), queries: [], gaps: [], skewMs: 0 };
  const found = await findApi(source, window, signal, notes);
  for (const name of found?.names ?? []) await search({ source, api: found!.api, name, signal, notes }, window);
  if (notes.items.size >= MAX_SPANS)
    notes.gaps.push(trouble(notes, window, `${MAX_SPANS} spans or more: no further ones are read`));
  const clock = notes.items.size === 0 ? clockTrouble(notes.skewMs) : null;
  if (clock) notes.gaps.push(trouble(notes, window, clock));
  const items = [...notes.items.values()].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return { items, queries: notes.queries, gaps: notes.gaps };
};

const trouble = ({ queries }: Notes, window: Window, why: string): Gap => ({
  layer: 'traces',
  query: queries.at(-1)!.text,
  window,
  why,
});

type Found = { readonly api: Api; readonly names: readonly string[] };

const findApi = async (
  source: JaegerSource,
  window: Window,
  signal: AbortSignal,
  notes: Notes,
): Promise<Found | null> => {
  const refusals = new Map<string, string>();
  for (const api of APIS) {
    const url = address(source.url, `${api.base}/services`);
    notes.queries.push({ id: `traces${api.base}/services`, text: `GET ${api.base}/services`, url });
    try {
      const { names, skewMs } = await servicesAt(api, url, source.access, signal);
      notes.skewMs = skewMs;
      return { api, names: ours(source, names) };
    } catch (error) {
      refusals.set(oneLine(error), api.base);
    }
  }
  // A server that can't be reached or lets nobody in says the same to both.
  const all = [...refusals].map(([why, base]) => (refusals.size > 1 ? `${base}: ${why}` : why)).join('; ');
  notes.gaps.push({ layer: 'traces', query: notes.queries[0]!.text, window, why: all });
  return null;
};

const servicesAt = async (api: Api, url: string, access: Access | undefined, signal: AbortSignal) => {
  const { status, body, skewMs } = await getJson(url, signal, access);
  const names = status === 200 ? api.services(body) : null;
  if (names === null) throw new Unreachable(refusal(status, body));
  return { names, skewMs };
};

/** Jaeger's own words, wherever it put them. */
const refusal = (status: number, body: unknown): string => {
  const { error, errors } = (body ?? {}) as { error?: { message?: unknown }; errors?: { msg?: unknown }[] | null };
  const said = error?.message ?? (Array.isArray(errors) ? errors[0]?.msg : undefined);
  return `HTTP ${status} ${said === undefined ? "with JSON that is not Jaeger's" : oneLine(String(said))}`;
};

const ours = ({ naming, services }: JaegerSource, names: readonly string[]): string[] =>
  names.filter((name) => services.includes(naming.component(name) ?? name));

type Search = {
  readonly source: JaegerSource;
  readonly api: Api;
  readonly name: string;
  readonly signal: AbortSignal;
  readonly notes: Notes;
};

const search = async (it: Search, window: Window): Promise<void> => {
  if (it.notes.items.size >= MAX_SPANS) return;
  const { query, spans, missing } = await ask(it, window);
  if (missing && window.until - window.from > SHORTEST) {
    const middle = (window.from + window.until) / 2n;
    await search(it, { from: window.from, until: middle });
    return search(it, { from: middle, until: window.until });
  }
  if (missing) gap(it, query, window, missing);
  for (const raw of spans) {
    const item = spanItem(raw, it.source);
    it.notes.items.set(item.id, item);
  }
};

/** `missing`: why there are more spans than these, which a shorter window may show; null: these are all. */
type Answered = { readonly query: Query; readonly spans: readonly RawSpan[]; readonly missing: string | null };

const ask = async (it: Search, window: Window): Promise<Answered> => {
  const query = queryFor(it, window);
  it.notes.queries.push(query);
  try {
    const { status, body } = await getJson(query.url, it.signal, it.source.access);
    const spans = it.api.spans(status, body);
    if (spans === null) throw new Unreachable(refusal(status, body));
    const full = new Set(spans.map((one) => one.traceId)).size >= LIMIT;
    const ms = (window.until - window.from) / MILLISECOND;
    return { query, spans, missing: full ? `${LIMIT} traces or more in ${ms} ms: some are missing` : null };
  } catch (error) {
    if (error instanceof TooLong) return { query, spans: [], missing: oneLine(error) };
    gap(it, query, window, oneLine(error));
    return { query, spans: [], missing: null };
  }
};

const queryFor = ({ source, api, name }: Search, window: Window): Query => ({
  id: `traces/${name}/${window.from}-${window.until}`,
  text: `traces with a span of ${name} that begins from ${iso(window.from)} until ${iso(window.until)}`,
  url: address(source.url, `${api.base}/traces`, api.params(name, window, LIMIT)),
});

const gap = ({ notes }: Search, query: Query, window: Window, why: string): void => {
  notes.gaps.push({ layer: 'traces', query: query.text, window, why });
};
