// Line filters (`|= "text"`) and label filters (`| status >= 500 and level="error"`).
import { BadQuery, badAt } from './errors.ts';
import { matcher } from './match.ts';
import { regexp } from './regexp.ts';
import { failed, type Stage, seen } from './row.ts';
import { child, flat, type Node, unquote } from './tree.ts';
import { duration, float, type Reading, seconds, size } from './units.ts';

const alternatives = (node: Node): Node[] =>
  node.children.flatMap((one) => (one.name === 'OrFilter' ? alternatives(one) : one.name === 'String' ? [one] : []));

const lineTest = (op: string, text: string): ((line: string) => boolean) => {
  if (op === '|=' || op === '!=') return (line) => line.includes(text);
  try {
    const pattern = regexp(text, false);
    return (line) => pattern.test(line);
  } catch (error) {
    const why = (error as BadQuery).message.replace('parse error : ', '');
    throw new BadQuery(`parse error : stage '${op} ${JSON.stringify(text)}' : ${why}`);
  }
};

/** A LineFilters node: all of its filters must hold; `or` inside of one gives alternatives. */
export const lineFilters = (node: Node, query: string): Stage => {
  const tests = flat(node, 'LineFilters').map((filter) => {
    const op = child(filter, 'Filter')!.text;
    if (child(filter, 'FilterOp') || !['|=', '!=', '|~', '!~'].includes(op))
      throw badAt(query, filter.at, `not supported: '${filter.text}'; use |=, !=, |~ or !~ with a string`);
    const any = alternatives(filter).map((one) => lineTest(op, unquote(one)));
    const wanted = op[0] === '|';
    return (line: string) => any.some((test) => test(line)) === wanted;
  });
  return (row) => (tests.every((test) => test(row.line)) ? row : null);
};

const compare = (op: string): ((a: number, b: number) => boolean) => COMPARISONS[op]!;

export const COMPARISONS: Readonly<Record<string, (a: number, b: number) => boolean>> = {
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '==': (a, b) => a === b,
  '=': (a, b) => a === b,
  '!=': (a, b) => a !== b,
};

/** How each kind of filter reads a label's text, and the value that the query compares it with. */
const KINDS: Readonly<Record<string, { read: (text: string) => Reading; wanted: (text: string) => number }>> = {
  NumberFilter: { read: float, wanted: (text) => Number(text.replace(/\s/g, '')) },
  DurationFilter: { read: duration, wanted: (text) => seconds(text)! },
  BytesFilter: { read: size, wanted: (text) => Number((size(text) as { value: number }).value) },
};

const OPERATORS = ['Gtr', 'Gte', 'Lss', 'Lte', 'Eql', 'Eq', 'Neq'];

/** Like Loki: a missing label fails the filter, a value of another type keeps the line and marks it as an error. */
const numeric = (node: Node): Stage => {
  const name = child(node, 'Identifier')!.text;
  const holds = compare(child(node, ...OPERATORS)!.text);
  const { read, wanted } = KINDS[node.name]!;
  const value = wanted(node.children.at(-1)!.text);
  return (row) => {
    const text = row.labels.get(name);
    // Loki takes an empty label of the stream for none, but not one that a parser has set.
    if (text === undefined || (text === '' && !row.parsed.has(name))) return null;
    const it = read(text);
    if ('value' in it) return holds(it.value, value) ? row : null;
    return row.error ? row : failed(row, 'LabelFilterErr', it.error);
  };
};

type Operation = 'and' | 'or' | ',';
type Flat = { readonly terms: Node[]; readonly operations: Operation[] };

/** The grammar nests filters as it likes: they are laid flat, but for those in parentheses. */
const flatten = (node: Node): Flat => {
  const parts = node.children.filter(({ name }) => name === 'LabelFilter');
  if (parts.length < 2) return { terms: [node], operations: [] };
  const [left, right] = parts.map(flatten);
  const operation = child(node, 'Or') ? 'or' : child(node, 'And') ? 'and' : ',';
  return {
    terms: [...left!.terms, ...right!.terms],
    operations: [...left!.operations, operation, ...right!.operations],
  };
};

/**
 * A LabelFilter node. `and` binds tighter than `or`; a comma is an `and` whose right side is all that follows it, as
 * Loki's grammar (pkg/logql/syntax/syntax.y) leaves it without a precedence.
 */
export const labelFilter = (node: Node, query: string): Stage => {
  const { terms, operations } = flatten(node);
  return combined(
    terms.map((one) => single(one, query)),
    operations,
  );
};

const combined = (stages: readonly Stage[], operations: readonly Operation[]): Stage => {
  if (stages.length === 1) return stages[0]!;
  const comma = operations.indexOf(',');
  if (comma >= 0) {
    const rest = both(stages[comma]!, combined(stages.slice(comma + 1), operations.slice(comma + 1)));
    return combined([...stages.slice(0, comma), rest], operations.slice(0, comma));
  }
  const or = operations.lastIndexOf('or');
  const at = or >= 0 ? or : operations.length - 1;
  const left = combined(stages.slice(0, at + 1), operations.slice(0, at));
  const right = combined(stages.slice(at + 1), operations.slice(at + 1));
  return or >= 0 ? (row) => left(row) ?? right(row) : both(left, right);
};

const both =
  (left: Stage, right: Stage): Stage =>
  (row) => {
    const kept = left(row);
    return kept && right(kept);
  };

const single = (node: Node, query: string): Stage => {
  const leaf = node.children[0]!;
  if (leaf.name === 'LabelFilter') return labelFilter(leaf, query);
  if (leaf.name === 'NumberFilter') return numeric(leaf);
  if (leaf.name === 'UnitFilter') return numeric(leaf.children[0]!);
  if (leaf.name !== 'Matcher') throw badAt(query, leaf.at, `not supported: '${leaf.text}'`);
  const { name, test } = matcher(leaf);
  return (row) => (test(seen(row, name)) ? row : null);
};
