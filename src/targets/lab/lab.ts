// The lab as a target: its outer half. It starts the namespace, carries its endpoints to this machine's loopback and turns
// the target's contract into calls to the inner half.
import { mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Unreachable } from '../../errors.ts';
import type { Nanos } from '../../model.ts';
import type { Address } from '../../naming.ts';
import { type Platform, topology } from '../../platform.ts';
import { type Running, start } from '../../process.ts';
import { program } from '../../programs.ts';
import { type Queue, queue } from '../../queue.ts';
import { milliseconds } from '../../time.ts';
import { cacheFolder } from '../../tools/cache.ts';
import type { LedgerRecord } from '../../traffic/ledger.ts';
import { packed, type TrafficPlan } from '../../traffic/plan.ts';
import { leadMsFor } from '../../traffic/threads.ts';
import type { Endpoints, Facts, Pod, Target, Timing } from '../target.ts';
import { type InsideEndpoints, type LabTools, type Receivers, TIMING } from './config.ts';
import { entrance, portOf } from './forward.ts';
import { accessesOf, startGateway } from './gateway.ts';
import type { Inside } from './inside.ts';
import { type LogLine, type LokiPush, lokiPush, PUSH_EVERY_MS } from './loki-push.ts';
import { ENTRY_IP } from './network.ts';
import { caller, type Remote } from './rpc.ts';

export type LabOptions = {
  readonly platform: Platform;
  readonly seed: number;
  readonly tools: LabTools;
  /** Ports on the host's loopback, 0 for any. */
  readonly ports: Ports;
  readonly receivers: Receivers;
  /** Takes a line on what real backends did not take. */
  readonly say: (line: string) => void;
};

export type Ports = { readonly [K in keyof InsideEndpoints]: number };
export const ANY_PORTS: Ports = { jaeger: 0, prometheus: 0, alertmanager: 0, webhook: 0, loki: 0, hubble: 0, entry: 0 };
export const STANDARD_PORTS: Ports = {
  jaeger: 16686,
  prometheus: 9090,
  alertmanager: 9093,
  webhook: 9094,
  loki: 3100,
  hubble: 4245,
  entry: 8080,
};

export type Lab = Target & {
  readonly webhook: string;
  /** Resolves when the signal aborts; rejects as Unreachable when the lab ends by itself before. */
  ended(signal: AbortSignal): Promise<void>;
};

/** One user, network, mount and process namespace; the invoking user is nobody special in it, but owns it. */
export const UNSHARE = [
  'unshare',
  '--user',
  '--map-user=1000',
  '--map-group=1000',
  '--net',
  '--mount',
  '--keep-caps',
  '--pid',
  '--fork',
  '--kill-child',
  '--mount-proc',
] as const;

