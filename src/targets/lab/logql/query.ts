// A query compiled: what to select, how to change it, how to count it. No store and no clock in here.
import { BadQuery, badAt } from './errors.ts';
import { labelFilter } from './filters.ts';
import { ALL, type Grouping, type Hints, hintsFor, namesIn } from './hints.ts';
import { EVERYTHING, type Matcher, selector } from './match.ts';
import { failed, type Row, type Stage, without } from './row.ts';
import { chain, pipeline } from './stages.ts';
import { child, flat, type Node, tree } from './tree.ts';
import { duration, float, type Reading, seconds, size } from './units.ts';

export type LogQuery = { readonly is: 'log'; readonly matchers: readonly Matcher[]; readonly stage: Stage };

/** What a line is worth in a range aggregation, with the row that it belongs to; null leaves it out. */
export type Sampler = (row: Row) => { readonly row: Row; readonly value: number } | null;

export type Metric =
  | { readonly is: 'number'; readonly value: number }
  | {
      readonly is: 'range';
      readonly op: string;
      readonly log: LogQuery;
      readonly sample: Sampler;
      /** Loki puts its series together with a `without`. */
      readonly merged: boolean;
      readonly seconds: number;
      readonly offset: number;
      readonly grouping: Grouping | null;
      readonly parameter: number;
    }
  | {
      readonly is: 'vector';
      readonly op: string;
      readonly of: Metric;
      readonly grouping: Grouping;
      readonly parameter: number;
    }
  | {
      readonly is: 'binary';
      readonly op: string;
      readonly bool: boolean;
      readonly left: Metric;
      readonly right: Metric;
    };

export type Compiled = LogQuery | Metric;

/** Compiles a query. Throws BadQuery with line and column for what is not LogQL or is not supported here. */
export const compile = (query: string): Compiled => {
  if (NOTHING.test(query)) throw EVERYTHING;
  return expression(child(tree(query), 'Expr')!, query);
};

const NOTHING = /^\s*\{\s*\}\s*$/;

/** The matchers of a query that is only a selector, as `match[]` and the label endpoints take it; `{}` is everything. */
export const compileSelector = (query: string): readonly Matcher[] => {
  if (NOTHING.test(query)) return [];
  const inner = child(tree(query), 'Expr')!.children[0]!;
  if (inner.name !== 'LogExpr' || child(inner, 'PipelineExpr')) throw new BadQuery('only label matchers are supported');
  return log(inner, query).matchers;
};

const expression = (node: Node, query: string): Compiled => {
  const inner = node.children[0]!;
  if (inner.name === 'LogExpr') return log(inner, query);
  if (inner.name === 'Expr') return expression(inner, query);
  return metric(inner, query);
};

const log = (node: Node, query: string, hints: Hints = ALL): LogQuery => {
  const inner = child(node, 'LogExpr');
  if (inner) return log(inner, query, hints);
  return {
    is: 'log',
    matchers: selector(child(node, 'Selector')!),
    stage: pipeline(child(node, 'PipelineExpr'), query, hints),
  };
};

const metric = (node: Node, query: string): Metric => {
  if (node.name === 'MetricExpr' || node.name === 'Expr') return metric(node.children[0]!, query);
  if (node.name === 'LiteralExpr') return { is: 'number', value: Number(node.text.replace(/\s/g, '')) };
  if (node.name === 'RangeAggregationExpr') return rangeAggregation(node, query);
  if (node.name === 'VectorAggregationExpr') return vectorAggregation(node, query);
  if (node.name === 'BinOpExpr') return climb(operands(node), query);
  if (node.name === 'LogExpr')
    throw badAt(query, node.at, 'syntax error: unexpected a log query, expecting a metric query');
  throw badAt(query, node.at, `not supported: '${node.text}'`);
};

const UNWRAPPED = ['avg', 'sum', 'min', 'max', 'quantile', 'first', 'last'].map((name) => `${name}_over_time`);
const COUNTED = ['rate', 'count_over_time', 'bytes_rate', 'bytes_over_time'];
const UNGROUPED = [...COUNTED, 'sum_over_time'];

