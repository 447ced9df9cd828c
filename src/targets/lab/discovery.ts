// Service discovery: the addresses of each component's ready pods, with a long poll that answers when any of them changes.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after } from '../../time.ts';

export type Place = { readonly ip: string; readonly port: number };

export type Discovery = AsyncDisposable & {
  readonly port: number;
  set(service: string, places: readonly Place[]): void;
};

const LONGEST_POLL_MS = 10_000;

export const startDiscovery = async (host: string, components: readonly string[]): Promise<Discovery> => {
  const places = new Map<string, readonly Place[]>(components.map((name) => [name, []]));
  const waiting = new Set<() => void>();
  let version = 1;
  const send = (response: ServerResponse, status: number, body: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  };
  const all = (response: ServerResponse): void =>
    send(response, 200, { version, components: Object.fromEntries(places) });
  const waitForChange = (response: ServerResponse): void => {
    const answer = (): void => {
      cancel();
      waiting.delete(answer);
      all(response);
    };
    const cancel = after(LONGEST_POLL_MS, answer);
    waiting.add(answer);
    response.once('close', () => {
      cancel();
      waiting.delete(answer);
    });
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://discovery');
    const name = /^\/endpoints\/(.+)$/.exec(url.pathname)?.[1];
    if (name !== undefined) {
      const known = places.get(name);
      return known
        ? send(response, 200, { version, endpoints: known })
        : send(response, 404, { error: `no component '${name}'` });
    }
    if (url.pathname !== '/endpoints') return send(response, 404, { error: 'not found' });
    const since = Number(url.searchParams.get('since') ?? 0);
    return since >= version ? waitForChange(response) : all(response);
  });
  server.keepAliveTimeout = 2 * LONGEST_POLL_MS;
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    set: (service, list) => {
      places.set(service, list);
      version += 1;
      for (const answer of [...waiting]) answer();
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
};
