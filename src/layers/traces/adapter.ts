// Jaeger's wire formats turned into spans: API v3 where it is, the older API where it is not.
import { oneLine, Unreachable } from '../../errors.ts';
import type { Answer, Gap, LayerAdapter, Nanos, Query, SpanItem, Window } from '../../model.ts';
import { iso, MILLISECOND } from '../../time.ts';
import { address, getJson } from '../metrics/api.ts';
import { legacyParams, legacyServices, legacySpans } from './api-legacy.ts';
import { v3Params, v3Services, v3Spans } from './api-v3.ts';
import { type Names, type RawSpan, spanItem } from './span.ts';

export type JaegerSource = Names & {
  /** Base URL of Jaeger's query service, with its base path if it has one. */
  readonly url: string;
  /** The components to ask about; other services' spans come along in their traces. */
  readonly services: readonly string[];
};

/** Traces asked for at once: more make answers of tens of megabytes. */
const LIMIT = 500;
/** A stretch so short and still too full is given up on. */
const SHORTEST: Nanos = 10n * MILLISECOND;

/**
 * Reads a Jaeger, or what speaks its query API. A look asks which services there are and searches each one's traces that
 * have a span beginning in the window. As truncation is silent, an answer with as many traces as were asked for counts as
 * truncated: the window is halved, down to 10 ms, where it becomes a gap.
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
type Notes = { readonly items: Map<string, SpanItem>; readonly queries: Query[]; readonly gaps: Gap[] };

const look = async (source: JaegerSource, window: Window, signal: AbortSignal): Promise<Answer<SpanItem>> => {
  const notes: Notes = { items: new Map(), queries: [], gaps: [] };
  const found = await findApi(source, window, signal, notes);
  for (const name of found?.names ?? []) await search({ source, api: found!.api, name, signal, notes }, window);
  const items = [...notes.items.values()].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  return { items, queries: notes.queries, gaps: notes.gaps };
};

type Found = { readonly api: Api; readonly names: readonly string[] };

const findApi = async (
  source: JaegerSource,
  window: Window,
  signal: AbortSignal,
  notes: Notes,
): Promise<Found | null> => {
  const refusals: string[] = [];
  for (const api of APIS) {
    const url = address(source.url, `${api.base}/services`);
    notes.queries.push({ id: `traces${api.base}/services`, text: `GET ${api.base}/services`, url });
    try {
      return { api, names: ours(source, await servicesAt(api, url, signal)) };
    } catch (error) {
      refusals.push(`${api.base}: ${oneLine(error)}`);
    }
  }
  notes.gaps.push({ layer: 'traces', query: notes.queries[0]!.text, window, why: refusals.join('; ') });
  return null;
};

const servicesAt = async (api: Api, url: string, signal: AbortSignal): Promise<string[]> => {
  const { status, body } = await getJson(url, signal);
  const names = status === 200 ? api.services(body) : null;
  if (names === null) throw new Unreachable(refusal(status, body));
  return names;
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
  const { query, spans } = await ask(it, window);
  const full = new Set(spans.map((one) => one.traceId)).size >= LIMIT;
  if (full && window.until - window.from > SHORTEST) {
    const middle = (window.from + window.until) / 2n;
    await search(it, { from: window.from, until: middle });
    return search(it, { from: middle, until: window.until });
  }
  if (full)
    gap(
      it,
      query,
      window,
      `${LIMIT} traces or more in ${(window.until - window.from) / MILLISECOND} ms: some are missing`,
    );
  for (const raw of spans) {
    const item = spanItem(raw, it.source);
    it.notes.items.set(item.id, item);
  }
};

const ask = async (it: Search, window: Window): Promise<{ query: Query; spans: readonly RawSpan[] }> => {
  const query = queryFor(it, window);
  it.notes.queries.push(query);
  try {
    const { status, body } = await getJson(query.url, it.signal);
    const spans = it.api.spans(status, body);
    if (spans === null) throw new Unreachable(refusal(status, body));
    return { query, spans };
  } catch (error) {
    gap(it, query, window, oneLine(error));
    return { query, spans: [] };
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
