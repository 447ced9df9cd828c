// A backend that answers as told and remembers what it was sent.
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';

export type Got = {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
};
export type Says = { readonly status: number; readonly type?: string; readonly body?: string };

export type Listener = AsyncDisposable & { readonly url: string; readonly got: readonly Got[] };

/** `says` is asked once a request, after its body has been read. Port 0, loopback. */
export const listener = async (says: (got: Got, n: number) => Says): Promise<Listener> => {
  const got: Got[] = [];
  const server = createServer(async (request, response) => {
    const body = await buffer(request).catch(() => null);
    if (!body) return; // The sender died in the middle of it.
    got.push({ method: request.method!, url: request.url!, headers: request.headers, body });
    const { status, type = 'text/plain', body: text = '' } = says(got.at(-1)!, got.length);
    response.writeHead(status, { 'content-type': type }).end(text);
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

export const HTML: Says = { status: 200, type: 'text/html', body: '<!doctype html><title>Welcome</title>' };
/** Nobody listens there: port 1 is below what anybody but root may have. */
export const NOBODY = 'http://127.0.0.1:1';
