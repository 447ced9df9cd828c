// Go's regular expressions (https://pkg.go.dev/regexp/syntax) put into JavaScript's words.
import { BadQuery } from './errors.ts';

/** A piece translated, and where the source goes on after it. */
type Put = { readonly text: string; readonly end: number };
/** The flags `s` and `m`; JavaScript can't change `s` and `m` as Go means them, so they go into the text. */
type Mode = { readonly dotAll: boolean; readonly multiline: boolean };

const bad = (what: string): never => {
  throw new SyntaxError(what);
};

const matchAt = (pattern: RegExp, source: string, at: number): RegExpExecArray | null => {
  pattern.lastIndex = at;
  return pattern.exec(source);
};

/** A whole expression of Go's. */
const translated = (source: string, dotAll: boolean): string => {
  const { text, end } = group(source, 0, { dotAll, multiline: false });
  return end < source.length ? bad('unexpected ): `)`') : text;
};

const FLAGS = /\(\?([imsU]*)(?:-([imsU]+))?\)/y;

/** Everything up to the parenthesis that closes the group, or to the end. */
const group = (source: string, from: number, outer: Mode): Put => {
  let [text, at, mode, opened, closing] = ['', from, outer, '', ''];
  while (at < source.length && source[at] !== ')') {
    const flags = matchAt(FLAGS, source, at);
    if (flags) {
      // `(?i)` holds to the end of the group, in every alternative.
      [text, opened, closing] = [text + folding(flags), opened + folding(flags), `${closing})`];
      [mode, at] = [changed(mode, flags), at + flags[0].length];
    } else if (source[at] === '|') {
      [text, at] = [`${text}${closing}|${opened}`, at + 1];
    } else {
      const put = atom(source, at, mode);
      [text, at] = [text + put.text, put.end];
    }
  }
  return { text: text + closing, end: at };
};

const folding = ([, on = '', off = '']: RegExpExecArray): string =>
  `(?${on.includes('i') ? 'i' : ''}${off.includes('i') ? '-i' : ''}:`;

const changed = (mode: Mode, [, on = '', off = '']: RegExpExecArray): Mode => {
  if (on.includes('U')) bad('(?U) is not supported here');
  const set = (flag: string, now: boolean): boolean => on.includes(flag) || (now && !off.includes(flag));
  return { dotAll: set('s', mode.dotAll), multiline: set('m', mode.multiline) };
};

const LITERAL = /\\Q([\s\S]*?)(?:\\E|$)/y;
const REPEAT = /\{\d+(?:,\d*)?\}/y;

const atom = (source: string, at: number, mode: Mode): Put => {
  const one = source[at]!;
  if (one === '(') return parenthesis(source, at, mode);
  if (one === '[') return characterClass(source, at);
  const literal = matchAt(LITERAL, source, at);
  if (literal) return { text: [...literal[1]!].map(plain).join(''), end: at + literal[0].length };
  if (one === '\\') return escaped(source, at, false);
  const repeat = matchAt(REPEAT, source, at)?.[0];
  if (repeat) return { text: repeat, end: at + repeat.length };
  return { text: single(one, mode), end: at + 1 };
};

// Without JavaScript's flag `m` these mean the whole text's, as Go's do.
const START = '^';
const END = '$';

const single = (one: string, { dotAll, multiline }: Mode): string => {
  if (one === '.') return dotAll ? '[\\s\\S]' : '[^\\n]';
  if (one === '^') return multiline ? '(?<![^\\n])' : START;
  if (one === '$') return multiline ? '(?![^\\n])' : END;
  return '*+?'.includes(one) ? one : plain(one);
};

