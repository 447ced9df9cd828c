// Which labels a metric query needs. Loki's parsers stop once they have them: what comes later in a line, a fault as
// well, goes unseen. Source: pkg/logql/log/parser_hints.go of Loki 3.
import { flat, type Node, unquote } from './tree.ts';

/** `all`: every field; `none`: no parsing at all; `some`: these names only. */
export type Hints =
  | { readonly is: 'all' }
  | { readonly is: 'none' }
  | { readonly is: 'some'; readonly names: ReadonlySet<string>; readonly keepErrors: boolean };

export type Grouping = { readonly by: boolean; readonly names: readonly string[] };

export const ALL: Hints = { is: 'all' };

const SUFFIX = '_extracted';
const both = (name: string): string[] => (name.endsWith(SUFFIX) ? [name, name.slice(0, -SUFFIX.length)] : [name]);

const some = (names: readonly string[]): Hints => {
  const all = new Set(names.flatMap(both));
  return { is: 'some', names: all, keepErrors: all.has('__error__') };
};

/** The hints of a range aggregation: `used` are the names in its stages, `unwrapped` the label that becomes its value. */
export const hintsFor = (grouping: Grouping | null, used: readonly string[], unwrapped: string | null): Hints => {
  const names = [...used, ...(unwrapped === null ? [] : [unwrapped])];
  if (!grouping?.by) return ALL;
  if (grouping.names.length === 0) return names.length > 0 ? some(names) : { is: 'none' };
  return some([...names, ...grouping.names]);
};

export const wants = (hints: Hints, name: string): boolean =>
  hints.is === 'all' || (hints.is === 'some' && hints.names.has(name));

/** Whether any wanted name begins so. */
export const wantsBelow = (hints: Hints, prefix: string): boolean =>
  hints.is === 'all' || (hints.is === 'some' && [...hints.names].some((name) => name.startsWith(prefix)));

/** Whether a parser is done with the line. */
export const satisfied = (hints: Hints, parsed: ReadonlySet<string>): boolean =>
  hints.is === 'none' ||
  (hints.is === 'some' && parsed.size >= hints.names.size && [...hints.names].every((name) => parsed.has(name)));

/** Names of the labels that a template such as `{{.level}} {{ .status }}` fills in. */
export const fields = (template: string): string[] =>
  [...template.matchAll(/\{\{\s*\.(\w+)\s*\}\}/g)].map(([, name]) => name!);

const FILTERS = ['Matcher', 'NumberFilter', 'DurationFilter', 'BytesFilter'];

/** Names of the labels that a pipeline's filters and formats read. */
export const namesIn = (node: Node | undefined): string[] => {
  if (!node || node.name === 'DropLabelsExpr' || node.name === 'KeepLabelsExpr') return [];
  if (FILTERS.includes(node.name)) return [node.children.find(({ name }) => name === 'Identifier')!.text];
  if (node.name === 'LineFormatExpr') return fields(unquote(node.children.at(-1)!));
  if (node.name === 'LabelFormatExpr') return flat(node.children.at(-1), 'LabelsFormat').flatMap(source);
  return node.children.flatMap(namesIn);
};

const source = (format: Node): string[] => {
  const from = format.children.at(-1)!;
  return from.name === 'String' ? fields(unquote(from)) : [from.text];
};
