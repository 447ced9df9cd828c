// Drills in a cluster that is there already: what is asked of it before, what is made in it, and what is written down of that.
import { mkdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Given, mustAnswer, named, swapped } from '../backends.ts';
import type { Backends } from '../drill.ts';
import { Usage } from '../errors.ts';
import type { LayerName } from '../model.ts';
import type { Platform } from '../platform.ts';
import { FILES } from '../stored.ts';
import type { Touch } from '../targets/kubernetes/cluster.ts';
import type { Images } from '../targets/kubernetes/ground.ts';
import { openKubernetes } from '../targets/kubernetes/kubernetes.ts';
import { mustBeCrossed, mustBePermitted, mustBeVisible } from '../targets/kubernetes/preflight.ts';
import { type Survey, survey } from '../targets/kubernetes/survey.ts';
import { NO_RECEIVERS } from '../targets/lab/config.ts';
import { fromMs, iso, SECOND, systemClock } from '../time.ts';
import { VERSION } from '../version.ts';
import type { ClusterArguments, Say, Where, WhereArguments } from './where.ts';

/** The images that were named, else those of this version. */
export const imagesOf = ({ image, agentImage }: Pick<ClusterArguments, 'image' | 'agentImage'>): Images => ({
  firedrill: image ?? `firedrill:${VERSION}`,
  agent: agentImage ?? `firedrill-agent:${VERSION}`,
});

/** Things of ours outlive the plan by this long at most, even when nobody heals. */
const GRACE = 300n * SECOND;

export const inCluster = (argv: WhereArguments, say: Say): Where => {
  if (argv.otlp !== undefined) throw new Usage('--otlp is for the lab: a cluster sends its spans where it sends them');
  swapped(argv); // A bad option is told before anybody is asked.
  const places = new Map<string, Promise<Backends>>();
  const reads = (platform: Platform): Promise<Backends> => {
    const found = places.get(platform.name) ?? named(argv, platform);
    places.set(platform.name, found);
    return found;
  };
  const surveys = new Map<string, Promise<Survey>>();
  let touches: Touch[] = [];
  const surveyed = (platform: Platform): Promise<Survey> => {
    const known = surveys.get(platform.name);
    if (known !== undefined) return known;
    say('looking at the cluster');
    const { kubeconfig, context, via } = argv;
    const audit = (touch: Touch): void => void touches.push(touch);
    const looking = reads(platform).then((given) =>
      survey({ platform, kubeconfig, context, via, given: given as Given, audit, say }),
    );
    surveys.set(platform.name, looking);
    return looking;
  };
  return {
    facts: async (platform) => (await surveyed(platform)).facts,
    reads,
    check: async (platform) => mustAnswer({ reads: await reads(platform), receivers: NO_RECEIVERS }, platform),
    open: async (platform, plan) => {
      const expires = systemClock.now() + fromMs(plan.phases.at(-1)!.until) + GRACE;
      const found = await surveyed(platform);
      const { cluster, mapping, backends } = found;
      mustBeVisible(Object.keys(plan.demands) as LayerName[], backends, argv.capture, mapping);
      mustBeCrossed(plan.fault, mapping, argv.workers);
      await mustBePermitted(cluster, mapping, backends, plan.fault, argv);
      return openKubernetes(found, {
        owner: { runId: plan.runId, expires },
        holder: `${hostname()}:${process.pid} ${plan.scenario}`,
        allow: argv.allow,
        images: imagesOf(argv),
        workers: argv.workers,
        capture: argv.capture,
        overrideBudgets: argv.overrideBudgets,
        say,
      });
    },
    audit: async (folder) => {
      const lines = touches.map(({ at, ...touch }) => `${JSON.stringify({ at: iso(at), ...touch })}\n`);
      touches = [];
      if (lines.length === 0) return;
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, FILES.audit), lines.join(''));
    },
    [Symbol.asyncDispose]: async () => {
      for (const one of surveys.values()) await (await one.catch(() => null))?.[Symbol.asyncDispose]();
    },
  };
};
