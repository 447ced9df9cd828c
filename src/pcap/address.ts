// Addresses as text. A capture has few of them and many packets, so each text is made once.

/** Spoofed sources could be without number; a full cache starts anew. */
const LIMIT = 65_536;

const cached = <K>(cache: Map<K, string>, key: K, make: () => string): string => {
  if (cache.size >= LIMIT) cache.clear();
  const text = make();
  cache.set(key, text);
  return text;
};

const v4Texts = new Map<number, string>();
const v6Texts = new Map<string, string>();

/**
 * The address of four 32-bit words, signed or not, in the canonical form of RFC 5952; an IPv4-mapped one (::ffff:a.b.c.d)
 * as the IPv4 address that it is.
 */
export const addressText = (w0: number, w1: number, w2: number, w3: number): string => {
  if (w0 === 0 && w1 === 0 && w2 === 0xffff) return v4Texts.get(w3) ?? cached(v4Texts, w3, () => bytesOf(w3).join('.'));
  const key = `${w0},${w1},${w2},${w3}`;
  return v6Texts.get(key) ?? cached(v6Texts, key, () => v6Text([w0, w1, w2, w3]));
};

/** An end as text: `10.0.0.1:80`, `[2001:db8::1]:80`. */
export const endText = (w0: number, w1: number, w2: number, w3: number, port: number): string => {
  const address = addressText(w0, w1, w2, w3);
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
};

const bytesOf = (word: number): number[] => [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255];

const v6Text = (words: readonly number[]): string => {
  const groups = words.flatMap((word) => [word >>> 16, word & 0xffff]);
  const hex = groups.map((group) => group.toString(16));
  const { from, length } = longestZeroes(groups);
  if (length < 2) return hex.join(':');
  return `${hex.slice(0, from).join(':')}::${hex.slice(from + length).join(':')}`;
};

const longestZeroes = (groups: readonly number[]): { readonly from: number; readonly length: number } => {
  let best = { from: 0, length: 0 };
  let from = 0;
  groups.forEach((group, i) => {
    if (group !== 0) from = i + 1;
    else if (i + 1 - from > best.length) best = { from, length: i + 1 - from };
  });
  return best;
};
