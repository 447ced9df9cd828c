// The stages that read a line's fields into labels: json and logfmt.
import { logfmt } from '../../../logfmt.ts';
import { BadQuery } from './errors.ts';
import type { Labels } from './match.ts';

/** A line on its way through a pipeline. `own` are the labels of its stream. */
export type Row = { readonly line: string; readonly labels: Labels; readonly own: Labels };
export type Stage = (row: Row) => Row | null;

export const withLabels = (row: Row, fields: Iterable<readonly [string, string]>): Row => ({
  ...row,
  labels: new Map([...row.labels, ...fields]),
});

export const failed = (row: Row, error: string, details: string): Row =>
  withLabels(row, [
    ['__error__', error],
    ['__error_details__', details],
  ]);

const labelName = (key: string): string => key.replace(/[^a-zA-Z0-9_]/g, '_').replace(/^(?=\d)/, '_');

// A field that is called like one of the stream's own labels does not overwrite it.
const named = (row: Row, key: string): string => (row.own.has(key) ? `${key}_extracted` : key);

/** Numbers keep the text that the line has: `10.0` and 20-digit ids survive. */
const parseJson = (line: string): unknown => {
  const keepText = (_: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' ? (context?.source ?? String(value)) : value;
  try {
    return JSON.parse(line, keepText);
  } catch {
    return undefined;
  }
};

function* leaves(value: object, prefix: string): Generator<[string, string]> {
  for (const [key, one] of Object.entries(value)) {
    const name = prefix ? `${prefix}_${key.replace(/[^a-zA-Z0-9_]/g, '_')}` : labelName(key);
    if (one === null || Array.isArray(one)) continue;
    if (typeof one === 'object') yield* leaves(one, name);
    else yield [name, String(one)];
  }
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const NOT_JSON = "Value looks like object, but can't find closing '}' symbol";

/** `| json`: every leaf of the object becomes a label, nested keys joined by `_`; arrays and nulls are left out. */
export const jsonStage: Stage = (row) => {
  const value = parseJson(row.line);
  if (!isObject(value)) return failed(row, 'JSONParserErr', NOT_JSON);
  return withLabels(
    row,
    leaves(value, '').map(([key, text]) => [named(row, key), text] as const),
  );
};

const STEP = /(?:^|\.)([\w-]+)|\["([^"]*)"\]|\[(\d+)\]/y;

/** The steps of `a.b`, `a[0]`, `["a b"].c`. Throws BadQuery when it is no such path. */
const path = (text: string): string[] => {
  const steps: string[] = [];
  for (let at = 0; at < text.length; at = STEP.lastIndex) {
    STEP.lastIndex = at;
    const step = STEP.exec(text);
    if (!step) throw new BadQuery(`parse error : cannot parse expression [${text}]`);
    steps.push((step[1] ?? step[2] ?? step[3])!);
  }
  return steps;
};

/** `| json name="a.b[0]"`: only the named places; a place that isn't there gives an empty label. */
export const jsonPlaces = (places: readonly (readonly [string, string])[]): Stage => {
  const wanted = places.map(([name, text]) => [name, path(text)] as const);
  return (row) => {
    const value = parseJson(row.line);
    if (!isObject(value)) return failed(row, 'JSONParserErr', NOT_JSON);
    return withLabels(
      row,
      wanted.map(([name, steps]) => [named(row, name), textAt(value, steps)] as const),
    );
  };
};

const textAt = (value: unknown, steps: readonly string[]): string => {
  const found = steps.reduce<unknown>((it, step) => (it as Record<string, unknown> | null | undefined)?.[step], value);
  if (found === undefined || found === null) return '';
  return typeof found === 'object' ? JSON.stringify(found) : String(found);
};

/** `| logfmt`: pairs become labels; empty ones are left out unless `keepEmpty`; `strict` turns a bad line into an error. */
export const logfmtStage =
  (strict: boolean, keepEmpty: boolean): Stage =>
  (row) => {
    const { pairs, clean } = logfmt(row.line);
    if (strict && !clean) return failed(row, 'LogfmtParserErr', 'logfmt syntax error');
    const kept = pairs.filter(({ value }) => keepEmpty || value !== '');
    return withLabels(
      row,
      kept.map(({ key, value }) => [named(row, labelName(key)), value] as const),
    );
  };

/** `| logfmt name, other="key"`: only the named keys. */
export const logfmtKeys =
  (keys: readonly (readonly [string, string])[], strict: boolean): Stage =>
  (row) => {
    const { pairs, clean } = logfmt(row.line);
    if (strict && !clean) return failed(row, 'LogfmtParserErr', 'logfmt syntax error');
    const found = new Map(pairs.map(({ key, value }) => [key, value]));
    return withLabels(
      row,
      keys.map(([name, key]) => [named(row, name), found.get(key) ?? ''] as const),
    );
  };
