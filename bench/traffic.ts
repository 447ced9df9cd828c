// Our open-loop client against autocannon, what a TypeScript user would pick instead: CPU per request at one rate, and
// the highest rate. Both send the same tagged headers, new for every request, to a node:http server in a process of
// its own; each run of a client is a process too. Interleaved rounds, medians, ratios: `npm run bench:traffic`.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { median } from 'simple-statistics';
import { Unreachable } from '../src/errors.ts';
import { run, start } from '../src/process.ts';
import { fromMs, systemClock } from '../src/time.ts';
import { sendTraffic } from '../src/traffic/client.ts';
import { identity, requestHeaders, runHeaders } from '../src/traffic/identity.ts';
import { type TrafficPlan, trafficPlan } from '../src/traffic/plan.ts';
import { tally } from '../src/traffic/summary.ts';

const ROUNDS = 3;
const SECONDS = 3;
const CONNECTIONS = 64;
const SHARED_RATE = 1000;
const LADDER = Array.from({ length: 20 }, (_, step) => Math.round(1000 * 1.2 ** step));
/** Beyond this a queue grows somewhere: the rate is offered, not sustained. */
const SUSTAINED_P99_MS = 250;

/** What one run of a client came to: answers per second, microseconds of CPU per answer, and whether it kept up. */
type Result = { readonly rate: number; readonly cpu: number; readonly sustained: boolean };

const planFor = (url: string, rate: number, seconds: number): TrafficPlan =>
  trafficPlan({
    ...{ runId: 'bench', seed: 1, url, seconds, journeys: { look: [{ request: 'GET /', at: '0ms' }] } },
    load: { rate, arrivals: 'constant', users: 100, timeoutMs: 2000 },
  });

type Sent = { readonly answered: number; readonly sustained: boolean };

const measured = async (seconds: number, work: () => Promise<Sent>): Promise<Result> => {
  const before = process.cpuUsage();
  const { answered, sustained } = await work();
  const { user, system } = process.cpuUsage(before);
  return { rate: answered / seconds, cpu: (user + system) / answered, sustained };
};

/** A client made ready; what it then does is measured. */
type Ready = (url: string, rate: number, seconds: number) => () => Promise<Sent>;

const ours: Ready = (url, rate, seconds) => {
  const plan = planFor(url, rate, seconds);
  return async () => {
    const all = tally(plan);
    const signal = new AbortController().signal;
    const startAt = systemClock.now() + fromMs(500);
    const loop = await sendTraffic(plan, startAt, { record: all.add, signal, connections: CONNECTIONS });
    const { answered, saturated, latencyMs } = all.summary(loop);
    return { answered, sustained: answered === plan.requests.length && !saturated && latencyMs.p99 < SUSTAINED_P99_MS };
  };
};

type Autocannon = (options: object) => Promise<{ '2xx': number }>;
const autocannon = createRequire(import.meta.url)('autocannon') as Autocannon;

/** Rate 0: as fast as it goes. */
const theirs: Ready = (url, rate, seconds) => {
  let n = 0;
  const [request] = planFor(url, 10, 1).requests;
  const tagged = (): Record<string, string> => {
    const list = [...runHeaders('bench'), ...requestHeaders(request!, identity('bench', n++))];
    return Object.fromEntries(Array.from({ length: list.length / 2 }, (_, i) => [list[2 * i]!, list[2 * i + 1]!]));
  };
  const setupRequest = (one: object): object => ({ ...one, headers: tagged() });
  const limit = rate > 0 ? { overallRate: rate } : {};
  return async () => {
    const done = await autocannon({
      url,
      duration: seconds,
      connections: CONNECTIONS,
      requests: [{ setupRequest }],
      ...limit,
    });
    return { answered: done['2xx'], sustained: true };
  };
};

const client = async (which: 'ours' | 'theirs', url: string, rate: number): Promise<void> => {
  const go = which === 'ours' ? ours : theirs;
  await go(url, SHARED_RATE, 1)(); // Warms up the compiler.
  process.stdout.write(JSON.stringify(await measured(SECONDS, go(url, rate, SECONDS))));
};

const serve = (): void => {
  const server = createServer((_request, response) => void response.end('{"status":"ok"}'));
  server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
  process.stdin.resume().once('end', () => process.exit(0));
};

const self = (...args: string[]): [string, ...string[]] => [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  fileURLToPath(import.meta.url),
  ...args,
];

const ask = async (which: 'ours' | 'theirs', url: string, rate: number): Promise<Result> =>
  JSON.parse(await run({ name: which, argv: self(which, url, String(rate)) })) as Result;

/** The last rung of the ladder that is kept up with. */
const highest = async (url: string): Promise<Result> => {
  let best: Result = { rate: 0, cpu: 0, sustained: false };
  for (const rate of LADDER) {
    const result = await ask('ours', url, rate);
    if (!result.sustained) break;
    best = result;
  }
  if (!best.sustained) throw new Unreachable(`this machine is too busy: not even ${LADDER[0]} req/s were kept up with`);
  return best;
};

const report = (what: string, unit: string, mine: readonly number[], other: readonly number[]): void => {
  const [a, b] = [median([...mine]), median([...other])];
  process.stdout.write(
    `${what}: ours ${a.toFixed(0)} ${unit}, autocannon ${b.toFixed(0)} ${unit}, ratio ${(a / b).toFixed(2)}\n`,
  );
};

const compare = async (): Promise<void> => {
  await using server = await start({ name: 'server', argv: self('serve'), stdio: ['pipe', 'pipe', 'inherit'] });
  const port = (await createInterface({ input: server.child.stdout! })[Symbol.asyncIterator]().next()).value as string;
  const url = `http://127.0.0.1:${port}/`;
  const rounds = { mine: [] as Result[], other: [] as Result[], myBest: [] as Result[], otherBest: [] as Result[] };
  for (let round = 0; round < ROUNDS; round++) {
    rounds.mine.push(await ask('ours', url, SHARED_RATE));
    rounds.other.push(await ask('theirs', url, SHARED_RATE));
    rounds.myBest.push(await highest(url));
    rounds.otherBest.push(await ask('theirs', url, 0));
  }
  const cpu = (results: readonly Result[]): number[] => results.map((result) => result.cpu);
  const rate = (results: readonly Result[]): number[] => results.map((result) => result.rate);
  report(`CPU per request at ${SHARED_RATE} req/s`, 'us', cpu(rounds.mine), cpu(rounds.other));
  report('CPU per request at the highest rate', 'us', cpu(rounds.myBest), cpu(rounds.otherBest));
  report('highest rate (ours open loop, theirs closed)', 'req/s', rate(rounds.myBest), rate(rounds.otherBest));
};

const [role, url, rate] = process.argv.slice(2);
if (role === 'serve') serve();
else if (role === 'ours' || role === 'theirs') await client(role, url!, Number(rate));
else await compare();
