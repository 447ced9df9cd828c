// How long answers took, by whatever name, in a memory that does not grow with the capture.
import { compare } from '../ordering.ts';
import { merged } from './merge.ts';

/** Response times of one name. Quantiles are right to 2 %, `max` exactly; null when nothing was answered. */
export type TimingRow = {
  readonly server: string;
  readonly name: string;
  readonly requests: number;
  readonly answered: number;
  /** Answers with a status of 500 or more. */
  readonly errors: number;
  readonly ms: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number } | null;
};

/** Each bucket is larger than the one before by this factor, from a microsecond to a quarter of an hour. */
const GROWTH = 1.04;
const BUCKETS = 528;
const LOG_GROWTH = Math.log(GROWTH);

/** Quantiles by buckets of equal relative width: DDSketch (Masson, Rim, Lee 2019), section 2. */
type Timing = { requests: number; answered: number; errors: number; max: number; readonly counts: Uint32Array };

/** What was counted of one name; `max` is in nanoseconds. */
export type NamedTiming = Timing & { readonly server: string; readonly name: string };

const emptyTiming = (): Timing => ({ requests: 0, answered: 0, errors: 0, max: 0, counts: new Uint32Array(BUCKETS) });

const bucketOf = (nanos: number): number =>
  nanos <= 1000 ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log(nanos / 1000) / LOG_GROWTH));

/** The middle of a bucket, in milliseconds. */
const middleOf = (bucket: number): number => (2 * GROWTH ** bucket) / (GROWTH + 1) / 1000;

export type Timings = {
  /** The place of this name at this server; both are numbers that the caller has given them. 0 is everybody beyond the limit. */
  place(server: number, name: number): number;
  asked(place: number): void;
  answered(place: number, nanos: number, failed: boolean): void;
  /** All that was counted. `text` gives back what the caller's numbers stand for. */
  named(text: (server: number, name: number) => { readonly server: string; readonly name: string }): NamedTiming[];
};

const FIELD = 2 ** 21;

export const createTimings = (limit: number): Timings => {
  const places = new Map<number, number>();
  const all: Timing[] = [emptyTiming()];
  return {
    place(server, name) {
      const key = server * FIELD + name;
      const known = places.get(key);
      if (known !== undefined || all.length > limit) return known ?? 0;
      places.set(key, all.length);
      return all.push(emptyTiming()) - 1;
    },
    asked(place) {
      all[place]!.requests += 1;
    },
    answered(place, nanos, failed) {
      const it = all[place]!;
      it.answered += 1;
      if (failed) it.errors += 1;
      if (nanos > it.max) it.max = nanos;
      it.counts[bucketOf(nanos)]! += 1;
    },
    named(text) {
      const named = [...places].map(([key, place]) => ({
        ...text(Math.floor(key / FIELD), key % FIELD),
        ...all[place]!,
      }));
      return all[0]!.requests > 0 ? [...named, { server: '(others)', name: '(others)', ...all[0]! }] : named;
    },
  };
};

/** What was counted in several parts, most requests first. */
export const timingRows = (parts: readonly (readonly NamedTiming[])[]): TimingRow[] =>
  merged(parts, (one) => JSON.stringify([one.server, one.name]), addTiming)
    .map(rowOf)
    .sort((a, b) => b.requests - a.requests || compare(a.server, b.server) || compare(a.name, b.name));

const addTiming = (a: NamedTiming, b: NamedTiming): NamedTiming => ({
  ...a,
  ...{ requests: a.requests + b.requests, answered: a.answered + b.answered, errors: a.errors + b.errors },
  ...{ max: Math.max(a.max, b.max), counts: a.counts.map((n, bucket) => n + b.counts[bucket]!) },
});

const rowOf = (it: NamedTiming): TimingRow => ({
  server: it.server,
  name: it.name,
  requests: it.requests,
  answered: it.answered,
  errors: it.errors,
  ms:
    it.answered === 0
      ? null
      : { p50: quantile(it, 0.5), p90: quantile(it, 0.9), p99: quantile(it, 0.99), max: it.max / 1e6 },
});

const quantile = (it: Timing, q: number): number => {
  const rank = Math.max(1, Math.ceil(q * it.answered));
  let bucket = 0;
  for (let below = it.counts[0]!; below < rank && bucket < BUCKETS - 1; below += it.counts[bucket]!) bucket += 1;
  return Math.min(middleOf(bucket), it.max / 1e6);
};

/** Numbers for texts, from 1; 0 for everything beyond the limit. */
export type Names = { number(text: string): number; text(number: number): string };

export const createNames = (limit: number): Names => {
  const numbers = new Map<string, number>();
  const texts = ['(others)'];
  return {
    number(text) {
      const known = numbers.get(text);
      if (known !== undefined || texts.length > limit) return known ?? 0;
      numbers.set(text, texts.length);
      return texts.push(text) - 1;
    },
    text: (number) => texts[number]!,
  };
};
