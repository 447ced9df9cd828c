// Outcomes of drills as metrics on a Pushgateway, for whoever watches the nights.
import { Gauge, Pushgateway, Registry } from 'prom-client';
import { oneLine, Unreachable, Usage } from './errors.ts';
import { GRADES } from './expect.ts';
import { LAYERS } from './model.ts';
import { systemClock, toMs } from './time.ts';
import { OUTCOMES, type Verdict } from './verdict.ts';

const JOB = 'firedrill';
const PATIENCE_MS = 10_000;

/** Throws Usage when `--push` is no http or https URL; a base path is kept. */
export const pushUrl = (text: string): string => {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol) || url.search || url.hash)
    throw new Usage(`--push ${text}: must be an http or https URL of a Pushgateway, such as http://pushgateway:9091`);
  return url.href.replace(/\/+$/, '');
};

/**
 * Puts each verdict in place of the last one of the same scenario, target and platform: these three are the group's labels.
 * Throws Unreachable, in one line, when the Pushgateway can't be reached or refuses.
 * Source: github.com/prometheus/pushgateway, "API".
 */
export const push = async (url: string, verdicts: readonly Verdict[]): Promise<void> => {
  for (const verdict of verdicts) {
    const gateway = new Pushgateway(pushUrl(url), { timeout: PATIENCE_MS }, metricsOf(verdict));
    const { scenario, target, platform } = verdict;
    await gateway.push({ jobName: JOB, groupings: encoded({ scenario, target, platform }) }).catch((error: unknown) => {
      throw new Unreachable(`outcomes were not pushed to ${url}: ${oneLine(error)}`);
    });
  }
};

/** A label's value may have a slash, which a path may not: the Pushgateway takes such values in base64. */
const encoded = (labels: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(labels).map(([name, value]) => [`${name}@base64`, Buffer.from(value).toString('base64url')]),
  );

/**
 * firedrill_drill_outcome{outcome}: 1 for the outcome that it was, 0 for all others; firedrill_drill_exit_code;
 * firedrill_drill_last_run_timestamp_seconds: when it was pushed; firedrill_layer_grade{layer}: 0 blind, 1 silent, 2 noticed,
 * 3 located, 4 explained; firedrill_layer_grade_wanted{layer}: the least that the scenario asks for, where it does;
 * firedrill_layer_time_to_detect_seconds{layer,bound}: bounds at_least and at_most, for layers that detected something.
 */
export const metricsOf = (verdict: Verdict): Registry => {
  const registry = new Registry();
  const gauge = <L extends string>(name: string, help: string, ...labelNames: L[]): Gauge<L> =>
    new Gauge({ name: `firedrill_${name}`, help, labelNames, registers: [registry] });
  const outcome = gauge('drill_outcome', 'Whether the last drill ended so, 1 or 0.', 'outcome');
  for (const one of OUTCOMES) outcome.set({ outcome: one }, one === verdict.outcome ? 1 : 0);
  gauge('drill_exit_code', 'Exit code that the outcome means: 0 pass, 1 fail, 2 unknown, 3 still broken.').set(
    verdict.exitCode,
  );
  gauge('drill_last_run_timestamp_seconds', 'When the last drill was judged, Unix time.').set(
    toMs(systemClock.now()) / 1000,
  );
  const grade = gauge('layer_grade', 'The layer’s step on the ladder: 0 blind … 4 explained.', 'layer');
  const wanted = gauge('layer_grade_wanted', 'The least step that the scenario asks for.', 'layer');
  const detected = gauge(
    'layer_time_to_detect_seconds',
    'Bracket of the time from the injection to the first look that showed it.',
    'layer',
    'bound',
  );
  for (const layer of LAYERS) {
    const { grade: reached, wanted: least, timeToDetect } = verdict.layers[layer];
    grade.set({ layer }, GRADES.indexOf(reached));
    if (least) wanted.set({ layer }, GRADES.indexOf(least));
    if (!timeToDetect) continue;
    detected.set({ layer, bound: 'at_least' }, timeToDetect.atLeast / 1000);
    detected.set({ layer, bound: 'at_most' }, timeToDetect.atMost / 1000);
  }
  return registry;
};
