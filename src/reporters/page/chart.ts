// A picture as data: what the page's script draws, and what the table beside it says in numbers.
import { ends, type Ref, type Suspect } from '../../model.ts';
import type { Verdict } from '../../verdict.ts';
import { mostChanged, type Named, type Series } from './series.ts';
import type { Timeline } from './timeline.ts';

export type Unit = '/s' | '%' | 'ms' | 'pods';

export type LineChart = {
  readonly kind: 'lines';
  readonly title: string;
  /** What is drawn, in a sentence. */
  readonly says: string;
  readonly unit: Unit;
  readonly series: readonly Series[];
  /** Series that are not drawn, for they changed less. */
  readonly omitted: number;
};

/** Seconds after the start of traffic. */
export type Span = {
  readonly from: number;
  readonly until: number;
  readonly state: 'pending' | 'firing' | 'suppressed';
};
export type SpanRow = { readonly name: string; readonly spans: readonly Span[]; readonly source: string };
export type SpanChart = {
  readonly kind: 'spans';
  readonly title: string;
  readonly says: string;
  readonly rows: readonly SpanRow[];
  readonly omitted: number;
};

export type Chart = LineChart | SpanChart;

/** A chart of the most changed series, or nothing when there is no series at all. */
export const chart = (
  timeline: Timeline,
  about: Pick<LineChart, 'title' | 'says' | 'unit'>,
  all: Named,
  blamed: ReadonlySet<string>,
): LineChart[] => {
  const { shown, omitted } = mostChanged(timeline, all, blamed);
  return shown.length > 0 ? [{ kind: 'lines', ...about, series: shown, omitted }] : [];
};

/** What a layer's pictures must show: whom it blames, where the fault was, and the two ends of either, when it is an edge. */
export const blamedRefs = (
  suspects: readonly Pick<Suspect, 'ref'>[],
  { groundTruth: { on } }: Verdict,
  components: readonly string[],
): ReadonlySet<string> => {
  const refs = [...suspects.slice(0, 3).map(({ ref }) => ref), ...(on ? [on] : [])];
  return new Set(refs.flatMap((ref) => [ref, ...ofPod(ref, components), ...ofEdge(ref)]));
};

const ofEdge = (ref: Ref): string[] => {
  const edge = ends(ref);
  return edge ? [`service:${edge.from}`, `service:${edge.to}`] : [];
};

const ofPod = (ref: Ref, components: readonly string[]): string[] => {
  const name = ref.startsWith('pod:') ? ref.slice('pod:'.length) : null;
  const owners = components.filter((one) => name === one || name?.startsWith(`${one}-`));
  const longest = owners.sort((a, b) => b.length - a.length)[0];
  return longest ? [`service:${longest}`] : [];
};

/** `order-service`, `a → b`: a Ref as a reader wants it. */
export const shortName = (name: string): string => name.replace(/^(service|edge|pod):/, '').replace('->', ' → ');

/** `12 ms`, `3.4 %`, `25 /s`; a dash for nothing. */
export const amount = (value: number | null, unit: Unit): string => {
  if (value === null) return '–';
  const number = unit === '%' ? value * 100 : value;
  const digits = number === 0 || number >= 100 ? 0 : number >= 10 ? 1 : 2;
  return `${number.toFixed(digits)} ${unit}`;
};
