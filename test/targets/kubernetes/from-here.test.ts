import { describe, expect, test } from '@jest/globals';
import { trafficFromHere } from '../../../src/targets/kubernetes/from-here.ts';
import { fromMs, systemClock } from '../../../src/time.ts';
import type { LedgerRecord } from '../../../src/traffic/ledger.ts';
import { every, planAt, serve } from '../../traffic/helpers.ts';

const inMs = (ms: number) => systemClock.now() + fromMs(ms);

const all = async (traffic: AsyncIterable<LedgerRecord>): Promise<LedgerRecord[]> => {
  const records: LedgerRecord[] = [];
  for await (const one of traffic) records.push(one);
  return records;
};

describe('traffic from here', () => {
  test('gives a record for every request of the plan', async () => {
    await using server = await serve((_request, response) => void response.end());
    const plan = planAt(server.url, every(5, 60), 20_000);
    const records = await all(trafficFromHere(plan, inMs(400), new AbortController().signal));
    expect(records.map(({ n }) => n).sort((a, b) => a - b)).toEqual(plan.requests.map(({ n }) => n));
    expect(records.every(({ status }) => status === 200)).toBe(true);
  }, 30_000);

  test('an abort ends it early, and what was not sent is given up', async () => {
    const stop = new AbortController();
    await using server = await serve((_request, response) => {
      response.end();
      stop.abort();
    });
    const plan = planAt(server.url, every(50, 1000), 20_000);
    const records = await all(trafficFromHere(plan, inMs(400), stop.signal));
    expect(records.length).toBe(1000);
    expect(records.filter(({ error }) => error === 'aborted').length).toBeGreaterThan(900);
  }, 30_000);

  test('aborted before it begins, nothing is sent', async () => {
    const plan = planAt('http://127.0.0.1:1', every(10, 20), 5000);
    const records = await all(trafficFromHere(plan, inMs(5000), AbortSignal.abort()));
    expect(records.map(({ error }) => error)).toEqual(plan.requests.map(() => 'aborted'));
  }, 30_000);

  test('a client that refuses its plan is one clear line', async () => {
    const plan = { ...planAt('http://127.0.0.1:1', [], 1), url: 'nowhere' };
    await expect(all(trafficFromHere(plan, inMs(400), new AbortController().signal))).rejects.toThrow(
      /^the traffic client ended with 64: traffic worker: [^\n]+$/,
    );
  }, 30_000);
});
