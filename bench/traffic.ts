// Sending traffic, against what else would be used for it, in one run: `npm run bench:traffic`, with `-- whole` for a minute at
// 50,000 requests a second and ten million requests in all, with `-- omission` or another part's name for that part. Client and
// server have a core each. Every client gives each request its own ids; only firedrill keeps a ledger. Rates are the best of many short
// rounds, each with everybody in turn; ratios are taken within a round, where other work on the machine slows everybody, and their median
// is told. Tools that are not installed are named.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { oneLine } from '../src/errors.ts';
import { linesOf } from '../src/lines.ts';
import { run, start } from '../src/process.ts';
import { program } from '../src/programs.ts';
import { offsets, systemClock } from '../src/time.ts';
import type { LedgerRecord } from '../src/traffic/ledger.ts';
import { YOUNG } from '../src/traffic/young.ts';
import { certificates } from '../test/helpers/certificates.ts';
import { watchStolen } from '../test/helpers/stolen.ts';
import { type Latency, latencyOf } from './latency.ts';
import type { Result, Task } from './traffic-client.ts';

const WHOLE = process.argv.includes('whole');
const ROUNDS = 9;
/** More than anybody can send: what is answered then is what can be sent. */
const FLAT_OUT = { rate: 200_000, seconds: 0.3 };
const CLOSED_SECONDS = 1;
/** Compiles the code, and is not measured. */
const WARM_UP = { rate: 5000, seconds: 4 };
/** A drill has such a warm-up too, in which code is compiled, connections are opened and the heap grows. */
const WARM_UP_S = 8;
const SCHEDULED = { rate: 20_000, seconds: WARM_UP_S + (WHOLE ? 30 : 10) };
const PAIRS = 5;
const SUSTAINED = { rate: 50_000, seconds: WARM_UP_S + (WHOLE ? 60 : 10) };
const MEMORY = { rate: 40_000, seconds: WHOLE ? 250 : 25 };
/** So few that those who waited are answered next to at once: the arithmetic knows no queue behind the pause. */
const PAUSE = { rate: 200, seconds: 10, after: 4000, long: 2000 };
/**
 * What the idle stack did on the machine for which those rates were asked. A slower one is asked for the same share of what its own idle
 * stack does, which is measured in the same run.
 */
const IDLE_STACK = 55_000;
const [CLIENT_CORE, SERVER_CORE] = ['0', '1'];

const pinned = (core: string, argv: readonly string[]): [string, ...string[]] => ['taskset', '-c', core, ...argv];
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const folder = mkdtempSync(join(tmpdir(), 'firedrill-bench-'));
const LEDGER = join(folder, 'ledger.ndjson');

const withServer = async <T>(args: readonly string[], use: (url: string) => Promise<T>): Promise<T> => {
  const argv = pinned(SERVER_CORE, [...program('./traffic-server', import.meta.url), ...args]);
  await using server = await start({ name: 'server', argv, stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: server.child.stdout! })[Symbol.asyncIterator]();
  return await use(`${args[0] === 'tls' ? 'https://localhost' : 'http://127.0.0.1'}:${(await lines.next()).value}/`);
};

type Load = Omit<Task, 'ledger'>;

type Client = AsyncDisposable & { ask(load: Load, ledger?: string): Promise<Result> };

/** Run as a drill runs it. */
const OURS = ['firedrill', 'as in a drill'];

