// A little platform in virtual time that writes logs: what the analyzer's tests look at. Nothing here knows the analyzer.
import type { Blind, LogItem, Topology, Window } from '../../../src/model.ts';
import { fromMs } from '../../../src/time.ts';

export type Fault =
  | { readonly do: 'none' }
  /** Pods of a component are gone; each comes back as a new pod. `pods` defaults to all. */
  | { readonly do: 'kill'; readonly on: string; readonly pods?: number }
  | { readonly do: 'freeze'; readonly on: string }
  /** `from` null: from everywhere. */
  | { readonly do: 'drop' | 'reject'; readonly from: string | null; readonly on: string }
  | {
      readonly do: 'delay';
      readonly from: string | null;
      readonly on: string;
      readonly ms: number;
      readonly share?: number;
    }
  | { readonly do: 'work'; readonly on: string; readonly times: number }
  | { readonly do: 'errors'; readonly on: string; readonly share: number };

export type World = {
  readonly topology: Topology;
  /** Requests a second at the entry, Poisson. */
  readonly rate: number;
  readonly pods?: Readonly<Record<string, number>>;
  /** Median own work in ms; default 8. */
  readonly work?: Readonly<Record<string, number>>;
  readonly deadlineMs?: number;
  readonly style?: Style;
  /** Which calls are logged by the caller; default all. */
  readonly calls?: 'all' | 'failures';
  /** Lines that each component writes by itself, a second. */
  readonly ticks?: number;
};

export type Style = 'json' | 'logfmt' | 'plain';
export type Plan = {
  readonly baselineS: number;
  readonly testS: number;
  readonly fault: Fault;
  readonly from: number;
  readonly until: number;
};

/** mulberry32: small, seeded, good enough. */
export const random = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
};

type Said = { level: 'INFO' | 'WARN' | 'ERROR'; message: string; context: Record<string, string | number> };

const START = 1_795_244_400_000;

