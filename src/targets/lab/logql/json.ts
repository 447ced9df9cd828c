// Reads JSON as Loki's parser does: from the left, handing out what it has met before the place where a line breaks.
// Source: github.com/buger/jsonparser, whose errors these are.

/** A value as it stands in the text; a string without its quotes, its escapes still in it. */
export type Value = {
  readonly is: 'string' | 'number' | 'boolean' | 'null' | 'object' | 'array';
  readonly raw: string;
  readonly end: number;
};

/** A text that breaks off or isn't JSON. */
export class BadJson extends Error {
  override readonly name = 'BadJson';
}

const JSON_ERROR = 'Malformed JSON error';
const OBJECT_ERROR = "Value looks like object, but can't find closing '}' symbol";
const ARRAY_ERROR = "Value is array, but can't find closing ']' symbol";
const STRING_ERROR = "Value is string, but can't find closing '\"' symbol";
const ESCAPE_ERROR = 'Encountered an invalid escape sequence in a string';
const TYPE_ERROR = 'Unknown value type';

const at = (pattern: RegExp, text: string, from: number): RegExpExecArray | null => {
  pattern.lastIndex = from;
  return pattern.exec(text);
};

const SPACE = /[ \n\r\t]*/y;
const STRING = /[^"\\]*(?:\\[\s\S][^"\\]*)*"/y;
const TOKEN = /[^ \n\r\t,}\]]*/y;

/** Where the next token begins. Throws BadJson(`why`) when there is none. */
const token = (text: string, from: number, why: string): number => {
  const start = from + at(SPACE, text, from)![0].length;
  if (start >= text.length) throw new BadJson(why);
  return start;
};

/** The index after the closing quote of the string whose content begins at `from`. */
const stringEnd = (text: string, from: number, why: string): number => {
  const found = at(STRING, text, from);
  if (!found) throw new BadJson(why);
  return from + found[0].length;
};

/** The index after the bracket that closes the one at `from`. */
const blockEnd = (text: string, from: number, why: string): number => {
  const [open, close] = [text[from], text[from] === '{' ? '}' : ']'];
  let level = 0;
  for (let i = from; i < text.length; i++) {
    if (text[i] === '"') i = stringEnd(text, i + 1, why) - 1;
    else if (text[i] === open) level++;
    else if (text[i] === close && --level === 0) return i + 1;
  }
  throw new BadJson(why);
};

/** The value that begins at or after `from`. Throws BadJson. */
export const valueAt = (text: string, from: number): Value => {
  const start = token(text, from, JSON_ERROR);
  const first = text[start]!;
  if (first === '"') {
    const end = stringEnd(text, start + 1, STRING_ERROR);
    return { is: 'string', raw: text.slice(start + 1, end - 1), end };
  }
  if (first === '{' || first === '[') {
    const end = blockEnd(text, start, first === '{' ? OBJECT_ERROR : ARRAY_ERROR);
    return { is: first === '{' ? 'object' : 'array', raw: text.slice(start, end), end };
  }
  const raw = at(TOKEN, text, start)![0];
  return { is: plainType(raw), raw, end: start + raw.length };
};

const plainType = (raw: string): Value['is'] => {
  if (raw === 'true' || raw === 'false') return 'boolean';
  if (raw === 'null') return 'null';
  if (/^[-\d]/.test(raw)) return 'number';
  throw new BadJson(TYPE_ERROR);
};

/** Keys and values of the object that a text begins with. What follows the object is not looked at. Throws BadJson. */
export function* members(text: string): Generator<readonly [string, Value]> {
  let here = token(text, 0, OBJECT_ERROR);
  if (text[here] !== '{') throw new BadJson(OBJECT_ERROR);
  for (here = token(text, here + 1, JSON_ERROR); text[here] !== '}'; here = token(text, here + 1, ARRAY_ERROR)) {
    if (text[here] !== '"') throw new BadJson(OBJECT_ERROR);
    const end = stringEnd(text, here + 1, JSON_ERROR);
    const key = unescaped(text.slice(here + 1, end - 1));
    if (key === null) throw new BadJson(ESCAPE_ERROR);
    const colon = token(text, end, JSON_ERROR);
    if (text[colon] !== ':') throw new BadJson(JSON_ERROR);
    const value = valueAt(text, colon + 1);
    yield [key, value];
    here = token(text, value.end, ARRAY_ERROR);
    if (text[here] === '}') return;
    if (text[here] !== ',') throw new BadJson(OBJECT_ERROR);
  }
}

/** The elements of the array that a text begins with. Throws BadJson. */
export function* elements(text: string): Generator<Value> {
  let here = token(text, 1, JSON_ERROR);
  while (text[here] !== ']') {
    const value = valueAt(text, here);
    yield value;
    here = token(text, value.end, ARRAY_ERROR);
    if (text[here] === ']') return;
    if (text[here] !== ',') throw new BadJson(ARRAY_ERROR);
    here = token(text, here + 1, ARRAY_ERROR);
  }
}

const ESCAPE = /\\(?:(["\\/bfnrt])|u([0-9a-fA-F]{4}))/y;
const PLAIN: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/** A string without its escapes; null when one of them is none, or half a pair of surrogates. */
const unescaped = (raw: string): string | null => {
  let text = '';
  for (let i = 0; i < raw.length; ) {
    const next = raw.indexOf('\\', i);
    if (next < 0) return whole(text + raw.slice(i));
    const found = at(ESCAPE, raw, next);
    if (!found) return null;
    text +=
      raw.slice(i, next) +
      (found[2] ? String.fromCharCode(Number.parseInt(found[2], 16)) : (PLAIN[found[1]!] ?? found[1]));
    i = next + found[0].length;
  }
  return whole(text);
};

const whole = (text: string): string | null => (text.isWellFormed() ? text : null);

/** A value as a label has it: what can't be read is empty. */
export const labelText = ({ is, raw }: Value): string => {
  if (is === 'null') return '';
  if (is === 'object' || is === 'number' || is === 'boolean') return raw;
  return (unescaped(raw) ?? '').replaceAll('\ufffd', ' ');
};
