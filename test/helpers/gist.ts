// The gist of records that a test has made by hand, as if they had been read from a run's file.
import { hash } from 'node:crypto';
import type { Entry } from '../../src/history.ts';
import type { Plan } from '../../src/plan.ts';
import { frameOf } from '../../src/times.ts';
import { type Gist, gathering } from '../../src/traffic/gist.ts';
import { type LedgerRecord, toLine } from '../../src/traffic/ledger.ts';

export const gistOf = (plan: Plan, history: readonly Entry[], records: readonly LedgerRecord[]): Gist => {
  const { add, gist } = gathering(frameOf(plan, history));
  for (const one of records) add(one);
  return gist(hash('sha256', records.map((one) => `${toLine(one)}\n`).join('')));
};