/** Baseline and test window of one run. `plan.from` and `plan.until` are seconds of the test window in which the fault holds. */
export const simulate = (world: World, plan: Plan, seed: number): Blind<LogItem> => {
  const next = random(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const length = (plan.baselineS + plan.testS) * 1000;
  const fault = plan.fault;
  const [hurtFrom, hurtUntil] = [(plan.baselineS + plan.from) * 1000, (plan.baselineS + plan.until) * 1000];
  const hurts = (t: number): boolean => fault.do !== 'none' && t >= hurtFrom && t < hurtUntil;
  const lines: { t: number; service: string; pod: string; line: string }[] = [];
  const callees = (name: string): string[] =>
    world.topology.edges.filter(({ from }) => from === name).map(({ to }) => to);
  const podsOf = (name: string): number => world.pods?.[name] ?? 1;
  const pauses = new Map<string, [number, number][]>();
  const pausesOf = (pod: string): [number, number][] => {
    if (!pauses.has(pod)) {
      const all: [number, number][] = [];
      for (let t = next() * 8000; t < length; t += 2000 + next() * 16_000) all.push([t, t + 100 + next() * 200]);
      pauses.set(pod, all);
    }
    return pauses.get(pod)!;
  };
  const killed = (name: string, index: number): boolean =>
    fault.do === 'kill' && fault.on === name && index < (fault.pods ?? podsOf(name));
  const podAt = (name: string, index: number, t: number): string =>
    killed(name, index) && t >= hurtUntil ? `${name}-new-${index}` : `${name}-old-${index}`;
  const say = (t: number, name: string, index: number, said: Said): void => {
    if (fault.do === 'kill' && killed(name, index) && hurts(t)) return;
    lines.push({ t, service: name, pod: podAt(name, index, t), line: write(world.style ?? 'json', name, t, said) });
  };
  const awake = (pod: string, t: number): number =>
    pausesOf(pod).find(([from, until]) => t >= from && t < until)?.[1] ?? t;
  const work = (name: string, pod: string, t: number): number => {
    const slower = fault.do === 'work' && fault.on === name && hurts(t) ? fault.times : 1;
    const warm = t < 3000 ? 1.5 : 1;
    const end = awake(pod, t) + (world.work?.[name] ?? 8) * slower * warm * Math.exp(0.47 * normal());
    return awake(pod, end);
  };

  type Outcome = { t: number; status: number; error: string | null };
  const lost = (t: number, deadline: number): Outcome => ({ t: t + deadline, status: 0, error: 'request timed out' });
  const refused: (t: number) => Outcome = (t) => ({ t: t + 1, status: 0, error: 'connect ECONNREFUSED' });

  const serve = (name: string, t: number): Outcome & { begun: number } => {
    const index = Math.floor(next() * podsOf(name));
    const pod = podAt(name, index, t);
    let now = work(name, pod, t);
    let failed = fault.do === 'errors' && fault.on === name && hurts(t) ? next() < fault.share : next() < 0.005 / 3;
    let why = 'handler threw an exception';
    for (const to of failed ? [] : callees(name).filter((_, __, all) => all.length === 1 || next() < 0.7)) {
      const answer = attempt(name, index, to, now);
      now = answer.t;
      if (answer.status !== 200) {
        failed = true;
        why = `${to}: ${answer.error ?? `HTTP ${answer.status}`}`;
        break;
      }
    }
    if (fault.do === 'kill' && killed(name, index) && t < hurtFrom && now >= hurtFrom)
      return { ...refused(hurtFrom), error: 'socket hang up', begun: t };
    const context = {
      method: 'GET',
      path: `/${name}`,
      status: failed ? 500 : 200,
      duration_ms: Number((now - t).toFixed(2)),
    };
    say(
      now,
      name,
      index,
      failed
        ? { level: 'ERROR', message: 'request failed', context: { ...context, error: why } }
        : { level: 'INFO', message: 'request served', context },
    );
    return { t: now, status: failed ? 500 : 200, error: null, begun: t };
  };

  const cross = (from: string, to: string, t: number, deadline: number): Outcome => {
    const index = Math.floor(next() * podsOf(to));
    if (fault.do === 'kill' && killed(to, index) && hurts(t)) return refused(t);
    if (fault.do === 'freeze' && fault.on === to && hurts(t)) return lost(t, deadline);
    const onWay = 'from' in fault && fault.on === to && (fault.from === null || fault.from === from) && hurts(t);
    if (onWay && fault.do === 'drop') return lost(t, deadline);
    if (onWay && fault.do === 'reject') return refused(t);
    const extra = onWay && fault.do === 'delay' && next() < (fault.share ?? 1) ? fault.ms : 0;
    const answer = serve(to, t + extra + 0.5);
    return answer.t - t > deadline ? lost(t, deadline) : answer;
  };

  const attempt = (from: string, index: number, to: string, t: number): Outcome => {
    const answer = cross(from, to, t, world.deadlineMs ?? 1000);
    const context = { peer: to, method: 'GET', path: `/${to}`, duration_ms: Number((answer.t - t).toFixed(2)) };
    if (answer.error)
      say(answer.t, from, index, {
        level: 'WARN',
        message: 'call failed',
        context: { ...context, error: answer.error, attempt: 1 },
      });
    else if (answer.status !== 200)
      say(answer.t, from, index, {
        level: 'WARN',
        message: 'call failed',
        context: { ...context, error: `HTTP ${answer.status}`, attempt: 1 },
      });
    else if (world.calls !== 'failures')
      say(answer.t, from, index, { level: 'INFO', message: 'call answered', context: { ...context, status: 200 } });
    return answer;
  };

  for (let t = 0; t < length; t += -Math.log(1 - next()) * (1000 / world.rate)) {
    const entry = world.topology.entry;
    const down =
      (fault.do === 'kill' || fault.do === 'freeze') && fault.on === entry && hurts(t) && podsOf(entry) === 1;
    if (!down) serve(entry, t);
  }
  for (const name of world.topology.components) {
    for (let t = next() * 1000; world.ticks && t < length; t += 1000 / world.ticks) {
      const frozen = fault.do === 'freeze' && fault.on === name && hurts(t);
      if (!frozen)
        say(t, name, 0, { level: 'INFO', message: 'book refreshed', context: { entries: Math.floor(next() * 90) } });
    }
    for (let index = 0; index < podsOf(name); index++) {
      if (killed(name, index))
        say(hurtUntil + 1, name, index, { level: 'INFO', message: 'listening', context: { port: 8080 } });
    }
  }
  return split(world, plan, lines);
};

const split = (
  world: World,
  plan: Plan,
  lines: { t: number; service: string; pod: string; line: string }[],
): Blind<LogItem> => {
  const at = (ms: number): bigint => fromMs(START + ms);
  const items = lines
    .sort((a, b) => a.t - b.t)
    .map(
      ({ t, service, pod, line }, n): LogItem => ({
        id: `l${n}`,
        at: at(t),
        service,
        pod,
        labels: { service, pod },
        line,
      }),
    );
  const [from, middle, until] = [at(0), at(plan.baselineS * 1000), at((plan.baselineS + plan.testS) * 1000)];
  const inside = (window: Window) => ({
    window,
    items: items.filter((one) => one.at >= window.from && one.at < window.until),
  });
  return { baseline: inside({ from, until: middle }), test: inside({ from: middle, until }), topology: world.topology };
};

const write = (style: Style, service: string, t: number, { level, message, context }: Said): string => {
  const timestamp = new Date(START + t).toISOString();
  if (style === 'json')
    return JSON.stringify({
      timestamp,
      level,
      service,
      request_id: Math.floor(t * 977).toString(16),
      username: 'u1',
      message,
      context,
    });
  const pairs = Object.entries(context).map(
    ([key, value]) => `${key}=${/\s/.test(String(value)) ? JSON.stringify(value) : value}`,
  );
  if (style === 'logfmt')
    return `ts=${timestamp} level=${level.toLowerCase()} msg=${JSON.stringify(message)} ${pairs.join(' ')}`;
  const { duration_ms: took, peer, error, status, path } = context;
  const more = [
    peer && `to ${peer}`,
    path && `GET ${path}`,
    status && `status ${status}`,
    error,
    took && `in ${took} ms`,
  ];
  return `${timestamp} ${level} [main] ${message} ${more.filter(Boolean).join(' ')}`;
};

const topology = (entry: string, calls: Readonly<Record<string, readonly string[]>>): Topology => ({
  entry,
  components: [...new Set([entry, ...Object.keys(calls), ...Object.values(calls).flat()])],
  edges: Object.entries(calls).flatMap(([from, all]) => all.map((to) => ({ from, to }))),
});

export const SHOP = topology('front', {
  front: ['orders', 'quotes'],
  orders: ['risk', 'ledger'],
  quotes: ['feed'],
  risk: ['feed'],
});
export const CHAIN = topology('web', { web: ['api'], api: ['auth-service'], 'auth-service': ['user-db'] });
export const STAR = topology('gate', { gate: ['a1', 'b1', 'c1'], a1: ['store'], b1: ['store'], c1: ['store'] });
