// The answers that come over one HTTP/1.1 connection, by RFC 9112: where each ends, and whether another may follow it.
// Of an answer only its status is kept. Our own because it is what a request costs most (docs/adr/0016).
import { chunks } from './chunks.ts';
import { Malformed } from './failure.ts';

export type Answers = {
  /** A request has gone out, so an answer is awaited. */
  await(method: string): void;
  /** The status, once the answer awaited is whole; null until then. Throws Malformed. */
  push(bytes: Buffer): number | null;
  /** The status of an answer that only the connection's end could end; null where it cut one short. */
  end(): number | null;
  /** Whether the connection may carry another request. */
  reusable(): boolean;
  /** How long the server keeps an idle connection, in milliseconds, if it has said so. */
  keptMs(): number | null;
};

/** As many bytes as the head of an answer may have; Node's own limit is 16 KiB. */
const MOST_HEAD = 65_536;
const NOTHING = Buffer.alloc(0);
const HEAD_END = Buffer.from('\r\n\r\n');

/** What is still to come: the head, so many bytes, chunks, or all until the connection ends. */
type Awaited = 'nothing' | 'head' | 'bytes' | 'chunks' | 'end';

export const answers = (): Answers => {
  let awaited: Awaited = 'nothing';
  let head: Buffer = NOTHING;
  let bodiless = false;
  let left = 0;
  let status = 0;
  let reusable = true;
  let keptMs: number | null = null;
  let body = chunks();

  const whole = (rest: Buffer): number => {
    awaited = 'nothing';
    // Nobody has asked for what follows: it can't be told whose answer it would be.
    if (rest.length > 0) reusable = false;
    return status;
  };

  const onHead = (bytes: Buffer): number | null => {
    const all = head.length > 0 ? Buffer.concat([head, bytes]) : bytes;
    const end = all.indexOf(HEAD_END, Math.max(0, head.length - 3));
    if (end < 0) {
      if (all.length > MOST_HEAD) throw new Malformed('response headers too large');
      if (!couldBegin(all)) throw new Malformed('malformed response');
      // The buffer that bytes came in may be used again.
      head = Buffer.from(all);
      return null;
    }
    head = NOTHING;
    const text = all.toString('latin1', 0, end);
    const rest = all.length > end + 4 ? all.subarray(end + 4) : NOTHING;
    status = statusIn(text);
    if (status < 200) return rest.length > 0 ? onHead(rest) : null;
    const fields = fieldsIn(text);
    if (!lasting(text, fields)) reusable = false;
    keptMs = keptIn(fields);
    return onBody(framing(fields), rest);
  };

  const onBody = (framed: Framing, rest: Buffer): number | null => {
    if (bodiless || status === 204 || status === 304 || framed === 0) return whole(rest);
    if (framed === 'chunks') {
      body = chunks();
      awaited = 'chunks';
    } else if (framed === 'end') {
      reusable = false;
      awaited = 'end';
    } else {
      left = framed;
      awaited = 'bytes';
    }
    return rest.length > 0 ? onRest(rest) : null;
  };

  const onRest = (bytes: Buffer): number | null => {
    if (awaited === 'end') return null;
    if (awaited === 'chunks') {
      const end = body.push(bytes);
      return end === null ? null : whole(bytes.subarray(end));
    }
    left -= bytes.length;
    return left > 0 ? null : whole(left < 0 ? bytes.subarray(bytes.length + left) : NOTHING);
  };

  return {
    await: (method) => {
      awaited = 'head';
      bodiless = method === 'HEAD';
    },
    push: (bytes) => {
      if (awaited === 'nothing') throw new Malformed('an answer that nobody asked for');
      return awaited === 'head' ? onHead(bytes) : onRest(bytes);
    },
    end: () => (awaited === 'end' ? whole(NOTHING) : null),
    reusable: () => reusable,
    keptMs: () => keptMs,
  };
};

const START = 'HTTP/1.';

/** Whether an answer may begin so: what is no HTTP at all is told at once, not when its sender hangs up. */
const couldBegin = (bytes: Buffer): boolean => {
  const text = bytes.toString('latin1', 0, START.length);
  return START.startsWith(text);
};

const statusIn = (head: string): number => {
  const status = /^HTTP\/1\.[01] ([1-9]\d\d)(?: [^\r\n]*)?(?:\r\n|$)/.exec(head)?.[1];
  // Nobody has asked to change the protocol.
  if (!status || status === '101') throw new Malformed('malformed response');
  return Number(status);
};

/** Those fields that say where an answer ends and what becomes of its connection; null without one, several as one list. */
type Fields = {
  connection: string | null;
  'keep-alive': string | null;
  'transfer-encoding': string | null;
  'content-length': string | null;
};
const NONE: Fields = { connection: null, 'keep-alive': null, 'transfer-encoding': null, 'content-length': null };
const NAMES = Object.keys(NONE);
const LENGTHS = new Set(NAMES.map((name) => name.length));

/** Found line by line: a search for each of them, in any case, takes as long as all else that an answer needs. */
const fieldsIn = (head: string): Fields => {
  const found = { ...NONE };
  for (let at = head.indexOf('\r\n'); at >= 0; ) {
    const from = at + 2;
    at = head.indexOf('\r\n', from);
    const colon = head.indexOf(':', from);
    if (!LENGTHS.has(colon - from)) continue;
    const name = head.slice(from, colon).toLowerCase() as keyof Fields;
    if (!NAMES.includes(name)) continue;
    const value = head.slice(colon + 1, at < 0 ? undefined : at);
    found[name] = found[name] === null ? value : `${found[name]},${value}`;
  }
  return found;
};

/** RFC 9112, section 9.3: HTTP/1.1 keeps its connections unless it says otherwise, HTTP/1.0 the other way round. */
const lasting = (head: string, { connection }: Fields): boolean => {
  const said = connection?.toLowerCase() ?? '';
  return head.startsWith('HTTP/1.0') ? said.includes('keep-alive') : !said.includes('close');
};

const keptIn = (fields: Fields): number | null => {
  const said = fields['keep-alive'];
  const seconds = said === null ? null : /\btimeout=(\d+)/i.exec(said)?.[1];
  return seconds ? Number(seconds) * 1000 : null;
};

const LENGTH = /^[ \t]*\d{1,15}[ \t]*$/;

/** A number of bytes, or what ends the body instead. */
type Framing = number | 'chunks' | 'end';

/** RFC 9112, section 6.3: Transfer-Encoding goes before Content-Length; of several lengths all must be the same. */
const framing = (fields: Fields): Framing => {
  const { 'transfer-encoding': codings, 'content-length': lengths } = fields;
  if (codings !== null) return /\bchunked[ \t]*$/i.test(codings) ? 'chunks' : 'end';
  if (lengths === null) return 'end';
  if (LENGTH.test(lengths)) return Number(lengths);
  const [only, ...others] = lengths.split(',').map((value) => value.trim());
  if (others.some((other) => other !== only) || !LENGTH.test(only!)) throw new Malformed('malformed response');
  return Number(only);
};
