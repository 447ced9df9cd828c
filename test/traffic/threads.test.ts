import { PassThrough } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { fromMs, systemClock } from '../../src/time.ts';
import { fromLine, type LedgerRecord } from '../../src/traffic/ledger.ts';
import { type Load, type TrafficPlan, trafficPlan } from '../../src/traffic/plan.ts';
import type { ClientSummary } from '../../src/traffic/summary.ts';
import type { Done } from '../../src/traffic/tell.ts';
import { leadMsFor, tellFromThreads, threadsFor } from '../../src/traffic/threads.ts';
import { every, listed, planAt, serve } from './helpers.ts';

const plan = (load: Partial<Load> = {}, url = 'http://127.0.0.1:1', seconds = 1): TrafficPlan =>
  trafficPlan({
    ...{ runId: 'run-1', seed: 7, url, seconds, journeys: { look: [{ request: 'GET /orders', at: '0ms' }] } },
    load: { rate: 200, arrivals: 'constant', users: 10, timeoutMs: 5000, ...load },
  });

type Heard = { readonly records: readonly LedgerRecord[]; readonly done: Done; readonly summary: ClientSummary };

/** All that two threads tell of a plan; `onLines` hears that some lines have come. */
const told = async (whole: TrafficPlan, ending = new AbortController(), onLines = () => {}): Promise<Heard> => {
  const output = new PassThrough();
  const startAt = systemClock.now() + fromMs(leadMsFor(whole));
  const telling = tellFromThreads({ plan: whole, startAt, output, ending }, 2);
  let text = '';
  for await (const chunk of output) {
    text += chunk;
    onLines();
  }
  const lines = text.trimEnd().split('\n');
  const done = JSON.parse(lines.pop()!) as Done;
  const records = lines.map(fromLine).sort((a, b) => a.n - b.n);
  return { records, done, summary: await telling };
};

describe('a plan is sent from', () => {
  test.each([
    ['one thread where one is enough', { rate: 10_000 }, 8, 1],
    ['one more where it is not', { rate: 10_001 }, 8, 2],
    ['as many as its ramp needs in the end', { rate: 10, arrivals: { rampTo: 35_000 } }, 8, 4],
    ['as many as its ramp needs at first', { rate: 35_000, arrivals: { rampTo: 10 } }, 8, 4],
    ['no more threads than there are cores', { rate: 90_000 }, 2, 2],
  ] as [string, Partial<Load>, number, number][])('%s', (_, load, cores, threads) => {
    expect(threadsFor(plan(load), cores)).toBe(threads);
  });

  test('one thread when it was made by hand', () => {
    expect(threadsFor(planAt('http://127.0.0.1:1', every(0.001, 1000), 1000), 8)).toBe(1);
  });
});

describe('two threads', () => {
  test('send every request of the plan once, at its time, and tell one ledger and one summary', async () => {
    const seen: string[] = [];
    await using server = await serve((request, response) => {
      seen.push(String(request.headers['x-request-id']));
      response.end();
    });
    const whole = plan({}, server.url);
    const { records, done, summary } = await told(whole);
    const first = BigInt(Date.parse(records[0]!.intended));
    const due = records.map(({ intended }) => Number(BigInt(Date.parse(intended)) - first));
    expect(records.map(({ n }) => n)).toEqual(listed(whole).requests.map(({ n }) => n));
    for (const [i, { atMs }] of listed(whole).requests.entries())
      expect(Math.abs(due[i]! - atMs)).toBeLessThanOrEqual(1);
    expect(seen.sort()).toEqual(records.map(({ requestId }) => requestId).sort());
    expect(done.records).toBe(200);
    expect(done.done).toEqual(JSON.parse(JSON.stringify(summary)));
    expect(summary).toMatchObject({ planned: 200, sent: 200, answered: 200, failed: 0, aborted: 0 });
    expect(summary.latencyMs.count).toBe(200);
    expect(summary.connections).toBeGreaterThanOrEqual(2);
  });

  test('give up together when the traffic is ended; nothing that was planned is without a record', async () => {
    await using server = await serve((_, response) => void response.end());
    const ending = new AbortController();
    const { records, summary } = await told(plan({}, server.url, 60), ending, () => ending.abort());
    expect(records.map(({ n }) => n)).toEqual(every(1, 12_000));
    expect(summary.answered).toBeGreaterThan(0);
    expect(summary.aborted).toBe(12_000 - summary.answered);
  });

  test('end when nobody takes their lines any more', async () => {
    await using server = await serve((_, response) => void response.end());
    const output = new PassThrough();
    const ending = new AbortController();
    const startAt = systemClock.now() + fromMs(200);
    const telling = tellFromThreads({ plan: plan({}, server.url, 60), startAt, output, ending }, 2);
    output.once('data', () => output.destroy(new Error('gone')));
    expect((await telling).aborted).toBeGreaterThan(0);
  });
});
