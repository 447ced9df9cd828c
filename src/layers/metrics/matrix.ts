// Raw samples out of Prometheus: a range vector asked for at one instant, which keeps each sample's own timestamp.
import { z } from 'zod';
import { address } from '../../connection.ts';
import type { Access } from '../../credentials.ts';
import { Unreachable } from '../../errors.ts';
import type { Nanos, Query, Window } from '../../model.ts';
import { MILLISECOND } from '../../time.ts';
import { askPrometheus } from './api.ts';

export type Labels = Readonly<Record<string, string>>;
export type RawSample = { readonly at: Nanos; readonly value: number };
/** One series: its labels without `__name__`, its name, and its finite samples inside of the window, oldest first. */
export type RawSeries = { readonly name: string; readonly labels: Labels; readonly samples: readonly RawSample[] };
/** The series of one answer; `native` counts those that are native histograms, which have no such samples. */
export type Raw = {
  readonly series: readonly RawSeries[];
  readonly native: number;
  /** What makes the answer doubtful, a line each. */
  readonly doubts: readonly string[];
};

const matrix = z.object({
  resultType: z.literal('matrix'),
  result: z.array(
    z.object({
      metric: z.record(z.string(), z.string()),
      values: z.array(z.tuple([z.number(), z.string()])).optional(),
      histograms: z.array(z.unknown()).optional(),
    }),
  ),
});

/**
 * The query for every raw sample of `selector` in the window. A range query would repeat each sample up to the lookback
 * and would shift it to the step; a range vector at the instant `until` does neither.
 */
export const rawQuery = (base: string, selector: string, window: Window): Query => {
  const spanMs = (window.until - window.from + MILLISECOND - 1n) / MILLISECOND;
  const time = `${Number(window.until / MILLISECOND) / 1000}`;
  const text = `${selector}[${spanMs + 1n}ms]`;
  return { id: `prometheus ${text} @ ${time}`, text, url: address(base, '/api/v1/query', { query: text, time }) };
};

/** Asks such a query. Samples outside of the half-open window and values that are not finite are left out. */
export const askRaw = async (query: Query, window: Window, signal: AbortSignal, access?: Access): Promise<Raw> => {
  const { data, doubts } = await askPrometheus(query.url, signal, access);
  const parsed = matrix.safeParse(data);
  if (!parsed.success) throw new Unreachable('the answer is not a matrix');
  const series = parsed.data.result.map(({ metric: { __name__ = '', ...labels }, values = [] }) => ({
    name: __name__,
    labels,
    samples: values.map(sample).filter(({ at, value }) => within(at, window) && Number.isFinite(value)),
  }));
  return { series, doubts, native: parsed.data.result.filter(({ histograms }) => histograms).length };
};

const sample = ([seconds, value]: readonly [number, string]): RawSample => ({
  at: BigInt(Math.round(seconds * 1000)) * MILLISECOND,
  // 'NaN', '+Inf' and '-Inf' all become NaN or an infinity, and are left out.
  value: Number(value.replace('Inf', 'Infinity')),
});

const within = (at: Nanos, { from, until }: Window): boolean => at >= from && at < until;
