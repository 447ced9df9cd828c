// The stages that read a line's fields into labels: json and logfmt, whole or only the fields that are named.
import { BadQuery } from './errors.ts';
import { type Hints, satisfied, wants, wantsBelow } from './hints.ts';
import { BadJson, elements, labelText, members, type Value } from './json.ts';
import { pieces } from './logfmt.ts';
import { failed, KEPT_ERROR, nameFor, type Row, type Stage, withParsed } from './row.ts';

/** Collects what a parser finds in one line. */
type Fields = {
  /** Keeps a field, unless the name is taken already or not wanted. */
  take(name: string, value: string): void;
  /** Keeps a field whatever was there. */
  set(name: string, value: string): void;
  has(name: string): boolean;
  done(): boolean;
  row(): Row;
};

const collect = (row: Row, hints: Hints): Fields => {
  const found = new Map<string, string>();
  const parsed = new Set(row.parsed);
  const set = (name: string, value: string): void => {
    parsed.add(name);
    found.set(name, value);
  };
  return {
    set,
    take: (name, value) => (wants(hints, name) && !parsed.has(name) ? set(name, value) : undefined),
    has: (name) => parsed.has(name),
    done: () => satisfied(hints, parsed),
    row: () => (found.size === 0 ? row : withParsed(row, found)),
  };
};

/** Marks a row as one that could not be read. */
const marked = (row: Row, hints: Hints, error: string, details: string): Row => {
  const it = failed(row, error, details);
  return hints.is === 'some' && hints.keepErrors ? withParsed(it, [[KEPT_ERROR, 'true']]) : it;
};

// ---- json -----------------------------------------------------------------------------------------------------------

// What Go's strings.TrimSpace takes for a space.
const TRIMMED = /^[\t-\r\x85\p{Z}]+|[\t-\r\x85\p{Z}]+$/gu;
const cleaned = (key: string): string => key.replace(TRIMMED, '').replace(/[^a-zA-Z0-9_]/gu, '_');
const begun = (name: string): string => (/^\d/.test(name) ? `_${name}` : name);
const joined = (prefix: string, key: string): string => {
  const part = cleaned(key);
  return prefix && part ? `${prefix}_${part}` : prefix || begun(part);
};

/** Takes the leaves of an object; true once the query needs no more of them. Throws BadJson. */
const leaves = (text: string, prefix: string, row: Row, hints: Hints, into: Fields): boolean => {
  for (const [key, value] of members(text)) {
    const name = joined(prefix, key);
    if (value.is === 'object') {
      if (wantsBelow(hints, name) && leaves(value.raw, name, row, hints, into)) return true;
      continue;
    }
    if (name !== '' && value.is !== 'array' && value.is !== 'null') into.take(nameFor(row, name), labelText(value));
    if (into.done()) return true;
  }
  return false;
};

/** `| json`: every leaf of the object becomes a label, nested keys joined by `_`; arrays and nulls are left out. */
export const jsonStage =
  (hints: Hints): Stage =>
  (row) => {
    if (satisfied(hints, row.parsed)) return row;
    const into = collect(row, hints);
    const why = broken(() => leaves(row.line, '', row, hints, into));
    return why === null ? into.row() : marked(into.row(), hints, 'JSONParserErr', why);
  };

const broken = (read: () => unknown): string | null => {
  try {
    read();
    return null;
  } catch (error) {
    if (error instanceof BadJson) return error.message;
    throw error;
  }
};

type Step = string | number;
type Place = { readonly name: string; readonly steps: readonly Step[] };

const STEP = /(?:^|\.)([A-Za-z_]\w*)|\["((?:[^"\\]|\\.)*)"\]|\[(\d+)\]/y;

/** The steps of `a.b`, `a[0]`, `["a b"].c`. Throws BadQuery when it is no such path. */
const path = (text: string): Step[] => {
  const steps: Step[] = [];
  for (let at = 0; at < text.length; at = STEP.lastIndex) {
    STEP.lastIndex = at;
    const step = STEP.exec(text);
    if (!step) throw new BadQuery(`parse error : cannot parse expression [${text}]`);
    steps.push(step[3] === undefined ? (step[1] ?? step[2]!.replace(/\\(.)/g, '$1')) : Number(step[3]));
  }
  return steps;
};

