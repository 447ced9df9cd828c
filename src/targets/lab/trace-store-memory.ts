// The spans themselves: bounded, oldest trace out first, found by service and second without looking at the rest.
import { isDeepStrictEqual } from 'node:util';
import { compare } from '../../ordering.ts';
import type { StoredSpan } from './trace-store-otlp.ts';
import { matches, type Search } from './trace-store-search.ts';

/** Spans and traces held, spans ever taken, and those that are gone: pushed out by newer ones, or sent with a bad id. */
export type TraceStoreCounts = {
  readonly spans: number;
  readonly traces: number;
  readonly received: number;
  readonly evicted: number;
  readonly rejected: number;
};

export type Operation = { readonly name: string; readonly kind: number };
// By span id; most often one, but Zipkin's clients and servers share theirs.
type Trace = { readonly id: string; readonly spans: Map<string, readonly StoredSpan[]> };

export type SpanMemory = {
  add(spans: readonly StoredSpan[], rejected: number): void;
  services(): string[];
  operations(service: string): Operation[];
  trace(id: string): readonly StoredSpan[] | null;
  /** Whole traces, the newest first. */
  search(search: Search): readonly (readonly StoredSpan[])[];
  /** Whole traces that neither begin before nor end after a stretch of time. */
  within(from: bigint, until: bigint): readonly (readonly StoredSpan[])[];
  counts(): TraceStoreCounts;
};

const SECOND = 1_000_000_000n;
const second = (at: bigint): number => Number(at / SECOND);
// The same span sent again, as OTLP's retries do, is one span; Jaeger's lists them once, too.
const isSame = (a: StoredSpan, b: StoredSpan): boolean =>
  isDeepStrictEqual([a.span, a.scope, a.resource], [b.span, b.scope, b.resource]);
const spansOf = (trace: Trace): readonly StoredSpan[] => [...trace.spans.values()].flat();

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
    const trace = entry(traces, it.span.traceId, (): Trace => ({ id: it.span.traceId, spans: new Map() }));
    const there = trace.spans.get(it.span.spanId) ?? [];
    if (there.some((one) => isSame(one, it))) return;
    trace.spans.set(it.span.spanId, [...there, it]);
    count(trace, it, 1);
    const known = entry(operations, it.service, () => new Map<string, Operation>());
    // Names with ids in them must not fill the memory.
    if (known.size < 1000) known.set(`${it.span.kind} ${it.span.name}`, { name: it.span.name, kind: it.span.kind });
  };

  const evictOldest = (): void => {
    const [oldest] = traces.values();
    if (!oldest) return;
    traces.delete(oldest.id);
    const gone = spansOf(oldest);
    for (const it of gone) count(oldest, it, -1);
    evicted += gone.length;
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
    trace: (id) => (traces.has(id) ? spansOf(traces.get(id)!) : null),
    search(search) {
      const wholes = [...candidates(search)].map(spansOf);
      const hits = wholes.filter((trace) => trace.some((it) => matches(it, search)));
      return hits.sort((a, b) => compare(begin(b), begin(a))).slice(0, search.limit);
    },
    within: (from, until) =>
      [...traces.values()].map(spansOf).filter((trace) => trace.every((it) => it.start >= from && it.end <= until)),
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

const begin = (trace: readonly StoredSpan[]): bigint =>
  trace.reduce((min, it) => (compare(it.start, min) < 0 ? it.start : min), trace[0]!.start);

// A search over days asks for more seconds than there are: then what is there is walked instead.
const secondsIn = (seconds: ReadonlyMap<number, unknown>, from: bigint, until: bigint): Iterable<number> => {
  const [first, last] = [second(from), second(until)];
  if (last - first < seconds.size) return Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => first + n);
  return seconds.keys().filter((at) => at >= first && at <= last);
};
