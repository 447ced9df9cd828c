// A client that comes up late: what it has missed stays missed.
import type { Nanos } from '../model.ts';
import { toMs } from '../time.ts';
import { entry, flightOf } from './flight.ts';
import type { LedgerRecord } from './ledger.ts';
import type { TrafficPlan } from './plan.ts';

/**
 * Records of the plan's first requests, those that were due before `now`: not sent, for all of them at once would be a burst
 * that nobody has planned.
 */
export const overdue = (plan: TrafficPlan, startAt: Nanos, now: Nanos): LedgerRecord[] => {
  const error = `not sent: the client came up ${Math.round(toMs(now - startAt))} ms after the start`;
  return plan.requests
    .map((request) => flightOf(request, startAt))
    .filter(({ due }) => due < now)
    .map((flight) => entry(plan.runId, flight, now, { status: null, error }));
};