const rangeAggregation = (node: Node, query: string, outer: Grouping | null = null): Metric => {
  const op = child(node, 'RangeOp')!.text;
  const range = child(node, 'LogRangeExpr')!;
  const unwrap = child(range, 'UnwrapExpr');
  const grouping = groupingOf(node);
  checkRange(op, unwrap !== undefined, grouping, node, query);
  return {
    is: 'range',
    op,
    log: log(range, query, hints(range, unwrap, grouping ?? (SUMMABLE.includes(op) ? outer : null))),
    sample: unwrap ? unwrapSampler(unwrap, query) : op.startsWith('bytes') ? byteSampler : countSampler,
    merged: !outer && MERGED.includes(op) && (grouping?.by === false || reducesLabels(child(range, 'PipelineExpr'))),
    seconds: seconds(child(child(range, 'Range')!, 'Duration')!.text)!,
    offset: seconds(child(range, 'OffsetExpr')?.children.at(-1)?.text ?? '0s') ?? 0,
    grouping,
    parameter: parameterOf(node, op, op === 'quantile_over_time'),
  };
};

/** Loki lets a `sum` tell the aggregation below it which labels it is about. */
const SUMMABLE = ['rate', 'count_over_time', 'bytes_rate', 'bytes_over_time', 'sum_over_time'];

const hints = (range: Node, unwrap: Node | undefined, grouping: Grouping | null): Hints =>
  hintsFor(
    grouping,
    [...namesIn(child(range, 'PipelineExpr')), ...namesIn(unwrap)],
    unwrap ? unwrappedName(unwrap) : null,
  );

/** What Loki computes in shards (pkg/logql/shardmapper.go); where a stage takes labels away it has to add them up again. */
const MERGED = [...SUMMABLE, 'min_over_time', 'max_over_time'];
const reducesLabels = (node: Node | undefined): boolean =>
  node !== undefined &&
  (['DropLabelsExpr', 'KeepLabelsExpr'].includes(node.name) || isRenaming(node) || node.children.some(reducesLabels));

const isRenaming = (node: Node): boolean =>
  node.name === 'LabelFormatExpr' &&
  flat(child(node, 'LabelsFormat'), 'LabelsFormat').some((one) => one.children.at(-1)!.name !== 'String');

const unwrappedName = (node: Node): string => {
  const inner = child(node, 'UnwrapExpr');
  return inner ? unwrappedName(inner) : child(node, 'Identifier')!.text;
};

const checkRange = (op: string, unwrapped: boolean, grouping: Grouping | null, node: Node, query: string): void => {
  if (![...UNWRAPPED, ...COUNTED].includes(op)) throw badAt(query, node.at, `not supported: '${op}'`);
  if (UNWRAPPED.includes(op) && !unwrapped)
    throw new BadQuery(`parse error : invalid aggregation ${op} without unwrap`);
  if (COUNTED.includes(op) && op !== 'rate' && unwrapped)
    throw new BadQuery(`parse error : invalid aggregation ${op} with unwrap`);
  if (grouping && UNGROUPED.includes(op))
    throw new BadQuery(`parse error : grouping not allowed for ${op} aggregation`);
};

const VECTOR = ['sum', 'avg', 'min', 'max', 'count', 'topk', 'bottomk'];

const vectorAggregation = (node: Node, query: string): Metric => {
  const op = child(node, 'VectorOp')!.text;
  if (!VECTOR.includes(op)) throw badAt(query, node.at, `not supported: '${op}'`);
  const grouping = groupingOf(node) ?? { by: true, names: [] };
  const inner = child(node, 'MetricExpr')!;
  const range = op === 'sum' ? child(inner, 'RangeAggregationExpr') : undefined;
  return {
    is: 'vector',
    op,
    of: range ? rangeAggregation(range, query, grouping) : metric(inner, query),
    grouping,
    parameter: parameterOf(node, op, op.endsWith('k')),
  };
};

const groupingOf = (node: Node): Grouping | null => {
  const grouping = child(node, 'Grouping');
  if (!grouping) return null;
  const names = grouping.text.replace(/^\s*(by|without)\s*\(|\)\s*$/g, '').split(',');
  return { by: child(grouping, 'By') !== undefined, names: names.map((name) => name.trim()).filter(Boolean) };
};

const parameterOf = (node: Node, op: string, needed: boolean): number => {
  const parameter = child(node, 'Number');
  if (needed && !parameter) throw new BadQuery(`parse error : parameter required for operation ${op}`);
  if (!needed && parameter)
    throw new BadQuery(`parse error : unsupported parameter for operation ${op}(${parameter.text},`);
  if (parameter && op.endsWith('k')) checkCount(op, parameter.text);
  return Number(parameter?.text ?? 0);
};

