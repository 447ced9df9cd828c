// Where a drill takes place: a lab of its own, or a cluster that is there already.
import { type Given, mustAnswer, swapped } from '../backends.ts';
import type { Backends, Opened } from '../drill.ts';
import type { Plan } from '../plan.ts';
import type { Platform } from '../platform.ts';
import type { Via } from '../targets/kubernetes/survey.ts';
import { ANY_PORTS } from '../targets/lab/lab.ts';
import { labFacts, openLab } from '../targets/lab/open.ts';
import type { Facts } from '../targets/target.ts';

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
  reads(platform: Platform): Promise<Backends>;
  /** Throws Unreachable when a backend that the user named can't be used. */
  check(platform: Platform): Promise<void>;
  open(platform: Platform, plan: Plan): Promise<Opened>;
  /** Writes down, beside the run's other files, what was touched of what is not our own. */
  audit(folder: string): Promise<void>;
};

export type Say = (line: string) => void;

/** The client of a cluster takes a second to load: only who drills there waits for it. */
export const where = async (argv: WhereArguments, say: Say): Promise<Where> =>
  argv.target === 'lab' ? inLab(argv, say) : (await import('./where-cluster.ts')).inCluster(argv, say);

const inLab = (argv: WhereArguments, say: Say): Where => {
  const backends = swapped(argv);
  return {
    facts: async (platform) => labFacts(platform),
    reads: async () => backends.reads,
    check: (platform) => mustAnswer(backends, platform),
    open: async (platform, { seed }) => {
      say('bringing the lab up');
      return openLab(platform, seed, say, ANY_PORTS, backends.receivers);
    },
    audit: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
};
