// A server on this machine's loopback, at whichever port is free.
import type { AddressInfo, Server } from 'node:net';
import { Unreachable } from '../../errors.ts';

export const HOST = '127.0.0.1';

/** Resolves with the port that it listens on. */
export const listening = (server: Server): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new Unreachable(`can't listen on ${HOST}: ${error.message}`)));
    server.listen(0, HOST, () => resolve((server.address() as AddressInfo).port));
  });

/** Resolves when it no longer listens and its last connection is gone. */
export const closed = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
