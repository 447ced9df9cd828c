// A platform that exists only as numbers: random call graphs, Poisson traffic, pauses, and one fault. Seeded.
import type { Blind, Edge, SpanItem, Topology } from '../../../src/model.ts';

export type Fault =
  | { readonly kind: 'none' }
  | { readonly kind: 'kill'; readonly on: string; readonly pods: number; readonly says: 'refused' | 'timeout' }
  | { readonly kind: 'stop'; readonly on: string }
  | { readonly kind: 'cut'; readonly on: string | Edge; readonly says: 'refused' | 'timeout' }
  | {
      readonly kind: 'delay';
      readonly on: string | Edge;
      readonly ms: number;
      readonly share: number;
      readonly late: boolean;
    }
  | { readonly kind: 'work'; readonly on: string; readonly times: number }
  | { readonly kind: 'errors'; readonly on: string; readonly share: number };

export type Platform = {
  readonly topology: Topology;
  readonly pods: Readonly<Record<string, number>>;
  readonly workMs: Readonly<Record<string, number>>;
  readonly deadlineMs: number;
};

export type Setup = {
  readonly seed: number;
  readonly platform: Platform;
  readonly perSecond: number;
  readonly baselineS: number;
  readonly testS: number;
  /** Seconds after the test window's begin. */
  readonly fault: Fault & { readonly fromS?: number; readonly holdS?: number };
  readonly pauses?: boolean;
};

/** mulberry32 */
export const random = (seed: number): (() => number) => {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
};

/** A call graph without cycles in which the entry reaches everything. */
export const randomPlatform = (seed: number): Platform => {
  const next = random(seed);
  const components = Array.from({ length: 2 + Math.floor(next() * 7) }, (_, n) => `c${n}-${Math.floor(next() * 1e4)}`);
  const edges = components.flatMap((to, n) => {
    if (n === 0) return [];
    const callers = new Set([Math.floor(next() * n), ...(next() < 0.4 ? [Math.floor(next() * n)] : [])]);
    return [...callers].map((from) => ({ from: components[from]!, to }));
  });
  const each = (make: () => number) => Object.fromEntries(components.map((one) => [one, make()]));
  return {
    topology: { entry: components[0]!, components, edges },
    pods: each(() => 1 + Math.floor(next() * 3)),
    workMs: each(() => 1 + next() ** 2 * 60),
    deadlineMs: [500, 1000, 3000][Math.floor(next() * 3)]!,
  };
};

const ORIGIN = 1_795_240_800_000_000_000n;
const at = (ms: number): bigint => ORIGIN + BigInt(Math.round(ms * 1e6));
const BATCH_MS = 1000;
const LOST = Number.POSITIVE_INFINITY;
type Outcome = { readonly end: number; readonly status: number | null; readonly message: string };

