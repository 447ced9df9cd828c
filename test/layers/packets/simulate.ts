// A small platform played on paper: open-loop traffic, a tree of calls, faults and pauses, told as packet items.
import type { Blind, FlowEnd, Nanos, PacketItem, Topology } from '../../../src/model.ts';
import { fromMs } from '../../../src/time.ts';

export type Call = { readonly to: string; readonly share?: number };
export type Part = { readonly pods?: number; readonly workMs: number; readonly calls?: readonly Call[] };

export type Fault =
  | {
      readonly kind: 'kill';
      readonly on: string;
      readonly pods?: number;
      readonly gone?: 'refused' | 'lost';
      readonly restartS?: number;
    }
  | { readonly kind: 'freeze'; readonly on: string }
  | { readonly kind: 'block'; readonly from?: string; readonly to?: string; readonly how: 'drop' | 'reject' }
  | {
      readonly kind: 'delay';
      readonly from?: string;
      readonly to: string;
      readonly ms: number;
      readonly share?: number;
    };

export type Played = {
  readonly seed: number;
  readonly entry: string;
  readonly parts: Readonly<Record<string, Part>>;
  readonly rate?: number;
  readonly baselineS?: number;
  readonly testS?: number;
  readonly deadlineMs?: number;
  /** The share of calls that open a connection. */
  readonly fresh?: number;
  /** Pauses a minute of the whole machine, 100 to 300 ms each. */
  readonly pauses?: number;
  /** The first answers of every pod are this many times as slow, fading within two seconds. */
  readonly warmUp?: number;
  readonly fault?: Fault;
  /** Seconds of the test window in which the fault is in. */
  readonly during?: readonly [number, number];
};

const START: Nanos = 1_700_000_000_000_000_000n;

/** Mulberry32: small, seeded, good enough for play. */
const random = (seed: number): (() => number) => {
  let state = seed * 2_654_435_761;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
};

type Pod = { readonly name: string; readonly ip: string; readonly service: string | null; readonly bornMs: number };
type Ended = { readonly at: number; readonly ok: boolean };

export const topologyOf = ({ entry, parts }: Pick<Played, 'entry' | 'parts'>): Topology => ({
  entry,
  components: Object.keys(parts),
  edges: Object.entries(parts).flatMap(([from, { calls = [] }]) => calls.map(({ to }) => ({ from, to }))),
});

