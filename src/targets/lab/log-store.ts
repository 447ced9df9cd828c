// Logs of the lab: an HTTP server that takes Loki's push API and answers Loki's query API from memory.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { oneLine, Unreachable } from '../../errors.ts';
import type { Nanos } from '../../model.ts';
import { type Clock, systemClock } from '../../time.ts';
import { labelNames, labelValues, query, queryRange, series } from './log-store-answers.ts';
import { pushed } from './log-store-push.ts';
import { type Held, type Streams, streams } from './log-store-streams.ts';
import { BadQuery } from './logql/errors.ts';

export type LogStoreOptions = {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** The most that lines may take in memory; beyond it the oldest are dropped and counted. */
  readonly maxBytes: number;
  readonly clock?: Clock;
};

export type LogStore = AsyncDisposable & {
  readonly url: string;
  /** Takes one line from inside of this process. */
  push(labels: Readonly<Record<string, string>>, at: Nanos, line: string): void;
  held(): Held;
};

type Answer = { readonly status: number; readonly type: string; readonly body: string };

const JSON_TYPE = 'application/json; charset=UTF-8';
const TEXT_TYPE = 'text/plain; charset=utf-8';
const MAX_BODY = 64 * 1024 * 1024;

const ok = (value: unknown): Answer => ({ status: 200, type: JSON_TYPE, body: JSON.stringify(value) });
const text = (status: number, body: string): Answer => ({ status, type: TEXT_TYPE, body });

/** Starts the store. Throws Unreachable when the port can't be had. */
export const startLogStore = async (options: LogStoreOptions): Promise<LogStore> => {
  const kept = streams(options.maxBytes);
  const server = createServer((request, response) => {
    void serve(kept, options.clock ?? systemClock, request, response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new Unreachable(`log store: can't listen: ${error.message}`)));
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`,
    push: kept.add,
    held: kept.held,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};

const serve = async (
  kept: Streams,
  clock: Clock,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  const answer = await respond(kept, clock, request).catch((error: unknown) =>
    error instanceof BadQuery ? text(400, error.message) : text(500, oneLine(error)),
  );
  response.writeHead(answer.status, answer.body ? { 'content-type': answer.type } : {});
  response.end(answer.body);
};

const respond = async (kept: Streams, clock: Clock, request: IncomingMessage): Promise<Answer> => {
  const url = new URL(request.url ?? '/', 'http://store');
  if (url.pathname === '/loki/api/v1/push') return take(kept, request);
  if (url.pathname === '/ready') return text(200, 'ready\n');
  const params = request.method === 'POST' ? await form(url, request) : url.searchParams;
  return ask(kept, clock, url.pathname.replace(/^\/loki\/api\/v1\//, ''), params);
};

const BUILD = { version: 'firedrill', revision: '', branch: '', buildUser: '', buildDate: '', goVersion: '' };

const ask = (kept: Streams, clock: Clock, path: string, params: URLSearchParams): Answer => {
  const values = /^label\/([^/]+)\/values$/.exec(path);
  if (values) return ok(labelValues(kept, params, clock, decodeURIComponent(values[1]!)));
  if (path === 'query_range') return ok(queryRange(kept, params, clock));
  if (path === 'query') return ok(query(kept, params, clock));
  if (path === 'labels' || path === 'label') return ok(labelNames(kept, params, clock));
  if (path === 'series') return ok(series(kept, params, clock));
  if (path === 'status/buildinfo') return ok(BUILD);
  return text(404, '404 page not found\n');
};

const form = async (url: URL, request: IncomingMessage): Promise<URLSearchParams> => {
  const body = await read(request);
  return new URLSearchParams([...url.searchParams, ...new URLSearchParams(body.toString('utf8'))]);
};

const take = async (kept: Streams, request: IncomingMessage): Promise<Answer> => {
  if (request.method !== 'POST') return text(405, '');
  const type = request.headers['content-type'] ?? 'application/json';
  if (!type.startsWith('application/json'))
    return text(415, `push: '${type}' is not taken here; send application/json, plain or gzip\n`);
  const body = await read(request);
  for (const { labels, at, line, metadata } of pushed(await plain(body, request.headers['content-encoding']))) {
    kept.add(labels, at, line, metadata);
  }
  return { status: 204, type: '', body: '' };
};

const plain = async (body: Buffer, encoding: string | undefined): Promise<string> => {
  if (!encoding || encoding === 'identity') return body.toString('utf8');
  if (encoding !== 'gzip') throw new BadQuery(`push: content encoding '${encoding}' is not taken here; use gzip`);
  try {
    return (await promisify(gunzip)(body, { maxOutputLength: MAX_BODY })).toString('utf8');
  } catch (error) {
    throw new BadQuery(`push: the body is not gzip: ${oneLine(error)}`);
  }
};

const read = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new BadQuery(`the body is larger than ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};
