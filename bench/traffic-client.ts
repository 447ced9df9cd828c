// One client of the traffic bench, in a process of its own: WHO URL. Every line that it reads is a Task in JSON; it does it, and writes a
// line with what it came to. Every client gives each request ids of its own, for nothing is to be had by one that does not.
import { createWriteStream } from 'node:fs';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { Client, type Dispatcher, Pool } from 'undici';
import type { Nanos } from '../src/model.ts';
import { fromMs, systemClock, toMs } from '../src/time.ts';
import { identities, runLines } from '../src/traffic/identity.ts';
import { type TrafficPlan, trafficPlan } from '../src/traffic/plan.ts';
import { queue } from '../src/traffic/queue.ts';
import { tellTraffic } from '../src/traffic/tell.ts';
import { type Latency, latencyOf } from './latency.ts';

/** So many requests a second for so long; at rate 0 one after the other. */
export type Task = { readonly rate: number; readonly seconds: number; readonly ledger: string };

export type Result = {
  readonly answered: number;
  readonly seconds: number;
  /** Microseconds of CPU for an answer, the kernel's part included. */
  readonly cpu: number;
  /** Zeros of who does not say. */
  readonly latency: Latency;
  /** The most memory at a quarter, at a half and at the end of the run, in MB. */
  readonly rss: readonly number[];
};

type Sent = Pick<Result, 'answered' | 'latency'>;
type Who = (url: string, task: Task, startAt: Nanos) => Promise<Sent>;

const CONNECTIONS = 64;
const WHO = { user: 'firedrill-user-1', session: 'session-0123456789abcdef' };

const planFor = (url: string, rate: number, seconds: number): TrafficPlan =>
  trafficPlan({
    ...{ runId: 'bench', seed: 1, url, seconds, journeys: { look: [{ request: 'GET /', at: '0ms' }] } },
    load: { rate, arrivals: 'constant', users: 100, timeoutMs: 60_000 },
  });

/** What a drill runs: the plan is generated, the ledger written and told; `limit` goes for what a drill would choose. */
const drill =
  (limit: { readonly connections?: number }): Who =>
  async (url, { rate, seconds, ledger }, startAt) => {
    const done = await tellTraffic({
      plan: planFor(url, rate, seconds),
      startAt,
      output: createWriteStream(ledger),
      ending: new AbortController(),
      ...limit,
    });
    return { answered: done.answered, latency: done.latencyMs };
  };

const IDS = identities('bench');
const HEADERS = runLines('bench')
  .trimEnd()
  .split(/: |\r\n/);

/** The same headers as firedrill's, as undici takes them: name and value in turn. */
const headersOf = (n: number): string[] => {
  const { requestId, correlationId, traceId, spanId } = IDS(n);
  const ids = [
    'x-request-id',
    requestId,
    'x-correlation-id',
    correlationId,
    'traceparent',
    `00-${traceId}-${spanId}-03`,
  ];
  return [...HEADERS, ...ids, 'x-user-id', WHO.user, 'x-session-id', WHO.session];
};

/** Sends `count` requests at their times over whatever `send` is, and keeps no record of them. */
const openLoop = async (
  { rate, seconds }: Task,
  start: Nanos,
  send: (n: number) => Promise<void> | void,
  idle: () => Promise<void>,
): Promise<Sent> => {
  const now = (): number => toMs(systemClock.now() - start);
  for (let n = 0; n < rate * seconds; n += 1) {
    const due = (1000 * n) / rate;
    if (due > now()) await systemClock.sleepUntil(start + fromMs(due));
    void send(n);
  }
  await idle();
  return { answered: rate * seconds, latency: { p50: 0, p90: 0, p99: 0, max: 0 } };
};

/** Nothing but connections over undici's Client: the one used last is the next, and who finds none waits. */
const idleStack: Who = async (url, task, startAt) => {
  const stack = Array.from({ length: CONNECTIONS }, () => new Client(url, { pipelining: 1 }));
  const clients = [...stack];
  const waiting = queue<{ readonly n: number }>();
  let left = task.rate * task.seconds;
  let ended = (): void => {};
  const all = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const go = (client: Client, n: number): void => {
    const free = (): void => {
      left -= 1;
      if (left === 0) ended();
      const next = waiting.shift();
      if (next) go(client, next.n);
      else stack.push(client);
    };
    client.dispatch({ method: 'GET', path: '/', headers: headersOf(n) }, handler(free));
  };
  const sent = await openLoop(
    task,
    startAt,
    (n) => {
      const client = stack.pop();
      if (client) go(client, n);
      else waiting.push({ n });
    },
    () => all,
  );
  await Promise.all(clients.map((client) => client.destroy()));
  return sent;
};

