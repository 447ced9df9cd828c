// Grafana's LogQL grammar, and the few ways in which the compiler walks its tree.
import { parser } from '@grafana/lezer-logql';
import type { SyntaxNode } from '@lezer/common';
import { BadQuery, badAt } from './errors.ts';

/** A node of the syntax tree together with the query that it is a part of. */
export type Node = { readonly name: string; readonly at: number; readonly text: string; readonly children: Node[] };

const convert = (query: string, node: SyntaxNode): Node => {
  const children: Node[] = [];
  for (let one = node.firstChild; one; one = one.nextSibling) children.push(convert(query, one));
  return { name: node.name, at: node.from, text: query.slice(node.from, node.to), children };
};

/** The tree of a query. Throws BadQuery with line and column at the first thing that is not LogQL. */
export const tree = (query: string): Node => {
  if (query === '') throw new BadQuery('parse error : syntax error: unexpected $end');
  if (query.trim() === '') throw unexpected(query, query.length);
  const parsed = parser.parse(query);
  parsed.iterate({
    enter: (node) => {
      if (node.type.isError) throw unexpected(query, node.from);
    },
  });
  return convert(query, parsed.topNode);
};

const TOKEN = /^(?:(["`])|(\d)|([A-Za-z_][\w.]*)|([=!<>|]{2}|\S))/;

const unexpected = (query: string, from: number): BadQuery => {
  const at = from + query.slice(from).search(/\S|$/);
  const token = TOKEN.exec(query.slice(at));
  const name = !token ? '$end' : token[1] ? 'STRING' : token[2] ? 'NUMBER' : token[3] ? 'IDENTIFIER' : token[4];
  return badAt(query, at, `syntax error: unexpected ${name}`);
};

export const child = (node: Node, ...names: string[]): Node | undefined =>
  node.children.find((one) => names.includes(one.name));

/** The leaves of a left-recursive list such as Matchers or PipelineExpr, in the order in which they are written. */
export const flat = (node: Node | undefined, list: string): Node[] =>
  !node ? [] : node.name === list ? node.children.flatMap((one) => flat(one, list)) : [node];

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', a: '\x07', b: '\b', f: '\f', v: '\v' };
const ESCAPE = /(?:\\x[0-9a-fA-F]{2}|\\[0-3][0-7]{2})+|\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})|\\(.)/g;

/** Bytes one after the other, `\xc3\274`: together they are UTF-8. */
const fromBytes = (text: string): string =>
  Buffer.from(
    [...text.matchAll(/\\x(..)|\\(...)/g)].map(([, hex, octal]) => Number.parseInt(hex ?? octal!, hex ? 16 : 8)),
  ).toString('utf8');

/** The text that a String node means: `raw` in backticks, Go's escapes in double quotes. */
export const unquote = (node: Node): string => {
  const inner = node.text.slice(1, -1);
  if (node.text[0] === '`') return inner;
  return inner.replace(ESCAPE, (all: string, short?: string, long?: string, one?: string) => {
    const code = short ?? long;
    if (code) return String.fromCodePoint(Number.parseInt(code, 16));
    return one ? (ESCAPES[one] ?? one) : fromBytes(all);
  });
};
