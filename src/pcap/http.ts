// The start of an HTTP/1 message: its first line, and of its headers those that say who asked. Nothing is made into text.

/** Where something lies; nothing when `to` is 0. */
export type Span = { from: number; to: number };

/** The head of one request. `whole` tells whether the empty line that ends it was seen. One object, used again. */
export type Head = {
  whole: boolean;
  /** Method and path, without the query. */
  readonly target: Span;
  readonly requestId: Span;
  readonly userId: Span;
  readonly username: Span;
  readonly session: Span;
  readonly baggage: Span;
};

const span = (): Span => ({ from: 0, to: 0 });

export const emptyHead = (): Head => ({
  ...{ whole: false, target: span(), requestId: span(), userId: span() },
  ...{ username: span(), session: span(), baggage: span() },
});

const LF = 10;
const CR = 13;
const SPACE = 32;
const COLON = 58;
const QUESTION = 63;

/** Methods have three to seven capitals (GET … OPTIONS, CONNECT); whoever has more is cut at this. */
const LONGEST_METHOD = 16;

/** Where the method that these bytes begin with ends; -1 when they begin with none. */
const methodEnd = (bytes: Buffer, from: number, to: number): number => {
  const last = Math.min(to, from + LONGEST_METHOD);
  let at = from;
  while (at < last && bytes[at]! >= 65 && bytes[at]! <= 90) at += 1;
  return at - from >= 3 && at < last && bytes[at] === SPACE ? at : -1;
};

/** Whether these bytes may be the beginning of a request: what follows can still show that they are none. */
export const beginsRequest = (bytes: Buffer, from: number, to: number): boolean => {
  const end = methodEnd(bytes, from, to);
  return end >= 0 && (end + 1 >= to || bytes[end + 1]! > SPACE);
};

const startsWith = (bytes: Buffer, from: number, to: number, text: string): boolean => {
  if (to - from < text.length) return false;
  for (let i = 0; i < text.length; i += 1) if (bytes[from + i] !== text.charCodeAt(i)) return false;
  return true;
};

/** The status of the HTTP/1 response that these bytes begin with; 0 when they begin with none. */
export const statusOf = (bytes: Buffer, from: number, to: number): number => {
  if (to - from < 12 || !startsWith(bytes, from, to, 'HTTP/1.')) return 0;
  const status = (bytes[from + 9]! - 48) * 100 + (bytes[from + 10]! - 48) * 10 + (bytes[from + 11]! - 48);
  return status >= 100 && status <= 999 ? status : 0;
};

/** The connection preface of HTTP/2 (RFC 9113, 3.4). */
export const beginsHttp2 = (bytes: Buffer, from: number, to: number): boolean =>
  startsWith(bytes, from, to, 'PRI * HTTP/2.0\r\n');

const lineEnd = (bytes: Buffer, from: number, to: number): number => {
  let at = from;
  while (at < to && bytes[at] !== LF) at += 1;
  return at;
};

/** Reads a request's head as far as it is there. False when the bytes are no HTTP/1 request after all. */
export const readHead = (bytes: Buffer, from: number, to: number, head: Head): boolean => {
  forget(head);
  let end = lineEnd(bytes, from, to);
  if (!readRequestLine(bytes, from, end, end < to, head)) return false;
  while (end < to) {
    const start = end + 1;
    end = lineEnd(bytes, start, to);
    if (end === to) return true;
    if (end === start || (end === start + 1 && bytes[start] === CR)) {
      head.whole = true;
      return true;
    }
    readLine(bytes, start, bytes[end - 1] === CR ? end - 1 : end, head);
  }
  return true;
};

const forget = (head: Head): void => {
  head.whole = false;
  head.requestId.to = head.userId.to = head.username.to = head.session.to = head.baggage.to = 0;
};

/** A line that is all there must end with the protocol; one that is not may still do so. */
const readRequestLine = (bytes: Buffer, from: number, end: number, ended: boolean, head: Head): boolean => {
  const method = methodEnd(bytes, from, end);
  if (method < 0) return false;
  let to = method + 1;
  while (to < end && bytes[to]! > SPACE) to += 1;
  if (ended && !startsWith(bytes, to, end, ' HTTP/1.')) return false;
  head.target.from = from;
  head.target.to = queryStart(bytes, method, to);
  return true;
};

const queryStart = (bytes: Buffer, from: number, to: number): number => {
  let at = from;
  while (at < to && bytes[at] !== QUESTION) at += 1;
  return at;
};

const readLine = (bytes: Buffer, from: number, to: number, head: Head): void => {
  const first = bytes[from]! | 0x20;
  if (first === 0x78) {
    if (isNamed(bytes, from, to, 'x-request-id')) value(bytes, from + 13, to, head.requestId);
    else if (isNamed(bytes, from, to, 'x-user-id')) value(bytes, from + 10, to, head.userId);
    else if (isNamed(bytes, from, to, 'x-username')) value(bytes, from + 11, to, head.username);
    else if (isNamed(bytes, from, to, 'x-session-id')) value(bytes, from + 13, to, head.session);
  } else if (first === 0x62 && isNamed(bytes, from, to, 'baggage')) value(bytes, from + 8, to, head.baggage);
};

/** Names of headers have no case (RFC 9110, 5.1); `name` is in lower case. */
const isNamed = (bytes: Buffer, from: number, to: number, name: string): boolean => {
  if (from + name.length >= to || bytes[from + name.length] !== COLON) return false;
  for (let i = 0; i < name.length; i += 1) if ((bytes[from + i]! | 0x20) !== name.charCodeAt(i)) return false;
  return true;
};

const value = (bytes: Buffer, from: number, to: number, into: Span): void => {
  let [start, end] = [from, to];
  while (start < end && bytes[start]! <= SPACE) start += 1;
  while (end > start && bytes[end - 1]! <= SPACE) end -= 1;
  into.from = start;
  into.to = end;
};

/** The member of a W3C baggage header with this key, percent-decoded, without its properties; null when there is none. */
export const baggageMember = (header: string, key: string): string | null => {
  for (const member of header.split(',')) {
    const [name, text] = member.split(';')[0]!.split('=', 2);
    if (name?.trim() === key && text !== undefined) return decoded(text.trim());
  }
  return null;
};

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};
