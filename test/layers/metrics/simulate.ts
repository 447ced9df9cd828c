// A little simulation of a platform whose pods are scraped: true causes in, samples out, every draw from one seed.
import type { Blind, Edge, Nanos, SampleItem, Topology } from '../../../src/model.ts';

export type Part = { readonly pods: number; readonly work: number; readonly calls: readonly Call[] };
export type Call = { readonly to: string; readonly share: number; readonly deadline: number };
export type Fault =
  | {
      readonly kind: 'kill' | 'freeze';
      readonly service: string;
      readonly pod: number;
      readonly at: number;
      readonly until: number;
    }
  | {
      readonly kind: 'block';
      readonly place: string | Edge;
      readonly how: 'drop' | 'reject';
      readonly at: number;
      readonly until: number;
    }
  | {
      readonly kind: 'delay';
      readonly place: string | Edge;
      readonly add: number;
      readonly share: number;
      readonly inside: boolean;
      readonly at: number;
      readonly until: number;
    }
  | {
      readonly kind: 'errors';
      readonly service: string;
      readonly share: number;
      readonly at: number;
      readonly until: number;
    };

/** Times are in seconds after the baseline's start. */
export type World = {
  readonly parts: Readonly<Record<string, Part>>;
  readonly entry: string;
  readonly rate: number;
  readonly baseline: number;
  readonly test: number;
  readonly scrape: number;
  readonly limits: readonly number[];
  readonly clients: boolean;
  readonly errors: number;
  /** Pauses a minute of one pod, and of the whole machine. */
  readonly pauses: number;
  readonly faults: readonly Fault[];
};

export const FINE = [
  0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 2, 3, 5, 10,
];
export const COARSE = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const START = 1_790_000_000;
const at = (seconds: number): Nanos => BigInt(Math.round((START + seconds) * 1000)) * 1_000_000n;

type Draw = () => number;
/** mulberry32, a small generator of uniform numbers. */
const generator = (seed: number): Draw => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
};
const exponential = (draw: Draw, mean: number): number => -mean * Math.log(1 - draw());
const normal = (draw: Draw): number => Math.sqrt(-2 * Math.log(1 - draw())) * Math.cos(2 * Math.PI * draw());

type Pause = { readonly from: number; readonly until: number };
type Pod = {
  readonly service: string;
  name: string;
  born: number;
  dead: number | null;
  readonly pauses: readonly Pause[];
};
type Event = {
  readonly at: number;
  readonly pod: string;
  readonly service: string;
  readonly peer: string | null;
  readonly ms: number;
  readonly status: string;
};

export const topologyOf = ({ parts, entry }: World): Topology => ({
  entry,
  components: Object.keys(parts),
  edges: Object.entries(parts).flatMap(([from, { calls }]) => calls.map(({ to }) => ({ from, to }))),
});

/** What the metrics layer shows of one run. */
export const simulate = (world: World, seed: number): Blind<SampleItem> => {
  const draw = generator(seed * 7919 + 17);
  const end = world.baseline + world.test;
  const pods = population(world, draw, end);
  const events = requests(world, draw, pods, end);
  const items = scrapes(world, draw, pods, events, end).sort((a, b) => Number(a.at - b.at));
  const part = (from: number, until: number) => ({
    window: { from: at(from), until: at(until) },
    items: items.filter((item) => item.at >= at(from) && item.at < at(until)),
  });
  return { baseline: part(0, world.baseline), test: part(world.baseline, end), topology: topologyOf(world) };
};

const pausesOf = (draw: Draw, perMinute: number, end: number): Pause[] => {
  const found: Pause[] = [];
  for (let from = -30; perMinute > 0 && from < end; ) {
    from += exponential(draw, 60 / perMinute);
    found.push({ from, until: from + 0.1 + 0.2 * draw() });
  }
  return found;
};

const population = (world: World, draw: Draw, end: number): Pod[] => {
  const machine = pausesOf(draw, world.pauses, end);
  return Object.entries(world.parts).flatMap(([service, { pods }]) =>
    Array.from({ length: pods }, (_, i) => {
      const pauses = [...machine, ...pausesOf(draw, world.pauses, end)];
      return { service, name: `${service}-${i}`, born: -100, dead: null, pauses };
    }),
  );
};

