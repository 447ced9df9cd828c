import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { Unreachable, Usage } from '../../../src/errors.ts';
import type { Ground } from '../../../src/targets/kubernetes/ground.ts';
import { jobLeftovers, prepareWorkers } from '../../../src/targets/kubernetes/workers.ts';
import { fromIso, fromMs, systemClock, toMs } from '../../../src/time.ts';
import type { LedgerRecord } from '../../../src/traffic/ledger.ts';
import { trafficPlan } from '../../../src/traffic/plan.ts';
import { every, type Listed, listed, planAt, type Serving, serve } from '../../traffic/helpers.ts';
import { type WorkerCluster, workerCluster } from './worker-cluster.ts';

jest.setTimeout(90_000);

let fake: WorkerCluster;
let server: Serving;
let arrived: string[];
beforeEach(async () => {
  fake = await workerCluster();
  arrived = [];
  server = await serve((request, response) => {
    arrived.push(String(request.headers['x-request-id']));
    response.end();
  });
});
afterEach(async () => {
  await fake[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
});

const ground = (allowed: readonly string[] = ['trading']): Ground =>
  ({
    cluster: fake.cluster,
    mapping: { entry: 'shop', components: [{ name: 'shop', namespace: 'trading' }] },
    owner: { runId: 'run-1', expires: systemClock.now() + fromMs(600_000) },
    allowed,
    images: { firedrill: 'firedrill:1', agent: 'agent:1' },
  }) as unknown as Ground;

const planOf = (seconds: number, runId = 'run-1'): Listed =>
  listed(
    trafficPlan({
      ...{ runId, seed: 5, url: server.url, seconds },
      load: { rate: 60, arrivals: 'poisson', users: 4, timeoutMs: 20_000 },
      journeys: { look: [{ request: 'GET /prices', at: '0ms' }] },
    }),
  );

const never = new AbortController().signal;
const nothingLeft = (): void => {
  expect([fake.jobs.size, fake.pods.size, fake.maps.size]).toEqual([0, 0, 0]);
};

describe('traffic by workers', () => {
  test('three give one ledger: the plan of one, each request once, each at its time', async () => {
    const plan = planOf(2);
    const records: LedgerRecord[] = [];
    {
      await using ready = await prepareWorkers(ground(), 3, plan, never);
      const startAt = systemClock.now() + fromMs(10_000);
      for await (const one of ready.run(startAt, never)) records.push(one);
      const { workers, records: count } = ready.summary();
      expect(workers.reduce((sum, one) => sum + one!.sent, 0)).toBe(plan.requests.length);
      expect(count).toBe(plan.requests.length);
      for (const { n, intended } of records)
        expect(toMs(fromIso(intended) - startAt)).toBeCloseTo(plan.requests[n]!.atMs, 3);
    }
    expect(records.map(({ n }) => n).sort((a, b) => a - b)).toEqual(plan.requests.map(({ n }) => n));
    expect(new Set(arrived).size).toBe(plan.requests.length);
    nothingLeft();
  });

  test('a worker that is killed leaves the others at it; whose records are missing is told when all are over', async () => {
    const plan = planOf(4);
    const records: LedgerRecord[] = [];
    const traffic = async (): Promise<void> => {
      await using ready = await prepareWorkers(ground(), 3, plan, never);
      for await (const one of ready.run(systemClock.now() + fromMs(10_000), never)) {
        records.push(one);
        if (records.length === 60) fake.pods.get('firedrill-traffic-run-1-1')!.running.child.kill('SIGKILL');
      }
    };
    await expect(traffic()).rejects.toThrow(
      /^traffic is incomplete: worker 1: \d+ of its \d+ requests have no record \(Error \(exit code 137\)\)$/,
    );
    const of = (worker: number) => (each: { n: number }) => each.n % 3 === worker;
    for (const other of [0, 2]) expect(records.filter(of(other)).length).toBe(plan.requests.filter(of(other)).length);
    expect(records.filter(of(1)).length).toBeLessThan(plan.requests.filter(of(1)).length);
    nothingLeft();
  });

  test('connections that break lose nothing: reading goes on at the byte where it broke off', async () => {
    const plan = planOf(3);
    const records: LedgerRecord[] = [];
    const cuts: AbortController[] = [];
    const { exec } = fake.cluster;
    fake.cluster.exec = (at, argv, options = {}) => {
      const cut = new AbortController();
      if (argv.includes('ledger')) cuts.push(cut);
      const signal = options.signal ? AbortSignal.any([options.signal, cut.signal]) : cut.signal;
      return exec(at, argv, { ...options, signal });
    };
    await using ready = await prepareWorkers(ground(), 2, plan, never);
    for await (const one of ready.run(systemClock.now() + fromMs(8000), never)) {
      records.push(one);
      if (records.length % 40 === 0) for (const cut of cuts) cut.abort(new Unreachable('the connection was lost'));
    }
    expect(cuts.length).toBeGreaterThan(2);
    expect(records.map(({ n }) => n).sort((a, b) => a - b)).toEqual(plan.requests.map(({ n }) => n));
  });

  test('an abort ends it early, with a record of everything, and nothing is left', async () => {
    const stop = new AbortController();
    const plan = planOf(60);
    const records: LedgerRecord[] = [];
    {
      await using ready = await prepareWorkers(ground(), 2, plan, never);
      for await (const one of ready.run(systemClock.now() + fromMs(8000), stop.signal)) {
        records.push(one);
        if (records.length === 20) stop.abort();
      }
    }
    expect(records.length).toBe(plan.requests.length);
    expect(records.filter(({ error }) => error === 'aborted').length).toBeGreaterThan(plan.requests.length / 2);
    nothingLeft();
  });

  test('a worker that can not be told the start is told as that, and the others go on', async () => {
    fake.onExec = (at, [name]) => {
      if (name === 'start' && at.pod.endsWith('-0')) throw new Unreachable('no route');
    };
    const records: LedgerRecord[] = [];
    const traffic = async (): Promise<void> => {
      await using ready = await prepareWorkers(ground(), 2, planOf(1), never);
      for await (const one of ready.run(systemClock.now() + fromMs(8000), never)) records.push(one);
    };
    await expect(traffic()).rejects.toThrow(/worker 0: \d+ of its .* \(could not be told the start: no route\)/);
    expect(records.length).toBe(planOf(1).requests.filter(({ n }) => n % 2 === 1).length);
    nothingLeft();
  });

  test('what another run has left is found by its labels and undone', async () => {
    await prepareWorkers(ground(), 1, planOf(1), never);
    const [left, ...others] = await jobLeftovers(fake.cluster, ['elsewhere', 'trading']);
    expect(others).toEqual([]);
    expect(left!.runId).toBe('run-1');
    expect(left!.says).toMatch(/^traffic workers of run run-1 \(job trading\/firedrill-traffic-run-1, expires 20/);
    await left!.undo();
    nothingLeft();
    // Any number of times.
    await left!.undo();
  });
});

describe('workers that can not be had', () => {
  test('of another version, who make another plan, are refused, and nothing is left', async () => {
    const plan = planOf(1);
    const other = { ...plan, requests: plan.requests.slice(1) };
    await expect(prepareWorkers(ground(), 2, other, never)).rejects.toThrow(/makes another plan: its image/);
    nothingLeft();
  });

  test('who end at once are told with their own words', async () => {
    const plan = planOf(1);
    const bad = { ...plan, input: { ...plan.input!, seed: -1 } };
    await expect(prepareWorkers(ground(), 1, bad, never)).rejects.toThrow(/Error \(exit code 64\): .*seed -1 must be/);
    nothingLeft();
  });

  test.each([
    [() => prepareWorkers(ground(['other']), 1, planOf(1), never), /trading may not be touched/],
    [() => prepareWorkers(ground(), 0, planOf(1), never), /--workers 0: must be a whole number/],
    [() => prepareWorkers(ground(), 1.5, planOf(1), never), /--workers 1.5/],
    [() => prepareWorkers(ground(), 1, planAt('http://a', every(1, 2), 1), never), /must come from trafficPlan/],
  ])('are refused before anything is made: %#', async (preparing, says) => {
    const prepared = preparing();
    await expect(prepared).rejects.toThrow(says);
    await expect(prepared).rejects.toThrow(Usage);
    nothingLeft();
  });
});
