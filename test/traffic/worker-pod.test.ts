import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { until } from '../../src/poll.ts';
import { type Running, run, start } from '../../src/process.ts';
import { program } from '../../src/programs.ts';
import { fromIso, fromMs, systemClock, toMs } from '../../src/time.ts';
import { fromLine, type LedgerRecord } from '../../src/traffic/ledger.ts';
import { fingerprint, type PlanInput, trafficPlan } from '../../src/traffic/plan.ts';
import type { Done } from '../../src/traffic/tell.ts';
import type { Hello } from '../../src/traffic/worker-pod.ts';
import { listed, serve } from './helpers.ts';

const PROGRAM = program('../../src/traffic/worker-pod', import.meta.url);
const SOON = { forMs: 20_000, everyMs: 50 };
// Each test starts several programs, on a machine that may be busy.
jest.setTimeout(60_000);

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'worker-pod-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const inputOf = (url: string, seconds: number): PlanInput => ({
  ...{ runId: 'run-1', seed: 11, url, seconds },
  load: { rate: 90, arrivals: 'poisson', users: 5, timeoutMs: 20_000 },
  journeys: {
    buy: [
      { request: 'POST /orders', at: '0ms', body: { ref: '{session}/{n}' } },
      { request: 'GET /orders/:id', at: '150ms' },
    ],
  },
});

type Pod = AsyncDisposable & { readonly running: Running; readonly own: string };

/** Worker `index` of `of`, in a folder of its own. */
const pod = async (input: PlanInput | string, index: number | string, of: number): Promise<Pod> => {
  const own = await mkdtemp(join(folder, 'pod-'));
  await writeFile(join(own, 'input.json'), typeof input === 'string' ? input : JSON.stringify(input));
  const running = await start({
    name: 'worker-pod',
    argv: [...PROGRAM, 'work', join(own, 'input.json'), String(of), own],
    env: { JOB_COMPLETION_INDEX: String(index) },
  });
  return { running, own, [Symbol.asyncDispose]: () => running.stop() };
};

const command = (...args: string[]): Promise<string> => run({ name: args[0]!, argv: [...PROGRAM, ...args] });

/** The ledger from a byte on, when all of it is written. */
const ledgerOf = ({ own }: Pod, from = 0): Promise<string> => command('ledger', own, String(from));

const told = (text: string): { hello: Hello['hello']; records: LedgerRecord[]; done: Done } => {
  const lines = text.trimEnd().split('\n');
  const { hello } = JSON.parse(lines.shift()!) as Hello;
  return { hello, done: JSON.parse(lines.pop()!) as Done, records: lines.map(fromLine) };
};

/** Resolves when so many lines are written. */
const wrote = ({ own }: Pod, lines: number): Promise<true> => {
  const enough = async (): Promise<true | null> =>
    (await readFile(join(own, 'ledger.ndjson'), 'utf8')).split('\n').length > lines ? true : null;
  return until('lines of the ledger', enough, SOON);
};

const up = (one: Pod): Promise<true> => wrote(one, 1);

const begin = ({ own }: Pod, inMs: number, aheadMs = 0): Promise<string> =>
  command('start', own, String(systemClock.now() + fromMs(inMs)), String(fromMs(aheadMs)));

