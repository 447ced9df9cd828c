// A forwarder that crosses the namespace over a Unix socket: a connection begins with one line, `host:port`, and is then
// carried to that address on the other side, byte for byte.
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Unreachable } from '../../errors.ts';

const joined = (a: Socket, b: Socket): void => {
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    one.on('error', () => other.destroy());
    one.on('close', () => other.destroy());
  }
  a.pipe(b);
  b.pipe(a);
};

const listening = (server: Server, where: { host: string; port: number } | { path: string }): Promise<Server> =>
  new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new Unreachable(
          error.code === 'EADDRINUSE' && 'port' in where
            ? `port ${where.port} on ${where.host} is taken; stop what listens there, or use --any-port`
            : `can't listen: ${error.message}`,
        ),
      ),
    );
    server.listen(where, () => resolve(server));
  });

/**
 * The far end: takes connections on the Unix socket `path` and carries each to the address that its first line names.
 * `resolve` may turn a name into an address of the moment.
 */
export const exit = (path: string, resolve: (to: string) => string = (to) => to): Promise<Server> =>
  listening(
    createServer((incoming) => {
      incoming.on('error', () => incoming.destroy());
      incoming.once('readable', () => {
        const head: Buffer | null = incoming.read();
        const end = head?.indexOf('\n') ?? -1;
        if (!head || end < 0) return incoming.destroy();
        const [host, port] = resolve(head.toString('latin1', 0, end)).split(':');
        if (head.length > end + 1) incoming.unshift(head.subarray(end + 1));
        joined(incoming, connect({ host: host!, port: Number(port), noDelay: true }));
      });
    }),
    { path },
  );

/**
 * The near end: listens on `host:port` (0: any) and carries each connection through the socket `path` to `to`. With null
 * whoever listens on that socket is whom it goes to.
 */
export const entrance = async (host: string, port: number, path: string, to: string | null): Promise<Server> =>
  listening(
    createServer({ noDelay: true }, (incoming) => {
      const through = connect(path);
      if (to !== null) through.write(`${to}\n`);
      joined(incoming, through);
    }),
    { host, port },
  );

export const portOf = (server: Server): number => {
  const address = server.address();
  return typeof address === 'object' && address ? address.port : 0;
};
