// Rules judged by Prometheus's own unit tests (promtool test rules).
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../../src/process.ts';
import { ruleFile } from '../../../src/targets/lab/prometheus.ts';
import type { Rules } from '../../../src/targets/lab/rules.ts';
import type { Tool } from '../../../src/tools.ts';
import { backends } from './backends.ts';
import type { Series } from './simulation.ts';

/** promtool, or null where there is none. */
export const promtool: Tool | null = backends?.promtool ?? null;

export type Case = {
  readonly name: string;
  readonly series: readonly Series[];
  /** PromQL at `at` seconds, and the series it must give, as text; each with the value 1. */
  readonly expr: string;
  readonly at: number;
  readonly gives: readonly string[];
};

/** What fired between two seconds of a case, as `gives` names it. */
export const fired = (from: number, until: number): string =>
  `group by (alertname, service, peer) (count_over_time(ALERTS{alertstate="firing"}[${until - from}s]))`;

/** Resolves to promtool's complaint, or to '' when every case is as expected. */
export const judge = async ({ path, env }: Tool, rules: Rules, cases: readonly Case[]): Promise<string> => {
  const dir = await mkdtemp(join(tmpdir(), 'firedrill-rules-'));
  try {
    await writeFile(join(dir, 'rules.json'), ruleFile(rules));
    await writeFile(join(dir, 'test.json'), JSON.stringify(testFile(cases)));
    const argv: [string, ...string[]] = [path, 'test', 'rules', join(dir, 'test.json')];
    return await run({ name: 'promtool', argv, env, cwd: dir }).then(
      () => '',
      (error: unknown) => (error as Error).message,
    );
  } finally {
    await rm(dir, { recursive: true });
  }
};

const testFile = (cases: readonly Case[]): unknown => ({
  rule_files: ['rules.json'],
  evaluation_interval: '1s',
  tests: cases.map(({ name, series, expr, at, gives }) => ({
    name,
    interval: '1s',
    input_series: series,
    promql_expr_test: [{ expr, eval_time: `${at}s`, exp_samples: gives.map((labels) => ({ labels, value: 1 })) }],
  })),
});
