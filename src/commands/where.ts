// Where a drill takes place: a lab of its own, or a cluster that is there already.

import { mkdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { type Given, mustAnswer, swapped } from '../backends.ts';
import type { Backends, Opened } from '../drill.ts';
import { Usage } from '../errors.ts';
import type { Plan } from '../plan.ts';
import type { Platform } from '../platform.ts';
import { FILES } from '../stored.ts';
import type { Touch } from '../targets/kubernetes/cluster.ts';
import type { Images } from '../targets/kubernetes/ground.ts';
import { openKubernetes } from '../targets/kubernetes/kubernetes.ts';
import { type Survey, survey, type Via } from '../targets/kubernetes/survey.ts';
import { NO_RECEIVERS } from '../targets/lab/config.ts';
import { ANY_PORTS } from '../targets/lab/lab.ts';
import { labFacts, openLab } from '../targets/lab/open.ts';
import type { Facts } from '../targets/target.ts';
import { fromMs, iso, SECOND, systemClock } from '../time.ts';
import { VERSION } from '../version.ts';

export type ClusterArguments = {
  readonly kubeconfig?: string | undefined;
  readonly context?: string | undefined;
  readonly allow: readonly string[];
  readonly via: Via;
  readonly workers: number;
  readonly capture: boolean;
  readonly image?: string | undefined;
  readonly agentImage?: string | undefined;
  readonly overrideBudgets: boolean;
};

export type WhereArguments = Given & ClusterArguments & { readonly target: 'lab' | 'kubernetes' };

export type Where = AsyncDisposable & {
  /** What a plan must know; nothing is touched. */
  facts(platform: Platform): Promise<Facts>;
  /** Real backends that are read in place of the target's own. */
  readonly reads: Backends;
  /** Throws Unreachable when a backend that the user named can't be used. */
  check(platform: Platform): Promise<void>;
  open(platform: Platform, plan: Plan): Promise<Opened>;
  /** Writes down, beside the run's other files, what was touched of what is not our own. */
  audit(folder: string): Promise<void>;
};

type Say = (line: string) => void;

export const where = (argv: WhereArguments, say: Say): Where =>
  argv.target === 'lab' ? inLab(argv, say) : inCluster(argv, say);

const inLab = (argv: WhereArguments, say: Say): Where => {
  const backends = swapped(argv);
  return {
    facts: async (platform) => labFacts(platform),
    reads: backends.reads,
    check: (platform) => mustAnswer(backends, platform),
    open: async (platform, { seed }) => {
      say('bringing the lab up');
      return openLab(platform, seed, say, ANY_PORTS, backends.receivers);
    },
    audit: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
};

/** The images that were named, else those of this version. */
export const imagesOf = ({ image, agentImage }: Pick<ClusterArguments, 'image' | 'agentImage'>): Images => ({
  firedrill: image ?? `firedrill:${VERSION}`,
  agent: agentImage ?? `firedrill-agent:${VERSION}`,
});

/** Things of ours outlive the plan by this long at most, even when nobody heals. */
const GRACE = 300n * SECOND;

const inCluster = (argv: WhereArguments, say: Say): Where => {
  if (argv.otlp !== undefined) throw new Usage('--otlp is for the lab: a cluster sends its spans where it sends them');
  const { reads } = swapped(argv);
  const surveys = new Map<string, Promise<Survey>>();
  let touches: Touch[] = [];
  const surveyed = (platform: Platform): Promise<Survey> => {
    const known = surveys.get(platform.name);
    if (known !== undefined) return known;
    say('looking at the cluster');
    const { kubeconfig, context, via } = argv;
    const audit = (touch: Touch): void => void touches.push(touch);
    const looking = survey({ platform, kubeconfig, context, via, given: reads as Given, audit, say });
    surveys.set(platform.name, looking);
    return looking;
  };
  return {
    facts: async (platform) => (await surveyed(platform)).facts,
    reads,
    check: (platform) => mustAnswer({ reads, receivers: NO_RECEIVERS }, platform),
    open: async (platform, plan) => {
      const expires = systemClock.now() + fromMs(plan.phases.at(-1)!.until) + GRACE;
      return openKubernetes(await surveyed(platform), {
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