/** Both windows of a run: what the analyzer would be given. */
export const simulate = (setup: Setup): Blind<SpanItem> => {
  const next = random(setup.seed);
  const exponential = (mean: number): number => -mean * Math.log(1 - next());
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const { platform, fault } = setup;
  const [split, total] = [setup.baselineS * 1000, (setup.baselineS + setup.testS) * 1000];
  const [begin, end] = [split + (fault.fromS ?? 5) * 1000, split + ((fault.fromS ?? 5) + (fault.holdS ?? 10)) * 1000];
  const active = (t: number): boolean => t >= begin && t < end;
  const spans: SpanItem[] = [];
  let ids = 0;

  const pauses = new Map<string, [number, number][]>();
  const pausesOf = (pod: string): [number, number][] => {
    const there = pauses.get(pod);
    if (there) return there;
    const made: [number, number][] = [];
    if (setup.pauses !== false)
      for (let t = exponential(12_000); t < total; t += 300 + exponential(12_000))
        made.push([t, t + 100 + next() * 200]);
    if (fault.kind === 'stop' && pod === `${fault.on}-p0`) made.push([begin, end]);
    pauses.set(
      pod,
      made.sort((a, b) => a[0] - b[0]),
    );
    return made;
  };
  const advance = (pod: string, t: number, ms: number): number => {
    let [now, left] = [t, ms];
    for (const [from, until] of pausesOf(pod)) {
      if (until <= now) continue;
      if (now + left <= from) break;
      left -= Math.max(0, from - now);
      now = until;
    }
    return now + left;
  };
  const killed = (service: string, n: number): boolean =>
    fault.kind === 'kill' && fault.on === service && n < fault.pods;
  const pick = (service: string, t: number): { pod: string; dead: boolean } => {
    const n = Math.floor(next() * platform.pods[service]!);
    if (!killed(service, n) || t < begin) return { pod: `${service}-p${n}`, dead: false };
    return t < end ? { pod: `${service}-p${n}`, dead: true } : { pod: `${service}-q${n}`, dead: false };
  };
  const dies = (pod: string): boolean =>
    fault.kind === 'kill' && pod.startsWith(`${fault.on}-p`) && Number(pod.at(-1)) < fault.pods;
  const record = (one: Omit<SpanItem, 'id' | 'at' | 'durationMs'>, from: number, until: number): void => {
    if (dies(one.pod!) && until > begin - BATCH_MS) return;
    spans.push({ ...one, id: `${one.traceId}/${one.spanId}`, at: at(from), durationMs: until - from });
  };

  const hits = (on: string | Edge, from: string, to: string): boolean =>
    typeof on === 'string' ? on === to : on.from === from && on.to === to;

  const serve = (
    service: string,
    pod: string,
    t: number,
    traceId: string,
    parentId: string | null,
    tagged: boolean,
  ): Outcome => {
    const spanId = `s${++ids}`;
    const slow = fault.kind === 'work' && fault.on === service && active(t) ? fault.times : 1;
    const warm = 1 + 4 * Math.exp(-t / 700);
    const work = platform.workMs[service]! * Math.exp(0.4 * normal()) * slow * warm;
    let now = advance(pod, t, work / 2);
    let failed =
      next() < 0.005 || (fault.kind === 'errors' && fault.on === service && active(t) && next() < fault.share);
    for (const { to } of platform.topology.edges.filter((one) => one.from === service)) {
      if (failed) break;
      const answer = call(service, pod, to, now, traceId, spanId, tagged);
      now = answer.end;
      failed = answer.status === null || answer.status >= 500;
    }
    now = advance(pod, now, work / 2);
    const status = failed ? 502 : 200;
    const base = { traceId, spanId, parentId, service, pod, name: `GET /${service}`, peer: null };
    record({ ...base, kind: 'server', error: failed, status, message: '' }, t, now);
    // What is under way in a process when it is killed is never answered.
    if (dies(pod) && t < begin && now > begin) return { end: begin, status: null, message: 'socket hang up' };
    return { end: now, status, message: '' };
  };

  const call = (
    from: string,
    pod: string,
    to: string,
    t: number,
    traceId: string,
    parentId: string,
    tagged: boolean,
  ): Outcome => {
    const spanId = `s${++ids}`;
    const answer = carried(from, to, t, traceId, spanId, tagged);
    const deadline = t + platform.deadlineMs;
    const inTime = answer.end <= deadline;
    const status = inTime ? answer.status : null;
    const message = inTime ? answer.message : 'The operation was aborted due to timeout';
    const until = advance(pod, inTime ? answer.end : deadline, 0.2);
    const error = status === null || status >= 500;
    record(
      {
        traceId,
        spanId,
        parentId,
        service: from,
        pod,
        name: `GET ${to}`,
        kind: 'client',
        error,
        status,
        message,
        peer: to,
      },
      t,
      until,
    );
    return { end: until, status, message };
  };

  const carried = (
    from: string,
    to: string,
    t: number,
    traceId: string,
    parentId: string,
    tagged: boolean,
  ): Outcome => {
    let there = t + 0.2 + exponential(0.6);
    if (fault.kind === 'cut' && hits(fault.on, from, to) && active(t))
      return fault.says === 'refused'
        ? { end: there, status: null, message: 'connect ECONNREFUSED 198.18.0.7:8080' }
        : { end: LOST, status: null, message: '' };
    if (fault.kind === 'delay' && hits(fault.on, from, to) && active(t) && tagged) {
      there += fault.ms * (0.9 + 0.2 * next());
      if (!fault.late && there > t + platform.deadlineMs) return { end: LOST, status: null, message: '' };
    }
    const { pod, dead } = pick(to, there);
    if (dead && fault.kind === 'kill')
      return fault.says === 'refused'
        ? { end: there, status: null, message: 'connect ECONNREFUSED 198.18.0.7:8080' }
        : { end: LOST, status: null, message: '' };
    const answer = serve(to, pod, advance(pod, there, 0.05), traceId, parentId, tagged);
    return { ...answer, end: answer.end + 0.2 + exponential(0.6) };
  };

  const share = fault.kind === 'delay' ? fault.share : 1;
  for (let t = exponential(1000 / setup.perSecond); t < total; t += exponential(1000 / setup.perSecond)) {
    const { pod, dead } = pick(platform.topology.entry, t);
    if (!dead)
      serve(platform.topology.entry, pod, advance(pod, t, 0.05), `t${Math.floor(t * 1e3)}`, 'outside', next() < share);
  }

  const sorted = spans.sort((a, b) => (a.at < b.at ? -1 : 1));
  const window = (from: number, until: number) => ({ from: at(from), until: at(until) });
  const observed = (from: number, until: number) => ({
    window: window(from, until),
    items: sorted.filter((one) => one.at >= at(from) && one.at < at(until)),
  });
  return { baseline: observed(0, split), test: observed(split, total), topology: platform.topology };
};
