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
  const undo = async (one: Leftover): Promise<void> => {
    const failed = await one.undo().then(() => null, oneLine);
    if (failed === null) undone += 1;
    else left.push(`${one.says}: ${failed}`);
    options.say(failed === null ? `undone: ${one.says}` : `NOT undone: ${one.says}: ${failed}`);
  };
  for (const namespace of options.namespaces) {
    mustBeAllowed(namespace, options.allow);
    const { things, lease } = await leftovers(options, namespace);
    for (const one of things) await undo(one);
    if (lease && left.length === 0) await undo(lease);
  }
  if (left.length > 0) throw new StillBroken(`could not heal ${left.join('; ')}`, left);
  return undone;
};

type Left = { readonly things: readonly Leftover[]; readonly lease: Leftover | null };

/** The lease goes last, and only when nothing else is left: until then nobody else begins. */
const leftovers = async ({ cluster, force, say }: HealOptions, namespace: string): Promise<Left> => {
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
  const things = all.flat().filter(({ runId }) => runId !== living);
  if (!lease || living !== null) return { things, lease: null };
  const says = `lease of run ${lease.runId} in ${namespace}`;
  return { things, lease: { says, runId: lease.runId, undo: () => release(cluster, namespace, undefined) } };
};
