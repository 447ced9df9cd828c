// A request as HTTP/1.1 has it on the wire (RFC 9112), head and body in one text.
import { Malformed } from './failure.ts';
import { type Identity, requestLines, runLines } from './identity.ts';
import type { PlannedRequest, TrafficPlan } from './plan.ts';

/** What may stand in a request line: no blank, no control character, nothing beyond ASCII. */
const TARGET = /^[!-~]+$/;
const HAS_BODY = new Set(['POST', 'PUT', 'PATCH']);

/** Writes the requests of one plan. What it returns throws Malformed for a path that HTTP does not allow. */
export const writer = (
  plan: Pick<TrafficPlan, 'url' | 'runId'>,
): ((request: PlannedRequest, ids: Identity) => string) => {
  const url = new URL(plan.url);
  // The base URL's own path stays in front of every request's.
  const base = url.pathname.replace(/\/$/, '');
  const same = `host: ${url.host}\r\nconnection: keep-alive\r\n${runLines(plan.runId)}`;
  return (request, ids) => {
    const { method, path, body } = request;
    if (!TARGET.test(path) || !TARGET.test(method)) throw new Malformed('invalid request');
    return `${method} ${base}${path} HTTP/1.1\r\n${same}${requestLines(request, ids)}${framing(method, body)}\r\n${body ?? ''}`;
  };
};

const framing = (method: string, body: string | null): string => {
  if (body === null) return HAS_BODY.has(method) ? 'content-length: 0\r\n' : '';
  return `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
};
