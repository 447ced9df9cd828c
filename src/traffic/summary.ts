// What the ledger says about the client: how much it sent, how late, and whether it kept up. Pure.
import {
  build,
  decodeFromCompressedBase64 as decoded,
  encodeIntoCompressedBase64 as encoded,
  type Histogram,
} from 'hdr-histogram-js';
import { fromIso, toMs } from '../time.ts';
import { failed, type LedgerRecord, type TrafficSummary, untold } from './ledger.ts';
import { type Numbers, numbers } from './numbers.ts';

/** Milliseconds. */
export type Quantiles = {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
};

/** How late the client's own event loop ran, in milliseconds. */
export type LoopDelay = { readonly p50: number; readonly p99: number; readonly max: number };

/** The latest of several event loops at each quantile: each client has a part of every stretch of the plan. */
export const latest = (loops: readonly LoopDelay[]): LoopDelay => {
  const most = (of: keyof LoopDelay): number => Math.max(0, ...loops.map((loop) => loop[of]));
  return { p50: most('p50'), p99: most('p99'), max: most('max') };
};

export type ClientSummary = TrafficSummary & {
  readonly planned: number;
  readonly aborted: number;
  /** Of requests that were answered or timed out; a quick failure is no quick answer. From the intended time. */
  readonly latencyMs: Quantiles;
  /** The same requests, from the time when each was really sent. */
  readonly serviceMs: Quantiles;
  /** Sent minus intended. */
  readonly schedulingErrorMs: Quantiles;
  /** Null where only the ledger is known. */
  readonly loopDelayMs: LoopDelay | null;
};

/** What one client counted, in JSON: histograms are of microseconds, in HdrHistogram's V2 encoding, compressed, in base64. */
export type Counted = {
  readonly counts: Counts;
  readonly due: Due;
  readonly latency: string;
  readonly service: string;
  readonly lateness: string;
};

/** When the first and the last of the requests were due, ISO 8601 as `iso` writes it; null: there was none. */
type Due = { readonly first: string; readonly last: string } | null;

type Counts = Readonly<Record<'seen' | 'sent' | 'answered' | 'failed' | 'aborted' | 'unsent' | 'connections', number>>;

/** Takes records one by one, so that a long run need not be held in memory. */
export type Tally = {
  add(record: LedgerRecord): void;
  /** Takes what another tally counted; throws when a histogram in it is none. */
  merge(other: Counted): void;
  counted(): Counted;
  /** Of a client that had so many requests to send. */
  summary(planned: number, loopDelayMs: LoopDelay | null): ClientSummary;
};

/**
 * A client that cannot keep up is late more and more; one that shares two busy cores is late now and then. So a late
 * tail counts from where no pause of a garbage collector or a scheduler reaches (some 100 ms), and a late median from
 * where the client is behind most of the time. Both must exceed the mean spacing too: less than that leaves the load's
 * shape as it was.
 */
const LATE_TAIL_MS = 500;
const LATE_MEDIAN_MS = 50;

/** Percentiles are HDR histograms', to three digits. */
export const tally = (): Tally => {
  const counts = { seen: 0, sent: 0, answered: 0, failed: 0, aborted: 0, unsent: 0, connections: 0 };
  const ports = portsOf();
  const [latency, service, lateness] = [histogram(), histogram(), histogram()];
  let due: Due = null;
  const add = (record: LedgerRecord): void => {
    counts.seen += 1;
    due = spanned(due, record.intended, record.intended);
    if (record.error === 'aborted') counts.aborted += 1;
    else if (record.sent === null) counts.unsent += 1;
    if (record.status !== null) counts.answered += 1;
    if (failed(record)) counts.failed += 1;
    if (ports.add(record.local)) counts.connections += 1;
    if (record.sent === null) return;
    counts.sent += 1;
    put(lateness, (record.latencyMs ?? 0) - (record.serviceMs ?? 0));
    if (!measured(record)) return;
    put(latency, record.latencyMs ?? 0);
    put(service, record.serviceMs ?? 0);
  };
  const merge = (other: Counted): void => {
    for (const of of Object.keys(counts) as (keyof Counts)[]) counts[of] += other.counts[of];
    if (other.due) due = spanned(due, other.due.first, other.due.last);
    latency.add(decoded(other.latency));
    service.add(decoded(other.service));
    lateness.add(decoded(other.lateness));
  };
  const counted = (): Counted => ({
    counts: { ...counts },
    due,
    latency: encoded(latency),
    service: encoded(service),
    lateness: encoded(lateness),
  });
  const summary = (planned: number, loopDelayMs: LoopDelay | null): ClientSummary => {
    const { sent, answered, failed, aborted, connections } = counts;
    const schedulingErrorMs = quantiles(lateness);
    const missing = planned - counts.seen;
    const spacingMs = spacing(due, counts.seen);
    const saturated = saturation({ ...counts, missing, schedulingErrorMs, loopDelayMs, spacingMs });
    const times = { latencyMs: quantiles(latency), serviceMs: quantiles(service), schedulingErrorMs, loopDelayMs };
    return { planned, sent, answered, failed, aborted, connections, saturated, ...times };
  };
  return { add, merge, counted, summary };
};

