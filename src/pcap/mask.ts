// From a path to the endpoint behind it: the parts that name one thing among many are left out.

const SLASH = 47;
const MASK = Buffer.from('{id}');

/** Shorter parts of hexadecimal digits, and shorter ones of any letters and digits, may be words and versions. */
const SHORTEST_HEX = 8;
const SHORTEST_TOKEN = 16;

/**
 * Copies the text from `from` to `to` into `into`, with `{id}` for each part between slashes that is a number, or has a digit
 * and is a long hexadecimal number or a long token, as UUIDs are: `GET /orders/4711/items` is `GET /orders/{id}/items`.
 * Returns the length; `into` must have three times as many bytes as the text has.
 */
export const maskIds = (bytes: Buffer, from: number, to: number, into: Buffer): number => {
  let length = 0;
  for (let at = from; at < to; ) {
    const end = partEnd(bytes, at, to);
    if (at > from && isId(bytes, at, end)) length = copied(MASK, 0, MASK.length, into, length);
    else length = copied(bytes, at, end, into, length);
    if (end < to) into[length++] = SLASH;
    at = end + 1;
  }
  return length;
};

/** Copies to `at`, and returns what follows. Parts are so short that Buffer's own copy takes longer. */
const copied = (bytes: Buffer, from: number, to: number, into: Buffer, at: number): number => {
  for (let i = from; i < to; i += 1) into[at++] = bytes[i]!;
  return at;
};

const partEnd = (bytes: Buffer, from: number, to: number): number => {
  let at = from;
  while (at < to && bytes[at] !== SLASH) at += 1;
  return at;
};

const isId = (bytes: Buffer, from: number, to: number): boolean => {
  let digits = 0;
  let hex = 0;
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at]!;
    if (byte >= 48 && byte <= 57) digits += 1;
    else if ((byte >= 97 && byte <= 102) || (byte >= 65 && byte <= 70) || byte === 45) hex += 1;
  }
  const length = to - from;
  if (digits === 0) return false;
  if (digits === length || length >= SHORTEST_TOKEN) return true;
  return length >= SHORTEST_HEX && digits + hex === length;
};
