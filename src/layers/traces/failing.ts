// Work that fails by itself, without a failed call beneath.
import { service } from '../../model.ts';
import type { Served } from './calls.ts';
import { newBurst } from './scan.ts';
import { evidenceOf, type Suspicion, type View } from './view.ts';

const USUAL_FLOOR = 0.01;

/** Components whose own failures became more frequent. */
export const failing = (view: View): Suspicion[] =>
  view.topology.components.flatMap((name) => failingAt(view, name) ?? []);

const failingAt = (view: View, name: string): Suspicion | null => {
  const own = (served: readonly Served[]): Served[] => served.filter((one) => one.service === name);
  const [before, now] = [own(view.baseline.served), own(view.test.served)];
  const outcomes = (some: readonly Served[]) => some.map((one) => ({ t: one.t, bad: one.ownFailure }));
  const found = newBurst(outcomes(before), outcomes(now), USUAL_FLOOR, 2);
  if (!found) return null;
  const bad = now.filter((one) => one.ownFailure && one.t >= found.from && one.t <= found.until);
  return {
    ref: service(name),
    kind: 'erroring',
    at: name,
    ...found,
    ...evidenceOf(bad.map(({ t, end, span }) => ({ t, end, id: span.id }))),
    why: `${name} failed ${Math.round(found.badShare * 100)} % of its requests by itself`,
  };
};
