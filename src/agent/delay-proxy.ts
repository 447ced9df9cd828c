// A transparent delay in front of one port: `node delay-proxy.ts '<json>'`. The kernel redirects the port's connections
// here; each request's head waits for its delay, everything else passes. It ends by itself, so that a delay that nobody
// comes back to lift does not last.
import { connect, createServer, type Server } from 'node:net';
import { oneLine, Usage } from '../errors.ts';
import { after, type Clock, fromMs, systemClock } from '../time.ts';
import { random } from '../traffic/random.ts';
import { type Counts, type Relay, relay } from './relay.ts';

export type DelayOrder = {
  readonly listen: { readonly host: string; readonly port: number };
  readonly to: { readonly host: string; readonly port: number };
  /** Each request waits for addMs, give or take up to jitterMs, drawn evenly. */
  readonly addMs: number;
  readonly jitterMs: number;
  /** Only requests with `x-firedrill-run: <tag>` or `x-correlation-id: firedrill-<tag>-…`; null: all. */
  readonly tag: string | null;
  readonly seed: number;
  /** The proxy's own deadline. */
  readonly forMs: number;
};

export type DelayProxy = {
  readonly port: number;
  readonly counts: Readonly<Counts>;
  /**
   * Lets what is held back go, finishes requests that are on their way (at most a second), then cuts what is left.
   * Resolves when every connection is closed.
   */
  stop(): Promise<void>;
};

const FINISH_MS = 1000;

/** Starts the proxy; resolves once it listens. */
export const startDelayProxy = async (order: DelayOrder, clock: Clock = systemClock): Promise<DelayProxy> => {
  const counts: Counts = { relayed: 0, delayed: 0 };
  const hurry = new AbortController();
  const draw = random(order.seed, 0);
  const delayMs = (): number => Math.max(0, order.addMs + (2 * draw() - 1) * order.jitterMs);
  const surroundings = { rule: { delayMs, tag: order.tag }, counts, clock, hurry: hurry.signal };
  const relays = new Set<Relay>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const upstream = connect({ ...order.to, allowHalfOpen: true, noDelay: true });
    const one = relay(client, upstream, surroundings);
    relays.add(one);
    client.once('close', () => relays.delete(one));
  });
  const port = await listening(server, order.listen);
  return {
    port,
    counts,
    stop: async () => {
      hurry.abort();
      for (const one of relays) one.leave();
      const cancel = after(FINISH_MS, () => {
        for (const one of relays) one.cut();
      });
      await new Promise((resolve) => server.close(resolve));
      cancel();
    },
  };
};

const listening = (server: Server, { host, port }: DelayOrder['listen']): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve((server.address() as { port: number }).port));
  });

/** Reads an order from JSON; throws Usage, on one line, when something is missing or wrong. */
export const parseOrder = (text: string | undefined): DelayOrder => {
  const order = parsed(text);
  const numbers = [order.addMs, order.jitterMs, order.seed, order.forMs, order.listen?.port, order.to?.port];
  const hosts = [order.listen?.host, order.to?.host];
  if (!numbers.every((one) => Number.isFinite(one) && one! >= 0) || !hosts.every((one) => typeof one === 'string'))
    throw new Usage(
      'the order needs listen and to, each with host and port, and addMs, jitterMs, seed, forMs, all 0 or more',
    );
  return { ...order, tag: order.tag ?? null } as DelayOrder;
};

const parsed = (text: string | undefined): Partial<DelayOrder> => {
  try {
    return Object(JSON.parse(text ?? '')) as Partial<DelayOrder>;
  } catch (error) {
    throw new Usage(`usage: node delay-proxy.ts '<json>': ${oneLine(error)}`);
  }
};

const main = async (): Promise<void> => {
  const order = parseOrder(process.argv[2]);
  const proxy = await startDelayProxy(order);
  const told = new AbortController();
  const say = (what: unknown): void => void process.stdout.write(`${JSON.stringify(what)}\n`);
  process.once('SIGTERM', () => told.abort()).once('SIGINT', () => told.abort());
  say({ listening: proxy.port });
  await systemClock.sleepUntil(systemClock.now() + fromMs(order.forMs), told.signal).catch(() => {});
  await proxy.stop();
  say(proxy.counts);
};

if (import.meta.main)
  main().catch((error: unknown) => {
    process.stderr.write(`delay-proxy: ${oneLine(error)}\n`);
    process.exitCode = 64;
  });
