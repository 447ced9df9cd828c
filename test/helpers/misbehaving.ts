// A backend that does with a connection whatever a test wants of it.
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Misbehaving = AsyncDisposable & { readonly url: string; readonly got: readonly IncomingMessage[] };

/** Port 0, loopback. `got` has every request, in order. */
export const misbehaving = async (handle: RequestListener): Promise<Misbehaving> => {
  const got: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    got.push(request);
    handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    got,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

type Sends = (response: ServerResponse) => void;

const JSON_TYPE = { 'content-type': 'application/json' };

/** `{"data":["aaaa…` without an end, as fast as it is taken. */
export const endless: Sends = (response) => {
  response.writeHead(200, JSON_TYPE);
  response.write('{"data":["');
  const chunk = Buffer.alloc(2 ** 20, 'a');
  const more = (): void => {
    while (response.writable && response.write(chunk));
  };
  response.on('drain', more);
  more();
};

/** The beginning of an answer, and then nothing more. */
export const stalled: Sends = (response) => {
  response.writeHead(200, JSON_TYPE).write('{"data":[');
};

/** The connection ends in the middle of an answer whose length was announced. */
export const truncated: Sends = (response) => {
  response.writeHead(200, { ...JSON_TYPE, 'content-length': 1000 });
  response.write('{"data":[', () => response.destroy());
};

/** `é` as Latin-1 has it. */
export const latin1: Sends = (response) => {
  response.writeHead(200, JSON_TYPE).end(Buffer.from('{"data":["caf\xe9"]}', 'latin1'));
};

export const page: Sends = (response) => {
  response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Sign in</title>');
};

export const refusing =
  (status: number, headers: Readonly<Record<string, string>> = {}, body = 'slow down'): Sends =>
  (response) => {
    response.writeHead(status, headers).end(body);
  };

/** An answer from a server whose clock is so far ahead. */
export const atAnotherTime =
  (aheadMs: number, body: string): Sends =>
  (response) => {
    response.sendDate = false;
    response.writeHead(200, { ...JSON_TYPE, date: new Date(Date.now() + aheadMs).toUTCString() }).end(body);
  };
