// Where HTTP/1.x messages begin and end in a stream of bytes (RFC 9112), and nothing more: no byte is changed or lost.

/** How a message's body is delimited: so many bytes, chunks, the connection's end, or what follows is another protocol. */
export type Body = number | 'chunked' | 'until close' | 'tunnel';

/**
 * `head`: a whole start line and header section with its empty line. `body`: bytes of a body, or empty lines between
 * messages. `end`: the message is complete. `raw`: bytes of something that is not HTTP/1.x, or no longer.
 */
export type Piece =
  | { readonly kind: 'head' | 'body' | 'raw'; readonly bytes: Buffer }
  | { readonly kind: 'end'; readonly bytes: null };

export type Dialect = {
  /** Whether the bytes so far can still become a start line. */
  readonly begins: RegExp;
  /** Whether the whole first line is one. */
  readonly line: RegExp;
  readonly body: (head: string) => Body;
};

export type Splitter = {
  push(chunk: Buffer): Piece[];
  /** What was held back, waiting for the end of a head: to be passed on when the stream ends. */
  rest(): Buffer;
};

type State =
  | { readonly at: 'head' | 'chunk size' | 'trailer' | 'raw' | 'until close' }
  | { readonly at: 'sized' | 'chunk'; readonly left: number };

type Step = { readonly used: number; readonly pieces: readonly Piece[]; readonly state: State } | null;

/** A head longer than this is no head: servers refuse long before. */
const LONGEST_HEAD = 65_536;
const LONGEST_LINE = 16_384;
const RAW: State = { at: 'raw' };
const HEAD: State = { at: 'head' };
const END: Piece = { kind: 'end', bytes: null };

/** Cuts a stream into pieces as it arrives. Joined together, the pieces' bytes are the stream. */
export const splitter = (dialect: Dialect): Splitter => {
  let state: State = HEAD;
  let held: Buffer = Buffer.alloc(0);
  return {
    push: (chunk) => {
      held = held.length > 0 ? Buffer.concat([held, chunk]) : chunk;
      const pieces: Piece[] = [];
      while (held.length > 0) {
        const step = advance(state, held, dialect);
        if (!step) break;
        pieces.push(...step.pieces);
        held = held.subarray(step.used);
        state = step.state;
      }
      return pieces;
    },
    rest: () => held,
  };
};

/** The next step from a state with some bytes at hand; null when more are needed. */
const advance = (state: State, bytes: Buffer, dialect: Dialect): Step => {
  switch (state.at) {
    case 'head':
      return head(bytes, dialect);
    case 'sized':
      return counted(bytes, state.left, (left) => (left > 0 ? { at: 'sized', left } : null));
    case 'chunk':
      return counted(bytes, state.left, (left) => (left > 0 ? { at: 'chunk', left } : { at: 'chunk size' }));
    case 'chunk size':
      return chunkSize(bytes);
    case 'trailer':
      return trailer(bytes);
    case 'until close':
      return { used: bytes.length, pieces: [{ kind: 'body', bytes }], state };
    case 'raw':
      return raw(bytes);
  }
};

const raw = (bytes: Buffer): Step => ({ used: bytes.length, pieces: [{ kind: 'raw', bytes }], state: RAW });

const head = (bytes: Buffer, dialect: Dialect): Step => {
  const text = bytes.toString('latin1', 0, LONGEST_HEAD);
  // RFC 9112, section 2.2: empty lines before a start line are to be ignored.
  const empty = /^(?:\r?\n)+/.exec(text)?.[0].length;
  if (empty) return { used: empty, pieces: [{ kind: 'body', bytes: bytes.subarray(0, empty) }], state: HEAD };
  if (text === '\r') return null;
  const firstLine = /^(.*?)\r?\n/.exec(text)?.[1];
  const plausible = firstLine === undefined ? dialect.begins.test(text) : dialect.line.test(firstLine);
  if (!plausible) return raw(bytes);
  const end = /\r?\n\r?\n/.exec(text);
  if (!end) return text.length < LONGEST_HEAD ? null : raw(bytes);
  return headAt(bytes, end.index + end[0].length, dialect);
};