/** Texts of one length, in the order of their times: they are compared as they are, for there is one a request. */
const spanned = (due: Due, first: string, last: string): Due => {
  if (!due) return { first, last };
  if (first >= due.first && last <= due.last) return due;
  return { first: first < due.first ? first : due.first, last: last > due.last ? last : due.last };
};

/** The mean time between requests, in milliseconds. */
const spacing = (due: Due, count: number): number =>
  due && count > 1 ? toMs(fromIso(due.last) - fromIso(due.first)) / (count - 1) : 0;

/** Which ends of connections have been there already. A port that another connection got later counts once. */
const portsOf = (): { add(local: LedgerRecord['local']): boolean } => {
  const addresses = new Map<string, Numbers>();
  return {
    add: (local) => {
      if (!local) return false;
      const ports = addresses.get(local.ip) ?? numbers();
      addresses.set(local.ip, ports);
      return ports.add(local.port);
    },
  };
};

/** What several clients counted, as one. Throws when a histogram in it is none. */
export const merged = (parts: readonly Counted[]): Tally => {
  const all = tally();
  for (const one of parts) all.merge(one);
  return all;
};

/** Whether its latency is one: answered, or waited for in vain as long as anybody would. */
export const measured = (record: LedgerRecord): boolean =>
  !untold(record) && (record.status !== null || record.error === 'timeout');

type Lateness = {
  readonly unsent: number;
  readonly missing: number;
  readonly spacingMs: number;
  readonly schedulingErrorMs: Quantiles;
  readonly loopDelayMs: LoopDelay | null;
};

const saturation = ({
  unsent,
  missing,
  spacingMs,
  schedulingErrorMs: late,
  loopDelayMs: loop,
}: Lateness): string | null => {
  const tail = Math.max(LATE_TAIL_MS, spacingMs);
  const median = Math.max(LATE_MEDIAN_MS, spacingMs);
  if (missing > 0) return `${missing} planned requests have no record`;
  if (unsent > 0) return `${unsent} requests could not be sent before their timeout`;
  if (late.p99 > tail) return `1 % of requests left more than ${ms(late.p99)} late (bound: ${ms(tail)})`;
  if (late.p50 > median) return `half of the requests left more than ${ms(late.p50)} late (bound: ${ms(median)})`;
  if (loop && loop.p50 > LATE_MEDIAN_MS)
    return `the client's event loop was ${ms(loop.p50)} late half of the time (bound: ${ms(LATE_MEDIAN_MS)})`;
  return null;
};

const ms = (value: number): string => `${Math.round(value)} ms`;

// Histograms hold whole microseconds.
const histogram = (): Histogram =>
  build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: 60_000_000,
    numberOfSignificantValueDigits: 3,
    autoResize: true,
  });

const put = (into: Histogram, value: number): void => into.recordValue(Math.max(0, Math.round(value * 1000)));

const quantiles = (of: Histogram): Quantiles => {
  const at = (percentile: number): number => (of.totalCount > 0 ? of.getValueAtPercentile(percentile) / 1000 : 0);
  return { count: of.totalCount, p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: at(100) };
};
