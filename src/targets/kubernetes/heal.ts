// Undoing what runs have left in a cluster, from any machine: all of it is found by labels and names, none by a journal.
import { oneLine, StillBroken } from '../../errors.ts';
import { iso } from '../../time.ts';
import type { Cluster } from './cluster.ts';
import { delayLeftovers } from './delay.ts';
import type { Leftover } from './ground.ts';
import { held, release } from './lease.ts';
import { mustBeAllowed } from './own.ts';
import { policyLeftovers } from './policies.ts';
import { jobLeftovers } from './workers.ts';

export type HealOptions = {
  readonly cluster: Cluster;
  readonly namespaces: readonly string[];
  readonly allow: readonly string[];
  /** Undoes also what belongs to a run that still lives. */
  readonly force: boolean;
  readonly say: (line: string) => void;
};

/**
 * Undoes everything of ours in these namespaces but what belongs to a living run. Resolves with how much that was; throws
 * StillBroken, after having tried all, when something could not be undone.
 */
export const healCluster = async (options: HealOptions): Promise<number> => {
  let undone = 0;
  const left: string[] = [];
  for (const namespace of options.namespaces) {
    mustBeAllowed(namespace, options.allow);
    for (const one of await leftovers(options, namespace)) {
      const failed = await one.undo().then(
        () => null,
        (error: unknown) => oneLine(error),
      );
      if (failed === null) undone += 1;
      else left.push(`${one.says}: ${failed}`);
      options.say(failed === null ? `undone: ${one.says}` : `NOT undone: ${one.says}: ${failed}`);
    }
  }
  if (left.length > 0) throw new StillBroken(`could not heal ${left.join('; ')}`, left);
  return undone;
};

/** The lease goes last: until then nobody else begins. */
const leftovers = async ({ cluster, force, say }: HealOptions, namespace: string): Promise<readonly Leftover[]> => {
  const lease = await held(cluster, namespace);
  const living = lease?.alive && !force ? lease.runId : null;
  if (living !== null)
    say(
      `namespace ${namespace}: run ${living} (${lease!.holder}) is still at it, last heard of at ${iso(lease!.renewed)}; Ctrl-C there heals first, --force heals here`,
    );
  const all = await Promise.all([
    policyLeftovers(cluster, [namespace]),
    delayLeftovers(cluster, [namespace]),
    jobLeftovers(cluster, [namespace]),
  ]);
  const found = all.flat().filter(({ runId }) => runId !== living);
  if (!lease || living !== null) return found;
  const says = `lease of run ${lease.runId} in ${namespace}`;
  return [...found, { says, runId: lease.runId, undo: () => release(cluster, namespace, undefined) }];
};
