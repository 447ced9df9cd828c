// A pipeline: stages one after the other, each passing a line on, changed or not, or dropping it.
import { badAt } from './errors.ts';
import { labelFilter, lineFilters } from './filters.ts';
import type { Labels } from './match.ts';
import { jsonPlaces, jsonStage, logfmtKeys, logfmtStage, type Row, type Stage } from './parsers.ts';
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
  return (row) => ({ ...row, line: fill(row.labels) });
};

const labelFormat = (node: Node, query: string): Stage => {
  const changes = flat(child(node, 'LabelsFormat'), 'LabelsFormat').map((one) => {
    const name = one.children[0]!.text;
    const source = one.children.at(-1)!;
    if (source.name === 'String') return { name, from: null, value: template(source, query) };
    return { name, from: source.text, value: (labels: Labels) => labels.get(source.text) ?? '' };
  });
  return (row) => {
    const labels = new Map(row.labels);
    for (const { name, from, value } of changes) {
      labels.set(name, value(labels));
      if (from !== null) labels.delete(from);
    }
    return { ...row, labels };
  };
};

const names = (node: Node, query: string): Set<string> => {
  const all = [...flat(child(node, 'KeepLabels'), 'KeepLabels'), ...flat(child(node, 'DropLabels'), 'DropLabels')];
  const strange = all.find((one) => one.children[0]?.name !== 'Identifier');
  if (strange) throw badAt(query, strange.at, `not supported: '${strange.text}'; only label names are`);
  return new Set(all.map(({ text }) => text));
};

const only =
  (names: ReadonlySet<string>, wanted: boolean): Stage =>
  (row) => ({ ...row, labels: new Map([...row.labels].filter(([name]) => names.has(name) === wanted)) });

const pairs = (node: Node): (readonly [string, string])[] =>
  flat(child(node, 'LabelExtractionExpressionList'), 'LabelExtractionExpressionList').map((one) => {
    const name = child(one, 'Identifier')!.text;
    const text = child(one, 'String');
    return [name, text ? unquote(text) : name];
  });

type Compile = (node: Node, query: string) => Stage;

const hasFlag = (node: Node, flag: string): boolean => new RegExp(`${flag}(?![\\w-])`).test(node.text);

const COMPILE: Readonly<Record<string, Compile>> = {
  LineFilters: lineFilters,
  LabelFilter: labelFilter,
  JsonExpressionParser: (node) => jsonPlaces(pairs(node)),
  LogfmtParser: (node) => logfmtStage(hasFlag(node, '--strict'), hasFlag(node, '--keep-empty')),
  LogfmtExpressionParser: (node) => logfmtKeys(pairs(node), hasFlag(node, '--strict')),
  LineFormatExpr: lineFormat,
  LabelFormatExpr: labelFormat,
  DropLabelsExpr: (node, query) => only(names(node, query), false),
  KeepLabelsExpr: (node, query) => only(names(node, query), true),
};

const stage = (node: Node, query: string): Stage => {
  const inner = node.children.find(({ name }) => name !== 'Pipe')!;
  if (inner.name === 'LabelParser' && child(inner, 'Json')) return jsonStage;
  if (inner.name === 'LabelParser' && child(inner, 'Logfmt')) return logfmtStage(false, false);
  const compile = COMPILE[inner.name];
  if (!compile) throw badAt(query, inner.at, `not supported: '${inner.text}'`);
  return compile(inner, query);
};

/** A PipelineExpr node (or none) as one stage. Throws BadQuery at the first stage that is not supported. */
export const pipeline = (node: Node | undefined, query: string): Stage =>
  chain(flat(node, 'PipelineExpr').map((one) => stage(one, query)));

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
