// A pipeline: stages one after the other, each passing a line on, changed or not, or dropping it.
import { BadQuery, badAt } from './errors.ts';
import { labelFilter, lineFilters } from './filters.ts';
import type { Hints } from './hints.ts';
import type { Labels } from './match.ts';
import { matcher } from './match.ts';
import { jsonPlaces, jsonStage, logfmtKeys, logfmtStage } from './parsers.ts';
import { ERROR, type Row, type Stage, shown, without, withParsed } from './row.ts';
import { child, flat, type Node, unquote } from './tree.ts';

/** A template with nothing but `{{.label}}` in it; what else Go's templates can is refused at its place. */
const template = (node: Node, query: string): ((labels: Labels) => string) => {
  const text = unquote(node);
  if (/\{\{(?!\s*\.[A-Za-z_]\w*\s*\}\})/.test(text))
    throw badAt(query, node.at, `not supported: ${node.text}; only {{.label}} is`);
  return (labels) => text.replace(/\{\{\s*\.(\w+)\s*\}\}/g, (_, name: string) => labels.get(name) ?? '');
};

const lineFormat = (node: Node, query: string): Stage => {
  const fill = template(child(node, 'String')!, query);
  return (row) => ({ ...row, line: fill(shown(row)) });
};

type Format = (row: Row, before: () => Labels) => Row;

const format = (node: Node, query: string): Format => {
  const name = node.children[0]!.text;
  const source = node.children.at(-1)!;
  if (source.name !== 'String') return (row) => renamed(row, name, source.text);
  const fill = template(source, query);
  return (row, before) => withParsed(row, [[name, fill(before())]]);
};

const renamed = (row: Row, name: string, from: string): Row => {
  const value = row.labels.get(from);
  if (value === undefined) return row;
  return without(withParsed(row, [[name, value]]), (one) => one === from);
};

const checkFormats = (node: Node, names: readonly string[]): void => {
  const twice = names.find((name, index) => names.indexOf(name) < index);
  const why = names.includes(ERROR)
    ? `${ERROR} cannot be formatted`
    : twice && `multiple label name '${twice}' not allowed in a single format operation`;
  if (why) throw new BadQuery(`parse error : stage '| ${node.text}' : ${why}`);
};

/** `| label_format a=b, c="{{.d}}"`; its templates see the labels as they were at the first of them. */
const labelFormat = (node: Node, query: string): Stage => {
  const all = flat(child(node, 'LabelsFormat'), 'LabelsFormat');
  checkFormats(
    node,
    all.map((one) => one.children[0]!.text),
  );
  const formats = all.map((one) => format(one, query));
  return (row) => {
    let seen: Labels | null = null;
    return formats.reduce((it, change) => change(it, () => (seen ??= shown(it))), row);
  };
};

type Named = (name: string, value: string) => boolean;

/** The names of `drop` and `keep`, each alone or with a value that it must have. */
const named = (node: Node): Named => {
  const all = [...flat(child(node, 'KeepLabels'), 'KeepLabels'), ...flat(child(node, 'DropLabels'), 'DropLabels')];
  const tests = all.map((one): Named => {
    const condition = child(one, 'Matcher');
    if (!condition) return (name) => name === one.text;
    const { name: wanted, test } = matcher(condition);
    return (name, value) => name === wanted && test(value);
  });
  return (name, value) => tests.some((test) => test(name, value));
};

const drop = (node: Node): Stage => {
  const gone = named(node);
  return (row) => without(row, gone);
};

const keep = (node: Node): Stage => {
  const kept = named(node);
  return (row) => without(row, (name, value) => !name.startsWith('__') && !kept(name, value));
};

const pairs = (node: Node): (readonly [string, string])[] =>
  flat(child(node, 'LabelExtractionExpressionList'), 'LabelExtractionExpressionList').map((one) => {
    const name = child(one, 'Identifier')!.text;
    const text = child(one, 'String');
    return [name, text ? unquote(text) : name];
  });

type Compile = (node: Node, query: string, hints: Hints) => Stage;

const hasFlag = (node: Node, flag: string): boolean => new RegExp(`${flag}(?![\\w-])`).test(node.text);

const COMPILE: Readonly<Record<string, Compile>> = {
  LineFilters: lineFilters,
  LabelFilter: labelFilter,
  JsonExpressionParser: (node, _, hints) => jsonPlaces(pairs(node), hints),
  LogfmtParser: (node, _, hints) => logfmtStage(hasFlag(node, '--strict'), hasFlag(node, '--keep-empty'), hints),
  LogfmtExpressionParser: (node, _, hints) => logfmtKeys(pairs(node), hasFlag(node, '--strict'), hints),
  LineFormatExpr: lineFormat,
  LabelFormatExpr: labelFormat,
  DropLabelsExpr: drop,
  KeepLabelsExpr: keep,
};

const stage = (node: Node, query: string, hints: Hints): Stage => {
  const inner = node.children.find(({ name }) => name !== 'Pipe')!;
  if (inner.name === 'LabelParser' && child(inner, 'Json')) return jsonStage(hints);
  if (inner.name === 'LabelParser' && child(inner, 'Logfmt')) return logfmtStage(false, false, hints);
  const compile = COMPILE[inner.name];
  if (!compile) throw badAt(query, inner.at, `not supported: '${inner.text}'`);
  return compile(inner, query, hints);
};

/** A PipelineExpr node (or none) as one stage. Throws BadQuery at the first stage that is not supported. */
export const pipeline = (node: Node | undefined, query: string, hints: Hints): Stage =>
  chain(flat(node, 'PipelineExpr').map((one) => stage(one, query, hints)));

export const chain =
  (stages: readonly Stage[]): Stage =>
  (row) => {
    let it: Row | null = row;
    for (const one of stages) {
      if (!it) return null;
      it = one(it);
    }
    return it;
  };
