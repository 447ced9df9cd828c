// A TCP relay in front of an endpoint, which can be cut: from then on nobody is there.
import { connect, createServer, type Socket } from 'node:net';
import { HOST } from '../targets/lab/backends.ts';

export type Relay = AsyncDisposable & { readonly address: string; cut(): Promise<void> };

/** Listens on a free port and carries each connection to `host:port`. */
export const relay = async (to: string): Promise<Relay> => {
  const [host, port] = to.split(':') as [string, string];
  const open = new Set<Socket>();
  const keep = (socket: Socket): Socket =>
    socket
      .on('error', () => socket.destroy())
      .on('close', () => open.delete(socket))
      .on('connect', () => open.add(socket));
  const server = createServer((near) => {
    open.add(keep(near));
    const far = keep(connect({ host, port: Number(port) }));
    near.pipe(far).pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  const cut = async (): Promise<void> => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of open) socket.destroy();
    await closed;
  };
  const address = `${HOST}:${(server.address() as { port: number }).port}`;
  return { address, cut, [Symbol.asyncDispose]: () => (server.listening ? cut() : Promise.resolve()) };
};
