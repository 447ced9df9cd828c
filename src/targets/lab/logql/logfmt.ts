// Reads logfmt as Loki's parser does, which skips what is no pair and, when it is told to be strict, names its place.
// Source: github.com/go-logfmt/logfmt as Loki has adapted it (pkg/logql/log/logfmt).

/** A pair, or what is wrong with the text at a place; null for a piece that is neither. */
export type Piece = { readonly key: string; readonly value: string } | { readonly error: string };

const SPACE = /[\0- ]*/y;
const KEY = /[^\0- ="]*/y;
const VALUE = /[^\0- ="]*/y;
const QUOTED = /"((?:[^"\\]|\\[\s\S])*)"/y;
const REST = /[^\0- ]*/y;

const eat = (pattern: RegExp, line: string, from: number): string | undefined => {
  pattern.lastIndex = from;
  return pattern.exec(line)?.[0];
};

const bytes = (line: string, end: number): number => Buffer.byteLength(line.slice(0, end));

/** Position in bytes, from 1, as Loki counts. */
const wrong = (line: string, at: number, what: string): Piece => ({
  error: `logfmt syntax error at pos ${bytes(line, at) + 1} : ${what}`,
});

/** The pieces of a line from left to right. */
export function* pieces(line: string): Generator<Piece> {
  for (let at = 0; at < line.length; ) {
    at += eat(SPACE, line, at)!.length;
    if (at >= line.length) return;
    const { piece, end } = pieceAt(line, at);
    yield piece;
    at = end;
  }
}

type Read = { readonly piece: Piece; readonly end: number };

const skipped = (line: string, at: number): Read => ({
  piece: wrong(line, at, `unexpected '${line[at]}'`),
  end: at + eat(REST, line, at)!.length,
});

const pieceAt = (line: string, start: number): Read => {
  const key = eat(KEY, line, start)!;
  const at = start + key.length;
  if (key.includes('\ufffd')) return { piece: wrong(line, at, 'invalid key'), end: at + eat(REST, line, at)!.length };
  if (line[at] === '"' || (line[at] === '=' && key === '')) return skipped(line, at);
  if (line[at] !== '=') return { piece: { key, value: '' }, end: at };
  if (line[at + 1] === '"') return quoted(line, key, at + 1);
  const value = eat(VALUE, line, at + 1)!;
  const end = at + 1 + value.length;
  return line[end] === '=' || line[end] === '"' ? skipped(line, end) : { piece: { key, value }, end };
};

const quoted = (line: string, key: string, start: number): Read => {
  const text = eat(QUOTED, line, start);
  if (text === undefined) return { piece: wrong(line, line.length, 'unterminated quoted value'), end: line.length };
  const end = start + text.length;
  const value = unescaped(text.slice(1, -1));
  return { piece: value === null ? wrong(line, end, 'invalid quoted value') : { key, value }, end };
};

const ESCAPE = /\\(?:u([0-9a-fA-F]{4})|([\s\S]))/g;
const PLAIN: Readonly<Record<string, string>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  '"': '"',
  '\\': '\\',
  '/': '/',
  "'": "'",
};

const unescaped = (text: string): string | null => {
  let good = true;
  const value = text.replace(ESCAPE, (_, wide: string | undefined, one: string) => {
    if (wide) return String.fromCharCode(Number.parseInt(wide, 16));
    good &&= one in PLAIN;
    return PLAIN[one] ?? '';
  });
  return good ? value.toWellFormed() : null;
};
