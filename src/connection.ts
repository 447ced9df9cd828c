// One question to a backend over HTTP, and every way in which what comes is no answer. Bounded in bytes and in time.
import type { IncomingHttpHeaders } from 'node:http';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { type Dispatcher, request } from 'undici';
import { type Access, ANYBODY, hiding, reasonOf } from './credentials.ts';
import { oneLine, Unreachable } from './errors.ts';
import type { Nanos } from './model.ts';
import { until } from './poll.ts';
import { fromMs, SECOND, systemClock, toMs } from './time.ts';

/** From asking to the answer's last byte; waiting because the server asked for it comes on top, once as long again. */
const PATIENCE_MS = 10_000;
/** Of an answer, decompressed. An answer of JSON takes some ten times as much memory while it is read. */
const MAX_BYTES = 32 * 2 ** 20;
/** Between two tries, however soon the server wants the next. */
const PAUSE_MS = 250;
const SHOWN = 200;

/** An answer in JSON. `skewMs`: how far the server's clock is ahead of ours, by its Date header; 0 when none can be seen. */
export type Json = { readonly status: number; readonly body: unknown; readonly skewMs: number };

/** The answer was longer than is taken; a narrower question may have a shorter one. */
export class TooLong extends Unreachable {}

/** `base` and `path` joined with the parameters; `base` may have a path of its own (a route prefix). */
export const address = (base: string, path: string, params: Readonly<Record<string, string>> = {}): string => {
  const query = new URLSearchParams(params).toString();
  return `${base.replace(/\/+$/, '')}${path}${query ? `?${query}` : ''}`;
};

/**
 * Gets `url` and returns its JSON, whatever the status, as long as it is JSON. A 429 or 503 with Retry-After is asked again when
 * the server wants it, within 10 s and until `signal` aborts. Throws Unreachable, in one line that never has a secret's value:
 * nobody answers, a redirect, a refused or missing credential, an answer that is cut off, too long, too slow, not UTF-8, HTML.
 */
export const getJson = async (url: string, signal: AbortSignal, access: Access = ANYBODY): Promise<Json> => {
  const sent = await access.sent();
  const hide = hiding(sent);
  try {
    const reply = await patient(() => ask(url, sent.headers, access.dispatcher, signal), signal);
    mustHaveAnswered(reply, access);
    const hidden = (_: string, value: unknown): unknown => (typeof value === 'string' ? hide(value) : value);
    return { status: reply.status, body: parsed(reply, hidden), skewMs: skewOf(reply) };
  } catch (error) {
    if (error instanceof TooLong) throw error;
    throw new Unreachable(hide(oneLine(error)));
  }
};

/** What follows from a server's clock that is far off, in one line, or null when it is right to five seconds. */
export const clockTrouble = (skewMs: number): string | null => {
  // Less is told apart by nobody: looks are seconds apart, and so are scrapes.
  if (Math.abs(skewMs) < 5000) return null;
  const off = `${Math.round(Math.abs(skewMs) / 1000)} s ${skewMs > 0 ? 'ahead of' : 'behind'} ours`;
  return `its clock is ${off}, by its Date header: what it dated can't be found at the times that it is asked about`;
};

// ---- One try --------------------------------------------------------------------------------------------------

type Reply = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly asked: Nanos;
  readonly answered: Nanos;
};

const ask = async (
  url: string,
  more: Readonly<Record<string, string>>,
  dispatcher: Dispatcher | undefined,
  signal: AbortSignal,
): Promise<Reply> => {
  const deadline = AbortSignal.timeout(PATIENCE_MS);
  const within = AbortSignal.any([signal, deadline]);
  const asked = systemClock.now();
  const got: Got = { status: null, bytes: 0, chunks: [] };
  try {
    const { statusCode, headers, body } = await request(url, {
      signal: within,
      headers: { accept: 'application/json', 'accept-encoding': 'gzip', 'user-agent': 'firedrill', ...more },
      ...(dispatcher ? { dispatcher } : {}),
    });
    got.status = statusCode;
    const answered = systemClock.now();
    await gather(body, headers['content-encoding'], got, within);
    return { status: statusCode, headers, text: textOf(got), asked, answered };
  } catch (error) {
    if (error instanceof Unreachable) throw error;
    throw new Unreachable(why(url, error, got, { ended: signal.aborted, late: deadline.aborted }));
  }
};

type Got = { status: number | null; bytes: number; chunks: Buffer[] };

const gather = async (
  body: Dispatcher.ResponseData['body'],
  encoding: string | string[] | undefined,
  got: Got,
  signal: AbortSignal,
): Promise<void> => {
  const keep = async (chunks: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of chunks) {
      got.bytes += chunk.length;
      if (got.bytes > MAX_BYTES) throw new TooLong(`HTTP ${got.status} with more than ${MAX_BYTES / 2 ** 20} MB`);
      got.chunks.push(chunk);
    }
  };
  if (encoding === undefined || encoding === 'identity') return pipeline(body, keep, { signal });
  if (encoding === 'gzip' || encoding === 'x-gzip') return pipeline(body, createGunzip(), keep, { signal });
  body.on('error', () => undefined).destroy();
  throw new Unreachable(`HTTP ${got.status} in an encoding that was not asked for: ${encoding}`);
};

const textOf = ({ status, chunks }: Got): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new Unreachable(`HTTP ${status} with bytes that are not UTF-8`);
  }
};

