// The spans themselves: bounded, oldest trace out first, found by service and second without looking at the rest.
import { attribute, type StoredSpan } from './trace-store-otlp.ts';

/** What a search asks; every condition must hold on one and the same span. Times in nanoseconds, ends included. */
export type Search = {
  readonly service: string | null;
  readonly operation: string | null;
  readonly from: bigint;
  readonly until: bigint;
  readonly shortest: bigint | null;
  readonly longest: bigint | null;
  readonly attributes: Readonly<Record<string, string>>;
  readonly limit: number;
};

/** Spans and traces held, spans ever taken, and those that are gone: pushed out by newer ones, or sent with a bad id. */
export type TraceStoreCounts = {
  readonly spans: number;
  readonly traces: number;
  readonly received: number;
  readonly evicted: number;
  readonly rejected: number;
};

export type Operation = { readonly name: string; readonly kind: number };
type Trace = { readonly id: string; readonly spans: Map<string, StoredSpan> };

export type SpanMemory = {
  add(spans: readonly StoredSpan[], rejected: number): void;
  services(): string[];
  operations(service: string): Operation[];
  trace(id: string): readonly StoredSpan[] | null;
  /** Whole traces, the newest first. */
  search(search: Search): readonly (readonly StoredSpan[])[];
  /** All spans that begin in a stretch of time. */
  between(from: bigint, until: bigint): Iterable<StoredSpan>;
  counts(): TraceStoreCounts;
};

const SECOND = 1_000_000_000n;
const second = (at: bigint): number => Number(at / SECOND);
// The same span sent again, as OTLP's retries do, replaces itself.
const key = (it: StoredSpan): string => `${it.span.spanId}/${it.span.kind}/${it.service}`;

/** A memory for at most `maxSpans` spans. */
export const spanMemory = (maxSpans: number): SpanMemory => {
  const traces = new Map<string, Trace>();
  // service → second of a span's start → the traces that have such a span, with how many.
  const index = new Map<string, Map<number, Map<Trace, number>>>();
  const operations = new Map<string, Map<string, Operation>>();
  let [spans, received, evicted, rejected] = [0, 0, 0, 0];

  const count = (trace: Trace, it: StoredSpan, by: 1 | -1): void => {
    const seconds = entry(index, it.service, () => new Map<number, Map<Trace, number>>());
    const there = entry(seconds, second(it.start), () => new Map<Trace, number>());
    const left = (there.get(trace) ?? 0) + by;
    if (left > 0) there.set(trace, left);
    else there.delete(trace);
    if (there.size === 0) seconds.delete(second(it.start));
    spans += by;
  };

  const addOne = (it: StoredSpan): void => {
    const trace = entry(traces, it.span.traceId, () => ({ id: it.span.traceId, spans: new Map() }));
    const before = trace.spans.get(key(it));
    if (before) count(trace, before, -1);
    trace.spans.set(key(it), it);
    count(trace, it, 1);
    const known = entry(operations, it.service, () => new Map<string, Operation>());
    // Names with ids in them must not fill the memory.
    if (known.size < 1000) known.set(`${it.span.kind} ${it.span.name}`, { name: it.span.name, kind: it.span.kind });
  };

  const evictOldest = (): void => {
    const [oldest] = traces.values();
    if (!oldest) return;
    traces.delete(oldest.id);
    for (const it of oldest.spans.values()) count(oldest, it, -1);
    evicted += oldest.spans.size;
  };

  const candidates = (search: Search): Set<Trace> => {
    const found = new Set<Trace>();
    const asked = search.service === null ? [...index.values()] : [index.get(search.service) ?? new Map()];
    for (const seconds of asked)
      for (const at of secondsIn(seconds, search.from, search.until))
        for (const trace of seconds.get(at)?.keys() ?? []) found.add(trace);
    return found;
  };

  return {
    add(more, refused) {
      for (const it of more) addOne(it);
      received += more.length;
      rejected += refused;
      while (spans > maxSpans) evictOldest();
    },
    services: () => [...operations.keys()].sort(),
    operations: (service) => [...(operations.get(service)?.values() ?? [])].sort((a, b) => compare(a.name, b.name)),
    trace: (id) => (traces.has(id) ? [...traces.get(id)!.spans.values()] : null),
    search(search) {
      const hits = [...candidates(search)].filter((trace) => trace.spans.values().some((it) => matches(it, search)));
      const wholes = hits.map((trace) => [...trace.spans.values()]);
      return wholes.sort((a, b) => compare(begin(b), begin(a))).slice(0, search.limit);
    },
    *between(from, until) {
      for (const { spans: held } of traces.values())
        for (const it of held.values()) if (it.start >= from && it.start <= until) yield it;
    },
    counts: () => ({ spans, traces: traces.size, received, evicted, rejected }),
  };
};

const entry = <K, V>(map: Map<K, V>, at: K, fresh: () => V): V => {
  const there = map.get(at);
  if (there !== undefined) return there;
  const made = fresh();
  map.set(at, made);
  return made;
};

const compare = <T extends string | bigint>(a: T, b: T): number => (a < b ? -1 : a > b ? 1 : 0);
const begin = (trace: readonly StoredSpan[]): bigint =>
  trace.reduce((min, it) => (compare(it.start, min) < 0 ? it.start : min), trace[0]!.start);

// A search over days asks for more seconds than there are: then what is there is walked instead.
const secondsIn = (seconds: ReadonlyMap<number, unknown>, from: bigint, until: bigint): Iterable<number> => {
  const [first, last] = [second(from), second(until)];
  if (last - first < seconds.size) return Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => first + n);
  return seconds.keys().filter((at) => at >= first && at <= last);
};

const matches = (it: StoredSpan, search: Search): boolean =>
  (search.service === null || it.service === search.service) &&
  (search.operation === null || it.span.name === search.operation) &&
  it.start >= search.from &&
  it.start <= search.until &&
  (search.shortest === null || it.end - it.start >= search.shortest) &&
  (search.longest === null || it.end - it.start <= search.longest) &&
  Object.entries(search.attributes).every(([name, value]) => hasAttribute(it, name, value));

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer'];
export const kindName = (kind: number): string => KINDS[kind] ?? 'unspecified';

const hasAttribute = (it: StoredSpan, name: string, value: string): boolean => {
  if (name === 'error') return value === String(it.span.status?.code === 2);
  if (name === 'span.kind') return value === kindName(it.span.kind);
  return [it.span.attributes, it.resource.attributes].some((list) => attribute(list, name) === value);
};
