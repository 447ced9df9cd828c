// A WebSocket to a pod's exec or port-forward, by way of the API server: opened within its time, pinged, told to the audit.
import type { IncomingMessage } from 'node:http';
import { WebSocket } from 'ws';
import { oneLine, Unreachable } from '../../errors.ts';
import { during } from '../../poll.ts';
import { systemClock } from '../../time.ts';
import { type Asked, refusal } from './asked.ts';
import { unanswered } from './unanswered.ts';
import type { Patience, Wire } from './wire.ts';

export type Channel = {
  /** Paused until its listeners are there: what came with the opening must not be lost. */
  readonly socket: WebSocket;
  /** Why it ended, as far as is known. */
  readonly lost: () => string;
};

export type Into = {
  readonly verb: 'exec' | 'portforward';
  readonly namespace: string;
  readonly pod: string;
  readonly query: URLSearchParams;
  /** Subprotocols, the best first. */
  readonly protocols: readonly string[];
};

/**
 * Opens the channel. Rejects with Refused when the server answers with anything but the upgrade, with Unreachable when it
 * does not answer within its time, with the signal's reason when that aborts. A channel on which nothing is heard, pings
 * notwithstanding, is cut, unless it is paused.
 */
export const openChannel = async (wire: Wire, into: Into, signal?: AbortSignal): Promise<Channel> => {
  const { verb, namespace, pod } = into;
  const what: Asked = { verb, group: '', resource: `pods/${verb}`, namespace, name: pod, dryRun: false };
  const touched = (status: number | null): void =>
    wire.audit({ at: systemClock.now(), verb, resource: what.resource, namespace, name: pod, status });
  const signals = AbortSignal.any([wire.closed, ...(signal ? [signal] : [])]);
  const socket = await dial(wire, into, signals);
  let lost: string | null = null;
  socket.on('error', (error) => {
    lost ??= oneLine(error);
  });
  const cut = (): void => socket.terminate();
  signals.addEventListener('abort', cut, { once: true });
  socket.once('close', () => signals.removeEventListener('abort', cut));
  try {
    await opened(socket, what, wire);
  } catch (error) {
    touched(statusOf(error));
    socket.terminate();
    signals.throwIfAborted();
    throw unanswered(wire.server, error);
  }
  touched(101);
  void beat(socket, wire.patience, () => {
    lost ??= 'nothing was heard on it, pings notwithstanding';
  });
  return { socket, lost: () => lost ?? 'it was closed' };
};

const statusOf = (error: unknown): number | null => (error as { status?: number }).status ?? null;

const dial = async (wire: Wire, { namespace, pod, verb, query, protocols }: Into, signal: AbortSignal) => {
  const { headers, tls, proxy } = await wire.credentials();
  signal.throwIfAborted();
  const url = `${wire.server.replace(/^http/, 'ws')}/api/v1/namespaces/${namespace}/pods/${pod}/${verb}?${query}`;
  return new WebSocket(url, [...protocols], {
    ...tls,
    headers: { 'user-agent': 'firedrill', ...headers },
    ...(proxy ? { agent: proxy } : {}),
    handshakeTimeout: wire.patience.openMs,
    perMessageDeflate: false,
  });
};

const opened = (socket: WebSocket, what: Asked, wire: Wire): Promise<void> =>
  new Promise((resolve, reject) => {
    socket.once('open', () => {
      socket.pause();
      resolve();
    });
    socket.once('error', reject);
    socket.once('unexpected-response', (_, response: IncomingMessage) => {
      const status = response.statusCode ?? 0;
      bodyOf(response, (body) => reject(refusal(what, status, body, wire.who)));
    });
  });

const MOST = 64 * 1024;

/** As much as came of it, whatever becomes of the connection. */
const bodyOf = (response: IncomingMessage, done: (body: string) => void): void => {
  let body = '';
  response.setEncoding('utf8').on('data', (text: string) => {
    body += text;
    if (body.length > MOST) response.destroy();
  });
  response.on('error', () => {}).once('close', () => done(body));
};

const UNANSWERED = 3;
const FOREVER_MS = 1e12;

const beat = async (socket: WebSocket, { pingMs }: Patience, dead: () => void): Promise<void> => {
  const ended = new AbortController();
  let silent = 0;
  const heard = (): void => {
    silent = 0;
  };
  socket.once('close', () => ended.abort());
  socket.on('pong', heard).on('ping', heard).on('message', heard);
  await during(
    async () => {
      // A paused socket hears no pongs.
      if (socket.isPaused) heard();
      else if (silent++ < UNANSWERED) socket.ping();
      else {
        dead();
        socket.terminate();
      }
    },
    { forMs: FOREVER_MS, everyMs: pingMs, signal: ended.signal },
  );
};

/** Throws Unreachable when the server chose a protocol that can't do what is asked. */
export const mustSpeak = ({ socket }: Channel, protocol: string, why: string): void => {
  if (socket.protocol === protocol) return;
  socket.terminate();
  throw new Unreachable(`kubernetes: the server speaks ${socket.protocol || 'no protocol'}, not ${protocol}: ${why}`);
};
