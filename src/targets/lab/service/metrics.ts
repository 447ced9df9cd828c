// What a pod counts about itself, under the profile's names, for Prometheus to scrape. The labels that say which service
// and which pod it is come from the scrape, as they do in Kubernetes.
import { Counter, Histogram, Registry } from 'prom-client';
import type { Telemetry } from '../../../platform.ts';
import { addProcessMetrics } from './process-metrics.ts';

export type Asked = { readonly method: string; readonly path: string };

export type Metrics = {
  /** One request served, with its status and its duration in milliseconds. */
  served(asked: Asked, status: number, ms: number): void;
  /** One request made to `peer`; the status is `error` or `timeout` when there was no answer. */
  called(peer: string, asked: Asked, status: string, ms: number): void;
  /** The exposition text and its content type. */
  expose(): Promise<{ readonly type: string; readonly text: string }>;
};

/** Milliseconds: fine enough that a shift of a few of them moves a quantile, wide enough for a hung peer. */
const BUCKETS = [
  1, 2, 3, 5, 7.5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 7500, 10_000,
];

export const startMetrics = (names: Telemetry['metrics']): Metrics => {
  const register = new Registry();
  addProcessMetrics(register);
  const { method, path, peer } = names.labels;
  const served = series(register, names, names.requests, names.duration, [method, path], 'served');
  const called = series(register, names, names.clientRequests, names.clientDuration, [peer, method], 'made to others');
  return {
    served: (asked, answered, ms) => served({ [method]: asked.method, [path]: asked.path }, String(answered), ms),
    called: (to, asked, answered, ms) => called({ [peer]: to, [method]: asked.method }, answered, ms),
    expose: async () => ({ type: register.contentType, text: await register.metrics() }),
  };
};

type Observe = (labels: Record<string, string>, answered: string, ms: number) => void;

/**
 * A counter and a histogram of the same requests. A platform that has no counter of its own, because the histogram's
 * _count serves as one (OpenTelemetry's way), has the status on the histogram.
 */
const series = (
  registry: Registry,
  { unit, labels: { status } }: Telemetry['metrics'],
  requests: string | null,
  duration: string | null,
  labels: readonly string[],
  what: string,
): Observe => {
  const registers = [registry];
  const scale = unit === 'seconds' ? 1 / 1000 : 1;
  const merged = requests === `${duration}_count`;
  const buckets = BUCKETS.map((ms) => ms * scale);
  const counter =
    requests && !merged
      ? new Counter({ name: requests, help: `Requests ${what}`, labelNames: [...labels, status], registers })
      : null;
  const labelNames = merged ? [...labels, status] : [...labels];
  const histogram = duration
    ? new Histogram({ name: duration, help: `Duration of requests ${what}, ${unit}`, labelNames, buckets, registers })
    : null;
  return (values, answered, ms) => {
    counter?.inc({ ...values, [status]: answered });
    histogram?.observe(merged ? { ...values, [status]: answered } : values, ms * scale);
  };
};
