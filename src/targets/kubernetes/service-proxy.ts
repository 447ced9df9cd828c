// A Service's HTTP port by way of the API server's proxy, as a server on this machine's loopback.
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { oneLine } from '../../errors.ts';
import { systemClock } from '../../time.ts';
import { asked, isTouch } from './asked.ts';
import type { Forward } from './cluster.ts';
import { closed, HOST, listening } from './loopback.ts';
import type { ServiceAt } from './mapping.ts';
import { mustBeLabel } from './names.ts';
import type { Wire } from './wire.ts';

/** Those of one connection, not of the message (RFC 9110, 7.6.1), and those that are the API server's business. */
const NOT_PASSED = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
  'host',
  'authorization',
]);

/** See Cluster.serviceProxy. */
export const openServiceProxy = async (wire: Wire, { namespace, service, port }: ServiceAt): Promise<Forward> => {
  mustBeLabel('namespace', namespace);
  mustBeLabel('service', service);
  const prefix = `/api/v1/namespaces/${namespace}/services/${service}:${port}/proxy`;
  const server = createServer((request, response) => {
    void pass(wire, prefix, request, response);
  });
  const bound = await listening(server);
  const end = async (): Promise<void> => {
    wire.closed.removeEventListener('abort', end);
    const ended = closed(server);
    server.closeAllConnections();
    await ended;
  };
  wire.closed.addEventListener('abort', end, { once: true });
  // Who can't be reached through it is told by its own answers.
  return { host: HOST, port: bound, broken: () => null, [Symbol.asyncDispose]: end };
};

const pass = async (wire: Wire, prefix: string, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const { method = 'GET', url = '/' } = request;
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  if (leadsOut(url)) return refuse(response, 400, `${url} leads out of the service`);
  try {
    const answer = await wire.stream({
      method,
      path: `${prefix}${url}`,
      headers: passed(request.headers),
      body: hasBody(request) ? request : null,
      signal: gone.signal,
    });
    tell(wire, method, `${prefix}${url}`, answer.statusCode);
    response.writeHead(answer.statusCode, answered(answer.headers, prefix));
    await pipeline(answer.body, response);
  } catch (error) {
    if (response.headersSent || gone.signal.aborted) response.destroy();
    else refuse(response, 502, oneLine(error));
  }
};

/** Whoever reaches this port must not get further with the kubeconfig's credentials than to the one service. */
const leadsOut = (url: string): boolean => {
  const path = url.split('?')[0]!;
  return (
    !path.startsWith('/') || /(^|[/\\])(\.|%2e){1,2}($|[/\\])/i.test(path.replace(/%2f/gi, '/').replace(/%5c/gi, '\\'))
  );
};

const hasBody = ({ headers }: IncomingMessage): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

const passed = (headers: IncomingHttpHeaders): Record<string, string | string[]> =>
  Object.fromEntries(
    Object.entries(headers).filter((entry): entry is [string, string | string[]] => {
      const [name, value] = entry;
      return value !== undefined && !NOT_PASSED.has(name);
    }),
  );

/** A redirect within the service comes back with the API server's path before it. */
const answered = (headers: IncomingHttpHeaders, prefix: string): Record<string, string | string[]> => {
  const { location, ...rest } = passed(headers);
  const inside = typeof location === 'string' && location.includes(prefix);
  return {
    ...rest,
    ...(location
      ? { location: inside ? location.slice(location.indexOf(prefix) + prefix.length) || '/' : location }
      : {}),
  };
};

const refuse = (response: ServerResponse, status: number, why: string): void => {
  response.writeHead(status, { 'content-type': 'text/plain' }).end(`${why}\n`);
};

const tell = (wire: Wire, method: string, path: string, status: number): void => {
  const what = asked(method, path);
  if (!isTouch(what) || what.verb === 'get' || what.verb === 'list') return;
  const { verb, resource, namespace, name } = what;
  wire.audit({ at: systemClock.now(), verb, resource, namespace, name, status });
};
