// logfmt, the `key=value key="quoted value" flag` lines that many programs write; pure text in, pairs out.

/** A pair as it stands in a line; a bare key has the value '' and `bare` set. */
export type Pair = { readonly key: string; readonly value: string; readonly bare: boolean };

const PAIR = /([^\s="]+)(?:=(?:"((?:[^"\\]|\\.)*)"|([^\s"]*))(?=\s|$)|(?=\s|$))/y;
const SPACE = /\s+/y;
const JUNK = /\S+/y;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r' };

const unescaped = (text: string): string =>
  text.includes('\\') ? text.replace(/\\(.)/g, (_, it: string) => ESCAPES[it] ?? it) : text;

const eat = (pattern: RegExp, line: string, at: number): RegExpExecArray | null => {
  pattern.lastIndex = at;
  return pattern.exec(line);
};

/**
 * The pairs of a line in their order, after the convention of https://pkg.go.dev/github.com/go-logfmt/logfmt. What is
 * no pair (a stray quote, an empty key) is skipped and makes `clean` false.
 */
export const logfmt = (line: string): { readonly pairs: readonly Pair[]; readonly clean: boolean } => {
  const pairs: Pair[] = [];
  let clean = true;
  for (let at = 0; at < line.length; ) {
    const pair = eat(PAIR, line, at);
    if (pair) {
      const value = pair[2] === undefined ? (pair[3] ?? '') : unescaped(pair[2]);
      pairs.push({ key: pair[1]!, value, bare: !pair[0].includes('=') });
    }
    const eaten = pair ?? eat(SPACE, line, at);
    if (!eaten) clean = false;
    at += (eaten ?? eat(JUNK, line, at)!)[0].length;
  }
  return { pairs, clean };
};
