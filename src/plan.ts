// The plan: a scenario, facts about the target and a seed become a timeline, deadlines and a blast radius. Pure: it can be
// printed with no side effect, and it does not know how to act.
import { Usage } from './errors.ts';
import { type Demands, type Expectation, GRADES, type Guard } from './expect.ts';
import type { BlastRadius, FaultSpec, Truth } from './faults/fault.ts';
import { faultOf } from './faults/index.ts';
import { ends, LAYERS, type LayerName, type Ref, type Topology } from './model.ts';
import type { Platform } from './platform.ts';
import { perSecond, type Scenario } from './scenario.ts';
import type { Facts, Timing } from './targets/target.ts';
import { milliseconds } from './time.ts';
import { type Load, type TrafficPlan, trafficPlan } from './traffic/plan.ts';

export const PHASES = ['warm-up', 'baseline', 'quiet', 'hold', 'recovery', 'gather'] as const;
export type PhaseName = (typeof PHASES)[number];
/** Milliseconds after the start of traffic. */
export type Phase = { readonly name: PhaseName; readonly from: number; readonly until: number };

/** How long after an event a layer may take to show it, with the parts that make it up, in milliseconds. */
export type Deadline = { readonly ms: number; readonly parts: Readonly<Record<string, number>> };

export type Plan = {
  readonly schema: 1;
  readonly runId: string;
  readonly scenario: string;
  readonly target: string;
  readonly platform: string;
  readonly seed: number;
  readonly fault: FaultSpec;
  readonly truth: Truth;
  readonly radius: BlastRadius;
  readonly topology: Topology;
  readonly load: Load;
  /** The platform's profile, so that a stored run can be judged by itself. */
  readonly profile: Platform;
  readonly steadyState: { readonly answered: number; readonly p99Ms: number };
  readonly phases: readonly Phase[];
  /** How often every layer is asked, in milliseconds. */
  readonly lookEvery: number;
  readonly deadlines: Readonly<Record<LayerName, Deadline>>;
  /** Requests of the users that cross the fault, as the platform's profile tells: `GET /quotes`. Null: all of them. */
  readonly crossing: readonly string[] | null;
  readonly demands: Demands;
  readonly also: readonly Expectation[];
  readonly abortIf: Guard | null;
  readonly warnings: readonly string[];
};

const LOOK_EVERY_MS = 2000;
/** Room for the look that follows the event, and for the machine to be busy. */
const SLACK_MS = 1500;

/** Throws Usage when the scenario does not fit the platform, or its fault would hit nothing. */
export const plan = (scenario: Scenario, platform: Platform, facts: Facts, seed: number, runId: string): Plan => {
  const fault = faultOf(scenario.fault);
  const truth = fault.truth(scenario.fault);
  const radius = fault.radius(scenario.fault, facts);
  const load = loadOf(scenario, platform);
  const crossing = crossingOf(truth.on, platform, load);
  const deadlines = deadlinesOf(facts.timing);
  const phases = timeline(scenario, deadlines, seed);
  const made: Plan = {
    schema: 1,
    runId,
    scenario: scenario.name,
    target: facts.target,
    platform: platform.name,
    seed,
    fault: scenario.fault,
    truth,
    radius,
    topology: facts.topology,
    load,
    profile: platform,
    steadyState: { answered: scenario.steadyState.answered, p99Ms: milliseconds(scenario.steadyState.p99) },
    phases,
    lookEvery: LOOK_EVERY_MS,
    deadlines,
    crossing,
    demands: scenario.demands,
    also: scenario.also,
    abortIf: scenario.abortIf ?? null,
    warnings: warningsOf(scenario, deadlines),
  };
  // Refuses a load that nobody can send, before anything is touched.
  trafficOf(made, 'http://entry');
  return made;
};

const loadOf = ({ name, traffic }: Scenario, platform: Platform): Load => {
  for (const journey of Object.keys(traffic.journeys ?? {})) {
    if (!platform.journeys[journey]) {
      throw new Usage(
        `scenario '${name}': platform ${platform.name} has no journey '${journey}'; it has: ${Object.keys(platform.journeys).join(', ')}`,
      );
    }
  }
  const arrivals =
    typeof traffic.arrivals === 'string' ? traffic.arrivals : { rampTo: perSecond(traffic.arrivals.rampTo) };
  return {
    rate: perSecond(traffic.rate),
    arrivals,
    users: traffic.users,
    timeoutMs: milliseconds(traffic.timeout),
    ...(traffic.journeys ? { journeys: traffic.journeys } : {}),
  };
};

