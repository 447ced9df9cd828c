// One pod, put together: server, calls, ticks and telemetry, from its start to its orderly end.
import { once } from 'node:events';
import type { Server } from 'node:http';
import { type AddressInfo, isIPv6 } from 'node:net';
import type { EndpointProfile } from '../../../platform.ts';
import { after } from '../../../time.ts';
import { random } from '../../../traffic/random.ts';
import { behave } from './behaviour.ts';
import { type Asking, caller } from './calls.ts';
import { type PodConfig, playedBy } from './config.ts';
import { type Endpoints, servicesOf, watchEndpoints } from './discovery.ts';
import { logger } from './log.ts';
import { startMetrics } from './metrics.ts';
import { podServer } from './server.ts';
import { startTicks } from './ticks.ts';
import { startTracing } from './tracing.ts';
import { openTransport, type Transport } from './transport.ts';

export type RunningPod = {
  readonly port: number;
  /** Takes no more requests, finishes those it has (at most a second), sends what telemetry is left. */
  stop(): Promise<void>;
};

const DRAIN_MS = 1000;
/**
 * Behind a Service's address a connection is to one pod for as long as it lives, and kept ones would live as long as there
 * is traffic. At a low rate there is one connection: every pod is to have its share in a window of 15 s.
 */
const SERVICE_CONNECTION_MS = 1000;

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
  const { transport, endpoints } = reach(config, ending.signal);
  const calls = caller({ platform, endpoints, transport, tracing, metrics, log });
  const play = (it: EndpointProfile, asking: Asking) => behave(it, asking, calls, draw);
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
  server.listen(config.port, config.ip ?? undefined);
  await once(server, 'listening');
  const bound = server.address() as AddressInfo;
  log('INFO', 'listening', null, { address: written(bound) });
  startTicks(config, { behave: play, tracing, log, draw, signal: ending.signal });
  return {
    port: bound.port,
    stop: async () => {
      log('INFO', 'stopping', null, {});
      ending.abort();
      await drained(server);
      transport.close();
      await tracing.flush();
    },
  };
};

/** How others are found and reached: pods by the lab's discovery, or Services by their names. */
const reach = (
  { discovery, platform, service }: PodConfig,
  ending: AbortSignal,
): { readonly transport: Transport; readonly endpoints: Endpoints } => {
  if (discovery === null)
    return { transport: openTransport(SERVICE_CONNECTION_MS), endpoints: servicesOf(platform, service) };
  const transport = openTransport();
  return { transport, endpoints: watchEndpoints(discovery, ending, transport.leave) };
};

/** https://www.rfc-editor.org/rfc/rfc3986#section-3.2.2 */
const written = ({ address, port }: AddressInfo): string =>
  isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;

const drained = async (server: Server): Promise<void> => {
  const cancel = after(DRAIN_MS, () => server.closeAllConnections());
  await new Promise((resolve) => server.close(resolve));
  cancel();
};