const OPENING = /\((?:\?([imsU]*)(?:-([imsU]+))?:|\?P?<([A-Za-z_]\w*)>|(?!\?))/y;

const parenthesis = (source: string, at: number, mode: Mode): Put => {
  const opening = matchAt(OPENING, source, at);
  if (!opening) return bad(`invalid or unsupported Perl syntax: \`${source.slice(at, at + 3)}\``);
  const name = opening[3];
  const head = opening[0] === '(' ? '(' : name ? `(?<${name}>` : folding(opening);
  const inner = group(source, at + opening[0].length, name ? mode : changed(mode, opening));
  if (inner.end >= source.length) return bad(`missing closing ): \`${source}\``);
  return { text: `${head}${inner.text})`, end: inner.end + 1 };
};

const ESCAPE = /\\(?:x\{([0-9A-Fa-f]+)\}|x([0-9A-Fa-f]{2})|([0-7]{3})|([pP](?:\{\^?\w+\}|\w))|([\s\S]))/y;
const SPACES = '\\t\\n\\f\\r ';
// What JavaScript writes otherwise, outside of a class and in one.
const OUTSIDE: Readonly<Record<string, string>> = { s: `[${SPACES}]`, S: `[^${SPACES}]`, a: '\\x07', A: START, z: END };
const INSIDE: Readonly<Record<string, string>> = { s: SPACES, S: '\\0-\\x08\\x0B\\x0E-\\x1F!-\\u{10FFFF}', a: '\\x07' };

const escaped = (source: string, at: number, inClass: boolean): Put => {
  const found = matchAt(ESCAPE, source, at);
  if (!found) return bad(`trailing backslash at end of expression: \`${source}\``);
  const [all, wide, hex, octal, property, one] = found;
  const end = at + all.length;
  const code = wide ?? hex ?? (octal && Number.parseInt(octal, 8).toString(16));
  if (code !== undefined) return { text: `\\u{${code}}`, end };
  if (property) return { text: `\\${property[0]}{${category(property.slice(1))}}`, end };
  return { text: symbol(one!, inClass), end };
};

/** `L`, `{Lu}` or the name of a script, `{Greek}`. */
const category = (text: string): string => {
  const name = text.replace(/[{}]/g, '');
  return name.length <= 2 ? name : `Script=${name}`;
};

const symbol = (one: string, inClass: boolean): string => {
  const other = (inClass ? INSIDE : OUTSIDE)[one];
  if (other !== undefined) return other;
  if ((inClass ? 'dDwWfnrtv' : 'dDwWbBfnrtv').includes(one)) return `\\${one}`;
  return /[\w]/.test(one) ? bad(`invalid escape sequence: \`\\${one}\``) : plain(one);
};

/** A character that means itself. */
const plain = (one: string): string => (/[\^$\\.*+?()[\]{}|/-]/.test(one) ? code(one) : one);
const code = (one: string): string => `\\u{${one.codePointAt(0)!.toString(16)}}`;

const POSIX: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7F',
  blank: '\\t ',
  cntrl: '\\x00-\\x1F\\x7F',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`\\{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};
const NAMED = /\[:(\^?)(\w+):\]/y;

/** `[^a-z[:digit:]]`; a bracket that comes first is one of its characters. */
const characterClass = (source: string, from: number): Put => {
  const not = source[from + 1] === '^' ? '^' : '';
  const first = from + 1 + not.length;
  let [text, at] = [`[${not}`, first];
  while (at < source.length && (source[at] !== ']' || at === first)) {
    const put = member(source, at);
    [text, at] = [text + put.text, put.end];
  }
  return at < source.length ? { text: `${text}]`, end: at + 1 } : bad(`missing closing ]: \`${source.slice(from)}\``);
};

const member = (source: string, at: number): Put => {
  const named = matchAt(NAMED, source, at);
  const set = named && !named[1] ? POSIX[named[2]!] : undefined;
  if (named) return { text: set ?? bad(`invalid character class range: \`${named[0]}\``), end: at + named[0].length };
  if (source[at] === '\\') return escaped(source, at, true);
  const one = String.fromCodePoint(source.codePointAt(at)!);
  return { text: one === '-' ? one : plain(one), end: at + one.length };
};

/** Go names the piece that is wrong; JavaScript does not, so the whole stands for it. */
const why = ({ message }: Error, source: string): string => {
  const said = /^Invalid regular expression: (?:\/[\s\S]*\/\w*: )?([\s\S]*)$/.exec(message);
  return said ? `${said[1]}: \`${source}\`` : message;
};

/**
 * A Go regular expression. `anchored` matches the whole text, and there `.` matches a line break too, as Prometheus has
 * it. Throws BadQuery when it is none, or has what JavaScript can't do.
 */
export const regexp = (source: string, anchored: boolean): RegExp => {
  try {
    return new RegExp(anchored ? `${START}(?:${translated(source, true)})${END}` : translated(source, false), 'u');
  } catch (error) {
    throw new BadQuery(`parse error : error parsing regexp: ${why(error as Error, source)}`);
  }
};
