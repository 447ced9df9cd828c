// A line on its way through a pipeline: its labels, where they come from, and what went wrong with it.
import type { Labels } from './match.ts';

export type Row = {
  readonly line: string;
  readonly labels: Labels;
  /** The labels of the line's stream, whatever became of them since. */
  readonly own: Labels;
  /** Names of the structured metadata that came with the line. */
  readonly metadata: ReadonlySet<string>;
  /** Names that a parser or a format has set. A parser sets no name twice. */
  readonly parsed: ReadonlySet<string>;
  readonly error: string;
  readonly details: string;
};

export type Stage = (row: Row) => Row | null;

export const ERROR = '__error__';
export const DETAILS = '__error_details__';
/** What a row carries whose error the query itself asks about: it is no reason to refuse the query. */
export const KEPT_ERROR = '__preserve_error__';

const NONE: ReadonlySet<string> = new Set();

export const rowOf = (line: string, own: Labels, labels: Labels = own): Row => {
  const metadata = labels === own ? NONE : new Set([...labels.keys()].filter((name) => !own.has(name)));
  return { line, labels, own, metadata, parsed: NONE, error: '', details: '' };
};

/** A row's labels as an answer shows them: with its error. Details that outlive it show where another label changed. */
export const shown = (row: Row): Labels => {
  if (!row.error && (!row.details || row.labels === row.own)) return row.labels;
  const errors = [
    [ERROR, row.error],
    [DETAILS, row.details],
  ] as const;
  return new Map([...row.labels, ...errors.filter(([, value]) => value !== '')]);
};

/** The value that a filter sees. */
export const seen = (row: Row, name: string): string => (name === ERROR ? row.error : (row.labels.get(name) ?? ''));

export const failed = (row: Row, error: string, details: string): Row => ({
  ...row,
  error,
  details: details || row.details,
});

/** Sets labels as a parser or a format does: what was there goes. */
export const withParsed = (row: Row, fields: Iterable<readonly [string, string]>): Row => {
  const all = [...fields];
  const names = all.map(([name]) => name);
  const metadata = names.some((name) => row.metadata.has(name))
    ? new Set([...row.metadata].filter((name) => !names.includes(name)))
    : row.metadata;
  return {
    ...row,
    labels: new Map([...row.labels, ...all]),
    parsed: new Set([...row.parsed, ...names]),
    metadata,
  };
};

/** Removes labels; `gone` is asked for every label and for the two of an error. */
export const without = (row: Row, gone: (name: string, value: string) => boolean): Row => {
  const left = [...row.labels].filter(([name, value]) => !gone(name, value));
  const labels = left.length === row.labels.size ? row.labels : new Map(left);
  return {
    ...row,
    labels,
    metadata: new Set([...row.metadata].filter((name) => labels.has(name))),
    error: gone(ERROR, row.error) ? '' : row.error,
    details: gone(DETAILS, row.details) ? '' : row.details,
  };
};

/** The name under which a parser's field is kept: one of the stream's or the metadata's is not overwritten. */
export const nameFor = (row: Row, key: string): string =>
  row.own.has(key) || row.metadata.has(key) ? `${key}_extracted` : key;
