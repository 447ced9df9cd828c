// A small platform's metrics as Prometheus would have scraped them, once a second, for promtool to evaluate rules on.
// `caller` calls `callee` once per request; every series is drawn from one seed.

export type Moment = {
  /** Milliseconds added to the callee's work, for this share of its requests. */
  readonly add?: { readonly ms: number; readonly share: number };
  /** Shares of calls that end so. */
  readonly failing?: number;
  readonly unanswered?: number;
};

export type Simulation = {
  readonly seed: number;
  /** Requests per second; arrivals are Poisson's. */
  readonly rate: number;
  readonly seconds: number;
  /** Median of each component's own work. */
  readonly workMs: number;
  /** Seconds between pauses of 100 to 300 ms, on average; during one, nothing is answered. */
  readonly pauseEvery: number;
  /** What is wrong in that second. */
  readonly fault: (second: number) => Moment;
};

export type Series = { readonly series: string; readonly values: string };

const BUCKETS = [5, 10, 20, 30, 50, 75, 100, 200, 300, 500, 1000, 2000];
const BACKGROUND_ERRORS = 0.005;
const DEADLINE_MS = 1000;
/** The first seconds of a runtime are slow. */
const WARM_UP = { seconds: 3, factor: 4 };

/** Numbers in [0, 1) from a seed (mulberry32). */
export const random = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
};

export const simulate = (it: Simulation): Series[] => {
  const draw = random(it.seed);
  const counters = new Map<string, number>();
  const history = new Map<string, string[]>();
  const count = (series: string): void => void counters.set(series, (counters.get(series) ?? 0) + 1);
  for (let second = 0; second < it.seconds; second++) {
    const pause = draw() < 1 / it.pauseEvery ? { from: draw(), length: 0.1 + 0.2 * draw() } : null;
    for (const at of arrivals(draw, it.rate)) {
      const waited = pause && at > pause.from && at < pause.from + pause.length ? pause.from + pause.length - at : 0;
      request(it, second, waited * 1000, draw, count);
    }
    for (const [series, value] of counters) record(history, series, second, value);
  }
  return [...history].map(([series, values]) => ({ series, values: values.join(' ') }));
};

const record = (history: Map<string, string[]>, series: string, second: number, value: number): void => {
  const values = history.get(series) ?? Array.from({ length: second }, () => '_');
  history.set(series, [...values, String(value)]);
};

/** When in the second requests come: exponential gaps. */
const arrivals = (draw: () => number, rate: number): number[] => {
  const gap = (): number => -Math.log(1 - draw()) / rate;
  const times: number[] = [];
  for (let at = gap(); at < 1; at += gap()) times.push(at);
  return times;
};

const request = (
  it: Simulation,
  second: number,
  waitedMs: number,
  draw: () => number,
  count: (series: string) => void,
): void => {
  const now = it.fault(second);
  const slow = second < WARM_UP.seconds ? WARM_UP.factor : 1;
  // Log-normal with a 99th percentile of three medians.
  const work = (): number => it.workMs * slow * Math.exp(0.472 * normal(draw));
  const added = now.add && draw() < now.add.share ? now.add.ms : 0;
  const served = waitedMs + work() + added;
  const unanswered = draw() < (now.unanswered ?? 0) || served > DEADLINE_MS + it.workMs * 10;
  const failed = draw() < Math.max(BACKGROUND_ERRORS, now.failing ?? 0);
  const called = unanswered ? DEADLINE_MS : served + 1;
  if (!unanswered) server(count, 'callee', failed ? 500 : 200, served);
  client(count, unanswered ? 'timeout' : failed ? '500' : '200', called);
  server(count, 'caller', unanswered || failed ? 502 : 200, called + work());
};

const normal = (draw: () => number): number => Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());

const server = (count: (series: string) => void, service: string, status: number, ms: number): void => {
  const labels = `service="${service}",pod="${service}-1"`;
  count(`http_requests_total{${labels},status="${status}"}`);
  observe(count, 'http_request_duration_seconds', labels, ms);
};

const client = (count: (series: string) => void, status: string, ms: number): void => {
  const labels = 'service="caller",pod="caller-1",peer="callee"';
  count(`http_client_requests_total{${labels},status="${status}"}`);
  observe(count, 'http_client_request_duration_seconds', labels, ms);
};

const observe = (count: (series: string) => void, name: string, labels: string, ms: number): void => {
  for (const le of BUCKETS.filter((bound) => ms <= bound)) count(`${name}_bucket{${labels},le="${le / 1000}"}`);
  count(`${name}_bucket{${labels},le="+Inf"}`);
  count(`${name}_count{${labels}}`);
};
