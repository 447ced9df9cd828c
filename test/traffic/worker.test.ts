import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { describe, expect, test } from '@jest/globals';
import { until } from '../../src/poll.ts';
import { type Running, start } from '../../src/process.ts';
import { program } from '../../src/programs.ts';
import { fromMs, systemClock } from '../../src/time.ts';
import { fromLine } from '../../src/traffic/ledger.ts';
import { type Load, packed, plannedOf, type TrafficPlan, trafficPlan } from '../../src/traffic/plan.ts';
import type { ClientSummary } from '../../src/traffic/summary.ts';
import { every, planAt, serve } from './helpers.ts';

const worker = (): Promise<Running> =>
  start({
    name: 'worker',
    argv: program('../../src/traffic/worker', import.meta.url),
    stdio: ['pipe', 'pipe', 'pipe'],
  });

const give = ({ child }: Running, plan: TrafficPlan): void => {
  child.stdin!.write(`${JSON.stringify({ plan: packed(plan), startAt: String(systemClock.now() + fromMs(400)) })}\n`);
};

const output = async ({ child }: Running): Promise<{ records: ReturnType<typeof fromLine>[]; done: ClientSummary }> => {
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout! })) lines.push(line);
  const { done } = JSON.parse(lines.pop() ?? '{}') as { done: ClientSummary };
  return { records: lines.map(fromLine), done };
};

describe('the worker', () => {
  test('sends its plan, writes every record as it ends and a summary last, and exits by itself', async () => {
    await using server = await serve((_request, response) => void response.end());
    await using running = await worker();
    const plan = planAt(server.url, every(5, 60), 5000);
    give(running, plan);
    const { records, done } = await output(running);
    expect(records.map(({ n }) => n).sort((a, b) => a - b)).toEqual(plan.requests.map(({ n }) => n));
    expect(done).toMatchObject({ planned: 60, sent: 60, answered: 60, failed: 0, aborted: 0 });
    expect(done.schedulingErrorMs.count).toBe(60);
    expect(done.connections).toBeLessThanOrEqual(60);
    expect(done.loopDelayMs!.max).toBeGreaterThanOrEqual(done.loopDelayMs!.p50);
    expect(await running.ended).toBe(0);
  });

  test.each([
    ['the end of its input', ({ child }: Running) => void child.stdin!.end()],
    ['SIGTERM', ({ child }: Running) => void child.kill('SIGTERM')],
  ])('%s ends the traffic; nothing that was planned is without a record', async (_name, end) => {
    await using running = await worker();
    await using server = await serve((_request, response) => {
      response.end();
      end(running);
    });
    give(running, planAt(server.url, every(50, 1000), 5000));
    const { records, done } = await output(running);
    expect(records.length).toBe(1000);
    expect(done.answered).toBeGreaterThan(0);
    expect(done.answered + done.aborted).toBe(1000);
    expect(await running.ended).toBe(0);
  });

  test.each(['nonsense', '{"plan":{}}', '{"plan":{"url":"http://h","requests":[]},"startAt":"soon"}', ''])(
    'bad input is one clear line and exit code 64: %s',
    async (line) => {
      await using running = await worker();
      running.child.stdin!.end(`${line}\n`);
      expect(await running.ended).toBe(64);
      expect(running.complaint()).toMatch(
        /^traffic worker: the first line must be \{"plan": …, "startAt": "nanoseconds"\}: [^\n]+$/,
      );
    },
  );
});

describe('a reader who is slow loses nothing, and ends nothing', () => {
  const load: Load = { rate: 2000, arrivals: 'constant', users: 10, timeoutMs: 60_000 };
  const journeys = { look: [{ request: 'GET /orders' as const, at: '0ms' as const }] };

  test.each([
    ['of one thread', load, 2],
    ['of several threads', { ...load, rate: 10, arrivals: { rampTo: 10_001 } }, 1],
  ] as [string, Load, number][])('%s', async (_, load, seconds) => {
    let answered = 0;
    await using server = await serve((_request, response) => {
      answered += 1;
      response.end();
    });
    await using running = await worker();
    const plan = trafficPlan({ runId: 'run-1', seed: 1, url: server.url, load, journeys, seconds });
    const planned = plannedOf(plan);
    give(running, plan);
    // Far more than a pipe holds is written before it is read on.
    await once(running.child.stdout!, 'readable');
    await until('all are answered', () => (answered === planned ? true : null), { forMs: 50_000, everyMs: 50 });
    const { records, done } = await output(running);
    expect(records.length).toBe(planned);
    expect(done).toMatchObject({ planned, answered: planned, aborted: 0 });
    expect(await running.ended).toBe(0);
  });
});
