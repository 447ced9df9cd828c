// The arrival plan: a pure function of a seed, a load and a platform's journeys.
import { createHash } from 'node:crypto';
import { Usage } from '../errors.ts';
import type { Platform } from '../platform.ts';
import { milliseconds } from '../time.ts';
import { type Arrivals, arrivals } from './arrivals.ts';
import { digits } from './identity.ts';
import { type Queue, queue } from './queue.ts';
import { random } from './random.ts';

/** One request that is to be sent, all of it known before the first is sent. */
export type PlannedRequest = {
  readonly n: number;
  /** Milliseconds after the start of traffic. */
  readonly atMs: number;
  readonly journey: string;
  /** The journey's step as the platform has it, such as `GET /orders/:id`: the same for every request of its kind. */
  readonly request: string;
  readonly method: string;
  readonly path: string;
  readonly body: string | null;
  readonly user: string;
  readonly session: string;
};

export type TrafficPlan = {
  readonly runId: string;
  readonly seed: number;
  /** Base URL, as the client itself reaches the entry component. */
  readonly url: string;
  readonly timeoutMs: number;
  /** In the order of their times, from the first on each time that they are asked for. */
  readonly requests: Iterable<PlannedRequest>;
  /** What the whole plan was made from, so that it need not be sent to make it elsewhere; a plan made by hand has none. */
  readonly input?: PlanInput;
  /** The part of the whole that its requests are; without it, all. */
  readonly share?: { readonly worker: number; readonly of: number };
};

export type Load = {
  /** Requests per second, over all journeys; where a ramp begins. */
  readonly rate: number;
  readonly arrivals: Arrivals;
  /** How many users there are to pick from. */
  readonly users: number;
  /** Weights of the journeys that take part; without it, all of them alike. */
  readonly journeys?: Readonly<Record<string, number>> | undefined;
  /** A request that has no whole answer so long after it was due has failed. */
  readonly timeoutMs: number;
};

export type PlanInput = {
  /** Letters, digits, dots, dashes and underscores: it goes into headers, and every id derives from it. */
  readonly runId: string;
  readonly seed: number;
  readonly url: string;
  readonly load: Load;
  readonly journeys: Platform['journeys'];
  readonly seconds: number;
};

type Step = Platform['journeys'][string][number];
/** One user going through one journey once, in a session of its own. */
type Visit = { readonly journey: string; readonly user: string; readonly session: string; readonly order: string };
/** Memory sets no limit (docs/adr/0017); but this many take 12 GB of disk and some minutes to judge: more is a slip. */
const MOST = 20_000_000;

/**
 * Journeys start by the load's arrival process, at the load's rate divided by the mean number of their steps; each is
 * walked by one user in a session of its own, its steps due at their times after its start. Steps due at or after the
 * end are left out. Requests are ordered by time and numbered in that order; they are generated as they are asked for, in
 * memory that does not grow with their number. Throws Usage with all that is wrong.
 */
export const trafficPlan = (input: PlanInput): TrafficPlan => {
  const { runId, seed, url, load } = input;
  const wrong = complaints(input);
  if (wrong.length > 0) throw new Usage(`traffic: ${wrong.join('; ')}`);
  return { runId, seed, url, timeoutMs: load.timeoutMs, requests: each(() => requestsOf(input)), input };
};

const each = <T>(of: () => Iterator<T>): Iterable<T> => ({ [Symbol.iterator]: of });

/** The requests of worker `worker` of `of`, taken in turn so that each worker sees the same arrival process, thinned. */
export const shard = (plan: TrafficPlan, worker: number, of: number): TrafficPlan => ({
  ...plan,
  requests: each(() => Iterator.from(plan.requests).filter(({ n }) => n % of === worker)),
  share: { worker, of },
});

/** The plan without its first requests. */
export const without = ({ input, share, ...plan }: TrafficPlan, first: number): TrafficPlan => ({
  ...plan,
  requests: each(() => Iterator.from(plan.requests).drop(first)),
});

/** A whole plan as JSON can say it to another process: its requests are made again there, if they can be. */
export const packed = ({ requests, ...plan }: TrafficPlan): object =>
  plan.input ? plan : { ...plan, requests: [...requests] };

/** The plan that was packed. */
export const unpacked = (plan: TrafficPlan): TrafficPlan => (plan.input ? trafficPlan(plan.input) : plan);

/** How many requests there are. They are counted without being made, where it is known from what. */
export const plannedOf = ({ requests, input, share }: TrafficPlan): number => {
  const whole = input ? dueIn(input) : Iterator.from(requests).reduce((sum) => sum + 1, 0);
  return share && input ? Math.max(0, Math.ceil((whole - share.worker) / share.of)) : whole;
};