const during = ({ at: from, until }: { at: number; until: number }, time: number): boolean =>
  time >= from && time < until;
const hits = (place: string | Edge, from: string, to: string): boolean =>
  typeof place === 'string' ? place === to : place.from === from && place.to === to;

const requests = (world: World, draw: Draw, pods: Pod[], end: number): Event[] => {
  const events: Event[] = [];
  const paused = (pod: Pod, from: number, until: number): number =>
    pod.pauses.reduce(
      (late, one) => (one.from < late && one.until > from ? late + one.until - Math.max(one.from, from) : late),
      until,
    );
  const live = (kind: Fault['kind'], time: number) =>
    world.faults.filter((one) => one.kind === kind && during(one, time));
  const delayOf = (inside: boolean, from: string, to: string, time: number): number =>
    live('delay', time).reduce(
      (sum, one) =>
        one.kind === 'delay' && one.inside === inside && hits(one.place, from, to) && draw() < one.share
          ? sum + one.add
          : sum,
      0,
    );
  const pick = (service: string): number => Math.floor(draw() * world.parts[service]!.pods);
  const podAt = (service: string, index: number): Pod => pods.filter((one) => one.service === service)[index]!;

  const serve = (service: string, index: number, from: string, start: number): { end: number; status: string } => {
    const pod = podAt(service, index);
    const part = world.parts[service]!;
    // Warm: the first seconds of a process are slower.
    const warm = start < 3 ? 2 : 1;
    let now = paused(
      pod,
      start,
      start + part.work * warm * Math.exp(0.47 * normal(draw)) + delayOf(true, from, service, start),
    );
    let status = draw() < world.errors ? '500' : '200';
    for (const one of live('errors', start))
      if (one.kind === 'errors' && one.service === service && draw() < one.share) status = '500';
    for (const call of part.calls) {
      if (status !== '200' || draw() >= call.share) continue;
      const answer = ask(service, pod, call, now);
      now = paused(pod, now, answer.end);
      if (!/^200$/.test(answer.status)) status = '502';
    }
    events.push({ at: now, pod: pod.name, service, peer: null, ms: now - start, status });
    return { end: now, status };
  };

  const ask = (from: string, caller: Pod, call: Call, start: number): { end: number; status: string } => {
    const index = pick(call.to);
    const blocked = live('block', start).find((one) => one.kind === 'block' && hits(one.place, from, call.to));
    const down = (kind: 'kill' | 'freeze') =>
      live(kind, start).some((one) => one.kind === kind && one.service === call.to && one.pod === index);
    const none = (ms: number, status: string) => ({ end: start + ms, status });
    const answer =
      blocked?.kind === 'block'
        ? none(blocked.how === 'drop' ? call.deadline : 0.001, blocked.how === 'drop' ? 'timeout' : 'error')
        : down('kill')
          ? none(0.001, 'error')
          : down('freeze')
            ? none(call.deadline, 'timeout')
            : reach(from, call, index, start);
    const over = answer.end - start > call.deadline ? none(call.deadline, 'timeout') : answer;
    if (world.clients)
      events.push({
        at: over.end,
        pod: caller.name,
        service: from,
        peer: call.to,
        ms: over.end - start,
        status: over.status,
      });
    return over;
  };

  const reach = (from: string, call: Call, index: number, start: number): { end: number; status: string } => {
    const before = delayOf(false, from, call.to, start);
    const served = serve(call.to, index, from, start + before / 2);
    return { end: served.end + before / 2 + 0.0005, status: served.status };
  };

  for (let now = -20; now < end; ) {
    now += exponential(draw, 1 / world.rate);
    const down = live('kill', now).some((one) => one.kind === 'kill' && one.service === world.entry);
    const cut = live('block', now).some((one) => one.kind === 'block' && one.place === world.entry);
    if (!down && !cut) serve(world.entry, pick(world.entry), 'user', now);
  }
  return events.sort((a, b) => a.at - b.at);
};

