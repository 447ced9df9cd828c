// Takes away what follows from something else: trouble travels from a callee to those that call it.
import type { Trouble } from '../../model.ts';
import { type Accusation, routesOutOf, type Scene } from './scene.ts';

/** Kinds of trouble by what they bring about, the strongest first. */
const STRENGTH: readonly Trouble[] = ['blocked', 'absent', 'slow', 'erroring'];

/** What trouble of a kind does to those that call the troubled one. */
const BRINGS: Readonly<Record<Trouble, readonly Trouble[]>> = {
  blocked: ['absent', 'slow', 'erroring'],
  absent: ['absent', 'slow', 'erroring'],
  slow: ['slow', 'erroring'],
  erroring: ['erroring'],
};

/** The accusations that no other one explains, the surest first. */
export const explain = (accusations: readonly Accusation[], scene: Scene): Accusation[] => {
  const roots = accusations.filter((one) => !accusations.some((cause) => cause !== one && causes(cause, one, scene)));
  // Components that call each other in a ring explain each other: the first to be in trouble stays.
  const kept = roots.length > 0 || accusations.length === 0 ? roots : [earliest(accusations)];
  return [...kept].sort((a, b) => b.score - a.score);
};

const earliest = (accusations: readonly Accusation[]): Accusation =>
  accusations.reduce((a, b) => (b.since < a.since ? b : a));

const causes = (cause: Accusation, symptom: Accusation, scene: Scene): boolean => {
  if (cause.at === symptom.at) return STRENGTH.indexOf(cause.kind) < STRENGTH.indexOf(symptom.kind);
  if (!BRINGS[cause.kind].includes(symptom.kind)) return false;
  const hurt = cause.from === null ? cause.at : cause.from;
  const reached = reachable(symptom.at, scene);
  return cause.from === null ? reached.has(hurt) : hurt === symptom.at || reached.has(hurt);
};

/** Components that `component` calls, directly or through others. */
const reachable = (component: string, scene: Scene): ReadonlySet<string> => {
  const found = new Set<string>();
  const next = [component];
  for (let at = next.pop(); at !== undefined; at = next.pop()) {
    for (const { to } of routesOutOf(scene, at)) {
      if (!found.has(to)) next.push(to);
      found.add(to);
    }
  }
  return found;
};
