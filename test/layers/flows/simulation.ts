// A little platform, played by arithmetic: requests, calls, connections, pauses and faults, told as flows.
import type { FlowEnd, FlowItem, Topology, Window } from '../../../src/model.ts';
import { fromMs } from '../../../src/time.ts';

export type Part = {
  readonly pods?: number;
  readonly workMs: number;
  readonly calls?: readonly { readonly to: string; readonly share?: number; readonly deadlineMs?: number }[];
};

/** Times are milliseconds after the simulation's beginning. */
export type Fault =
  | {
      readonly kind: 'delay';
      readonly to: string;
      readonly from?: string;
      readonly ms: number;
      readonly share?: number;
    }
  | { readonly kind: 'drop'; readonly to: string; readonly from?: string; readonly shown: boolean }
  | { readonly kind: 'isolate'; readonly to: string }
  | { readonly kind: 'freeze'; readonly to: string; readonly pod?: number }
  | {
      readonly kind: 'kill';
      readonly to: string;
      readonly pod?: number;
      readonly backMs: number;
      readonly refusedMs: number;
    }
  | { readonly kind: 'errors'; readonly to: string; readonly share: number };

export type Simulation = {
  readonly parts: Readonly<Record<string, Part>>;
  readonly entry: string;
  readonly rate: number;
  readonly seed: number;
  readonly baselineMs?: number;
  readonly testMs?: number;
  readonly faultFrom?: number;
  readonly faultUntil?: number;
  readonly fault?: Fault;
  readonly l7?: boolean;
  readonly data?: boolean;
  readonly pausesEveryMs?: number;
  readonly constantDrops?: boolean;
};

export type Simulated = {
  readonly topology: Topology;
  readonly flows: readonly FlowItem[];
  readonly baseline: Window;
  readonly test: Window;
  readonly faultAt: bigint;
};

/** mulberry32: small and good enough to simulate with. */
export const random = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
};

const EPOCH = 1_750_000_000_000_000_000n;
export const instant = (ms: number): bigint => EPOCH + fromMs(ms);
const WORLD: FlowEnd = { ip: '198.18.0.1', port: 0, pod: null, service: null };

type Pod = { readonly end: FlowEnd; readonly from: number; readonly until: number };
type Socket = { readonly port: number; busyUntil: number; lastUse: number; dead: boolean };

