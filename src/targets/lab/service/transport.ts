// HTTP/1.1 to other pods over kept connections. node:http and not undici: the server has it loaded anyhow, which saves
// each of the lab's pods 8 MB and 70 ms of start, and its `reusedSocket` is what tells a stale connection from a cut one.
import { Agent, type ClientRequest, request } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Nanos } from '../../../model.ts';
import { systemClock, toMs } from '../../../time.ts';
import { key, type Place } from './discovery.ts';

export type Outgoing = {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
};

export type Transport = {
  /**
   * Sends one request and resolves with the answer's status once its body is complete. `resent` says that a kept
   * connection turned out to be dead and the request went out again on a new one. Rejects when no answer comes.
   */
  send(to: Place, what: Outgoing, signal: AbortSignal): Promise<{ readonly status: number; readonly resent: boolean }>;
  /** Closes the idle connections to an address that is gone; the others when their answer is there. */
  leave(place: Place): void;
  close(): void;
};

const CONNECTIONS = 64;
const IDLE_CONNECTIONS = 8;
/** Shorter than the server's keep-alive (5 s), so that it is the client who closes. */
const IDLE_MS = 4000;

/** `maxAgeMs`: a connection that is older than that is closed after its answer, instead of being kept. */
export const openTransport = (maxAgeMs = Number.POSITIVE_INFINITY): Transport => {
  const agents = new Map<string, Agent>();
  const agent = (place: Place): Agent => {
    const found = agents.get(key(place)) ?? newAgent(maxAgeMs);
    agents.set(key(place), found);
    return found;
  };
  return {
    send: async (to, what, signal) => {
      try {
        return { status: await exchange(to, what, agent(to), signal), resent: false };
      } catch (error) {
        if (!(error instanceof Stale)) throw error;
        return { status: await exchange(to, what, false, signal), resent: true };
      }
    },
    leave: (place) => {
      const leaving = agents.get(key(place));
      agents.delete(key(place));
      if (leaving) retire(leaving);
    },
    close: () => {
      for (const one of agents.values()) one.destroy();
    },
  };
};

const newAgent = (maxAgeMs: number): Agent => {
  const options = { keepAlive: true, maxSockets: CONNECTIONS, maxFreeSockets: IDLE_CONNECTIONS, timeout: IDLE_MS };
  const agent = new Agent(options);
  if (maxAgeMs !== Number.POSITIVE_INFINITY) limitAge(agent, maxAgeMs);
  return agent;
};

/** Node asks the agent, after each answer, whether the connection is to be kept (`keepSocketAlive`). */
const limitAge = (agent: Agent, maxAgeMs: number): void => {
  const since = new WeakMap<Duplex, Nanos>();
  const keep = agent.keepSocketAlive.bind(agent);
  agent.keepSocketAlive = (socket) => {
    const first = since.get(socket) ?? systemClock.now();
    since.set(socket, first);
    return toMs(systemClock.now() - first) < maxAgeMs && keep(socket);
  };
};

const retire = (agent: Agent): void => {
  agent.maxFreeSockets = 0;
  for (const socket of Object.values(agent.freeSockets).flat()) socket?.destroy();
};

/** A kept connection that had been reset before the request could reach anyone. */
class Stale extends Error {}

const exchange = (
  { host, port }: Place,
  { method, path, headers, body }: Outgoing,
  agent: Agent | false,
  signal: AbortSignal,
): Promise<number> =>
  new Promise((resolve, reject) => {
    const asking = request({ host, port, method, path, headers, agent, signal }, (response) => {
      response.once('error', reject).once('end', () => resolve(response.statusCode!));
      response.resume();
    });
    asking.once('error', (error) => reject(isStale(asking, error) ? new Stale() : error));
    asking.end(body);
  });

/**
 * A reset, as opposed to an orderly end, on a connection that had already served a request: the peer never took this
 * one. A peer that dies while it works on a request ends the connection in order, and that is the call's failure.
 */
const isStale = (asking: ClientRequest, { code, syscall }: NodeJS.ErrnoException): boolean =>
  asking.reusedSocket && syscall !== 'connect' && syscall !== undefined && (code === 'ECONNRESET' || code === 'EPIPE');
