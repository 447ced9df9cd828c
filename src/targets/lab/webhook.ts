// Where the lab's Alertmanager delivers: the only proof that an alert reached anybody.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { z } from 'zod';
import { oneLine, Unreachable } from '../../errors.ts';
import { problems } from '../../platform.ts';
import { iso, systemClock } from '../../time.ts';

const labels = z.record(z.string(), z.string());

/** Alertmanager's webhook payload, version 4 (prometheus.io/docs/alerting/latest/configuration, webhook_config). */
const payload = z.looseObject({
  version: z.literal('4'),
  status: z.enum(['firing', 'resolved']),
  receiver: z.string(),
  groupKey: z.string(),
  groupLabels: labels,
  commonLabels: labels,
  commonAnnotations: labels,
  alerts: z.array(
    z.looseObject({
      status: z.enum(['firing', 'resolved']),
      labels,
      annotations: labels,
      startsAt: z.string(),
      endsAt: z.string(),
      fingerprint: z.string(),
    }),
  ),
});

/** One payload with its time of arrival, ISO 8601 UTC with nanoseconds. */
export type Delivery = { readonly receivedAt: string } & z.output<typeof payload>;

export type Webhook = AsyncDisposable & {
  /** To POST payloads to; GET /deliveries beneath it answers with all that are kept, the oldest first. */
  readonly url: string;
  deliveries(): readonly Delivery[];
  /** Deliveries that had to make room for newer ones; GET /deliveries tells it as the header x-dropped. */
  dropped(): number;
};

type Options = { readonly host: string; readonly port: number; readonly max: number };

const MAX_BODY = 4 * 1024 * 1024;

/** Starts the receiver; it keeps the `max` newest deliveries. A body that is no payload is answered with 400 and why. */
export const startWebhook = async ({ host, port, max }: Options): Promise<Webhook> => {
  const kept: Delivery[] = [];
  let dropped = 0;
  const keep = (delivery: Delivery): void => {
    kept.push(delivery);
    if (kept.length > max) dropped += kept.splice(0, kept.length - max).length;
  };
  const server = createServer((request, response) => {
    answer(request, keep, () => ({ kept, dropped })).then(
      (said) => send(response, said),
      (error: unknown) => send(response, { status: 400, body: { error: oneLine(error) } }),
    );
  });
  const url = await listen(server, host, port);
  return {
    url,
    deliveries: () => [...kept],
    dropped: () => dropped,
    [Symbol.asyncDispose]: () => close(server),
  };
};

const listen = (server: Server, host: string, port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new Unreachable(`webhook receiver: ${error.message}`)));
    server.listen(port, host, () => resolve(`http://${host}:${(server.address() as AddressInfo).port}/`));
  });

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

type Said = { readonly status: number; readonly body: unknown; readonly dropped?: number };

const answer = async (
  request: IncomingMessage,
  keep: (delivery: Delivery) => void,
  state: () => { readonly kept: readonly Delivery[]; readonly dropped: number },
): Promise<Said> => {
  const path = (request.url ?? '/').split('?')[0];
  if (request.method === 'GET' && path === '/deliveries')
    return { status: 200, body: state().kept, dropped: state().dropped };
  if (request.method !== 'POST' || path !== '/')
    return { status: 404, body: { error: `no ${request.method} ${path} here` } };
  const receivedAt = iso(systemClock.now());
  const parsed = payload.safeParse(JSON.parse(await body(request)));
  if (!parsed.success) return { status: 400, body: { error: problems(parsed.error) } };
  keep({ receivedAt, ...parsed.data });
  return { status: 200, body: {} };
};

const body = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_BODY) throw new Error(`the body is larger than ${MAX_BODY} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
};

const send = (response: ServerResponse, said: Said): void => {
  response.writeHead(said.status, { 'content-type': 'application/json', 'x-dropped': String(said.dropped ?? 0) });
  response.end(JSON.stringify(said.body));
};
