// The arrival plan: a pure function of a seed, a load and a platform's journeys.
import { createHash } from 'node:crypto';
import { Usage } from '../errors.ts';
import type { Platform } from '../platform.ts';
import { milliseconds } from '../time.ts';
import { type Arrivals, arrivals } from './arrivals.ts';
import { digest } from './identity.ts';
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
  readonly requests: readonly PlannedRequest[];
  /** What the whole plan was made from, so that it need not be sent to make it elsewhere; a plan made by hand has none. */
  readonly input?: PlanInput;
};

/** What a client needs of a plan; the requests may be generated as they are asked for. */
export type Stream = Pick<TrafficPlan, 'runId' | 'url' | 'timeoutMs'> & { readonly requests: Iterable<PlannedRequest> };

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
type Draft = { readonly atMs: number; readonly step: Step; readonly visit: Visit };

/** A plan is held in memory and its ledger hashed as one text: this many requests still fit. */
const MOST = 500_000;

/**
 * Journeys start by the load's arrival process, at the load's rate divided by the mean number of their steps; each is
 * walked by one user in a session of its own, its steps due at their times after its start. Steps due at or after the
 * end are left out. Requests are ordered by time and numbered in that order. Throws Usage with all that is wrong.
 */
export const trafficPlan = (input: PlanInput): TrafficPlan => {
  const { runId, seed, url, load, seconds } = input;
  const wrong = complaints(input);
  if (wrong.length > 0) throw new Usage(`traffic: ${wrong.join('; ')}`);
  const requests = drafts(input)
    .filter(({ atMs }) => atMs < seconds * 1000)
    .sort((a, b) => a.atMs - b.atMs)
    .map(planned);
  return { runId, seed, url, timeoutMs: load.timeoutMs, requests, input };
};

/** The requests of worker `i` of `n`, taken in turn so that each worker sees the same arrival process, thinned. */
export const shard = (plan: TrafficPlan, i: number, n: number): TrafficPlan => ({
  ...plan,
  requests: plan.requests.filter((request) => request.n % n === i),
});

/** SHA-256, in hex, of all that the plan's requests are: plans of the same fingerprint send the same, at the same times. */
export const fingerprint = ({ runId, url, timeoutMs, requests }: TrafficPlan): string => {
  const hash = createHash('sha256').update(JSON.stringify([runId, url, timeoutMs]));
  for (const request of requests) hash.update(JSON.stringify(request));
  return hash.digest('hex');
};

/** The most requests that are due within any stretch of `windowMs`. */
export const peak = (plan: Pick<TrafficPlan, 'requests'>, windowMs: number): number => {
  let most = 0;
  let first = 0;
  plan.requests.forEach(({ atMs }, last) => {
    while (plan.requests[first]!.atMs <= atMs - windowMs) first += 1;
    most = Math.max(most, last - first + 1);
  });
  return most;
};

const drafts = ({ runId, seed, load, journeys, seconds }: PlanInput): Draft[] => {
  const weights = weightsOf(load, journeys).filter(([, weight]) => weight > 0);
  const pick = random(seed, 1);
  const who = random(seed, 2);
  const steps = meanSteps(weights, journeys);
  const process = typeof load.arrivals === 'object' ? { rampTo: load.arrivals.rampTo / steps } : load.arrivals;
  return arrivals(process, load.rate / steps, seconds, random(seed, 0)).flatMap((startMs, index) => {
    const journey = weighted(weights, pick());
    const user = `firedrill-user-${1 + Math.floor(who() * load.users)}`;
    const ids = digest(runId, `visit/${index}`);
    const visit = { journey, user, session: `session-${ids.slice(0, 16)}`, order: `order-${ids.slice(16, 32)}` };
    return journeys[journey]!.map((step) => ({ atMs: startMs + milliseconds(step.at), step, visit }));
  });
};

const planned = ({ atMs, step, visit }: Draft, n: number): PlannedRequest => {
  const { journey, user, session, order } = visit;
  const fill = (text: string): string =>
    text.replace(/\{(user|session|order|n)\}/g, (_, key: 'user') => ({ user, session, order, n: String(n) })[key]);
  const [method, path] = step.request.split(' ') as [string, string];
  const body = Object.entries(step.body ?? {}).map(([key, value]) => [
    key,
    typeof value === 'string' ? fill(value) : value,
  ]);
  return {
    n,
    atMs,
    journey,
    request: step.request,
    method,
    // `/orders/:id` is any order's page: this visit's own.
    path: fill(path).replace(/\/:[^/?]+/g, `/${order}`),
    body: step.body ? JSON.stringify(Object.fromEntries(body)) : null,
    user,
    session,
  };
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

const complaints = ({ runId, seed, url, load, journeys, seconds }: PlanInput): string[] => {
  const weights = weightsOf(load, journeys);
  const last = typeof load.arrivals === 'object' ? load.arrivals.rampTo : load.rate;
  const expected = ((load.rate + last) / 2) * seconds;
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
