// Which packets are looked at, by what their headers say, before anything else is done with them.
import { Usage } from '../errors.ts';
import type { Headers } from './headers.ts';
import { IANA } from './headers.ts';

/** One end of a conversation; null for any. */
export type End = { readonly words: readonly [number, number, number, number] | null; readonly port: number | null };

/** Up to two ends, in either order, and a protocol. */
export type Filter = { readonly ends: readonly End[]; readonly protocol: 'tcp' | 'udp' | null };

export type Accept = (headers: Headers) => boolean;

/** One of `of` parts of a capture, each with whole conversations: which one a packet is in, its ends say, in either direction. */
export type Share = { readonly part: number; readonly of: number };

export const ALL: Share = { part: 0, of: 1 };

/** Knuth's multiplicative hash (The Art of Computer Programming, 6.4) of what is the same in both directions. */
export const inShare =
  ({ part, of }: Share): Accept =>
  (h) =>
    (Math.imul(h.s3 ^ h.d3 ^ h.sourcePort ^ h.destinationPort, 0x9e3779b1) >>> 16) % of === part;

/** Tells whether a packet is between these ends. */
export const accepting = ({ ends, protocol }: Filter): Accept => {
  const [one, other] = ends;
  const wanted = protocol === null ? null : protocol === 'tcp' ? IANA.TCP : IANA.UDP;
  return (h) => {
    if (wanted !== null && h.protocol !== wanted) return false;
    if (!one) return true;
    if (!other) return isSource(one, h) || isDestination(one, h);
    return (isSource(one, h) && isDestination(other, h)) || (isSource(other, h) && isDestination(one, h));
  };
};

const isSource = ({ words, port }: End, h: Headers): boolean =>
  (port === null || port === h.sourcePort) &&
  (words === null || (words[3] === h.s3 && words[2] === h.s2 && words[1] === h.s1 && words[0] === h.s0));

const isDestination = ({ words, port }: End, h: Headers): boolean =>
  (port === null || port === h.destinationPort) &&
  (words === null || (words[3] === h.d3 && words[2] === h.d2 && words[1] === h.d1 && words[0] === h.d0));

/**
 * The end that a text names: `10.0.0.1`, `10.0.0.1:8080`, `:8080`, `2001:db8::1`, `[2001:db8::1]:8080`. Throws Usage when it
 * names none.
 */
export const parseEnd = (text: string): End => {
  const match = /^(?:\[([^\]]+)\]|((?:\d{1,3}\.){3}\d{1,3})|)(?::(\d{1,5}))?$/.exec(text);
  const address = match ? (match[1] ?? match[2] ?? null) : text;
  const port = match?.[3] === undefined ? null : Number(match[3]);
  const words = address === null ? null : wordsOf(address);
  if (words === undefined || (words === null && port === null) || (port ?? 0) > 65_535)
    throw new Usage(
      `'${text}' is no end of a conversation; write 10.0.0.1, 10.0.0.1:8080, :8080 or [2001:db8::1]:8080`,
    );
  return { words, port };
};

/** The four words of an address, IPv4 as ::ffff:a.b.c.d; undefined when it is none. */
const wordsOf = (address: string): End['words'] | undefined => {
  const dotted = /^(?:::ffff:)?(\d+)\.(\d+)\.(\d+)\.(\d+)$/i.exec(address);
  if (dotted) return v4Words(dotted.slice(1).map(Number));
  const [left, right, ...more] = address.split('::').map(groupsOf);
  if (!left || more.length > 0) return undefined;
  const zeroes = 8 - left.length - (right?.length ?? 0);
  if (right ? zeroes < 1 : zeroes !== 0) return undefined;
  const groups = [...left, ...new Array<number>(zeroes).fill(0), ...(right ?? [])];
  if (groups.some((group) => Number.isNaN(group))) return undefined;
  const word = (i: number): number => (groups[2 * i]! << 16) | groups[2 * i + 1]!;
  return [word(0), word(1), word(2), word(3)];
};

const v4Words = (bytes: readonly number[]): End['words'] | undefined =>
  bytes.every((byte) => byte < 256)
    ? [0, 0, 0xffff, (bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!]
    : undefined;

const groupsOf = (text: string): number[] =>
  text === ''
    ? []
    : text.split(':').map((group) => (/^[0-9a-f]{1,4}$/i.test(group) ? Number.parseInt(group, 16) : Number.NaN));