/** Plays a baseline and a test window one after the other. */
export const simulate = (played: Played): Blind<PacketItem> => {
  const { seed, entry, parts, rate = 20, baselineS = 30, testS = 40, deadlineMs = 1000, fresh = 0.2 } = played;
  const { pauses = 4, warmUp = 3, fault, during = [10, 30] } = played;
  const chance = random(seed);
  const untilMs = (baselineS + testS) * 1000;
  const faultFrom = baselineS * 1000 + during[0] * 1000;
  const faultUntil = baselineS * 1000 + during[1] * 1000;
  const items: PacketItem[] = [];
  let ports = 20_000;
  let serial = 0;

  const exponential = (mean: number): number => -mean * Math.log(1 - chance());
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - chance())) * Math.cos(2 * Math.PI * chance());
  const pausesAt: { from: number; until: number }[] = [];
  for (let t = exponential(60_000 / pauses); t < untilMs; t += exponential(60_000 / pauses))
    pausesAt.push({ from: t, until: t + 100 + 200 * chance() });

  const pods = new Map<string, Pod[]>();
  Object.entries(parts).forEach(([name, { pods: count = 1 }], i) => {
    const all = Array.from({ length: count }, (_, n) => ({
      name: `${name}-${n}`,
      ip: `10.0.${i}.${n + 1}`,
      service: name,
      bornMs: 0,
    }));
    pods.set(name, all);
  });
  const users: Pod = { name: 'users', ip: '192.0.2.1', service: null, bornMs: 0 };
  const killed = new Set<Pod>(fault?.kind === 'kill' ? pods.get(fault.on)!.slice(0, fault.pods ?? 9) : []);
  if (fault?.kind === 'kill' && fault.restartS !== undefined)
    [...killed].forEach((pod, n) => {
      pods.get(fault.on)!.push({
        ...pod,
        name: `${fault.on}-new-${n}`,
        ip: `10.1.0.${n + 1}`,
        bornMs: faultFrom + fault.restartS! * 1000,
      });
    });

  const faulty = (t: number): boolean => fault !== undefined && t >= faultFrom && t < faultUntil;
  const dead = (pod: Pod, t: number): boolean => killed.has(pod) && t >= faultFrom;
  const frozen = (pod: Pod, t: number): boolean => fault?.kind === 'freeze' && faulty(t) && pod.service === fault.on;
  const blockedBy = (from: Pod, to: Pod, t: number): 'drop' | 'reject' | null => {
    if (fault?.kind !== 'block' || !faulty(t)) return null;
    if (fault.from !== undefined && fault.to !== undefined)
      return from.service === fault.from && to.service === fault.to ? fault.how : null;
    const whole = fault.to ?? fault.from;
    return from.service === whole || to.service === whole ? fault.how : null;
  };
  const delayFor = (from: Pod, to: Pod, t: number): number => {
    if (fault?.kind !== 'delay' || !faulty(t) || to.service !== fault.to) return 0;
    if (fault.from !== undefined && from.service !== fault.from) return 0;
    return chance() < (fault.share ?? 1) ? fault.ms * (0.9 + 0.2 * chance()) : 0;
  };
  /** When something that needs the machine from `t` for `ms` is done. */
  const workFrom = (t: number, ms: number): number => {
    let end = t + ms;
    for (const pause of pausesAt) if (pause.from < end && pause.until > t) end += pause.until - Math.max(pause.from, t);
    return end;
  };

  const tell = (
    event: PacketItem['event'],
    from: Pod,
    to: Pod,
    port: number,
    t: number,
    ms: number | null,
    by: PacketItem['by'] = 'server',
  ): void => {
    if (t >= untilMs) return;
    const end = (pod: Pod, on: number): FlowEnd => ({
      ip: pod.ip,
      port: on,
      pod: pod.service && pod.name,
      service: pod.service,
    });
    items.push({
      id: `${serial++}`,
      at: START + fromMs(t),
      event,
      client: end(from, port),
      server: end(to, 8080),
      ms,
      by,
    });
  };
  const silent = (from: Pod, to: Pod, port: number, t: number, until = Number.POSITIVE_INFINITY): void => {
    for (let s = 1; s <= 16 && t + s * 1000 <= until; s *= 2)
      tell('silent', from, to, port, t + s * 1000, s * 1000, 'client');
  };
  const lost = (from: Pod, to: Pod, port: number, t: number, isNew: boolean): Ended => {
    if (isNew) tell('unanswered', from, to, port, t, null, 'client');
    else {
      for (const wait of [210, 630, 1470, 3150]) tell('retransmission', from, to, port, t + wait, null, 'client');
      silent(from, to, port, t);
    }
    return { at: t + deadlineMs, ok: false };
  };
  const refused = (from: Pod, to: Pod, port: number, t: number, isNew: boolean): Ended => {
    tell(isNew ? 'refused' : 'reset', from, to, port, t + 0.3, isNew ? null : 0.3);
    return { at: t + 1, ok: false };
  };

  const call = (from: Pod, name: string, t: number): Ended => {
    const known = pods
      .get(name)!
      .filter(
        (pod) =>
          pod.bornMs <= t &&
          !(dead(pod, t - 3000) && pods.get(name)!.some((other) => !dead(other, t) && other.bornMs <= t)),
      );
    const to = known[Math.floor(chance() * known.length)]!;
    ports += 1;
    const port = ports;
    const isNew = chance() < fresh || dead(to, t);
    const how = blockedBy(from, to, t);
    if (how === 'drop') return lost(from, to, port, t, isNew);
    if (how === 'reject') return refused(from, to, port, t, isNew);
    if (dead(to, t))
      return fault?.kind === 'kill' && fault.gone === 'lost'
        ? lost(from, to, port, t, true)
        : refused(from, to, port, t, true);
    const asked = isNew ? t + 0.2 : t;
    if (isNew) tell('handshake', from, to, port, asked, 0.2);
    const done = frozen(to, t) ? asked : serve(to, name, asked + delayFor(from, to, t));
    if (frozen(to, t) || frozen(to, done)) {
      silent(from, to, port, asked, faultUntil);
      // It answers what has waited once it runs again.
      tell('exchange', from, to, port, faultUntil + 5, faultUntil + 5 - asked);
      return { at: asked + deadlineMs, ok: false };
    }
    if (dead(to, done)) {
      tell('reset', from, to, port, faultFrom + 0.1, faultFrom + 0.1 - asked);
      return { at: faultFrom, ok: false };
    }
    if (blockedBy(from, to, done) === 'drop') {
      for (const wait of [200, 600, 1400]) tell('retransmission', from, to, port, done + wait, null);
      // The answer is in the capture, but it never arrives.
      tell('exchange', from, to, port, done, done - asked);
      return { at: t + deadlineMs, ok: false };
    }
    silent(from, to, port, asked, done);
    tell('exchange', from, to, port, done, done - asked);
    return { at: Math.min(done, t + deadlineMs), ok: done < t + deadlineMs };
  };

  const serve = (pod: Pod, name: string, t: number): number => {
    const { workMs, calls = [] } = parts[name]!;
    const cold = 1 + (warmUp - 1) * Math.exp(-(t - pod.bornMs) / 700);
    let now = workFrom(t, workMs * Math.exp(0.47 * normal()) * cold);
    for (const { to, share = 1 } of calls) {
      if (dead(pod, now) || frozen(pod, now)) break;
      if (chance() >= share) continue;
      const answer = call(pod, to, now);
      now = answer.at;
      if (!answer.ok) break;
    }
    return now;
  };

  if (fault?.kind === 'kill')
    for (const pod of killed)
      for (let n = 0; n < 4; n += 1) tell('closed', users, pod, 10_000 + n, faultFrom + n / 10, null);
  for (let t = exponential(1000 / rate); t < untilMs; t += exponential(1000 / rate)) call(users, entry, t);

  items.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
  const middle = START + fromMs(baselineS * 1000);
  const window = (from: Nanos, until: Nanos) => ({
    window: { from, until },
    items: items.filter(({ at }) => at >= from && at < until),
  });
  return {
    baseline: window(START, middle),
    test: window(middle, START + fromMs(untilMs)),
    topology: topologyOf(played),
  };
};
