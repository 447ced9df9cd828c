// Who a request is, on the wire: the ids that every layer may be searched for, and the headers that carry them.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { PlannedRequest } from './plan.ts';

export type Identity = {
  /** A UUID; version 4's layout, because some gateways refuse or replace any other. */
  readonly requestId: string;
  /** `firedrill-<runId>-` and 12 hex digits. */
  readonly correlationId: string;
  /** 32 and 16 lower case hex digits, as W3C Trace Context has them. */
  readonly traceId: string;
  readonly spanId: string;
};

/** A call into OpenSSL takes longer than the hash itself: so many have their digits of one. */
const AT_ONCE = 32;

/**
 * `length` hex digits for each n, even in number, that look random, are the same for the same run and purpose, and differ between any two of
 * either: SHAKE256's (FIPS 202). Asked for in order they cost least.
 */
export const digits = (runId: string, purpose: string, length: number): ((n: number) => string) => {
  let block = -1;
  let hex = '';
  return (n) => {
    const of = Math.floor(n / AT_ONCE);
    if (of !== block) hex = shake(`${runId}/${purpose}/${of}`, (AT_ONCE * length) / 2);
    block = of;
    const at = (n % AT_ONCE) * length;
    return hex.slice(at, at + length);
  };
};

const shake = (text: string, outputLength: number): string =>
  createHash('shake256', { outputLength }).update(text).digest('hex');

/** Of a run: of its n-th request, for each n. */
export type Identities = (n: number) => Identity;

/** No digit has two uses, so samplers that look at a trace id's bits stay fair. */
export const identities = (runId: string): Identities => {
  const of = digits(runId, 'requests', 92);
  return (n) => {
    const hex = of(n);
    return {
      requestId: uuid(hex.slice(48, 80)),
      correlationId: `firedrill-${runId}-${hex.slice(80, 92)}`,
      traceId: hex.slice(0, 32),
      spanId: hex.slice(32, 48),
    };
  };
};

/** RFC 9562's layout: version nibble 4, variant bits 10. */
const uuid = (hex: string): string => {
  const variant = '89ab'[Number.parseInt(hex[16]!, 16) % 4];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
};

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** The header lines that all requests of a run have. */
export const runLines = (runId: string): string =>
  `user-agent: firedrill/${version} (synthetic; run ${runId})\r\nx-firedrill-run: ${runId}\r\nbaggage: firedrill.run_id=${runId}\r\n`;

/** Those of one request. traceparent is W3C Trace Context Level 2 with flags 03: sampled, and with a random trace id. */
export const requestLines = ({ user, session }: Pick<PlannedRequest, 'user' | 'session'>, ids: Identity): string =>
  `x-request-id: ${ids.requestId}\r\nx-correlation-id: ${ids.correlationId}\r\n` +
  `traceparent: 00-${ids.traceId}-${ids.spanId}-03\r\nx-user-id: ${user}\r\nx-session-id: ${session}\r\n`;