const handler = (done: () => void): Dispatcher.DispatchHandler => ({
  onRequestStart: () => {},
  onResponseStart: () => {},
  onResponseData: () => {},
  onResponseEnd: done,
  onResponseError: done,
});

/** What undici's own documentation begins with. */
const poolRequest: Who = async (url, task, startAt) => {
  const pool = new Pool(url, { connections: CONNECTIONS });
  const under = new Set<Promise<void>>();
  const send = (n: number): void => {
    const one: Promise<void> = pool
      .request({ method: 'GET', path: '/', headers: headersOf(n) })
      .then(({ body }) => body.dump())
      .then(() => void under.delete(one));
    under.add(one);
  };
  const sent = await openLoop(task, startAt, send, async () => void (await Promise.all(under)));
  await pool.destroy();
  return sent;
};

type Autocannon = (options: object) => Promise<{ '2xx': number; latency: Latency }>;

/** At rate 0 as fast as it goes: it waits for an answer before it sends the next. */
const autocannon: Who = async (url, { rate, seconds }) => {
  const cannon = createRequire(import.meta.url)('autocannon') as Autocannon;
  let n = 0;
  const tagged = (): Record<string, string> => {
    const list = headersOf(n++);
    return Object.fromEntries(Array.from({ length: list.length / 2 }, (_, i) => [list[2 * i]!, list[2 * i + 1]!]));
  };
  const setupRequest = (one: object): object => ({ ...one, headers: tagged() });
  const limit = rate > 0 ? { overallRate: rate } : {};
  const done = await cannon({
    url,
    duration: seconds,
    connections: CONNECTIONS,
    requests: [{ setupRequest }],
    ...limit,
  });
  return { answered: done['2xx'], latency: done.latency };
};

/** Sends nothing, and says how late it was for it: what a schedule loses on this machine, whoever keeps it. */
const bareLoop: Who = async (_url, task, startAt) => {
  const late: number[] = [];
  const note = (n: number): void => void late.push(toMs(systemClock.now() - startAt) - (1000 * n) / task.rate);
  const sent = await openLoop(task, startAt, note, async () => undefined);
  return { ...sent, latency: latencyOf(late) };
};

const CLIENTS: Readonly<Record<string, Who>> = {
  firedrill: drill({ connections: CONNECTIONS }),
  'as in a drill': drill({}),
  'idle stack': idleStack,
  'pool.request': poolRequest,
  autocannon,
  'bare loop': bareLoop,
};

const watched = (): { done(): number[] } => {
  const seen: number[] = [];
  const timer = setInterval(() => seen.push(process.memoryUsage.rss() / 2 ** 20), 200);
  return {
    done: () => {
      clearInterval(timer);
      return [0.25, 0.5, 1].map((share) => Math.max(0, ...seen.slice(0, Math.ceil(share * seen.length))));
    },
  };
};

/** Connections are opened ahead, before what is measured. */
const LEAD = fromMs(500);

const doing = async (client: Who, url: string, task: Task): Promise<Result> => {
  const startAt = systemClock.now() + (task.rate > 0 ? LEAD : 0n);
  const memory = watched();
  const before = process.cpuUsage();
  const sent = await client(url, task, startAt);
  const { user, system } = process.cpuUsage(before);
  return {
    ...sent,
    seconds: toMs(systemClock.now() - startAt) / 1000,
    cpu: (user + system) / sent.answered,
    rss: memory.done(),
  };
};

const [who = '', url = ''] = process.argv.slice(2);
const client = CLIENTS[who];
if (!client) throw new Error(`no client '${who}'; there are ${Object.keys(CLIENTS).join(', ')}`);
for await (const line of createInterface({ input: process.stdin }))
  process.stdout.write(`${JSON.stringify(await doing(client, url, JSON.parse(line) as Task))}\n`);
