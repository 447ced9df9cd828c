// As much of an API server as the connection meets, on loopback: HTTP answers and WebSocket upgrades that a test decides on.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, type ServerOptions } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { type WebSocket, WebSocketServer } from 'ws';
import { openCluster } from '../../../src/targets/kubernetes/client.ts';
import type { Cluster, Touch } from '../../../src/targets/kubernetes/cluster.ts';
import { PATIENCE, type Patience } from '../../../src/targets/kubernetes/wire.ts';

export type Request = {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** Whom the client certificate names. */
  readonly client: string | undefined;
};

export type Behaviour = {
  readonly http?: (request: Request, response: ServerResponse) => void;
  /** Called once a WebSocket is open. Without it the upgrade is refused as `refuses` says. */
  readonly channel?: (socket: WebSocket, url: URL) => void;
  readonly protocol?: string;
  readonly refuses?: { readonly status: number; readonly body: string };
  /** Upgrades are neither answered nor refused. */
  readonly mute?: boolean;
  readonly tls?: ServerOptions;
};

export type Mock = AsyncDisposable & {
  readonly url: string;
  readonly requests: Request[];
  /** TCP connections: all that there were, and those that are open. */
  readonly connections: { made: number; open: number };
  readonly folder: string;
};

export const json = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
};

export const failure = (status: number, message: string): { status: number; body: string } => ({
  status,
  body: JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', message, code: status }),
});

export const mockApi = async (behaviour: Behaviour = {}): Promise<Mock> => {
  const requests: Request[] = [];
  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const url = new URL(incoming.url ?? '/', 'http://mock');
    const request = {
      method: incoming.method!,
      url,
      headers: incoming.headers,
      body: Buffer.concat(chunks).toString(),
      client: [(incoming.socket as Partial<TLSSocket>).getPeerCertificate?.().subject?.CN].flat()[0],
    };
    requests.push(request);
    if (url.pathname === '/version' && !behaviour.http) json(response, 200, { gitVersion: 'v1.34.0' });
    else if (behaviour.http) behaviour.http(request, response);
    else json(response, 404, { kind: 'Status', message: 'the server could not find the requested resource' });
  };
  const listener = (incoming: IncomingMessage, response: ServerResponse): void => {
    answer(incoming, response).catch(() => response.destroy());
  };
  const server: Server = behaviour.tls ? createTlsServer(behaviour.tls, listener) : createServer(listener);
  const websockets = upgrades(server, behaviour);
  const connections = counted(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const folder = mkdtempSync(join(tmpdir(), 'mock-api-'));
  return {
    url: `${behaviour.tls ? 'https' : 'http'}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    connections,
    folder,
    [Symbol.asyncDispose]: async () => {
      rmSync(folder, { recursive: true, force: true });
      const closed = once(server, 'close');
      for (const socket of websockets.clients) socket.terminate();
      connections.end();
      server.close();
      await closed;
    },
  };
};

const upgrades = (server: Server, behaviour: Behaviour): WebSocketServer => {
  const websockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => behaviour.protocol ?? [...offered][0]!,
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (behaviour.mute) return;
    const { channel, refuses = failure(404, 'no such pod') } = behaviour;
    if (!channel)
      return socket.end(
        `HTTP/1.1 ${refuses.status} No\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(refuses.body)}\r\nConnection: close\r\n\r\n${refuses.body}`,
      );
    websockets.handleUpgrade(request, socket, head, (open) =>
      channel(open, new URL(request.url ?? '/', 'http://mock')),
    );
  });
  return websockets;
};

const counted = (server: Server) => {
  const all = new Set<Socket>();
  const connections = { made: 0, open: 0, end: () => all.forEach((socket) => void socket.destroy()) };
  server.on('connection', (socket: Socket) => {
    connections.made++;
    connections.open++;
    all.add(socket);
    socket
      .on('error', () => {})
      .once('close', () => {
        connections.open--;
        all.delete(socket);
      });
  });
  return connections;
};

/** A kubeconfig, as JSON, which is YAML too. */
export const kubeconfigOf = (folder: string, server: string, user: object = {}, cluster: object = {}): string => {
  const file = join(folder, `config-${randomUUID()}`);
  const config = {
    clusters: [{ name: 'mock', cluster: { server, ...cluster } }],
    users: [{ name: 'me', user }],
    contexts: [{ name: 'here', context: { cluster: 'mock', user: 'me' } }],
    'current-context': 'here',
  };
  writeFileSync(file, JSON.stringify(config));
  return file;
};

export type Opened = AsyncDisposable & { readonly cluster: Cluster; readonly mock: Mock; readonly touches: Touch[] };

/** A cluster on a mock, both closed together. */
export const opened = async (behaviour: Behaviour = {}, patience: Partial<Patience> = {}): Promise<Opened> => {
  const mock = await mockApi({
    ...behaviour,
    ...(behaviour.http
      ? {
          http: (request, response) =>
            request.url.pathname === '/version'
              ? json(response, 200, { gitVersion: 'v1.34.0' })
              : behaviour.http!(request, response),
        }
      : {}),
  });
  const touches: Touch[] = [];
  const kubeconfig = kubeconfigOf(mock.folder, mock.url, { token: 'secret' });
  const cluster = await openCluster({
    kubeconfig,
    audit: (touch) => touches.push(touch),
    patience: { ...PATIENCE, ...patience },
  });
  return {
    cluster,
    mock,
    touches,
    [Symbol.asyncDispose]: async () => {
      await cluster[Symbol.asyncDispose]();
      await mock[Symbol.asyncDispose]();
    },
  };
};

/** What a promise rejected with; fails the test when it did not. */
export const rejection = async (promise: Promise<unknown>): Promise<Error & { status?: number }> => {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('did not reject');
};
