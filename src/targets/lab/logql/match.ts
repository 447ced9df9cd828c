// Label matchers and selectors.
import { BadQuery } from './errors.ts';
import { regexp } from './regexp.ts';
import { child, flat, type Node, unquote } from './tree.ts';

export type Labels = ReadonlyMap<string, string>;
export type Matcher = { readonly name: string; readonly test: (value: string) => boolean };

const tests = (op: string, value: string): ((value: string) => boolean) => {
  if (op === '=') return (it) => it === value;
  if (op === '!=') return (it) => it !== value;
  const pattern = regexp(value, true);
  return op === '=~' ? (it) => pattern.test(it) : (it) => !pattern.test(it);
};

/** A Matcher node: `name="value"` and its three siblings; the regular expressions match the whole value. */
export const matcher = (node: Node): Matcher => {
  const op = child(node, 'Eq', 'Neq', 'Re', 'Nre')!.text;
  return { name: child(node, 'Identifier')!.text, test: tests(op, unquote(child(node, 'String')!)) };
};

/** What is wrong with a selector that every stream matches. */
export const EVERYTHING = new BadQuery(
  'parse error : queries require at least one regexp or equality matcher that does not have an empty-compatible value. For instance, app=~".*" does not meet this requirement, but app=~".+" will',
);

/** A Selector node. As in Loki at least one matcher must not match the empty value. */
export const selector = (node: Node): Matcher[] => {
  const matchers = flat(child(node, 'Matchers'), 'Matchers').map(matcher);
  if (matchers.every(({ test }) => test(''))) throw EVERYTHING;
  return matchers;
};

export const matches = (matchers: readonly Matcher[], labels: Labels): boolean =>
  matchers.every(({ name, test }) => test(labels.get(name) ?? ''));
