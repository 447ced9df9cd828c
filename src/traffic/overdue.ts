// A client that comes up late: what it has missed stays missed.
import type { Nanos } from '../model.ts';
import { stamps, toMs } from '../time.ts';
import { entry, flightOf } from './flight.ts';
import { identities } from './identity.ts';
import type { LedgerRecord } from './ledger.ts';
import type { TrafficPlan } from './plan.ts';

/**
 * Records of the plan's first requests, those that were due before `now`: not sent, for all of them at once would be a burst
 * that nobody has planned.
 */
export function* overdue(plan: TrafficPlan, startAt: Nanos, now: Nanos): Generator<LedgerRecord, void, void> {
  const late = toMs(now - startAt);
  const stamp = stamps(startAt);
  const ids = identities(plan.runId);
  const error = `not sent: the client came up ${Math.round(late)} ms after the start`;
  for (const request of plan.requests) {
    if (request.atMs >= late) return;
    yield entry(ids, flightOf(request), late, { status: null, error }, stamp);
  }
}
