import { describe, expect, test } from '@jest/globals';
import { Usage } from '../../../src/errors.ts';
import { lack, ledger, summaryOf } from '../../../src/targets/kubernetes/worker-ledgers.ts';
import { type LedgerRecord, toLine } from '../../../src/traffic/ledger.ts';
import { plannedOf } from '../../../src/traffic/plan.ts';
import { tally } from '../../../src/traffic/summary.ts';
import { every, planAt, record } from '../../traffic/helpers.ts';

const PLAN = planAt('http://127.0.0.1:1', every(10, 60), 1000);
const all = PLAN.requests.map(({ n, atMs }) => record(n, { atMs, tookMs: 1 + n }));
const shareOf = (worker: number): LedgerRecord[] => all.filter(({ n }) => n % 3 === worker);

const hello = (worker: number): string =>
  JSON.stringify({ hello: { worker, planned: shareOf(worker).length, fingerprint: 'f' } });

const done = (records: readonly LedgerRecord[]): string => {
  const counted = tally();
  for (const one of records) counted.add(one);
  return JSON.stringify({
    done: counted.summary(plannedOf(PLAN), null),
    records: records.length,
    counted: counted.counted(),
  });
};

/** The ledger of a worker that has written these records and then, perhaps, its end. */
const heard = (worker: number, records = shareOf(worker), end: string | null = done(records)) => {
  const of = ledger(worker, 3);
  const taken = [hello(worker), ...records.map(toLine), ...(end ? [end] : [])].flatMap((line) => of.take(line) ?? []);
  return { taken, told: of.told() };
};

describe('the ledgers of three workers', () => {
  test('make one that has every record of the plan once, and the latencies of one client', () => {
    const parts = [0, 1, 2].map((worker) => heard(worker));
    const one = tally();
    for (const each of all) one.add(each);
    const summary = summaryOf(parts.map(({ told }) => told));
    expect(parts.flatMap(({ taken }) => taken).sort((a, b) => a.n - b.n)).toEqual(all);
    expect(parts.map(({ told }) => lack(told, 'gone', false))).toEqual([null, null, null]);
    expect(summary.records).toBe(summary.workers.reduce((sum, each) => sum + each!.sent, 0));
    expect(summary.latencyMs).toEqual(one.summary(plannedOf(PLAN), null).latencyMs);
  });

  test('a record that comes twice counts once, and one that is another worker’s does not count', () => {
    const of = ledger(1, 3);
    expect(of.take(toLine(all[1]!))).toEqual(all[1]);
    expect(of.take(toLine(all[1]!))).toBeNull();
    expect(of.take(toLine(all[2]!))).toBeNull();
    expect(of.told().records).toBe(1);
  });

  test('records that never came are told, with the worker and how it ended', () => {
    const { told } = heard(1, shareOf(1).slice(0, 7), null);
    expect(lack(told, 'OOMKilled (exit code 137)', false)).toBe(
      'worker 1: 13 of its 20 requests have no record (OOMKilled (exit code 137))',
    );
    expect(summaryOf([told]).workers).toEqual([null]);
  });

  test('requests that were given up are told, unless all were stopped', () => {
    const { told } = heard(
      2,
      shareOf(2).map((one) => ({ ...one, status: null, error: 'aborted' })),
    );
    expect(lack(told, 'its pod is gone', false)).toBe(
      'worker 2: 20 of its 20 requests were given up (its pod is gone)',
    );
    expect(lack(told, 'its pod is gone', true)).toBeNull();
  });

  test('a worker whose own count is another is told', () => {
    expect(lack(heard(0, shareOf(0), done(shareOf(0).slice(1))).told, 'x', false)).toBe(
      'worker 0: it counts 19 records, not 20 (x)',
    );
    expect(lack(heard(0, shareOf(0), null).told, 'x', false)).toBe('worker 0: its summary is missing (x)');
  });

  test('a line that is none of a ledger is refused', () => {
    expect(() => ledger(0, 1).take('{"n":-1}')).toThrow(Usage);
    expect(() => ledger(0, 1).take('Killed')).toThrow();
  });
});
