// Addresses as text. A capture has few of them and many packets, so each text is made once.
import { bigEndian } from './bytes.ts';

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

/** The four bytes at `at` as a dotted quad. */
export const v4 = (bytes: Buffer, at: number): string => {
  const key = bigEndian.u32(bytes, at);
  return v4Texts.get(key) ?? cached(v4Texts, key, () => bytes.subarray(at, at + 4).join('.'));
};

/** The sixteen bytes at `at` in the canonical form of RFC 5952; an IPv4-mapped address as the IPv4 address that it is. */
export const v6 = (bytes: Buffer, at: number): string => {
  const key = bytes.toString('latin1', at, at + 16);
  return v6Texts.get(key) ?? cached(v6Texts, key, () => v6Text(bytes.subarray(at, at + 16)));
};

const v6Text = (bytes: Buffer): string => {
  const groups = Array.from({ length: 8 }, (_, i) => bigEndian.u16(bytes, 2 * i));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff) return bytes.subarray(12).join('.');
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
