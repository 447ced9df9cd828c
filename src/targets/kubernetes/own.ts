// What firedrill makes in a cluster can be told from everything else: by labels with the run and when it is to be gone.
import { Usage } from '../../errors.ts';
import type { Nanos } from '../../model.ts';
import { iso, SECOND } from '../../time.ts';

/** The label that everything of ours carries: its value is the run's id. */
export const RUN = 'firedrill/run';
/** A label too: seconds since the Unix epoch after which the object has no business to be there. */
export const EXPIRES = 'firedrill/expires';
/** Selects all of ours. */
export const OURS = RUN;

export type Owner = { readonly runId: string; readonly expires: Nanos };

export const labels = ({ runId, expires }: Owner): Record<string, string> => ({
  [RUN]: runId,
  [EXPIRES]: String(expires / SECOND),
  'app.kubernetes.io/managed-by': 'firedrill',
});

/** `firedrill-<kind>-<run>`: at most 63 characters for the kinds and run ids that there are. */
export const nameOf = (kind: string, runId: string): string => `firedrill-${kind}-${runId}`;

export const expiresAt = (of: Record<string, string> | undefined): string | null => {
  const seconds = of?.[EXPIRES];
  return seconds && /^\d+$/.test(seconds) ? iso(BigInt(seconds) * SECOND) : null;
};

/** Throws Usage when the namespace is not one that the user has allowed to be touched. */
export const mustBeAllowed = (namespace: string, allowed: readonly string[]): void => {
  if (allowed.includes(namespace)) return;
  const so = allowed.length > 0 ? `only ${allowed.join(', ')} may be` : 'none may be';
  throw new Usage(`namespace ${namespace} may not be touched (${so}); allow it with --allow ${namespace}`);
};