type Found = { readonly place: Place; readonly value: Value };

/** What lies at the places, in the order of the text, the first of several alike. */
function* valuesAt(value: Value, places: readonly Place[], depth: number): Generator<Found> {
  const open = new Set(places.filter(({ steps }) => steps.length > depth));
  if (open.size === 0 || (value.is !== 'object' && value.is !== 'array')) return;
  for (const [step, one] of entries(value)) {
    const here = [...open].filter(({ steps }) => steps[depth] === step);
    for (const place of here) {
      open.delete(place);
      if (place.steps.length === depth + 1) yield { place, value: one };
    }
    yield* valuesAt(one, here, depth + 1);
  }
}

function* entries({ is, raw }: Value): Generator<readonly [Step, Value]> {
  if (is === 'object') return yield* members(raw);
  let index = 0;
  for (const one of elements(raw)) yield [index++, one];
}

/** `| json name="a.b[0]"`: only the named places; a place that isn't there gives an empty label. */
export const jsonPlaces = (names: readonly (readonly [string, string])[], hints: Hints): Stage => {
  const places: Place[] = names.map(([name, text]) => ({ name, steps: path(text) }));
  return (row) => {
    if (row.line === '' || satisfied(hints, row.parsed)) return row;
    if (!/^["{[]/.test(row.line)) return marked(row, hints, 'JSONParserErr', '');
    const into = collect(row, hints);
    const left = new Set(places);
    // A line that breaks off gives what stands before that.
    broken(() => {
      const line: Value = {
        is: row.line[0] === '{' ? 'object' : row.line[0] === '[' ? 'array' : 'string',
        raw: row.line,
        end: 0,
      };
      for (const { place, value } of valuesAt(line, places, 0)) {
        left.delete(place);
        into.set(nameFor(row, place.name), labelText(value));
      }
    });
    for (const { name } of left.size > 0 ? places : [])
      if (!into.has(name) && !row.labels.has(name)) into.set(name, '');
    return into.row();
  };
};

// ---- logfmt ---------------------------------------------------------------------------------------------------------

/** `| logfmt`: pairs become labels; empty ones are left out unless `keepEmpty`; `strict` stops at what is no pair. */
export const logfmtStage =
  (strict: boolean, keepEmpty: boolean, hints: Hints): Stage =>
  (row) => {
    if (satisfied(hints, row.parsed)) return row;
    const into = collect(row, hints);
    for (const piece of pieces(row.line)) {
      if ('error' in piece) {
        if (strict) return marked(into.row(), hints, 'LogfmtParserErr', piece.error);
        continue;
      }
      const name = begun(cleaned(piece.key));
      if (name === '' || (piece.value === '' && !keepEmpty)) continue;
      into.take(nameFor(row, name), piece.value.replaceAll('\ufffd', ' '));
      if (into.done()) break;
    }
    return into.row();
  };

/** `| logfmt name, other="key"`: only the named keys, the last of several; what isn't there is empty. */
export const logfmtKeys = (given: readonly (readonly [string, string])[], strict: boolean, hints: Hints): Stage => {
  const keys = [...new Map(given)];
  const names = keys.map(([name]) => name);
  return (row) => {
    if (satisfied(hints, row.parsed)) return row;
    const into = collect(row, hints);
    for (const name of names) if (nameFor(row, name) === name) into.set(name, '');
    for (const piece of pieces(row.line)) {
      if ('error' in piece) {
        if (strict) return marked(into.row(), hints, 'LogfmtParserErr', piece.error);
        continue;
      }
      const key = begun(cleaned(piece.key));
      if (!names.includes(key) && (!wants(hints, key) || into.has(key))) continue;
      const name = keys.find(([, wanted]) => wanted === key)?.[0] ?? key;
      if (!names.includes(name)) continue;
      const kept = nameFor(row, name);
      if (kept !== name && (into.has(kept) || !wants(hints, kept))) break;
      into.set(kept, piece.value.includes('\ufffd') ? '' : piece.value);
      if (into.done()) break;
    }
    return into.row();
  };
};