const checkCount = (op: string, text: string): void => {
  if (!/^\d+$/.test(text)) throw new BadQuery(`parse error : invalid parameter ${op}(${text},`);
  if (Number(text) <= 0) throw new BadQuery(`parse error : invalid parameter (must be greater than 0) ${op}(${text}`);
};

const countSampler: Sampler = (row) => ({ row, value: 1 });
const byteSampler: Sampler = (row) => ({ row, value: Buffer.byteLength(row.line) });

const READ = { duration, duration_seconds: duration, bytes: size } as const;

/** `| unwrap conv(label) | filters…`: the label's value leaves the labels and becomes the sample. */
const unwrapSampler = (node: Node, query: string): Sampler => {
  const { name, read, filters } = unwrapParts(node, query);
  const after = chain(filters);
  return (row) => {
    const text = row.labels.get(name);
    if (!text) return null;
    const it = read(text);
    const kept = after('value' in it ? row : failed(row, 'SampleExtractionErr', it.error));
    if (!kept) return null;
    return { row: kept.error ? kept : without(kept, (one) => one === name), value: 'value' in it ? it.value : 0 };
  };
};

type Unwrap = {
  readonly name: string;
  readonly read: (text: string) => Reading;
  readonly filters: readonly Stage[];
};

const unwrapParts = (node: Node, query: string): Unwrap => {
  const inner = child(node, 'UnwrapExpr');
  if (inner) {
    const { name, read, filters } = unwrapParts(inner, query);
    return { name, read, filters: [...filters, labelFilter(child(node, 'LabelFilter')!, query)] };
  }
  const conversion = child(node, 'ConvOp')?.text as keyof typeof READ | undefined;
  return { name: child(node, 'Identifier')!.text, read: conversion ? READ[conversion] : float, filters: [] };
};

// ---- Binary operations: the grammar nests them without precedence, so they are laid flat and climbed again. ---------

type Operator = { readonly op: string; readonly bool: boolean; readonly at: number };
type Flat = { readonly terms: Node[]; readonly operators: Operator[] };

const BINDING: Readonly<Record<string, number>> = {
  '==': 1,
  '!=': 1,
  '>': 1,
  '>=': 1,
  '<': 1,
  '<=': 1,
  '+': 2,
  '-': 2,
  '*': 3,
  '/': 3,
  '%': 3,
  '^': 4,
};

const operands = (node: Node): Flat => {
  const [left, right] = node.children.filter(({ name }) => name === 'Expr').map(unwrapTerm);
  const sign = node.children.find(({ name }) => name !== 'Expr' && name !== 'BinOpModifier')!;
  const modifier = child(node, 'BinOpModifier');
  const bool = /^bool$/.test(modifier?.text.trim() ?? '');
  const op = { op: modifier?.text.trim() && !bool ? `${sign.text} ${modifier.text}` : sign.text, bool, at: sign.at };
  const [a, b] = [flatten(left!), flatten(right!)];
  return { terms: [...a.terms, ...b.terms], operators: [...a.operators, op, ...b.operators] };
};

// Parentheses show as one more MetricExpr around the expression, which stops the flattening.
const unwrapTerm = (expr: Node): Node => expr.children[0]!.children[0]!;
const flatten = (node: Node): Flat => (node.name === 'BinOpExpr' ? operands(node) : { terms: [node], operators: [] });

const climb = ({ terms, operators }: Flat, query: string): Metric => {
  if (operators.length === 0) return metric(terms[0]!, query);
  const strange = operators.find(({ op }) => !BINDING[op]);
  if (strange) throw badAt(query, strange.at, `not supported: '${strange.op}'`);
  const split = weakest(operators);
  return {
    is: 'binary',
    op: operators[split]!.op,
    bool: operators[split]!.bool,
    left: climb({ terms: terms.slice(0, split + 1), operators: operators.slice(0, split) }, query),
    right: climb({ terms: terms.slice(split + 1), operators: operators.slice(split + 1) }, query),
  };
};

/** Where to split: the last of the weakest operators, but the first of `^`, which binds to the right. */
const weakest = (operators: readonly Operator[]): number => {
  const least = Math.min(...operators.map(({ op }) => BINDING[op]!));
  const here = operators.map(({ op }) => BINDING[op] === least);
  return least === BINDING['^'] ? here.indexOf(true) : here.lastIndexOf(true);
};
