// One pod, put together: server, calls, ticks and telemetry, from its start to its orderly end.
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { EndpointProfile } from '../../../platform.ts';
import { during } from '../../../poll.ts';
import { after, milliseconds, systemClock, toMs } from '../../../time.ts';
import { random } from '../../../traffic/random.ts';
import { behave, type Outcome } from './behaviour.ts';
import { type Asking, caller, round } from './calls.ts';
import { carried } from './carried.ts';
import { type PodConfig, playedBy } from './config.ts';
import { watchEndpoints } from './discovery.ts';
import { logger } from './log.ts';
import { startMetrics } from './metrics.ts';
import { podServer } from './server.ts';
import { endSpan, startTracing } from './tracing.ts';
import { openTransport } from './transport.ts';

export type RunningPod = {
  readonly port: number;
  /** Takes no more requests, finishes those it has (at most a second), sends what telemetry is left. */
  stop(): Promise<void>;
};

type Play = (it: EndpointProfile, asking: Asking) => Promise<Outcome>;

const DRAIN_MS = 1000;
const FOREVER_MS = 365 * 24 * 3_600_000;

/** Starts a pod; resolves once it listens. `write` takes its log lines, each with its line break. */
export const startPod = async (
  config: PodConfig,
  write: (line: string) => void = (line) => process.stdout.write(line),
): Promise<RunningPod> => {
  const { platform, service, pod } = config;
  const ending = new AbortController();
  const draw = random(config.seed, 0);
  const log = logger(platform.telemetry.logs, service, write);
  const tracing = startTracing(config);
  const metrics = startMetrics(platform.telemetry.metrics);
  const transport = openTransport();
  const endpoints = watchEndpoints(config.discovery, ending.signal, transport.leave);
  const calls = caller({ platform, endpoints, transport, tracing, metrics, log });
  const play: Play = (it, asking) => behave(it, asking, calls, draw);
  const ready = (): boolean => endpoints.known() && !ending.signal.aborted;
  const own = playedBy(config).endpoints;
  const server = podServer({
    service,
    pod,
    endpoints: own,
    behave: play,
    ready,
    ending: ending.signal,
    tracing,
    metrics,
    log,
  });
  server.listen(config.port, config.ip);
  await once(server, 'listening');
  log('INFO', 'listening', null, { address: `${config.ip}:${config.port}` });
  startTicks(config, play, { tracing, log, signal: ending.signal, phase: draw });
  return {
    port: (server.address() as { port: number }).port,
    stop: async () => {
      log('INFO', 'stopping', null, {});
      ending.abort();
      await drained(server);
      transport.close();
      await tracing.flush();
    },
  };
};

const drained = async (server: Server): Promise<void> => {
  const cancel = after(DRAIN_MS, () => server.closeAllConnections());
  await new Promise((resolve) => server.close(resolve));
  cancel();
};

type Ticking = {
  readonly tracing: ReturnType<typeof startTracing>;
  readonly log: ReturnType<typeof logger>;
  readonly signal: AbortSignal;
  readonly phase: () => number;
};

/** Each tick begins at a random point of its first period, so that pods do not tick in step. */
const startTicks = (config: PodConfig, play: Play, { tracing, log, signal, phase }: Ticking): void => {
  const { ticks, endpoints } = playedBy(config);
  for (const { every, request } of ticks) {
    const it = endpoints[request];
    if (!it) continue;
    const everyMs = milliseconds(every);
    const tick = async (): Promise<void> => {
      const by = carried({});
      const span = tracing.ticking(request, by);
      const started = systemClock.now();
      const { status, error } = await play(it, { by, params: {}, within: span });
      endSpan(span, null, error, String(status));
      const context = {
        tick: request,
        duration_ms: round(toMs(systemClock.now() - started)),
        error: error ?? undefined,
      };
      log(error === null ? 'INFO' : 'ERROR', error === null ? 'tick done' : 'tick failed', by, context);
    };
    const begin = after(phase() * everyMs, () => void during(tick, { forMs: FOREVER_MS, everyMs, signal }));
    signal.addEventListener('abort', begin, { once: true });
  }
};
