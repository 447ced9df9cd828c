// A scenario: one drill as data, checked when it is written down and never changed after. It knows no clock and no backend.
import { z } from 'zod';
import { shown, Usage } from './errors.ts';
import { type Demands, type Expectation, GRADES, type Guard } from './expect.ts';
import type { FaultSpec } from './faults/fault.ts';
import { none } from './faults/none.ts';
import type { Duration } from './model.ts';
import { problems } from './platform.ts';
import { milliseconds } from './time.ts';

const duration = z.custom<Duration>((value) => typeof value === 'string' && /^\d+(\.\d+)?(ms|s|m|h)$/.test(value), {
  error: (issue) => `${shown(issue.input)} is not a duration such as 250ms, 20s or 2m`,
});
const ref = z
  .string()
  .regex(
    /^(service:[^:\s]+|edge:[^:\s]+->[^:\s]+)$/,
    'names neither a component nor an edge; build faults with podKill(), latency() or networkPolicy()',
  );

const fault = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({
    kind: z.literal('podKill'),
    on: ref,
    pods: z.union(
      [z.int().min(1), z.literal('all'), z.templateLiteral([z.number().positive().max(100), '%'])],
      "must be a whole number of pods, a share such as '50%', or 'all'",
    ),
    how: z.enum(['SIGKILL', 'SIGTERM', 'SIGSTOP']),
  }),
  z.strictObject({
    kind: z.literal('latency'),
    on: ref,
    add: duration,
    jitter: duration,
    hit: z.enum(['all', 'tagged']),
  }),
  z.strictObject({ kind: z.literal('networkPolicy'), on: ref, how: z.enum(['drop', 'reject']) }),
]);

const bound = z.union([z.strictObject({ atLeast: z.number() }), z.strictObject({ atMost: z.number() })]);
const query = z.strictObject({ kind: z.enum(['promql', 'logql']), query: z.string().min(1), bound, within: duration });
const having = z.strictObject({
  error: z.boolean().optional(),
  slowerThan: duration.optional(),
  calling: z.string().optional(),
});
const expectation: z.ZodType<Expectation, unknown> = z.discriminatedUnion(
  'kind',
  [
    query,
    z.strictObject({ kind: z.literal('alert'), labels: z.record(z.string(), z.string()), within: duration }),
    z.strictObject({ kind: z.literal('trace'), service: z.string(), having, within: duration }),
    z.strictObject({
      kind: z.literal('flow'),
      from: z.string().optional(),
      to: z.string().optional(),
      verdict: z.enum(['FORWARDED', 'DROPPED']),
      within: duration,
    }),
  ],
  'build expectations with promql().atLeast(), logql(), alert(), trace() or flow()',
) as never;
const guard: z.ZodType<Guard, unknown> = z.custom<Guard>(
  (value) => query.safeParse(value).success,
  "build it with promql('…').atLeast(…) or logql('…').atLeast(…)",
);
const grade = z.enum(GRADES).optional();

const schema = z.strictObject({
  name: z.string().min(3).max(120),
  /** A shipped profile's name; `--platform FILE` goes before it. */
  platform: z.string().default('trading'),
  traffic: z
    .strictObject({
      /** Requests per second that enter the platform. */
      rate: z
        .string()
        .regex(/^\d+(\.\d+)?\/s$/, "must be requests per second, such as '25/s'")
        .default('25/s'),
      arrivals: z
        .union(
          [z.enum(['poisson', 'constant']), z.strictObject({ rampTo: z.string().regex(/^\d+(\.\d+)?\/s$/) })],
          "must be 'poisson', 'constant' or { rampTo: '50/s' }",
        )
        .default('poisson'),
      users: z.int().min(1).max(100_000).default(50),
      /** Weights of the platform's journeys; all alike when left out. */
      journeys: z.record(z.string(), z.number().positive()).optional(),
      timeout: duration.default('5s'),
    })
    .prefault({}),
  /** What must hold in the baseline, by the client's own ledger; otherwise nothing is broken. */
  steadyState: z
    .strictObject({ answered: z.number().min(0).max(1).default(0.95), p99: duration.default('2s') })
    .prefault({}),
  fault: fault.default(none()),
  /** Ends the hold early, and heals, once it holds or can't be asked: `promql('…').atLeast(…)`. */
  abortIf: guard.optional(),
  warmUp: duration.default('8s'),
  baseline: duration.default('25s'),
  hold: duration.default('20s'),
  recovery: duration.default('8s'),
  /** The least grade for each layer; a layer that is left out is reported, not required. */
  expect: z
    .strictObject({
      traces: grade,
      metrics: grade,
      alerts: grade,
      logs: grade,
      flows: grade,
      packets: grade,
      also: z.array(expectation).default([]),
    })
    .prefault({}),
});

type Parsed = z.output<typeof schema>;
/** What an author writes; everything but a name and a fault has a default. */
export type ScenarioInput = Omit<z.input<typeof schema>, 'name' | 'fault' | 'expect'> & {
  readonly fault?: FaultSpec;
  readonly expect?: Demands & { readonly also?: readonly Expectation[] };
};
export type Scenario = Omit<Parsed, 'expect' | 'fault'> & {
  readonly fault: FaultSpec;
  readonly demands: Demands;
  readonly also: readonly Expectation[];
};

const MARK = Symbol.for('firedrill.scenario');

/** Checks a scenario and freezes it. Throws Usage that names each field at fault. */
export const scenario = (name: string, input: ScenarioInput = {}): Scenario => {
  const parsed = schema.safeParse({ name, ...input });
  if (!parsed.success) throw new Usage(`scenario ${shown(name)}: ${problems(parsed.error, 'scenario')}`);
  const { expect, ...rest } = parsed.data;
  const { also, ...wanted } = expect;
  if (milliseconds(rest.hold) < 1000)
    throw new Usage(`scenario ${shown(name)}: hold '${rest.hold}' is too short to be seen; use at least 1s`);
  const made = { ...rest, demands: wanted as Demands, also };
  Object.defineProperty(made, MARK, { value: true });
  return Object.freeze(made as Scenario);
};

export const isScenario = (value: unknown): value is Scenario =>
  typeof value === 'object' && value !== null && MARK in value;

/** The same drill with nothing broken: the control twin. Whatever a layer reports there is a false alarm. */
export const controlOf = (one: Scenario): Scenario => {
  const made = { ...one, name: `control of ${one.name}`, fault: none(), demands: {}, also: [] };
  Object.defineProperty(made, MARK, { value: true });
  return Object.freeze(made);
};

export const perSecond = (rate: string): number => Number(rate.replace('/s', ''));
