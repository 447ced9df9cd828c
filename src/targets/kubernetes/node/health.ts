// Whether the agent works and what it has seen, for the kubelet and for people.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Unreachable } from '../../../errors.ts';

export type Health = AsyncDisposable & { readonly port: number };

/** Serves /health: what `report` gives, as JSON. Rejects with Unreachable when the port can't be had. */
export const startHealth = async (host: string, port: number, report: () => object): Promise<Health> => {
  const server = createServer(({ url }, response) => {
    const found = url === '/health';
    response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(found ? report() : { error: 'only /health is here' })}\n`);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new Unreachable(`health: can't listen on ${host}:${port}: ${error.message}`)),
    );
    server.listen(port, host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
