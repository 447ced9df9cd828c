// The way out of the lab: requests to real backends leave its namespace through a Unix socket and are sent on from here,
// over http or https and under the backend's own name, as a reverse proxy would.
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { Agent, request } from 'undici';
import type { BackendsSection } from '../../access.ts';
import { type Access, ANYBODY, accessTo, hiding } from '../../credentials.ts';
import { oneLine } from '../../errors.ts';
import { RECEIVERS, type Receiver, type Receivers } from './config.ts';
import { tally } from './tally.ts';

const TIMEOUT_MS = 10_000;
/** What backends answer to deliveries is a few words. */
const MAX_ANSWER = 1024 * 1024;
/** Headers that are about one connection (RFC 9110, 7.6.1), or about whom it goes to. */
const HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'te', 'trailer', 'upgrade', 'expect', 'host']);

type Answer = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly body: Buffer };

/**
 * Listens on the Unix socket `path`: `/<receiver>/<rest>` goes to that receiver's URL and `<rest>`. Whether to try again is
 * the sender's business; deliveries that were not taken are counted and said. `accesses`: how a receiver lets us in.
 */
export const startGateway = async (
  path: string,
  receivers: Receivers,
  say: (line: string) => void,
  accesses: Accesses = {},
): Promise<AsyncDisposable> => {
  const agent = new Agent({ headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS, maxResponseSize: MAX_ANSWER });
  const failed = Object.fromEntries(
    RECEIVERS.map((name) => [name, tally((n, why) => say(`${receivers[name]} did not take ${times(n)}: ${why}`))]),
  );
  let closing = false;
  const server = createServer((incoming, outgoing) => {
    void serve({ receivers, accesses, agent }, incoming, outgoing, (name, why) => {
      // What is cut off by the lab's end is no failure of the backend.
      if (!closing) failed[name]!.add(1, why);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(path, resolve);
  });
  return {
    [Symbol.asyncDispose]: async () => {
      closing = true;
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await agent.destroy();
      for (const one of Object.values(failed)) one.end();
    },
  };
};

const times = (n: number): string => (n === 1 ? 'a delivery' : `${n} deliveries`);

/** How each receiver lets us in, by the profile: whoever takes spans as the Jaeger that shows them. */
export const accessesOf = (backends: BackendsSection, receivers: Receivers): Accesses =>
  Object.fromEntries(
    RECEIVERS.flatMap((name) => {
      const url = receivers[name];
      return url === null ? [] : [[name, accessTo(backends, name === 'otlp' ? 'jaeger' : name, url)]];
    }),
  );

export type Accesses = { readonly [K in Receiver]?: Access };
type Ways = { readonly receivers: Receivers; readonly accesses: Accesses; readonly agent: Agent };

const serve = async (
  { receivers, accesses, agent }: Ways,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  failed: (name: Receiver, why: string) => void,
): Promise<void> => {
  const [, first, rest] = /^\/([^/?]+)(\/.*)$/.exec(incoming.url ?? '') ?? [];
  const name = RECEIVERS.find((one) => one === first);
  const base = name && receivers[name];
  if (!base) return void outgoing.writeHead(404).end(`no backend '${first}' here\n`);
  const answer = await passOn(agent, accesses[name] ?? ANYBODY, `${base}${rest}`, incoming);
  // A sender that died in the middle of its request is no failure of the backend.
  if (answer.status >= 300 && incoming.complete) failed(name, saying(answer));
  outgoing.writeHead(answer.status, answer.headers).end(answer.body);
};

const passOn = async (agent: Agent, access: Access, url: string, incoming: IncomingMessage): Promise<Answer> => {
  try {
    const sent = await access.sent();
    const method = incoming.method as 'POST';
    const { statusCode, headers, body } = await request(url, {
      dispatcher: access.dispatcher ?? agent,
      method,
      headers: { ...endToEnd(incoming.headers), ...sent.headers },
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      body: incoming,
    });
    return { status: statusCode, headers: described(headers), body: Buffer.from(hiding(sent)(await body.text())) };
  } catch (error) {
    return { status: 502, headers: {}, body: Buffer.from(oneLine(error)) };
  }
};

/** What is passed on of an answer is read as text: its length may be another one then. */
const described = (headers: IncomingHttpHeaders): IncomingHttpHeaders => {
  const { 'content-length': _, ...rest } = endToEnd(headers);
  return rest;
};

const endToEnd = (headers: IncomingHttpHeaders): IncomingHttpHeaders =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP.has(name)));

const saying = ({ status, body }: Answer): string => oneLine(`HTTP ${status} ${body.toString('utf8').slice(0, 200)}`);
