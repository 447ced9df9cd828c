// A little HTTP server that answers with recorded answers.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Recorded = { readonly status?: number; readonly type?: string; readonly body: string };
export type Replay = AsyncDisposable & { readonly url: string; readonly asked: readonly string[] };

/** Serves on a free port of the loopback; `asked` has every path with its query, decoded. */
export const replay = async (answer: (path: string) => Recorded): Promise<Replay> => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '').replaceAll('+', ' '));
    asked.push(path);
    const { status = 200, type = 'application/json', body } = answer(path);
    response.writeHead(status, { 'content-type': type, connection: 'close' }).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
};