const headAt = (bytes: Buffer, used: number, dialect: Dialect): Step => {
  const piece: Piece = { kind: 'head', bytes: bytes.subarray(0, used) };
  const body = dialect.body(bytes.toString('latin1', 0, used));
  if (body === 0) return { used, pieces: [piece, END], state: HEAD };
  return { used, pieces: [piece], state: after(body) };
};

const after = (body: Exclude<Body, 0>): State => {
  if (body === 'chunked') return { at: 'chunk size' };
  if (body === 'tunnel') return RAW;
  return body === 'until close' ? { at: 'until close' } : { at: 'sized', left: body };
};

/** Up to `left` bytes of a body; without a following state the message ends there. */
const counted = (bytes: Buffer, left: number, next: (left: number) => State | null): Step => {
  const used = Math.min(left, bytes.length);
  const state = next(left - used);
  const body: Piece = { kind: 'body', bytes: bytes.subarray(0, used) };
  return { used, pieces: state ? [body] : [body, END], state: state ?? HEAD };
};

const chunkSize = (bytes: Buffer): Step => {
  const end = lineEnd(bytes);
  if (end === null) return bytes.length < LONGEST_LINE ? null : raw(bytes);
  const size = /^([0-9a-f]{1,12})[ \t]*(?:;.*)?\r?\n$/i.exec(bytes.toString('latin1', 0, end))?.[1];
  if (size === undefined) return raw(bytes);
  const left = Number.parseInt(size, 16);
  const pieces: Piece[] = [{ kind: 'body', bytes: bytes.subarray(0, end) }];
  // A chunk's data has a line break after it.
  return { used: end, pieces, state: left === 0 ? { at: 'trailer' } : { at: 'chunk', left: left + 2 } };
};

const trailer = (bytes: Buffer): Step => {
  const end = lineEnd(bytes);
  if (end === null) return bytes.length < LONGEST_LINE ? null : raw(bytes);
  const line: Piece = { kind: 'body', bytes: bytes.subarray(0, end) };
  const last = bytes[0] === 0x0a || (bytes[0] === 0x0d && end === 2);
  return last
    ? { used: end, pieces: [line, END], state: HEAD }
    : { used: end, pieces: [line], state: { at: 'trailer' } };
};

const lineEnd = (bytes: Buffer): number | null => {
  const at = bytes.indexOf(0x0a);
  return at < 0 ? null : at + 1;
};

/** The value of a head's first header of that name (lower case), or null. */
export const header = (head: string, name: string): string | null => {
  for (const line of head.split(/\r?\n/).slice(1)) {
    const colon = line.indexOf(':');
    if (colon > 0 && line.slice(0, colon).toLowerCase() === name) return line.slice(colon + 1).trim();
  }
  return null;
};

/** Content-Length or chunked; RFC 9112, section 6.3. */
const declared = (head: string): number | 'chunked' | null => {
  if (/\bchunked\s*$/i.test(header(head, 'transfer-encoding') ?? '')) return 'chunked';
  const length = header(head, 'content-length');
  return length !== null && /^\d+$/.test(length) ? Number(length) : null;
};

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]";

/** Requests: a body only when one is declared. */
export const REQUESTS: Dialect = {
  begins: new RegExp(`^${TOKEN}{1,32}(?: [^\\r\\n]*\\r?)?$`),
  line: new RegExp(`^${TOKEN}{1,32} \\S+ HTTP/1\\.\\d$`),
  body: (head) => declared(head) ?? 0,
};

/** Answers, given how to learn the method that each answers, in their order. */
export const responses = (method: () => string): Dialect => ({
  begins: /^(?:H|HT|HTT|HTTP|HTTP\/|HTTP\/1|HTTP\/1\.[^\r\n]*\r?)$/,
  line: /^HTTP\/1\.\d \d{3}(?: |$)/,
  body: (head) => answerBody(status(head), status(head) < 200 ? '' : method(), head),
});

/** The status code of an answer's head. */
export const status = (head: string): number => Number(head.slice(9, 12));

const answerBody = (code: number, method: string, head: string): Body => {
  if (code === 101 || (method === 'CONNECT' && code < 300)) return 'tunnel';
  if (code < 200 || code === 204 || code === 304 || method === 'HEAD') return 0;
  return declared(head) ?? 'until close';
};
