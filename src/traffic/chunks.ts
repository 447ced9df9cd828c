// A chunked body, by RFC 9112, section 7.1: only where it ends.
import { Malformed } from './failure.ts';

export type Chunks = {
  /** How many of these bytes belong to the body, once it is whole; null until then. Throws Malformed. */
  push(bytes: Buffer): number | null;
};

/** Longer size lines and trailers than that are no server's, but an attack or another protocol. */
const MOST_LINE = 16_384;

type Part = 'size' | 'data' | 'after data' | 'trailer';

export const chunks = (): Chunks => {
  let part: Part = 'size';
  let line = '';
  let left = 0;

  /** Takes bytes up to a line's end; the index behind it, and null where there is none yet. */
  const lineIn = (bytes: Buffer, from: number): number | null => {
    const end = bytes.indexOf(10, from);
    line += bytes.toString('latin1', from, end < 0 ? bytes.length : end + 1);
    if (line.length > MOST_LINE) throw new Malformed('malformed response');
    return end < 0 ? null : end + 1;
  };

  /** True when the line was the last of the body. */
  const onLine = (): boolean => {
    const text = line.replace(/\r?\n$/, '');
    line = '';
    if (part === 'trailer') return text === '';
    if (part === 'after data') {
      if (text !== '') throw new Malformed('malformed response');
      part = 'size';
      return false;
    }
    left = sizeIn(text);
    part = left === 0 ? 'trailer' : 'data';
    return false;
  };

  return {
    push: (bytes) => {
      for (let at = 0; at < bytes.length; ) {
        if (part === 'data') {
          const taken = Math.min(left, bytes.length - at);
          at += taken;
          left -= taken;
          if (left === 0) part = 'after data';
          continue;
        }
        const next = lineIn(bytes, at);
        if (next === null) return null;
        at = next;
        if (onLine()) return at;
      }
      return null;
    },
  };
};

const sizeIn = (line: string): number => {
  const hex = /^([0-9a-f]{1,13})[ \t]*(?:;.*)?$/i.exec(line)?.[1];
  if (!hex) throw new Malformed('malformed response');
  return Number.parseInt(hex, 16);
};
