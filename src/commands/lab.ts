// `firedrill lab up`: the embedded platform with gentle traffic, to look at and to write scenarios against.
import { randomBytes } from 'node:crypto';
import { loadPlatform } from '../load.ts';
import type { Platform } from '../platform.ts';
import { progress } from '../progress.ts';
import { ANY_PORTS, type Lab, STANDARD_PORTS } from '../targets/lab/lab.ts';
import { openLab } from '../targets/lab/open.ts';
import { MILLISECOND, systemClock } from '../time.ts';
import { trafficPlan } from '../traffic/plan.ts';
import { stopSignal } from './stop.ts';

export type LabArguments = {
  readonly platform?: string | undefined;
  readonly seed: number;
  readonly anyPort: boolean;
  readonly rate: number;
};

/** A lab that is forgotten ends its traffic after this long. */
const TRAFFIC_SECONDS = 3600;

export const labCommand = async (argv: LabArguments): Promise<number> => {
  const show = progress(process.stderr);
  const platform = await loadPlatform(argv.platform ?? 'trading');
  const stop = stopSignal(() => undefined);
  await using lab = await openLab(platform, argv.seed, show.say, argv.anyPort ? ANY_PORTS : STANDARD_PORTS);
  process.stdout.write(await endpoints(lab));
  if (argv.rate > 0) void send(lab, platform, argv, stop.signal).catch((error: Error) => show.say(error.message));
  process.stdout.write('\nCtrl-C ends it.\n');
  await lab.ended(stop.signal);
  return 0;
};

const endpoints = async (lab: Lab): Promise<string> => {
  const { jaeger, prometheus, alertmanager, loki, hubble, entry } = lab.endpoints;
  const pods = await lab.pods();
  const rows: [string, string | null, string][] = [
    ['platform', entry, 'where its users come in'],
    ['traces', jaeger, 'Jaeger query API (v3 and v2) and OTLP/HTTP'],
    ['metrics', prometheus, 'Prometheus'],
    ['alerts', alertmanager, 'Alertmanager'],
    ['deliveries', `${lab.webhook}/deliveries`, 'alerts as the webhook receiver got them'],
    ['logs', loki, 'Loki API'],
    ['flows', hubble, 'Hubble observer, gRPC'],
  ];
  return `${rows.map(([name, url, what]) => `${name.padEnd(11)} ${(url ?? '').padEnd(34)} ${what}`).join('\n')}\n\npods        ${pods.map((pod) => pod.name).join(', ')}\n`;
};

const send = async (lab: Lab, platform: Platform, { seed, rate }: LabArguments, signal: AbortSignal): Promise<void> => {
  const load = { rate, arrivals: 'poisson', users: 50, timeoutMs: 5000 } as const;
  const plan = trafficPlan({
    runId: randomBytes(6).toString('hex'),
    seed,
    url: lab.clientUrl,
    load,
    journeys: platform.journeys,
    seconds: TRAFFIC_SECONDS,
  });
  await using traffic = await lab.traffic(plan, signal);
  for await (const _record of traffic.run(systemClock.now() + 1000n * MILLISECOND, signal)) void _record;
};