export const startLab = async (options: LabOptions): Promise<Lab> => {
  const { platform, seed, tools, receivers, say } = options;
  const sockets = await mkdtemp(join(tmpdir(), `firedrill-${globalThis.process.pid}-`));
  const accesses = accessesOf(platform.backends, receivers);
  const gateway = await startGateway(`${sockets}/out.sock`, receivers, say, accesses);
  const logs = receivers.loki ? lokiPush(receivers.loki, say, accesses.loki) : null;
  const process = await start({
    name: 'lab',
    argv: [...UNSHARE, ...program('./inside', import.meta.url)],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const runs = new Map<number, Queue<string>>();
  const inside = caller<Inside>(process.child, (event, data) => onEvent(runs, logs, event, data), process.complaint);
  const servers: Server[] = [];
  const dispose = async (): Promise<void> => {
    for (const server of servers) server.close();
    if (process.child.connected) process.child.disconnect();
    await process.stop('SIGTERM', 1000);
    await logs?.[Symbol.asyncDispose]();
    await gateway[Symbol.asyncDispose]();
    await rm(sockets, { recursive: true, force: true });
  };
  try {
    const there = await inside.up({
      platform,
      seed,
      tools,
      sockets,
      receivers,
      compileCache: join(cacheFolder(globalThis.process.env), 'compiled'),
      timing: TIMING,
    });
    const at = await publish(there, options.ports, `${sockets}/in.sock`, servers);
    return lab(platform, receivers, at, inside, runs, process, dispose);
  } catch (error) {
    await dispose();
    throw error;
  }
};

/** Carries every endpoint to loopback; the result is `127.0.0.1:port` for each. */
const publish = async (
  there: InsideEndpoints,
  ports: Ports,
  socket: string,
  servers: Server[],
): Promise<InsideEndpoints> => {
  const at: Record<string, string> = {};
  for (const [name, to] of Object.entries(there)) {
    const server = await entrance('127.0.0.1', ports[name as keyof Ports], socket, to);
    servers.push(server);
    at[name] = `127.0.0.1:${portOf(server)}`;
  }
  return at as InsideEndpoints;
};

/** The delays of a lab that plays this platform. The standard rules wait for two scrapes, the profile's own may for longer. */
export const labTiming = ({ alerts }: Platform): Timing => ({
  scrape: TIMING.scrape,
  evaluation: TIMING.evaluation,
  pending: Math.max(2 * TIMING.scrape, ...alerts.map((alert) => milliseconds(alert.for))),
  groupWait: TIMING.groupWait,
  spanExport: TIMING.spanExport,
  logShipping: 100,
  flowExport: 100,
});

const lab = (
  platform: Platform,
  receivers: Receivers,
  at: InsideEndpoints,
  inside: Remote<Inside>,
  runs: Map<number, Queue<string>>,
  process: Running,
  dispose: () => Promise<void>,
): Lab => {
  const addresses = new Map<string, Address>();
  const pods = async (): Promise<readonly Pod[]> => {
    for (const one of await inside.addresses()) addresses.set(one.ip, one);
    return inside.pods();
  };
  const endpoints: Endpoints = {
    jaeger: `http://${at.jaeger}`,
    prometheus: `http://${at.prometheus}`,
    alertmanager: `http://${at.alertmanager}`,
    loki: `http://${at.loki}`,
    hubble: at.hubble,
    entry: `http://${at.entry}`,
  };
  const timing = labTiming(platform);
  const facts = async (): Promise<Facts> => ({
    target: 'lab',
    platform: platform.name,
    topology: topology(platform),
    pods: await pods(),
    lacks: [],
    timing: { ...timing, logShipping: timing.logShipping + (receivers.loki ? PUSH_EVERY_MS : 0) },
  });
  const undoable = (id: string) => ({ id, undo: async () => inside.undo(id) });
  return {
    endpoints,
    webhook: `http://${at.webhook}`,
    facts,
    pods,
    addresses: () => addresses,
    signal: async (uid, signal) => inside.signal(uid, signal),
    mayKill: async () => undefined,
    delay: async (act) => undoable(await inside.delay(act)),
    block: async (act) => undoable(await inside.block(act)),
    probe: async (from, to, tag) => inside.probe(from, to, tag),
    clientUrl: `http://${ENTRY_IP}:${platform.components[platform.entry]!.port}`,
    traffic: async (plan) => ({
      leadMs: leadMsFor(plan),
      run: (startAt, signal) => traffic(inside, runs, plan, startAt, signal),
      [Symbol.asyncDispose]: async () => undefined,
    }),
    capture: async (file) => {
      const id = await inside.capture(file);
      return { file, stop: async () => inside.stopCapture(id) };
    },
    ended: (signal) =>
      new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
        void process.ended.then((how) =>
          reject(new Unreachable(`the lab ended with ${how}: ${process.complaint() || 'no message'}`)),
        );
      }),
    [Symbol.asyncDispose]: dispose,
  };
};

async function* traffic(
  inside: Remote<Inside>,
  runs: Map<number, Queue<string>>,
  plan: TrafficPlan,
  startAt: Nanos,
  signal: AbortSignal,
): AsyncGenerator<LedgerRecord> {
  const id = runs.size;
  const lines = queue<string>();
  runs.set(id, lines);
  await inside.traffic(id, packed(plan), String(startAt));
  const stop = (): void => void inside.stopTraffic(id).catch(() => undefined);
  if (signal.aborted) stop();
  else signal.addEventListener('abort', stop, { once: true });
  for await (const line of lines) {
    const record = JSON.parse(line) as LedgerRecord | { done: unknown };
    if (!('done' in record)) yield record;
  }
}

const onEvent = (runs: Map<number, Queue<string>>, logs: LokiPush | null, event: string, data: unknown): void => {
  if (event === 'line') logs?.push(data as LogLine);
  if (event === 'traffic') {
    const { id, lines } = data as { id: number; lines: string[] };
    for (const line of lines) runs.get(id)?.push(line);
  }
  if (event === 'traffic-end') {
    const { id, how, complaint } = data as { id: number; how: number | string; complaint: string };
    runs
      .get(id)
      ?.end(
        how === 0 || how === 'SIGTERM'
          ? null
          : new Unreachable(`the traffic client ended with ${how}: ${complaint || 'no message'}`),
      );
  }
};
