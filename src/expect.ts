// Expectations that a scenario may add to the layers' grades. As data; how they are answered is the evidence stage's business.
import type { Duration, LayerName } from './model.ts';

/** The ladder that a layer climbs. */
export const GRADES = ['blind', 'silent', 'noticed', 'located', 'explained'] as const;
export type Grade = (typeof GRADES)[number];

export type Bound = { readonly atLeast: number } | { readonly atMost: number };

/** Holds when, from the injection on and within the time given, at least one look finds it true. */
export type Expectation =
  | { readonly kind: 'promql' | 'logql'; readonly query: string; readonly bound: Bound; readonly within: Duration }
  | { readonly kind: 'alert'; readonly labels: Readonly<Record<string, string>>; readonly within: Duration }
  | {
      readonly kind: 'trace';
      readonly service: string;
      readonly having: Readonly<{ error?: boolean; slowerThan?: Duration; calling?: string }>;
      readonly within: Duration;
    }
  | {
      readonly kind: 'flow';
      readonly from?: string;
      readonly to?: string;
      readonly verdict: 'FORWARDED' | 'DROPPED';
      readonly within: Duration;
    };

/** A query that ends the hold early. */
export type Guard = Extract<Expectation, { bound: Bound }>;

export const meets = (bound: Bound, value: number | null): boolean =>
  value !== null && ('atLeast' in bound ? value >= bound.atLeast : value <= bound.atMost);

/** What the scenario asks of each layer: at least this grade. A layer that is not named is reported, not required. */
export type Demands = Partial<Record<LayerName, Grade>>;

const bounded = (kind: 'promql' | 'logql', query: string, within: Duration) => ({
  /** The largest value of the answer is at least this. */
  atLeast: (value: number): Expectation => ({ kind, query, bound: { atLeast: value }, within }),
  /** The largest value of the answer is at most this; an empty answer counts as nothing, not as 0. */
  atMost: (value: number): Expectation => ({ kind, query, bound: { atMost: value }, within }),
});

/** A PromQL instant query: `promql('sum(rate(http_requests_total{status="502"}[5s]))').atLeast(1)`. */
export const promql = (query: string, within: Duration = '30s') => bounded('promql', query, within);
/** A LogQL metric query: `logql('sum(count_over_time({service="api-gateway"} |= "ECONNREFUSED" [10s]))').atLeast(1)`. */
export const logql = (query: string, within: Duration = '30s') => bounded('logql', query, within);
/** An alert that starts firing, with at least these labels: `alert({ alertname: 'ServiceDown' })`. */
export const alert = (labels: Readonly<Record<string, string>>, within: Duration = '30s'): Expectation => ({
  kind: 'alert',
  labels,
  within,
});
/** A span of the service: `trace('api-gateway', { error: true, calling: 'order-service' })`. */
export const trace = (
  service: string,
  having: { error?: boolean; slowerThan?: Duration; calling?: string } = {},
  within: Duration = '30s',
): Expectation => ({ kind: 'trace', service, having, within });
/** A network flow: `flow({ from: 'api-gateway', to: 'order-service', verdict: 'DROPPED' })`. */
export const flow = (
  what: { from?: string; to?: string; verdict: 'FORWARDED' | 'DROPPED' },
  within: Duration = '30s',
): Expectation => ({ kind: 'flow', ...what, within });

/** The expectation in words. */
export const inWords = (one: Expectation): string => {
  switch (one.kind) {
    case 'promql':
    case 'logql':
      return `${one.kind} ${one.query} ${'atLeast' in one.bound ? `>= ${one.bound.atLeast}` : `<= ${one.bound.atMost}`} within ${one.within}`;
    case 'alert':
      return `an alert with ${JSON.stringify(one.labels)} fires within ${one.within}`;
    case 'trace':
      return `a span of ${one.service} with ${JSON.stringify(one.having)} within ${one.within}`;
    case 'flow':
      return `a ${one.verdict} flow ${one.from ?? 'anywhere'} -> ${one.to ?? 'anywhere'} within ${one.within}`;
  }
};

export const gradeAtLeast = (grade: Grade, wanted: Grade): boolean => GRADES.indexOf(grade) >= GRADES.indexOf(wanted);
