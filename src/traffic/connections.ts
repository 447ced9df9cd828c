// Connections to one origin, one request at a time on each: an idle stack over undici's Client. Taking and giving are
// O(1), and the connection used last is used next, so that spare ones age and close (measured: docs/adr/0004).
import { once } from 'node:events';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Client, type Dispatcher } from 'undici';

export type Address = { readonly ip: string; readonly port: number };
/** Both ends of a connection; null while there is none. */
export type Ends = { readonly local: Address | null; readonly remote: Address | null };

export type Connection = {
  /** The ends of the socket that was opened last. */
  ends(): Ends;
  /** Opens the socket ahead of the first request. */
  open(): void;
  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void;
  destroy(): Promise<void>;
};

export type Connections = AsyncDisposable & {
  /** An idle connection, or a new one, or null when as many as may be are busy. */
  take(): Connection | null;
  /** Back after an answer, for reuse. */
  give(connection: Connection): void;
  /** Closed, with whatever is under way on it: the way to give up a request. */
  drop(connection: Connection): void;
  /** Opens connections until there are `count`, or as many as may be. */
  warm(count: number): void;
};

/** At most `limit` connections to the URL's origin. */
export const connections = (url: URL, limit: number): Connections => {
  const all = new Set<Connection>();
  const idle: Connection[] = [];
  const create = (): Connection | null => {
    if (all.size >= limit) return null;
    const connection = connectionTo(url);
    all.add(connection);
    return connection;
  };
  return {
    take: () => idle.pop() ?? create(),
    give: (connection) => void idle.push(connection),
    drop: (connection) => {
      all.delete(connection);
      void connection.destroy();
    },
    warm: (count) => {
      while (all.size < Math.min(count, limit)) {
        const connection = create()!;
        connection.open();
        idle.push(connection);
      }
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...all].map((connection) => connection.destroy()));
    },
  };
};

const NOWHERE: Ends = { local: null, remote: null };

const connectionTo = (url: URL): Connection => {
  let ends = NOWHERE;
  let current: Opening | null = null;
  let ahead: Opening | null = null;
  const open = (): Opening => {
    const opening = startOpening(url);
    ends = NOWHERE;
    current = opening;
    opening.socket.once('connect', () => {
      ends = endsOf(opening.socket);
    });
    return opening;
  };
  const client = new Client(url.origin, {
    pipelining: 1,
    // The sender has its own deadline, counted from the time when the request was due.
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: (_options, callback) => {
      const opening = ahead && !ahead.socket.destroyed ? ahead : open();
      ahead = null;
      opening.ready.then(
        (socket) => callback(null, socket),
        (error: Error) => callback(error, null),
      );
    },
  });
  return {
    ends: () => ends,
    open: () => {
      ahead = open();
    },
    dispatch: (options, handler) => void client.dispatch(options, handler),
    destroy: async () => {
      // Without this a connection attempt that nobody answers would hold the process for minutes.
      current?.socket.destroy();
      await client.destroy();
    },
  };
};

type Opening = { readonly socket: Socket; readonly ready: Promise<Socket> };

const startOpening = (url: URL): Opening => {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const secure = url.protocol === 'https:';
  const port = Number(url.port) || (secure ? 443 : 80);
  const socket = secure
    ? connectTls({ host, port, ALPNProtocols: ['http/1.1'], ...(isIP(host) ? {} : { servername: host }) })
    : connectTcp({ host, port });
  socket.setNoDelay(true).on('error', () => {});
  const ready = once(socket, secure ? 'secureConnect' : 'connect').then(() => socket);
  // A socket opened ahead may fail before anybody asks for it; who asks then opens another and sees why.
  ready.catch(() => {});
  return { socket, ready };
};

const endsOf = (socket: Socket): Ends => ({
  local: { ip: socket.localAddress ?? '', port: socket.localPort ?? 0 },
  remote: { ip: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 },
});