export const simulate = (it: Simulation): Simulated => {
  const next = random(it.seed);
  const { baselineMs = 30_000, testMs = 30_000 } = it;
  const total = baselineMs + testMs;
  const faultFrom = it.faultFrom ?? baselineMs + 500;
  const faultUntil = it.faultUntil ?? total;
  const gauss = (): number => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const flows: FlowItem[] = [];
  const pauses: { at: number; ms: number; who: string | null }[] = [];
  const names = Object.keys(it.parts);
  for (let at = 0; it.pausesEveryMs && at < total; at += -Math.log(1 - next()) * it.pausesEveryMs) {
    pauses.push({ at, ms: 100 + 200 * next(), who: next() < 0.5 ? null : names[Math.floor(next() * names.length)]! });
  }
  const resume = (at: number, who: string): number =>
    pauses.reduce((t, p) => ((p.who === null || p.who === who) && t >= p.at && t < p.at + p.ms ? p.at + p.ms : t), at);
  const fault = (at: number): Fault | null => (it.fault && at >= faultFrom && at < faultUntil ? it.fault : null);

  const pods = new Map<string, Pod[]>(
    names.map((name, index) => [
      name,
      Array.from({ length: it.parts[name]!.pods ?? 1 }, (_, n) => podOf(name, index, n)),
    ]),
  );
  function podOf(name: string, index: number, n: number): Pod {
    const victim = it.fault?.kind === 'kill' && it.fault.to === name && (it.fault.pod ?? 0) === n;
    const end = { ip: `198.18.${index + 1}.${n + 2}`, port: 8000 + index, pod: `${name}-${n}`, service: name };
    return { end, from: 0, until: victim ? faultFrom : Number.POSITIVE_INFINITY };
  }
  if (it.fault?.kind === 'kill') {
    const { to, backMs } = it.fault;
    const index = names.indexOf(to);
    const end = { ip: `198.18.${index + 1}.99`, port: 8000 + index, pod: `${to}-new`, service: to };
    pods.get(to)!.push({ end, from: faultFrom + backMs, until: Number.POSITIVE_INFINITY });
  }

  let serial = 0;
  const tell = (
    at: number,
    source: FlowEnd,
    destination: FlowEnd,
    flags: FlowItem['flags'],
    reply: boolean,
    more: Partial<FlowItem> = {},
  ): void => {
    serial += 1;
    const one = {
      id: `f${serial}`,
      at: instant(at),
      verdict: 'FORWARDED' as const,
      dropReason: null,
      source,
      destination,
    };
    const data = flags.includes('PSH') || (more.http ?? null) !== null;
    if (it.data === false && data) return;
    flows.push({ ...one, protocol: 'TCP', flags, reply, direction: null, http: null, ...more });
  };
  const dropped = { verdict: 'DROPPED', dropReason: 'POLICY_DENIED', reply: null } as const;

  const pools = new Map<string, Socket[]>();
  let port = 20_000;
  const connect = (client: FlowEnd, server: FlowEnd, at: number): { socket: Socket; at: number } => {
    const key = `${client.ip} ${server.ip}`;
    const pool = pools.get(key) ?? [];
    pools.set(key, pool);
    const free = pool.find((one) => !one.dead && one.busyUntil <= at && at - one.lastUse < 4000 && one.lastUse <= at);
    if (free) return { socket: free, at };
    port += 1;
    const socket = { port, busyUntil: at, lastUse: at, dead: false };
    pool.push(socket);
    return { socket, at: Number.NaN };
  };

  /** One call; when it ends and with which code (0: no answer). */
  const call = (
    caller: string | null,
    from: FlowEnd,
    to: string,
    at: number,
    deadlineMs: number,
  ): { end: number; code: number } => {
    const alive = pods.get(to)!.filter((one) => one.from <= at && at < one.until + refusedMs());
    if (alive.length === 0) return { end: at + 0.5, code: 0 };
    const pod = alive[Math.floor(next() * alive.length)]!;
    const got = connect(from, pod.end, at);
    const client = { ...from, port: got.socket.port };
    const fresh = Number.isNaN(got.at);
    const now = fault(at);
    const cutOff =
      now !== null &&
      ((now.kind === 'drop' && now.to === to && (now.from ?? caller) === caller) ||
        (now.kind === 'isolate' && (now.to === to || now.to === caller)));
    if (cutOff) return blockedCall(client, pod.end, at, deadlineMs, got.socket, fresh, now);
    if (at >= pod.until) {
      tell(at, client, pod.end, ['SYN'], false);
      tell(at + 0.1, pod.end, client, ['ACK', 'RST'], true);
      got.socket.dead = true;
      return { end: at + 0.2, code: 0 };
    }
    let t = at;
    if (fresh) {
      tell(t, client, pod.end, ['SYN'], false);
      tell(t + 0.05, pod.end, client, ['SYN', 'ACK'], true);
      t += 0.2;
    }
    tell(t, client, pod.end, ['ACK', 'PSH'], false);
    const http = { method: 'POST', url: '/x' };
    if (it.l7) tell(t, client, pod.end, [], false, { http: { ...http, code: 0, latencyMs: 0 } });
    const done = serve(to, pod, caller, t);
    if (Number.isFinite(pod.until) && done.end >= pod.until) {
      tell(pod.until, pod.end, client, ['ACK', 'RST'], true);
      got.socket.dead = true;
      return { end: pod.until, code: 0 };
    }
    if (done.end - at > deadlineMs) {
      tell(at + deadlineMs, client, pod.end, ['ACK', 'FIN'], false);
      if (Number.isFinite(done.end)) tell(done.end, pod.end, client, ['ACK', 'PSH'], true);
      got.socket.dead = true;
      return { end: at + deadlineMs, code: 0 };
    }
    tell(done.end, pod.end, client, ['ACK', 'PSH'], true);
    if (it.l7)
      tell(done.end, pod.end, client, [], true, { http: { ...http, code: done.code, latencyMs: done.end - t } });
    if (it.data === false) {
      tell(done.end + 0.2, client, pod.end, ['ACK', 'FIN'], false);
      tell(done.end + 0.3, pod.end, client, ['ACK', 'FIN'], true);
      got.socket.dead = true;
    }
    Object.assign(got.socket, { busyUntil: done.end, lastUse: done.end });
    return done;
  };
  const refusedMs = (): number => (it.fault?.kind === 'kill' ? it.fault.refusedMs : 0);

  const blockedCall = (
    client: FlowEnd,
    server: FlowEnd,
    at: number,
    deadlineMs: number,
    socket: Socket,
    fresh: boolean,
    now: Fault,
  ): { end: number; code: number } => {
    const shown = now.kind === 'isolate' || (now.kind === 'drop' && now.shown);
    const flags: FlowItem['flags'] = fresh ? ['SYN'] : ['ACK', 'PSH'];
    for (const after of fresh ? [0, 1000, 2000] : [0, 200, 600, 1400]) {
      if (after < Math.max(deadlineMs, 1001)) tell(at + after, client, server, flags, false, shown ? dropped : {});
    }
    socket.dead = true;
    return { end: at + deadlineMs, code: 0 };
  };

  const serve = (name: string, pod: Pod, caller: string | null, at: number): { end: number; code: number } => {
    const part = it.parts[name]!;
    const now = fault(at);
    let t = resume(at, name);
    if (now?.kind === 'delay' && now.to === name && (now.from ?? caller) === caller && next() < (now.share ?? 1))
      t += now.ms;
    if (now?.kind === 'freeze' && now.to === name && pod === pods.get(name)![now.pod ?? 0])
      t = faultUntil < total ? faultUntil + next() : Number.POSITIVE_INFINITY;
    if (!Number.isFinite(t)) return { end: t, code: 0 };
    const warm = 1 + 2 * Math.exp(-at / 1500);
    const work = part.workMs * warm * Math.exp(0.47 * gauss());
    t = resume(t + work / 2, name);
    let failed = false;
    for (const { to, share = 1, deadlineMs = 1000 } of part.calls ?? []) {
      if (next() >= share) continue;
      const answer = call(name, pod.end, to, t, deadlineMs);
      t = resume(answer.end, name);
      failed ||= answer.code !== 200;
      if (failed) break;
    }
    const broken = next() < 0.005 || (now?.kind === 'errors' && now.to === name && next() < now.share);
    return { end: resume(t + work / 2, name), code: broken || failed ? 502 : 200 };
  };

  for (let at = 0; at < total; at += (-Math.log(1 - next()) / it.rate) * 1000) call(null, WORLD, it.entry, at, 3000);
  for (let at = 0; at < total; at += 1000) for (const name of names) scrape(name, at);
  function scrape(name: string, at: number): void {
    const [pod] = pods.get(name)!.filter((one) => one.from <= at && at < one.until);
    const now = fault(at);
    if (!pod || (now?.kind === 'freeze' && now.to === name)) return;
    port += 1;
    const client = { ...WORLD, port };
    tell(at, client, pod.end, ['SYN'], false);
    tell(at + 0.1, pod.end, client, ['SYN', 'ACK'], true);
    tell(at + 0.2, client, pod.end, ['ACK', 'PSH'], false);
    tell(at + 2, pod.end, client, ['ACK', 'PSH'], true);
  }
  if (it.fault?.kind === 'kill') {
    const [pod] = pods.get(it.fault.to)!.filter(({ until }) => until === faultFrom);
    for (const [key, pool] of pools) {
      const [ip] = key.split(' ');
      const live = key.endsWith(` ${pod!.end.ip}`)
        ? pool.filter((one) => !one.dead && faultFrom - one.lastUse < 4000)
        : [];
      for (const one of live) tell(faultFrom, pod!.end, { ...WORLD, ip: ip!, port: one.port }, ['ACK', 'FIN'], true);
    }
  }
  if (it.constantDrops) {
    for (let at = 0; at < total; at += 700 * next()) {
      const [a, b] = [pods.get(names[0]!)![0]!.end, pods.get(names.at(-1)!)![0]!.end];
      port += 1;
      tell(at, { ...a, port }, { ...b, port: 9 }, ['SYN'], false, dropped);
    }
  }
  flows.sort((a, b) => Number(a.at - b.at));
  const edges = names.flatMap((from) => (it.parts[from]!.calls ?? []).map(({ to }) => ({ from, to })));
  return {
    topology: { entry: it.entry, components: names, edges },
    flows: flows.filter(({ at }) => at < instant(total)),
    baseline: { from: instant(0), until: instant(baselineMs) },
    test: { from: instant(baselineMs), until: instant(total) },
    faultAt: instant(faultFrom),
  };
};