/** So many requests tell one version of the generator from another. */
const FINGERS = 100_000;

/**
 * SHA-256, in hex, of what the plan is made from and of its first requests, all they are: plans of the same fingerprint send
 * the same, at the same times.
 */
export const fingerprint = ({ runId, url, timeoutMs, input, requests }: TrafficPlan): string => {
  const hash = createHash('sha256').update(JSON.stringify([runId, url, timeoutMs, input]));
  for (const request of Iterator.from(requests).take(FINGERS)) hash.update(JSON.stringify(request));
  return hash.digest('hex');
};

/** The most requests that are due within any stretch of `windowMs`. */
export const peak = (requests: readonly Pick<PlannedRequest, 'atMs'>[], windowMs: number): number => {
  let most = 0;
  let first = 0;
  requests.forEach(({ atMs }, last) => {
    while (requests[first]!.atMs <= atMs - windowMs) first += 1;
    most = Math.max(most, last - first + 1);
  });
  return most;
};

/** A step of a visit that is due at `atMs`; `turn` orders those that are due together: by visit, then by step. */
type Draft = { readonly atMs: number; readonly turn: number; readonly say: Saying; readonly visit: Visit };

/**
 * Visits begin in the order of time, so the steps that come equally long after their visits' beginnings do too: a lane for
 * each such offset, and the earliest of their heads is the next request.
 */
function* requestsOf(input: PlanInput): Generator<PlannedRequest, void, void> {
  const lanes = new Map<number, Queue<Draft>>();
  const ends = input.seconds * 1000;
  const says = sayings(input.journeys);
  let turn = 0;
  let n = 0;
  const admit = (startMs: number, visit: Visit): void => {
    for (const { offset, say } of says.get(visit.journey)!) {
      if (!lanes.has(offset)) lanes.set(offset, queue());
      if (startMs + offset < ends) lanes.get(offset)!.push({ atMs: startMs + offset, turn: turn++, say, visit });
    }
  };
  const due = (ms: number): PlannedRequest | null => {
    const draft = earliest(lanes, ms)?.shift();
    return draft ? draft.say(n++, draft.atMs, draft.visit) : null;
  };
  for (const [startMs, visit] of visits(input)) {
    for (let one = due(startMs); one; one = due(startMs)) yield one;
    admit(startMs, visit);
  }
  for (let one = due(Number.POSITIVE_INFINITY); one; one = due(Number.POSITIVE_INFINITY)) yield one;
}

/** The lane whose head is due first, and by then. */
const earliest = (lanes: ReadonlyMap<number, Queue<Draft>>, ms: number): Queue<Draft> | undefined => {
  let best: Queue<Draft> | undefined;
  let head: Draft | undefined;
  for (const lane of lanes.values()) {
    const one = lane.first();
    if (!one || one.atMs > ms) continue;
    if (head && (head.atMs < one.atMs || (head.atMs === one.atMs && head.turn < one.turn))) continue;
    [best, head] = [lane, one];
  }
  return best;
};

function* visits(input: PlanInput): Generator<[number, Visit], void, void> {
  const { runId, seed, load } = input;
  const who = random(seed, 2);
  const ids = digits(runId, 'visits', 32);
  let index = 0;
  for (const [startMs, journey] of starts(input)) {
    const user = `firedrill-user-${1 + Math.floor(who() * load.users)}`;
    const hex = ids(index++);
    yield [startMs, { journey, user, session: `session-${hex.slice(0, 16)}`, order: `order-${hex.slice(16)}` }];
  }
}

/** When visits begin, and by which journey. */
function* starts({ seed, load, journeys, seconds }: PlanInput): Generator<[number, string], void, void> {
  const weights = weightsOf(load, journeys).filter(([, weight]) => weight > 0);
  const pick = random(seed, 1);
  const steps = meanSteps(weights, journeys);
  const process = typeof load.arrivals === 'object' ? { rampTo: load.arrivals.rampTo / steps } : load.arrivals;
  for (const startMs of arrivals(process, load.rate / steps, seconds, random(seed, 0)))
    yield [startMs, weighted(weights, pick())];
}

/** How many requests are due before the end. */
const dueIn = (input: PlanInput): number => {
  const ends = input.seconds * 1000;
  const says = sayings(input.journeys);
  let sum = 0;
  for (const [startMs, journey] of starts(input))
    for (const { offset } of says.get(journey)!) if (startMs + offset < ends) sum += 1;
  return sum;
};

/** Makes a step of a visit a request. */
type Saying = (n: number, atMs: number, visit: Visit) => PlannedRequest;

