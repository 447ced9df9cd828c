// Typed calls: client-node's own clients on top of our connection, so that one place sees every request and every answer.
import {
  type Configuration,
  createConfiguration,
  type RequestContext,
  ResponseContext,
  ServerConfiguration,
  wrapHttpLibrary,
} from '@kubernetes/client-node';
import { Unreachable } from '../../errors.ts';
import { systemClock } from '../../time.ts';
import { type Asked, asked, isTouch, refusal, words } from './asked.ts';
import { unanswered } from './unanswered.ts';
import type { Wire } from './wire.ts';

/**
 * For the constructors of client-node's API classes. A call rejects with Refused when the server refuses it, with
 * Unreachable when no answer of an API server comes in time. client-node's own transport opens a connection for each call,
 * waits for ever and throws errors of many lines.
 */
export const configuration = (wire: Wire): Configuration =>
  createConfiguration({
    baseServer: new ServerConfiguration(wire.server, {}),
    httpApi: wrapHttpLibrary({ send: (request) => send(wire, request) }),
  });

const send = async (wire: Wire, request: RequestContext): Promise<ResponseContext> => {
  const path = request.getUrl().slice(wire.server.length) || '/';
  const what = asked(request.getHttpMethod(), path);
  const answer = await answered(wire, request, path).catch((error: unknown) => {
    tell(wire, what, null, null);
    throw error;
  });
  tell(wire, what, answer.status, answer.json);
  if (answer.status >= 300) throw refusal(what, answer.status, answer.text, wire.who);
  if (answer.json === undefined)
    throw new Unreachable(`kubernetes: ${wire.server} is no API server: it answers ${path} with ${words(answer.text)}`);
  return new ResponseContext(answer.status, answer.headers, {
    text: () => Promise.resolve(answer.text),
    binary: () => Promise.resolve(Buffer.from(answer.text)),
    stream: () => null,
  });
};

type Answered = {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly text: string;
  /** The text's meaning; undefined when it ought to be JSON and is none. */
  readonly json: unknown;
};

const answered = async (wire: Wire, request: RequestContext, path: string): Promise<Answered> => {
  const signals = [AbortSignal.timeout(wire.patience.callMs), request.getSignal()].filter((one) => one !== undefined);
  const answer = await wire.call({
    method: request.getHttpMethod(),
    path,
    headers: request.getHeaders(),
    body: (request.getBody() as string | undefined) ?? null,
    signal: AbortSignal.any(signals),
  });
  const text = await answer.body.text().catch((error: unknown) => {
    throw unanswered(wire.server, error);
  });
  const plain = String(answer.headers['content-type'] ?? '').startsWith('text/plain');
  // Without a content type client-node takes no answer; what it is has been found out here.
  const headers = { 'content-type': plain ? 'text/plain' : 'application/json' };
  return { status: answer.statusCode, headers, text, json: plain ? text : parsed(text) };
};

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const tell = (wire: Wire, what: Asked, status: number | null, json: unknown): void => {
  if (!isTouch(what)) return;
  const { verb, resource, namespace } = what;
  // What is created has its name in the answer.
  const name = what.name ?? (json as { metadata?: { name?: string } } | null)?.metadata?.name ?? null;
  if (verb !== 'get' && verb !== 'list') wire.audit({ at: systemClock.now(), verb, resource, namespace, name, status });
};
