// Connections to one origin, one request at a time on each, in an idle stack: taking and giving are O(1), and the
// connection used last is used next, so that spare ones age and close (measured: docs/adr/0016). They close one at a time: thousands of them are
// of one age, and to close them all at once takes as long as a stall that a client should witness, not cause.
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type Answers, answers } from './answers.ts';
import { Malformed } from './failure.ts';
import { queue } from './queue.ts';

export type Address = { readonly ip: string; readonly port: number };
/** Both ends of a connection; null while there is none. */
export type Ends = { readonly local: Address | null; readonly remote: Address | null };

/** Who is told, once, how a request ended. */
export type Told = {
  answered(status: number): void;
  failed(error: Error): void;
};

/** One socket, from its opening to its end. */
export type Connection = {
  ends(): Ends;
  /** Writes a whole request, once it is open; `text` is its head and body. */
  send(method: string, text: string, told: Told): void;
  /** Whether it can carry a request, as far as is known here. */
  usable(): boolean;
  /** For how many milliseconds it may be idle before the server may hang up on a request. */
  keptMs(): number;
  destroy(): void;
};

/** Callers say what time it is, in milliseconds from wherever they count: they know already, and to look takes as long as all else here. */
export type Connections = Disposable & {
  /** An idle connection, or a new one, or null when as many as may be are busy. */
  take(now: number): Connection | null;
  /** Back after an answer, for reuse. */
  give(connection: Connection, now: number): void;
  /** Closed, with whatever is under way on it: the way to give up a request. */
  drop(connection: Connection): void;
  /** Opens connections until there are `count`, or as many as may be. */
  warm(count: number, now: number): void;
};

type Spare = { readonly connection: Connection; readonly since: number };

const fresh = ({ connection, since }: Spare, now: number): boolean =>
  connection.usable() && now - since < connection.keptMs();

/** At most `limit` connections to the URL's origin. */
export const connections = (url: URL, limit: number): Connections => {
  const all = new Set<Connection>();
  /** The one unused for the longest comes first. */
  const idle = queue<Spare>();
  const post = posting();
  const create = (): Connection | null => {
    if (all.size >= limit) return null;
    const connection: Connection = connectionTo(url, post, () => all.delete(connection));
    all.add(connection);
    return connection;
  };
  const drop = (connection: Connection): void => {
    all.delete(connection);
    connection.destroy();
  };
  return {
    take: (now) => {
      const latest = idle.pop();
      if (latest && fresh(latest, now)) return latest.connection;
      // The others are older still.
      if (latest) drop(latest.connection);
      return create();
    },
    give: (connection, now) => {
      if (connection.usable()) idle.push({ connection, since: now });
      else drop(connection);
      const oldest = idle.first();
      if (oldest && !fresh(oldest, now)) drop(idle.shift()!.connection);
    },
    drop,
    warm: (count, now) => {
      while (all.size < Math.min(count, limit)) idle.push({ connection: create()!, since: now });
    },
    [Symbol.dispose]: () => {
      for (const connection of all) connection.destroy();
    },
  };
};

type Post = (socket: Socket, text: string) => void;

/**
 * Writes all that one turn of the event loop sends at its end, one after the other: requests that are written between the answers
 * that are read would wake an idle server for each of them. Besides, a server that hangs up after its answer is noticed by then.
 */
const posting = (): Post => {
  let waiting: { readonly socket: Socket; readonly text: string }[] = [];
  const flush = (): void => {
    const all = waiting;
    waiting = [];
    for (const { socket, text } of all) if (!socket.destroyed) socket.write(text, 'utf8');
  };
  return (socket, text) => {
    if (waiting.length === 0) setImmediate(flush);
    waiting.push({ socket, text });
  };
};

const NOWHERE: Ends = { local: null, remote: null };
/** Servers hang up on idle connections after 5 s or more, unless they say when; a second less is safe on slow networks. */
const KEPT_MS = 5000;
const MARGIN_MS = 1000;
const READ_BYTES = 65_536;

const connectionTo = (url: URL, post: Post, gone: () => void): Connection => {
  const read: Answers = answers();
  let ends = NOWHERE;
  let told: Told | null = null;
  let over = false;

  const end = (error: Error): void => {
    const who = told;
    over = true;
    told = null;
    socket.destroy();
    who?.failed(error);
  };
  const answered = (status: number): void => {
    const who = told;
    told = null;
    if (!read.reusable()) over = true;
    who?.answered(status);
  };
  const arrived = (bytes: Buffer): void => {
    try {
      const status = read.push(bytes);
      if (status !== null) answered(status);
    } catch (error) {
      end(error as Error);
    }
  };
  const closed = (): void => {
    gone();
    const status = read.end();
    if (status !== null) answered(status);
    else end(new Malformed('connection closed'));
  };

  const socket = open(url, arrived, () => {
    ends = endsOf(socket);
  });
  socket.on('error', end).on('close', closed);
  return {
    ends: () => ends,
    send: (method, text, who) => {
      told = who;
      read.await(method);
      post(socket, text);
    },
    usable: () => !over && socket.writable,
    keptMs: () => (read.keptMs() ?? KEPT_MS) - MARGIN_MS,
    destroy: () => {
      over = true;
      told = null;
      socket.destroy();
    },
  };
};

/** TCP bytes go past Node's stream machinery, into one buffer for all connections: they are read before the next come. */
const INTO = Buffer.allocUnsafe(READ_BYTES);

const open = (url: URL, arrived: (bytes: Buffer) => void, connected: () => void): Socket => {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const secure = url.protocol === 'https:';
  const port = Number(url.port) || (secure ? 443 : 80);
  const callback = (size: number): boolean => {
    arrived(INTO.subarray(0, size));
    return true;
  };
  const socket = secure
    ? connectTls({ host, port, ALPNProtocols: ['http/1.1'], ...(isIP(host) ? {} : { servername: host }) })
    : connectTcp({ host, port, onread: { buffer: INTO, callback } });
  if (secure) socket.on('data', arrived);
  return socket.setNoDelay(true).once('connect', connected);
};

const endsOf = (socket: Socket): Ends => ({
  local: { ip: socket.localAddress ?? '', port: socket.localPort ?? 0 },
  remote: { ip: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 },
});
