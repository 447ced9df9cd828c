// The lab's trace store: takes OTLP over HTTP and answers Jaeger's query API, v3 and the older one, from memory.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { oneLine } from '../../errors.ts';
import { answerLegacy, legacyError } from './trace-store-legacy.ts';
import { type SpanMemory, spanMemory, type TraceStoreCounts } from './trace-store-memory.ts';
import { Refused } from './trace-store-params.ts';
import { receive } from './trace-store-receive.ts';
import { answerV3, type Reply, v3Error } from './trace-store-v3.ts';

export type TraceStore = AsyncDisposable & {
  /** Base of both POST /v1/traces and GET /api/…, without a slash at the end. */
  readonly url: string;
  counts(): TraceStoreCounts;
};

/**
 * Starts a store that holds at most `maxSpans` spans; the oldest traces make room for new ones. Port 0 takes a free
 * one. Rejects when it can't listen.
 */
export const startTraceStore = async (options: {
  readonly host: string;
  readonly port: number;
  readonly maxSpans: number;
}): Promise<TraceStore> => {
  const memory = spanMemory(options.maxSpans);
  const server = createServer((request, response) => {
    void serve(memory, request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const host = options.host.includes(':') ? `[${options.host}]` : options.host;
  return {
    url: `http://${host}:${port}`,
    counts: memory.counts,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

const serve = async (memory: SpanMemory, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  try {
    const url = new URL(request.url ?? '/', 'http://store');
    if (url.pathname === '/v1/traces') {
      const { status, type, body } = await receive(memory, request);
      response.writeHead(status, { 'content-type': type }).end(body);
      return;
    }
    const reply = request.method === 'GET' ? answer(memory, url) : null;
    if (reply) response.writeHead(reply.status, { 'content-type': 'application/json' }).end(JSON.stringify(reply.body));
    else response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('404 page not found\n');
  } catch (error) {
    // The sender went away, or sent a target that is not a URL.
    if (!response.headersSent) response.writeHead(400, { 'content-type': 'text/plain' });
    response.end(oneLine(error));
  }
};

const answer = (memory: SpanMemory, { pathname, searchParams }: URL): Reply | null => {
  const v3 = pathname.startsWith('/api/v3/');
  try {
    return v3 ? answerV3(memory, pathname, searchParams) : answerLegacy(memory, pathname, searchParams);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return v3 ? v3Error(error) : legacyError(error);
  }
};
