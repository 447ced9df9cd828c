// Whether a real backend takes what the lab would send it, found out by a delivery with nothing in it.
import { request } from 'undici';
import { type Access, ANYBODY, hiding } from '../../credentials.ts';
import { oneLine } from '../../errors.ts';
import type { Receiver } from './config.ts';

type Delivery = { readonly path: string; readonly headers: Readonly<Record<string, string>>; readonly body: string };

const JSON_TYPE = { 'content-type': 'application/json' };
const PROTOBUF = { 'content-type': 'application/x-protobuf' };

/** A message with no fields is no bytes in protobuf, and those are one zero (their length) in snappy's block format. */
const NOTHING: Readonly<Record<Receiver, Delivery>> = {
  otlp: { path: '/v1/traces', headers: PROTOBUF, body: '' },
  // Loki answers 422 to no stream at all.
  loki: {
    path: '/loki/api/v1/push',
    headers: JSON_TYPE,
    body: '{"streams":[{"stream":{"job":"firedrill"},"values":[]}]}',
  },
  prometheus: {
    path: '/api/v1/write',
    headers: { ...PROTOBUF, 'content-encoding': 'snappy', 'x-prometheus-remote-write-version': '0.1.0' },
    body: '\0',
  },
  alertmanager: { path: '/api/v2/alerts', headers: JSON_TYPE, body: '[]' },
};

/** Why the backend at base URL `url` takes no deliveries, in one line, or null when it does. Leaves nothing there. */
export const refusal = async (
  receiver: Receiver,
  url: string,
  signal: AbortSignal,
  access: Access = ANYBODY,
): Promise<string | null> => {
  const { path, headers, body } = NOTHING[receiver];
  try {
    const sent = await access.sent();
    const { dispatcher } = access;
    const answer = await request(`${url}${path}`, {
      method: 'POST',
      headers: { ...headers, ...sent.headers },
      body,
      signal,
      ...(dispatcher ? { dispatcher } : {}),
    });
    const why = reason(receiver, answer.statusCode, await answer.body.text());
    return why && hiding(sent)(`POST ${path}: ${why}`);
  } catch (error) {
    return `POST ${path}: no answer: ${oneLine(error)}`;
  }
};

const reason = (receiver: Receiver, status: number, text: string): string | null => {
  const html = /^\s*</.test(text);
  if (receiver === 'prometheus' && status === 404 && !html)
    return 'it takes no remote write (HTTP 404); start that Prometheus with --web.enable-remote-write-receiver';
  if (html) return `HTTP ${status} with an HTML page`;
  return status < 300 ? null : oneLine(`HTTP ${status} ${text.slice(0, 200)}`);
};