const CUT = ['UND_ERR_SOCKET', 'ECONNRESET', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH', 'Z_BUF_ERROR'];

/** What went wrong, in one line. */
const why = (
  url: string,
  error: unknown,
  { status, bytes }: Got,
  over: { readonly ended: boolean; readonly late: boolean },
): string => {
  const { code = '' } = error as NodeJS.ErrnoException;
  const soFar = status === null ? 'no answer' : `HTTP ${status}, of whose body only ${sizeOf(bytes)} came`;
  if (over.ended) return `${soFar}: the time of this look is over`;
  if (over.late) return `${soFar} within ${PATIENCE_MS / 1000} s`;
  if (status === null) return `no answer: ${unanswered(error, url.startsWith('https:'))}`;
  if (CUT.includes(code)) return `${soFar} before the connection ended`;
  return code.startsWith('Z_') ? `HTTP ${status} with broken gzip: ${oneLine(error)}` : `${soFar}: ${oneLine(error)}`;
};

const sizeOf = (bytes: number): string => (bytes < 2048 ? `${bytes} bytes` : `${Math.round(bytes / 1024)} kB`);

const unanswered = (error: unknown, secured: boolean): string => {
  // One of several addresses of a name says more than all of them together.
  const { errors: [first = error] = [] } = error as { readonly errors?: readonly unknown[] };
  const { code = '' } = first as NodeJS.ErrnoException;
  const hint = secured ? HINTS.find(([codes]) => codes.test(code))?.[1] : undefined;
  return `${reasonOf(first)}${hint ? ` (${hint})` : ''}`;
};

/** What the profile lacks when TLS does not come about. A server may also just hang up on who shows no certificate. */
const HINTS: readonly (readonly [RegExp, string])[] = [
  [/SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)/, 'caFile names who signed its certificate'],
  [/ALTNAME_INVALID/, 'serverName says which name is in its certificate'],
  [/ALERT|HANDSHAKE|UND_ERR_SOCKET|ECONNRESET/, 'if it demands a certificate, certFile and keyFile name one'],
];

// ---- Again, when the server says so ---------------------------------------------------------------------------

type Failed = { readonly failed: unknown };

/** Asks until the server no longer wants to be asked later, or wants it too late. */
const patient = async (asking: () => Promise<Reply>, signal: AbortSignal): Promise<Reply> => {
  const end = systemClock.now() + fromMs(PATIENCE_MS);
  const next = async (): Promise<Reply | Failed | null> => {
    const reply = await asking().catch((failed: unknown): Failed => ({ failed }));
    const waitMs = 'failed' in reply ? null : waitOf(reply);
    const at = waitMs === null ? null : systemClock.now() + fromMs(waitMs);
    if (at === null || at > end) return reply;
    await systemClock.sleepUntil(at, signal).catch(() => undefined);
    return signal.aborted ? reply : null;
  };
  const last = await until('an answer', next, { forMs: 2 * PATIENCE_MS, everyMs: PAUSE_MS });
  if ('failed' in last) throw last.failed;
  return last;
};

/**
 * Milliseconds that Retry-After asks for: a number of seconds, or a date, which is compared with the server's own clock. Null when
 * it asks for nothing. Source: RFC 9110, 10.2.3.
 */
const waitOf = ({ status, headers, answered }: Reply): number | null => {
  const text = headers['retry-after'];
  if ((status !== 429 && status !== 503) || typeof text !== 'string') return null;
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const at = Date.parse(text);
  const now = Date.parse(String(headers.date)) || toMs(answered);
  return Number.isNaN(at) ? null : Math.max(0, at - now);
};

// ---- Is it an answer? -----------------------------------------------------------------------------------------

const mustHaveAnswered = (reply: Reply, { credential, where }: Access): void => {
  const { status, headers, text } = reply;
  const waitMs = waitOf(reply);
  if (waitMs !== null)
    throw new Unreachable(`HTTP ${status}, to be asked again in ${Math.ceil(waitMs / 1000)} s: ${said(text)}`);
  if (status === 401 || status === 403) {
    const shown = credential
      ? `to ${credential}`
      : `and no credential was sent, for ${where} of the profile names none`;
    throw new Unreachable(`HTTP ${status} ${shown}: ${said(text)}`);
  }
  if (status >= 300 && status < 400)
    throw new Unreachable(`HTTP ${status} to another place (${placeOf(headers.location)}): ${REDIRECTED}`);
};

const REDIRECTED = 'a page to log in, when a credential is missing; a path prefix, when the URL lacks it';
const placeOf = (location: string | undefined): string => location?.replace(/[?#].*/s, '') || 'unnamed';

/** The beginning of what a server said beside its status. */
const said = (text: string): string => {
  const start = text.trim();
  if (start === '') return 'nothing else is said';
  return start.startsWith('<') ? 'an HTML page' : oneLine(start.slice(0, SHOWN));
};

const parsed = ({ status, text }: Reply, hidden: (key: string, value: unknown) => unknown): unknown => {
  try {
    // Only what is refused may have in it what was sent, and only that is short.
    return status === 200 ? JSON.parse(text) : JSON.parse(text, hidden);
  } catch {
    throw new Unreachable(`HTTP ${status}${unlike(status, text.trim())}`);
  }
};

const unlike = (status: number, start: string): string => {
  if (start === '') return ' with an empty body instead of JSON';
  if (start.startsWith('<')) return ' with HTML instead of JSON';
  if (/^[[{]/.test(start)) return ` with broken or cut off JSON: ${said(start)}`;
  return status >= 400 ? `: ${said(start)}` : ` with a text instead of JSON: ${said(start)}`;
};

/** The header has whole seconds: a clock is off only by as much as all of that second lies outside of asking and answering. */
const skewOf = ({ headers, asked, answered }: Reply): number => {
  const from = fromMs(Date.parse(String(headers.date)) || 0);
  // A cache hands on an old date.
  if (from === 0n || headers.age !== undefined) return 0;
  if (from > answered) return toMs(from - answered);
  return from + SECOND < asked ? -toMs(asked - from - SECOND) : 0;
};
