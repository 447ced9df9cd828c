// A picture as data: what the page's script draws, and what the table beside it says in numbers.
import { ends, type Ref, type Suspect, service } from '../../model.ts';
import { naming } from '../../naming.ts';
import type { Verdict } from '../../verdict.ts';
import { mostChanged, type Named, type Role, type Roles, type Series } from './series.ts';
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

const MOST_BLAMED = 3;

/** A chart of the most changed series, or nothing when there is no series at all. */
export const chart = (
  timeline: Timeline,
  about: Pick<LineChart, 'title' | 'says' | 'unit'>,
  all: Named,
  roles: Roles,
): LineChart[] => {
  const { shown, omitted } = mostChanged(timeline, all, roles);
  return shown.length > 0 ? [{ kind: 'lines', ...about, series: shown, omitted }] : [];
};

/** Whom a layer's pictures must show: whom it blames, where the fault was, and the two ends of either, when it is an edge. */
export const rolesOf = (
  suspects: readonly Pick<Suspect, 'ref'>[],
  { groundTruth: { on } }: Pick<Verdict, 'groundTruth'>,
  components: readonly string[],
): Roles => {
  const blamed = suspects.slice(0, MOST_BLAMED).map(({ ref }) => ofPod(ref, components) ?? ref);
  const near = [...blamed, ...(on ? [on] : [])].flatMap(ofEdge);
  return new Map<string, Role>([
    ...near.map((ref) => [ref, 'near'] as const),
    ...blamed.map((ref) => [ref, 'blamed'] as const),
    ...(on ? [[on, blamed.includes(on) ? 'broken and blamed' : 'broken'] as const] : []),
  ]);
};

const ofEdge = (ref: Ref): Ref[] => {
  const edge = ends(ref);
  return edge ? [service(edge.from), service(edge.to)] : [];
};

/** The component that a pod belongs to; null for what is no pod. */
const ofPod = (ref: Ref, components: readonly string[]): Ref | null => {
  if (!ref.startsWith('pod:')) return null;
  const name = naming(components, () => new Map()).component(ref.slice('pod:'.length));
  return name ? service(name) : null;
};

/** `order-service`, `a → b`: a Ref as a reader wants it. */
export const shortName = (name: string): string => name.replace(/^(service|edge|pod):/, '').replace('->', ' → ');

/** `12 ms`, `3.4 %`, `25 /s`; a dash for nothing. */
export const amount = (value: number | null, unit: Unit): string => {
  if (value === null) return '–';
  const number = unit === '%' ? value * 100 : value;
  const digits = Number.isInteger(number) || number >= 100 ? 0 : number >= 10 ? 1 : 2;
  return `${number.toFixed(digits)} ${unit}`;
};
