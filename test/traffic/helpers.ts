// Small plans, records and servers for the tests of traffic.
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import type { Window } from '../../src/model.ts';
import { fromMs, iso, systemClock } from '../../src/time.ts';
import { type SendOptions, sendTraffic } from '../../src/traffic/client.ts';
import type { LedgerRecord } from '../../src/traffic/ledger.ts';
import { type PlannedRequest, plannedOf, type TrafficPlan } from '../../src/traffic/plan.ts';
import { type ClientSummary, type LoopDelay, tally } from '../../src/traffic/summary.ts';

/** A plan with a list of its requests, to look into. */
export type Listed = TrafficPlan & { readonly requests: readonly PlannedRequest[] };

export const listed = (plan: TrafficPlan): Listed => ({ ...plan, requests: [...plan.requests] });

/** The summary of all the plan's records; `loop` is null where nobody told of it. */
export const summarise = (
  records: Iterable<LedgerRecord>,
  plan: TrafficPlan,
  loop: LoopDelay | null = null,
): ClientSummary => {
  const all = tally();
  for (const record of records) all.add(record);
  return all.summary(plannedOf(plan), loop);
};

/** A plan of one GET at each of the times. */
export const planAt = (url: string, times: readonly number[], timeoutMs: number): Listed => ({
  runId: 'run-1',
  seed: 1,
  url,
  timeoutMs,
  requests: times.map((atMs, n) => ({
    ...{ n, atMs, journey: 'look', request: 'GET /orders', method: 'GET', path: '/orders', body: null },
    ...{ user: 'firedrill-user-1', session: `session-${n}` },
  })),
});

export const every = (ms: number, count: number): number[] => Array.from({ length: count }, (_, n) => n * ms);

/** Sends a plan shortly from now; the records ordered by `n`. */
export const sent = async (plan: TrafficPlan, options: Partial<SendOptions> = {}): Promise<LedgerRecord[]> => {
  const records: LedgerRecord[] = [];
  const signal = options.signal ?? new AbortController().signal;
  await sendTraffic(plan, systemClock.now() + fromMs(30), { ...options, signal, record: (one) => records.push(one) });
  return records.sort((a, b) => a.n - b.n);
};

export type Serving = AsyncDisposable & { readonly url: string };

const serving = async (server: Server, close: () => void): Promise<Serving> => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        close();
      }),
  };
};

export const serve = (listener: RequestListener): Promise<Serving> => {
  const server = createServer(listener);
  return serving(server, () => server.closeAllConnections());
};

export const serveTcp = (listener: (socket: Socket) => void): Promise<Serving> => {
  const open = new Set<Socket>();
  const server = createTcpServer((socket) => {
    open.add(socket);
    listener(socket.on('error', () => {}).on('close', () => open.delete(socket)));
  });
  return serving(server, () => {
    for (const socket of open) socket.destroy();
  });
};

const EPOCH = 1_800_000_000_000_000_000n;

/** A window of hand-made records, in seconds. */
export const windowOf = (from: number, until: number): Window => ({
  from: EPOCH + fromMs(from * 1000),
  until: EPOCH + fromMs(until * 1000),
});

type Made = { readonly atMs: number; readonly status?: number | null; readonly error?: string | null };

/** A record by hand: due at `atMs`, begun `lateMs` later, over `tookMs` after that. */
export const record = (
  n: number,
  made: Made & Partial<LedgerRecord> & { lateMs?: number; tookMs?: number },
): LedgerRecord => {
  const { atMs, lateMs = 0, tookMs = 10, ...rest } = made;
  const due = EPOCH + fromMs(atMs);
  return {
    ...{ n, journey: 'buy', request: 'POST /orders', requestId: `r${n}`, correlationId: `c${n}`, traceId: `t${n}` },
    ...{ spanId: `s${n}`, user: 'firedrill-user-1', session: 'session-1' },
    intended: iso(due),
    sent: iso(due + fromMs(lateMs)),
    ended: iso(due + fromMs(lateMs + tookMs)),
    status: 200,
    error: null,
    latencyMs: lateMs + tookMs,
    serviceMs: tookMs,
    local: { ip: '127.0.0.1', port: 40000 + n },
    remote: { ip: '127.0.0.1', port: 8080 },
    ...rest,
  };
};

export const unsent = {
  sent: null,
  ended: null,
  status: null,
  error: 'not sent',
  latencyMs: null,
  serviceMs: null,
} as const;