const scrapes = (world: World, draw: Draw, pods: Pod[], events: Event[], end: number): SampleItem[] =>
  pods.flatMap((pod, number) => {
    const index = pods.filter(({ service }) => service === pod.service).indexOf(pod);
    const down = world.faults.find(
      (one) => (one.kind === 'kill' || one.kind === 'freeze') && one.service === pod.service && one.pod === index,
    );
    const own = events.filter((event) => event.pod === pod.name);
    const offset = draw() * world.scrape;
    const times: number[] = [];
    for (let time = offset; time < end; time += world.scrape) times.push(time + (draw() < 0.05 ? 0.01 * draw() : 0));
    const tallies = new Map<string | null, Tally>();
    let next = 0;
    let renewed = false;
    return times.flatMap((time) => {
      const missed = draw() < 0.004 || pod.pauses.some((one) => time > one.from && time < one.until - 0.25);
      const reborn = down?.kind === 'kill' && time >= down.until;
      const since = reborn ? down.until : -100;
      if (reborn && !renewed) tallies.clear();
      renewed = reborn;
      for (; next < own.length && own[next]!.at <= time; next++)
        if (own[next]!.at > since) count(tallies, own[next]!, world.limits);
      if (down && during(down, time))
        return down.kind === 'freeze' ? [upSample(pod.service, pod.name, number, time, 0)] : [];
      if (missed) return [upSample(pod.service, pod.name, number, time, 0)];
      const name = reborn ? `${pod.name}-again` : pod.name;
      return exposed(world, pod.service, name, number, time, since, tallies);
    });
  });

/** What a pod's counters say of its requests, or of its calls to one peer. */
type Tally = { readonly byStatus: Map<string, { count: number; sum: number }>; readonly upTo: number[] };

const count = (tallies: Map<string | null, Tally>, { peer, status, ms }: Event, limits: readonly number[]): void => {
  const tally = tallies.get(peer) ?? { byStatus: new Map(), upTo: [...limits, 0].map(() => 0) };
  tallies.set(peer, tally);
  const before = tally.byStatus.get(status) ?? { count: 0, sum: 0 };
  tally.byStatus.set(status, { count: before.count + 1, sum: before.sum + ms });
  const first = limits.findIndex((limit) => ms <= limit);
  for (let i = first < 0 ? limits.length : first; i <= limits.length; i++) tally.upTo[i]!++;
};

const upSample = (service: string, pod: string, target: number, time: number, value: number): SampleItem =>
  sample({ metric: 'up', service, pod, peer: null, status: null, le: null }, target, time, value);

type Kind = Pick<SampleItem, 'metric' | 'service' | 'pod' | 'peer' | 'status' | 'le'>;
const sample = (kind: Kind, target: number, time: number, value: number): SampleItem => {
  const series = [...Object.values(kind), target].join('|');
  return { ...kind, series, value, at: at(time), id: `${series}@${time.toFixed(3)}` };
};

const exposed = (
  world: World,
  service: string,
  pod: string,
  target: number,
  time: number,
  since: number,
  tallies: ReadonlyMap<string | null, Tally>,
): SampleItem[] => {
  const one = (metric: SampleItem['metric'], value: number, more: Partial<Kind> = {}): SampleItem =>
    sample({ metric, service, pod, peer: null, status: null, le: null, ...more }, target, time, value);
  return [
    one('up', 1),
    one('started', START + since),
    ...[...tallies].flatMap(([peer, { byStatus, upTo }]) => {
      const [requests, duration] =
        peer === null ? (['requests', 'duration'] as const) : (['clientRequests', 'clientDuration'] as const);
      return [
        ...[...byStatus].flatMap(([status, { count: times, sum }]) => [
          one(requests, times, { peer, status }),
          one(`${duration}Count`, times, { peer, status }),
          one(`${duration}Sum`, sum, { peer, status }),
        ]),
        ...upTo.map((below, i) => one(`${duration}Bucket`, below, { peer, le: `${world.limits[i] ?? 'Infinity'}` })),
      ];
    }),
  ];
};
