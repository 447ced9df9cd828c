// `firedrill plan`: what a drill would do, when, and to whom; nothing is touched.

import { inWords } from '../expect.ts';
import { loadPlatform, loadScenarios } from '../load.ts';
import { type Plan, plan } from '../plan.ts';
import { type WhereArguments, where } from './where.ts';

export type PlanArguments = WhereArguments & {
  readonly scenario: readonly string[];
  readonly seed: number;
  readonly platform?: string | undefined;
  readonly json: boolean;
};

export const planCommand = async (argv: PlanArguments): Promise<number> => {
  await using place = await where(argv, (line) => process.stderr.write(`${line}\n`));
  const plans: Plan[] = [];
  for (const { scenario } of await loadScenarios(argv.scenario)) {
    const platform = await loadPlatform(argv.platform ?? scenario.platform);
    plans.push(plan(scenario, platform, await place.facts(platform), argv.seed, 'dry-run'));
  }
  process.stdout.write(argv.json ? `${JSON.stringify(plans, null, 2)}\n` : `${plans.map(inText).join('\n\n')}\n`);
  return 0;
};

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1).padStart(6)} s`;

export const inText = (one: Plan): string => {
  const demands = Object.entries(one.demands).map(([layer, grade]) => `${layer} ${grade}`);
  return [
    one.scenario,
    `  target    ${one.target}, platform ${one.platform}, seed ${one.seed}`,
    `  traffic   ${one.load.rate} requests/s, ${typeof one.load.arrivals === 'string' ? one.load.arrivals : `ramp to ${one.load.arrivals.rampTo}/s`}, ${one.load.users} users`,
    `  fault     ${JSON.stringify(one.fault)}`,
    `  hurts     ${one.radius.hurts}`,
    `  spares    ${one.radius.spares}`,
    ...(one.crossing ? [`  crossing  ${one.crossing.join(', ')}`] : []),
    '  timeline',
    ...one.phases.map(({ name, from, until }) => `    ${seconds(from)} ..${seconds(until)}  ${name}`),
    '  a layer may take this long to show the fault',
    ...Object.entries(one.deadlines).map(
      ([layer, { ms, parts }]) =>
        `    ${layer.padEnd(8)} ${seconds(ms)}  = ${Object.entries(parts)
          .map(([part, each]) => `${part} ${each} ms`)
          .join(' + ')}`,
    ),
    ...(demands.length > 0 ? [`  wanted    ${demands.join(', ')}`] : []),
    ...one.also.map((also) => `  and       ${inWords(also)}`),
    ...one.warnings.map((line) => `  warning   ${line}`),
  ].join('\n');
};