const clientOf = async (who: string, url: string): Promise<Client> => {
  const flags = OURS.includes(who) ? YOUNG : [];
  const argv = pinned(CLIENT_CORE, [...program('./traffic-client', import.meta.url, flags), who, url]);
  const running = await start({ name: who, argv, stdio: ['pipe', 'pipe', 'pipe'] });
  const lines = createInterface({ input: running.child.stdout! })[Symbol.asyncIterator]();
  return {
    ask: async (load, ledger = '/dev/null') => {
      running.child.stdin!.write(`${JSON.stringify({ ...load, ledger } satisfies Task)}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(running.complaint().trim() || 'it ended');
      return JSON.parse(value) as Result;
    },
    [Symbol.asyncDispose]: () => running.stop(),
  };
};

/** Unique ids in wrk, too: a counter in hex where a hash would be. */
const LUA = `
local n = 0
function request()
  n = n + 1
  wrk.headers["x-request-id"] = string.format("00000000-0000-4000-8000-%012x", n)
  wrk.headers["x-correlation-id"] = string.format("firedrill-bench-%012x", n)
  wrk.headers["traceparent"] = string.format("00-%032x-%016x-03", n, n)
  wrk.headers["x-user-id"] = "firedrill-user-1"
  wrk.headers["x-session-id"] = "session-0123456789abcdef"
  wrk.headers["x-firedrill-run"] = "bench"
  wrk.headers["baggage"] = "firedrill.run_id=bench"
  wrk.headers["user-agent"] = "firedrill/0 (synthetic; run bench)"
  return wrk.format()
end
`;

const wrk = async (url: string): Promise<number> => {
  const script = join(folder, 'ids.lua');
  writeFileSync(script, LUA);
  const argv = pinned(CLIENT_CORE, ['wrk', '-t1', '-c64', `-d${CLOSED_SECONDS}`, '-s', script, url]);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(await run({ name: 'wrk', argv }))?.[1]);
};

const perSecond = ({ answered, seconds }: Result): number => answered / seconds;

/** Somebody who sends for a while when asked to, and tells its requests per second. */
type Peer = AsyncDisposable & { go(): Promise<number> };

const peerOf = async (who: string, url: string, load: Load): Promise<Peer> => {
  const client = await clientOf(who, url);
  await client.ask(load.rate > 0 ? WARM_UP : load);
  return {
    go: async () => perSecond(await client.ask(load)),
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
};

const wrkAt = async (url: string): Promise<Peer> => {
  await wrk(url);
  return { go: () => wrk(url), [Symbol.asyncDispose]: async () => undefined };
};

const CLOSED = { rate: 0, seconds: CLOSED_SECONDS };
const PEERS: Readonly<Record<string, (url: string) => Promise<Peer>>> = {
  firedrill: (url) => peerOf('firedrill', url, FLAT_OUT),
  'idle stack': (url) => peerOf('idle stack', url, FLAT_OUT),
  'pool.request': (url) => peerOf('pool.request', url, FLAT_OUT),
  autocannon: (url) => peerOf('autocannon', url, CLOSED),
  wrk: wrkAt,
};

/** What everybody sent, round by round; who can't be run is named. */
const rounds = async (url: string): Promise<Map<string, number[]>> => {
  await using stack = new AsyncDisposableStack();
  const peers = new Map<string, Peer>();
  for (const [who, begin] of Object.entries(PEERS))
    try {
      peers.set(who, stack.use(await begin(url)));
    } catch (error) {
      say(`  ${who}: left out, it can't be run here: ${oneLine(error)}`);
    }
  const rates = new Map([...peers.keys()].map((who): [string, number[]] => [who, []]));
  // Whoever comes after another finds the machine as that one left it.
  for (let round = 0; round < ROUNDS; round += 1)
    for (const [who, peer] of round % 2 === 0 ? peers : [...peers].reverse()) rates.get(who)!.push(await peer.go());
  return rates;
};

/** Everybody's best, and firedrill against it; gives what everybody sent. */
const compared = async (server: readonly string[]): Promise<Map<string, number[]>> => {
  const all = await withServer(server, rounds);
  const ours = all.get('firedrill')!;
  for (const [who, rates] of all) {
    const ratio = median(rates.map((rate, round) => ours[round]! / rate)).toFixed(2);
    const best = Math.max(...rates)
      .toFixed(0)
      .padStart(7);
    say(`  ${who.padEnd(14)} ${best} requests/s at best   firedrill is ${ratio} of it (median of the rounds)`);
  }
  return all;
};

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

const flatOut = async (): Promise<void> => {
  say(
    `as fast as they go, one core, ids for every request (${ROUNDS} rounds; wrk and autocannon wait for answers, the others send openly)`,
  );
  const all = await compared(['plain']);
  const idle = all.get('idle stack');
  share = idle ? Math.min(1, median(idle) / IDLE_STACK) : 1;
  if (share < 1)
    say(`  this machine's idle stack does ${share.toFixed(2)} of ${IDLE_STACK}: so much of what follows is asked for`);
};

/** Clients trust the authority by way of their environment, as Node has it; wrk trusts everybody. */
const behindTls = async (): Promise<void> => {
  say('as fast as they go, the same behind TLS');
  await using made = await certificates('localhost');
  process.env.NODE_EXTRA_CA_CERTS = made.ca;
  await compared(['tls', made.server.key, made.server.cert]);
  delete process.env.NODE_EXTRA_CA_CERTS;
};

let share = 1;
const scaled = (load: Load): Load => ({ ...load, rate: Math.floor(load.rate * share) });

/** From when a request was due to when it was sent, as the ledger itself has it. */
const lateness = async (ledger: string): Promise<Latency> => {
  const late: number[] = [];
  let start: number | null = null;
  const offset = offsets(systemClock.now());
  for await (const lines of linesOf(ledger))
    for (const line of lines) {
      const { intended, sent } = JSON.parse(line) as Partial<LedgerRecord>;
      if (!intended || !sent) continue;
      const due = offset(intended);
      start ??= due;
      if (due - start >= WARM_UP_S * 1e9) late.push((offset(sent) - due) / 1e6);
    }
  return latencyOf(late);
};

const told = ({ p50, p99, max }: Latency): string =>
  `p50 ${p50.toFixed(3)} ms, p99 ${p99.toFixed(3)} ms, max ${max.toFixed(1)} ms`;

/** With as many connections as it takes, where a server stalls. Beside it a loop that sends nothing: what that is late is the machine's. */
const onTime = async (): Promise<void> => {
  const load = scaled(SCHEDULED);
  say(
    `on time: the schedule's error at ${load.rate} requests/s for ${load.seconds} s, the first ${WARM_UP_S} left out, with a ledger on disk`,
  );
  await withServer(['plain'], async (url) => {
    await using client = await clientOf('as in a drill', url);
    await using bare = await clientOf('bare loop', url);
    await client.ask(WARM_UP);
    const ask = async (peer: Client): Promise<{ readonly latency: Latency; readonly kept: string }> => {
      const stolen = watchStolen();
      const { latency } = await peer.ask(load, LEDGER);
      const cores = stolen().slice(1);
      const shares = cores.map((share) => `${(100 * share).toFixed(1)} %`);
      return { latency, kept: `the host kept ${shares.join(', ')} of the cores` };
    };
    for (let pair = 0; pair < PAIRS; pair += 1) {
      const { kept } = await ask(client);
      say(`  firedrill  ${told(await lateness(LEDGER))}; ${kept}`);
      const loop = await ask(bare);
      say(`  bare loop  ${told(loop.latency)}; ${loop.kept}`);
    }
  });
  rmSync(LEDGER);
};

const at = async (load: Load, what: string): Promise<void> => {
  say(`${what}: ${load.rate} requests/s for ${load.seconds} s, with a ledger on disk`);
  await withServer(['plain'], async (url) => {
    await using client = await clientOf('firedrill', url);
    await client.ask(WARM_UP);
    const it = await client.ask(load, LEDGER);
    say(
      `  ${it.answered} of ${load.rate * load.seconds} answered, ${perSecond(it).toFixed(0)} a second, ${it.cpu.toFixed(1)} us of CPU each`,
    );
    say(`  schedule error, after ${WARM_UP_S} s of warm-up: ${told(await lateness(LEDGER))}`);
    say(`  memory ${it.rss.map((mb) => mb.toFixed(0)).join(', ')} MB at a quarter, at half and at the end`);
  });
  rmSync(LEDGER);
};

/**
 * Of evenly spaced requests over T, those that are due while nobody is answered for P wait for what is left of it: the share P/T has
 * latencies evenly from 0 to P, all others next to none. So the latency that a share q does not exceed is P - (1 - q) T.
 */
const arithmetic = (q: number): number => Math.max(0, PAUSE.long - (1 - q) * PAUSE.seconds * 1000);

/** autocannon, told a rate, counts in what it has not sent by arithmetic; without one it tells what it has measured. */
const WITNESSES: readonly (readonly [string, string, Load])[] = [
  ['firedrill', 'as in a drill', PAUSE],
  ['autocannon', 'autocannon', { ...PAUSE, rate: 0 }],
  ['autocannon -R', 'autocannon', PAUSE],
];

const omission = async (): Promise<void> => {
  say(
    `coordinated omission: a server that answers nobody for ${PAUSE.long} ms of ${PAUSE.seconds} s, ${PAUSE.rate} requests/s (latency in ms)`,
  );
  say(
    `  ${'arithmetic'.padEnd(14)} p90 ${arithmetic(0.9).toFixed(0).padStart(5)}         p99 ${arithmetic(0.99).toFixed(0).padStart(5)}`,
  );
  for (const [name, who, load] of WITNESSES) {
    const args = ['pausing', String(PAUSE.after), String(PAUSE.long)];
    const { latency } = await withServer(args, async (url) => {
      await using client = await clientOf(who, url);
      return await client.ask(load);
    });
    const against = (value: number, q: number): string =>
      `${value.toFixed(0).padStart(5)} (${(value / arithmetic(q)).toFixed(2)})`;
    say(`  ${name.padEnd(14)} p90 ${against(latency.p90, 0.9)}  p99 ${against(latency.p99, 0.99)}`);
  }
};

/** As many requests, in the time that they take. */
const asMany = (load: Load): Load => ({ ...scaled(load), seconds: Math.ceil(load.seconds / share) });

const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  'flat-out': flatOut,
  tls: behindTls,
  'on-time': onTime,
  sustained: () => at(scaled(SUSTAINED), 'sustained'),
  memory: () => at(asMany(MEMORY), 'memory'),
  omission,
};

try {
  const chosen = process.argv.slice(2).filter((word) => word !== 'whole');
  for (const [name, part] of Object.entries(PARTS)) if (chosen.length === 0 || chosen.includes(name)) await part();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
