// A client that comes up late: what it has missed stays missed.
import type { Nanos } from '../model.ts';
import { toMs } from '../time.ts';
import { entry, flightOf } from './flight.ts';
import type { LedgerRecord } from './ledger.ts';
import type { TrafficPlan } from './plan.ts';

/**
 * The plan without what was due before `now`, and records that say of each of those that it was not sent: all of them sent
 * at once would be a burst that nobody has planned.
 */
export const withoutOverdue = (
  plan: TrafficPlan,
  startAt: Nanos,
  now: Nanos,
): { readonly rest: TrafficPlan; readonly overdue: readonly LedgerRecord[] } => {
  const flights = plan.requests.map((request) => flightOf(request, startAt)).filter(({ due }) => due < now);
  if (flights.length === 0) return { rest: plan, overdue: [] };
  const error = `not sent: the client came up ${Math.round(toMs(now - startAt))} ms after the start`;
  return {
    rest: { ...plan, requests: plan.requests.slice(flights.length) },
    overdue: flights.map((flight) => entry(plan.runId, flight, now, { status: null, error })),
  };
};
