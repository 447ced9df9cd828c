// Serves answers that a real Jaeger gave, as fixtures/jaeger has them.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Recorded = { readonly path: string; readonly status: number; readonly type: string; readonly body: string };

/** One recorded answer: what was asked, and what came. */
export const recorded = (name: string): Recorded => {
  const text = readFileSync(new URL(`../../../fixtures/jaeger/${name}.txt`, import.meta.url), 'utf8');
  const [path, status, type, ...body] = text.split('\n');
  return { path: path!, status: Number(status), type: type!, body: body.join('\n') };
};

export type Served = AsyncDisposable & { readonly url: string; readonly asked: string[] };

/** A server on a free loopback port; `answer` gets the path with its query. */
export const serving = async (
  answer: (path: string) => Pick<Recorded, 'status' | 'type' | 'body'>,
): Promise<Served> => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url!);
    const { status, type, body } = answer(request.url!);
    response.writeHead(status, { 'content-type': type }).end(body);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked, [Symbol.asyncDispose]: close };
};