const sayings = (
  journeys: Platform['journeys'],
): ReadonlyMap<string, readonly { readonly offset: number; readonly say: Saying }[]> =>
  new Map(
    Object.entries(journeys).map(([journey, steps]) => [
      journey,
      steps.map((step) => ({ offset: milliseconds(step.at), say: saying(step) })),
    ]),
  );

type Fill = (visit: Visit, n: number) => string;

const saying = (step: Step): Saying => {
  const [method, target] = step.request.split(' ') as [string, string];
  // `/orders/:id` is any order's page: this visit's own.
  const path = filling(target.replace(/\/:[^/?]+/g, '/{order}'), (text) => text);
  const body = step.body ? filling(JSON.stringify(step.body), (text) => JSON.stringify(text).slice(1, -1)) : null;
  return (n, atMs, visit) => ({
    n,
    atMs,
    journey: visit.journey,
    request: step.request,
    method,
    path: path(visit, n),
    body: body ? body(visit, n) : null,
    user: visit.user,
    session: visit.session,
  });
};

/** The text with the visit's words in their places; one without places is always itself. */
const filling = (text: string, quoted: (word: string) => string): Fill => {
  const parts = text.split(/\{(user|session|order|n)\}/);
  if (parts.length === 1) return () => text;
  const word = (key: string, { user, session, order }: Visit, n: number): string =>
    quoted({ user, session, order, n: String(n) }[key as 'user']);
  return (visit, n) => parts.map((part, i) => (i % 2 === 0 ? part : word(part, visit, n))).join('');
};

type Weights = readonly (readonly [journey: string, weight: number])[];

const weightsOf = (load: Load, journeys: Platform['journeys']): Weights =>
  load.journeys ? Object.entries(load.journeys) : Object.keys(journeys).map((name) => [name, 1] as const);

const total = (weights: Weights): number => weights.reduce((sum, [, weight]) => sum + weight, 0);

const meanSteps = (weights: Weights, journeys: Platform['journeys']): number =>
  weights.reduce((sum, [name, weight]) => sum + weight * journeys[name]!.length, 0) / total(weights);

const weighted = (weights: Weights, uniform: number): string => {
  let left = uniform * total(weights);
  for (const [name, weight] of weights) {
    left -= weight;
    if (left < 0) return name;
  }
  return weights.at(-1)![0];
};

const lastRate = ({ rate, arrivals }: Load): number => (typeof arrivals === 'object' ? arrivals.rampTo : rate);

/** Requests per second, where most are due. */
export const peakRate = (load: Load): number => Math.max(load.rate, lastRate(load));

/** About how many requests will come of it. */
export const about = ({ load, seconds }: PlanInput): number => ((load.rate + lastRate(load)) / 2) * seconds;

const complaints = (input: PlanInput): string[] => {
  const { runId, seed, url, load, journeys, seconds } = input;
  const weights = weightsOf(load, journeys);
  const [last, expected] = [lastRate(load), about(input)];
  const positive = (value: number): boolean => Number.isFinite(value) && value > 0;
  const unknown = weights.map(([name]) => name).filter((name) => !Object.hasOwn(journeys, name));
  const rules: [boolean, string][] = [
    [/^[\w.-]{1,64}$/.test(runId), `run id '${runId}' must be 1 to 64 letters, digits, dots, dashes or underscores`],
    [Number.isSafeInteger(seed) && seed >= 0, `seed ${seed} must be a whole number, 0 or more`],
    [/^https?:$/.test(URL.parse(url)?.protocol ?? ''), `'${url}' must be an http or https URL`],
    [positive(load.rate), `rate ${load.rate} must be more than 0 requests per second`],
    [Number.isFinite(last) && last >= 0, `rampTo ${last} must be 0 requests per second or more`],
    [positive(seconds), `${seconds} s of traffic must be more than 0`],
    [Number.isInteger(load.users) && load.users > 0, `users ${load.users} must be a whole number, 1 or more`],
    [positive(load.timeoutMs), `timeoutMs ${load.timeoutMs} must be more than 0`],
    [unknown.length === 0, `no journey is called ${unknown.join(', ')}; there are ${Object.keys(journeys).join(', ')}`],
    [
      weights.every(([, weight]) => Number.isFinite(weight) && weight >= 0) && total(weights) > 0,
      'journey weights must be 0 or more, and not all 0',
    ],
    [
      !(expected > MOST),
      `about ${Math.round(expected)} requests are too many, ${MOST} are the most; lower the rate or the time`,
    ],
  ];
  return rules.filter(([holds]) => !holds).map(([, complaint]) => complaint);
};
