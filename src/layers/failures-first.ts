// In which order suspects stand when some fail outright and others are merely late.
import type { Suspect } from '../model.ts';

/**
 * Beside calls that nobody answers, lateness elsewhere is mostly their consequence, or a busy machine's; but many late answers
 * are better evidence, by number, than a few that never came. So the score of what is late is halved there, and kept elsewhere.
 */
export const failuresFirst = (suspects: readonly Suspect[]): Suspect[] => {
  const failing = suspects.some(({ kind }) => kind === 'absent' || kind === 'blocked');
  const weighed = suspects.map((one) => (failing && one.kind === 'slow' ? { ...one, score: one.score / 2 } : one));
  return weighed.sort((a, b) => b.score - a.score);
};