/** After the baseline comes a quiet while of seeded length, so that the time of injection says nothing to an analyzer. */
const timeline = (scenario: Scenario, deadlines: Plan['deadlines'], seed: number): Phase[] => {
  const lengths: Record<PhaseName, number> = {
    'warm-up': milliseconds(scenario.warmUp),
    baseline: milliseconds(scenario.baseline),
    quiet: 1000 + ((Math.imul(seed, 2654435761) >>> 0) % 2000),
    hold: milliseconds(scenario.hold),
    recovery: milliseconds(scenario.recovery),
    // What the slowest layer still has to show of the fault has the recovery to come in, too.
    gather: Math.max(
      LOOK_EVERY_MS,
      Math.max(...LAYERS.map((layer) => deadlines[layer].ms)) - milliseconds(scenario.recovery),
    ),
  };
  let at = 0;
  return PHASES.map((name) => {
    const from = at;
    at += lengths[name];
    return { name, from, until: at };
  });
};

/** Every request of the drill, from the seed; `url` is where the client finds the entry component. */
export const trafficOf = (plan: Plan, url: string): TrafficPlan =>
  trafficPlan({
    runId: plan.runId,
    seed: plan.seed,
    url,
    load: plan.load,
    journeys: plan.profile.journeys,
    seconds: phase(plan, 'recovery').until / 1000,
  });

export const phase = (plan: Plan, name: PhaseName): Phase => plan.phases.find((one) => one.name === name)!;

/** The live configuration's delays, layer by layer. An alert travels the longest way. */
const deadlinesOf = (timing: Timing): Plan['deadlines'] => {
  const sum = (parts: Record<string, number>): Deadline => ({
    ms: Object.values(parts).reduce((a, b) => a + b, SLACK_MS),
    parts: { ...parts, slack: SLACK_MS },
  });
  const { scrape, evaluation, pending, groupWait, spanExport, logShipping, flowExport } = timing;
  return {
    traces: sum({ 'span export': spanExport }),
    metrics: sum({ 'two scrapes': 2 * scrape }),
    alerts: sum({ scrape, 'two evaluations': 2 * evaluation, for: pending, 'group wait': groupWait }),
    logs: sum({ shipping: logShipping }),
    flows: sum({ export: flowExport }),
    packets: sum({ 'answer awaited': 1000 }),
  };
};

const warningsOf = (scenario: Scenario, deadlines: Plan['deadlines']): string[] => {
  const hold = milliseconds(scenario.hold);
  return LAYERS.filter(
    (layer) => deadlines[layer].ms > hold && scenario.demands[layer] && GRADES.indexOf(scenario.demands[layer]) > 1,
  ).map(
    (layer) =>
      `${layer} may take ${deadlines[layer].ms / 1000} s to show anything, longer than the hold of ${scenario.hold}`,
  );
};

/**
 * The users' requests that cross the place: those whose calls, followed through the profile, come by it. Throws Usage when
 * no journey's request does: such a drill would break what nobody uses.
 */
const crossingOf = (on: Ref | null, platform: Platform, load: Load): string[] | null => {
  if (on === null) return null;
  const journeys = Object.entries(platform.journeys).filter(([name]) => !load.journeys || load.journeys[name]);
  const requests = [...new Set(journeys.flatMap(([, steps]) => steps.map((step) => step.request)))];
  const crossing = requests.filter((request) => reaches(platform, platform.entry, request, on, new Set()));
  if (crossing.length === 0)
    throw new Usage(
      `the fault on ${on} would hit nothing: no request of the journeys ${journeys.map(([name]) => name).join(', ')} comes by it`,
    );
  return crossing;
};

const reaches = (platform: Platform, service: string, request: string, on: Ref, seen: Set<string>): boolean => {
  if (on === `service:${service}`) return true;
  const key = `${service} ${request}`;
  if (seen.has(key)) return false;
  seen.add(key);
  const edge = ends(on);
  const endpoint = platform.components[service]?.endpoints[endpointFor(platform, service, request)];
  return (endpoint?.calls ?? []).some(
    (call) => (edge?.from === service && edge.to === call.to) || reaches(platform, call.to, call.request, on, seen),
  );
};

/** The profile's endpoint that serves a request: by its very name, or by a pattern such as `GET /orders/:id`. */
export const endpointFor = (platform: Platform, service: string, request: string): string => {
  const all = Object.keys(platform.components[service]?.endpoints ?? {});
  const pattern = (endpoint: string): RegExp =>
    new RegExp(`^${endpoint.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:[^/ ]+/g, '[^/]+')}$`);
  const filled = request.replace(/\{[^}]*\}/g, 'x');
  return all.find((one) => one === request) ?? all.find((one) => pattern(one).test(filled)) ?? request;
};