describe('workers in pods', () => {
  test('three of them, told nothing but what the plan was made from, send together exactly the plan of one', async () => {
    const arrived: string[] = [];
    await using server = await serve((request, response) => {
      arrived.push(`${request.method} ${request.url} ${request.headers['x-request-id']}`);
      response.end();
    });
    const input = inputOf(server.url, 2);
    const plan = listed(trafficPlan(input));
    await using one = await pod(input, 0, 3);
    await using two = await pod(input, 1, 3);
    await using three = await pod(input, 2, 3);
    const pods = [one, two, three];
    await Promise.all(pods.map(up));
    const startAt = systemClock.now() + fromMs(10_000);
    for (const { own } of pods) await command('start', own, String(startAt), '0');
    const all = (await Promise.all(pods.map((each) => ledgerOf(each)))).map(told);
    const records = all.flatMap((each) => each.records).sort((a, b) => a.n - b.n);
    expect(all.map(({ hello }) => hello.fingerprint)).toEqual([1, 2, 3].map(() => fingerprint(plan)));
    expect(all.map(({ hello }) => hello.planned)).toEqual(all.map((each) => each.done.records));
    expect(records.map(({ n, user, session }) => [n, user, session])).toEqual(
      plan.requests.map(({ n, user, session }) => [n, user, session]),
    );
    for (const { n, intended } of records)
      expect(toMs(fromIso(intended) - startAt)).toBeCloseTo(plan.requests[n]!.atMs, 3);
    expect(new Set(arrived).size).toBe(plan.requests.length);
  });

  test('a ledger can be read from any byte, before its end too, and stays to be read until the worker is ended', async () => {
    await using server = await serve((_request, response) => void response.end());
    await using one = await pod(inputOf(server.url, 1), 0, 1);
    await up(one);
    await begin(one, 800);
    const [whole, again] = await Promise.all([ledgerOf(one), ledgerOf(one)]);
    expect(again).toBe(whole);
    expect(await ledgerOf(one, 100)).toBe(Buffer.from(whole).subarray(100).toString());
    expect(one.running.child.exitCode).toBeNull();
    await command('stop', String(one.running.child.pid));
    expect(await one.running.ended).toBe(0);
  });

  test('one that is told the start late sends nothing of what is overdue, and says so', async () => {
    const arrived: number[] = [];
    await using server = await serve((_request, response) => {
      arrived.push(toMs(systemClock.now()));
      response.end();
    });
    const plan = listed(trafficPlan(inputOf(server.url, 4)));
    await using one = await pod(inputOf(server.url, 4), 0, 1);
    await up(one);
    await begin(one, -2000);
    const { records, done } = told(await ledgerOf(one));
    const unsent = records.filter(({ sent }) => sent === null);
    expect(records.length).toBe(plan.requests.length);
    expect(unsent.length).toBeGreaterThanOrEqual(plan.requests.filter(({ atMs }) => atMs < 2000).length);
    expect(unsent.every(({ error }) => /^not sent: the client came up \d+ ms after the start$/.test(error!))).toBe(
      true,
    );
    expect(arrived.length).toBe(records.length - unsent.length);
    expect(done.done.saturated).toContain('could not be sent');
  });

  test('its clock is set back by as much as it is ahead, in what it sends and in what it writes', async () => {
    await using server = await serve((_request, response) => void response.end());
    await using one = await pod(inputOf(server.url, 1), 0, 1);
    await up(one);
    // As if ours were an hour behind: the start is told in our time.
    const startAt = systemClock.now() + fromMs(6000 - 3_600_000);
    await command('start', one.own, String(startAt), String(fromMs(3_600_000)));
    const { records, done } = told(await ledgerOf(one));
    expect(done.done.answered).toBe(records.length);
    for (const { sent } of records) expect(Math.abs(toMs(fromIso(sent!) - startAt))).toBeLessThan(20_000);
  });

  test('ended in the midst, it has a record of everything that was planned', async () => {
    await using server = await serve((_request, response) => void response.end());
    await using one = await pod(inputOf(server.url, 30), 0, 2);
    await up(one);
    await begin(one, 500);
    await wrote(one, 5);
    await command('stop', String(one.running.child.pid));
    const { hello, records, done } = told(await ledgerOf(one));
    expect(records.length).toBe(hello.planned);
    expect(done.done.aborted).toBeGreaterThan(0);
    expect(await one.running.ended).toBe(0);
  });

  test('ended before the start, it goes without a word', async () => {
    await using one = await pod(inputOf('http://127.0.0.1:1', 1), 0, 1);
    await up(one);
    await one.running.stop();
    expect(await one.running.ended).toBe(0);
    expect(one.running.complaint()).toBe('');
  });

  test('tells its clock several times', async () => {
    const before = systemClock.now();
    const readings = (await command('clock')).trim().split('\n').map(BigInt);
    expect(readings.length).toBeGreaterThan(1);
    expect(readings[0]!).toBeGreaterThanOrEqual(before);
    expect(readings.at(-1)!).toBeLessThanOrEqual(systemClock.now());
  });

  test.each([
    ['{', 0, /input\.json holds no traffic plan's input: [^\n]+$/],
    ['{"runId":"a b"}', 0, /^traffic worker: [^\n]+$/],
    [JSON.stringify(inputOf('http://127.0.0.1:1', 1)), 1, /^traffic worker: there is no worker 1 of 1$/],
    [JSON.stringify(inputOf('http://127.0.0.1:1', 1)), 'x', /JOB_COMPLETION_INDEX must be a whole number, not 'x'$/],
  ])('bad input is one clear line and exit code 64: %.20s %s', async (input, index, says) => {
    await using one = await pod(input, index, 1);
    expect(await one.running.ended).toBe(64);
    expect(one.running.complaint()).toMatch(says);
  });

  test.each([['start', '/x', 'soon', '0'], ['ledger', '/x', '-1'], ['stop', 'me'], ['dance']])(
    'a command that makes no sense is refused: %s',
    async (...args) => {
      await expect(command(...args)).rejects.toThrow(/ended with 64: traffic worker: /);
    },
  );
});
