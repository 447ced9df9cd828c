// Line filters (`|= "text"`) and label filters (`| status >= 500 and level="error"`).
import { BadQuery, badAt } from './errors.ts';
import { matcher } from './match.ts';
import { regexp } from './regexp.ts';
import { failed, type Row, type Stage, seen } from './row.ts';
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

/** A LabelFilter node; `and`, a comma and a space bind tighter than `or`. */
export const labelFilter = (node: Node, query: string): Stage => {
  const [first, ...others] = node.children.filter(({ name }) => name === 'LabelFilter');
  if (first && others.length === 0) return labelFilter(first, query);
  if (first) {
    const [left, right] = [labelFilter(first, query), labelFilter(others[0]!, query)];
    return child(node, 'Or') ? (row) => left(row) ?? right(row) : (row) => andThen(left(row), right);
  }
  const leaf = node.children[0]!;
  if (leaf.name === 'NumberFilter') return numeric(leaf);
  if (leaf.name === 'UnitFilter') return numeric(leaf.children[0]!);
  if (leaf.name !== 'Matcher') throw badAt(query, leaf.at, `not supported: '${leaf.text}'`);
  const { name, test } = matcher(leaf);
  return (row) => (test(seen(row, name)) ? row : null);
};

const andThen = (row: Row | null, stage: Stage): Row | null => (row ? stage(row) : null);
