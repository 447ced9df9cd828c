// How a tagged request shows in a layer, and which look first had it: by its own ids where the layer carries them, else by what
// the component that answered it shows of that time. Pure.
import type {
  FlowItem,
  Item,
  LayerName,
  LogItem,
  Nanos,
  PacketItem,
  SampleItem,
  SpanItem,
  Topology,
  Window,
} from './model.ts';
import { compare } from './ordering.ts';
import { fromMs } from './time.ts';

/** A tagged request that was answered well, so that every layer has something of it to show. */
export type Sentinel = { readonly sent: Nanos; readonly ended: Nanos; readonly ids: readonly string[] };

type Seen<I extends Item = Item> = I & { readonly seen: number };

/** The number of the first look that showed it; null: none did. */
export type Arrival = (sentinel: Sentinel) => number | null;

/** `by`: what counts as having shown it. */
export type Way = { readonly by: string; readonly arrival: Arrival };

/**
 * The ways in which a layer may show these sentinels, the strictest first: platforms differ in what they log, sample or hand on.
 * `graceMs`: how long after a request the layer may date what it shows of it.
 */
export const waysOf = (
  layer: Exclude<LayerName, 'alerts'>,
  items: readonly Seen[],
  { entry }: Topology,
  graceMs: number,
  all: readonly Sentinel[],
): Way[] => [
  ...(ID_WAYS[layer]?.(items, new Set(all.flatMap(({ ids }) => ids))) ?? []),
  ...(layer === 'metrics' ? [byTime(`a request counter of ${entry} that rose`, rises(items, entry), graceMs)] : []),
  byTime(
    `any of the ${layer} of ${entry} at the time`,
    items.filter((item) => componentsOf(layer, item).includes(entry)),
    graceMs,
  ),
  byTime(`any of the ${layer} at the time`, items, graceMs),
];

/** The first way in which the layer shows any of the sentinels; where none shows any, the last. */
export const strictest = (ways: readonly Way[], all: readonly Sentinel[]): Way =>
  ways.find(({ arrival }) => all.some((one) => arrival(one) !== null)) ?? ways.at(-1)!;

// ---- By ids ------------------------------------------------------------------------------------------------------

const ID_WAYS: Partial<Record<LayerName, (items: readonly Seen[], wanted: ReadonlySet<string>) => Way[]>> = {
  traces: (items, wanted) => [byId('its trace id', items as Seen<SpanItem>[], (span) => [span.traceId], wanted)],
  logs: (items, wanted) => [byId('a line with its request or trace id', items as Seen<LogItem>[], idsIn, wanted)],
};

/** Words as ids are written, and the 32 hex digits inside of a traceparent. */
const idsIn = ({ line, labels }: LogItem): string[] =>
  [line, ...Object.values(labels)].flatMap((text) => [
    ...(text.match(/[\w.-]{16,}/g) ?? []),
    ...(text.match(/[\da-f]{32}/g) ?? []),
  ]);

const byId = <I extends Item>(
  by: string,
  items: readonly Seen<I>[],
  idsOf: (item: I) => readonly string[],
  wanted: ReadonlySet<string>,
): Way => {
  const first = new Map<string, number>();
  for (const item of items)
    for (const id of idsOf(item))
      if (wanted.has(id)) first.set(id, Math.min(item.seen, first.get(id) ?? Number.POSITIVE_INFINITY));
  return { by, arrival: ({ ids }) => least(ids.flatMap((id) => first.get(id) ?? [])) };
};

const least = (numbers: readonly number[]): number | null => (numbers.length > 0 ? Math.min(...numbers) : null);

// ---- By time -----------------------------------------------------------------------------------------------------

/** Shown by the first look that has an item dated between the request's sending and `graceMs` after its end. */
const byTime = (by: string, items: readonly Seen[], graceMs: number): Way => {
  const looks = [...Map.groupBy(items, ({ seen }) => seen)]
    .map(([seen, its]) => ({ seen, times: its.map(({ at }) => at).sort(compare) }))
    .sort((a, b) => a.seen - b.seen);
  const arrival: Arrival = ({ sent, ended }) =>
    looks.find(({ times }) => anyIn(times, { from: sent, until: ended + fromMs(graceMs) }))?.seen ?? null;
  return { by, arrival };
};

/** Whether any of the sorted times lies in the window. */
const anyIn = (times: readonly Nanos[], { from, until }: Window): boolean => {
  let [low, high] = [0, times.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle]! < from) low = middle + 1;
    else high = middle;
  }
  return low < times.length && times[low]! < until;
};

const componentsOf = (layer: LayerName, item: Item): (string | null)[] => {
  if (layer === 'flows') return [(item as FlowItem).source.service, (item as FlowItem).destination.service];
  if (layer === 'packets') return [(item as PacketItem).client.service, (item as PacketItem).server.service];
  return [(item as SpanItem | SampleItem | LogItem).service];
};

/** Samples in which a counter of requests had risen since the one before; a fall is a new process that counts from 0. */
const rises = (items: readonly Seen[], entry: string): Seen[] => {
  const counters = (items as Seen<SampleItem>[]).filter(
    ({ metric, service }) => service === entry && (metric === 'requests' || metric === 'durationCount'),
  );
  return [...Map.groupBy(counters, ({ series }) => series).values()].flatMap((series) => {
    const inOrder = series.sort((a, b) => compare(a.at, b.at));
    return inOrder.filter(({ value }, i) => value > 0 && value !== inOrder[i - 1]?.value);
  });
};
