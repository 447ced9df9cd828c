import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compile } from '../../../../src/targets/lab/logql/query.ts';
import { rowOf, shown } from '../../../../src/targets/lab/logql/row.ts';

const OWN = new Map([['app', 'web']]);

/** What a pipeline makes of a line of `{app="web"}`: its labels and text, or null when it drops it. */
const through = (pipeline: string, line: string, metadata: Record<string, string> = {}) => {
  const query = compile(`{app="web"} ${pipeline}`);
  if (query.is !== 'log') throw new Error('not a log query');
  const full = Object.keys(metadata).length > 0 ? new Map([...OWN, ...Object.entries(metadata)]) : OWN;
  const row = query.stage(rowOf(line, OWN, full));
  if (!row) return null;
  const { app, ...labels } = Object.fromEntries(shown(row));
  return { labels, line: row.line };
};
const labels = (pipeline: string, line: string, metadata?: Record<string, string>) =>
  through(pipeline, line, metadata)?.labels;

const OBJECT = "Value looks like object, but can't find closing '}' symbol";

describe('json', () => {
  test('the first of two keys alike counts, and of two parsers the first', () => {
    expect(labels('| json', '{"level":"a","level":"b"}')).toEqual({ level: 'a' });
    expect(labels('| json | line_format "level=c new=d" | logfmt', '{"level":"a"}')).toEqual({ level: 'a', new: 'd' });
  });

  test('what stands before the place where a line breaks is kept', () => {
    expect(labels('| json', '{"a":"x","b":')).toEqual({
      a: 'x',
      __error__: 'JSONParserErr',
      __error_details__: 'Malformed JSON error',
    });
    expect(labels('| json', '{"a":"x"} and more')).toEqual({ a: 'x' });
    expect(labels('| json', 'plain')).toEqual({ __error__: 'JSONParserErr', __error_details__: OBJECT });
  });

  test('a named place gives no details of an error, and does not hide a label of the stream that is there', () => {
    expect(labels('| json x="a"', 'plain')).toEqual({ __error__: 'JSONParserErr' });
    expect(labels('| json', '{"s":"a\ufffdb"}')).toEqual({ s: 'a b' });
    expect(labels('| json app="a", x="b[1].c"', '{"b":[0,{"c":"found"}]}')).toEqual({ x: 'found' });
  });

  test('numbers keep their text, escapes are read', () => {
    expect(labels('| json', '{"n":10.0,"big":12345678901234567890,"s":"\\u00e9\\n\\ud83d\\ude00"}')).toEqual({
      n: '10.0',
      big: '12345678901234567890',
      s: 'é\n😀',
    });
  });

  test('reads every object that JSON.stringify writes; what stands for a broken character is a blank, as in Loki', () => {
    const name = fc.stringMatching(/^[a-z]{1,8}$/).filter((it) => it !== 'app' && it !== '__proto__');
    fc.assert(
      fc.property(fc.dictionary(name, fc.string({ unit: 'grapheme' })), (fields) => {
        const kept = Object.entries(fields).map(([key, text]) => [key, text.replaceAll('\ufffd', ' ')]);
        expect(labels('| json', JSON.stringify(fields))).toEqual(Object.fromEntries(kept));
      }),
    );
  });
});

describe('logfmt', () => {
  test('strict stops at what is no pair and says at which byte', () => {
    expect(labels('| logfmt --strict', 'ä=1 b==2 c=3')).toEqual({
      _: '1',
      __error__: 'LogfmtParserErr',
      __error_details__: "logfmt syntax error at pos 8 : unexpected '='",
    });
    expect(labels('| logfmt', 'a=1 b==2 c=3')).toEqual({ a: '1', c: '3' });
  });

  test('an escape that is none and a quote without an end give no pair', () => {
    expect(labels('| logfmt', 'a="\\q" b="\\u00e9" c="open')).toEqual({ b: 'é' });
  });

  test('of a key that is named the last value counts', () => {
    expect(labels('| logfmt x="a", b', 'a=1 a=2')).toEqual({ x: '2', b: '' });
  });
});

describe('label filters', () => {
  const line = 'level=error took=2s retry=true n=1_000 size=1e3KB d=1d';

  test.each([
    ['level="info", took < 1s or retry="true"', null],
    ['level="info" and took < 1s or retry="true"', {}],
    ['retry="true" or level="info", took < 1s', {}],
    ['n = 1000', {}],
    ['missing != 5', null],
  ])('%s', (filter, expected) => {
    const got = labels(`| logfmt | ${filter} | keep nothing`, line);
    expect(got ?? null).toEqual(expected);
  });

  test.each([
    ['level > 5', 'strconv.ParseFloat: parsing "error": invalid syntax'],
    ['level > 5s', 'time: invalid duration "error"'],
    ['d > 5s', 'time: unknown unit "d" in duration "1d"'],
    ['size > 1KB', 'unhandled size name: e3kb'],
    ['level > 1KB', 'strconv.ParseFloat: parsing "": invalid syntax'],
  ])('what %s can not read is kept, with the reason in Go’s words', (filter, why) => {
    expect(labels(`| logfmt | ${filter} | keep nothing`, line)).toEqual({
      __error__: 'LabelFilterErr',
      __error_details__: why,
    });
  });
});

describe('formats', () => {
  test('a label that is not there is not renamed', () => {
    expect(labels('| label_format new=missing', 'x')).toEqual({});
  });

  test('templates of one stage see the labels as they were', () => {
    expect(labels('| logfmt | label_format a="{{.b}}", b="{{.a}}"', 'a=1 b=2')).toEqual({ a: '2', b: '1' });
  });

  test('drop and keep take a value that must match', () => {
    expect(labels('| logfmt | drop a="1", b="1"', 'a=1 b=2')).toEqual({ b: '2' });
    expect(labels('| logfmt | keep a=~"[0-9]", b="1"', 'a=1 b=2')).toEqual({ a: '1' });
  });

  test.each([
    ['a=b, a=c', "multiple label name 'a' not allowed in a single format operation"],
    ['__error__=b', '__error__ cannot be formatted'],
  ])('label_format %s is refused', (format, why) => {
    expect(() => through(`| label_format ${format}`, '')).toThrow(why);
  });
});

test('a field called like the metadata of its line does not hide it', () => {
  expect(labels('| logfmt', 'user=inner', { user: 'outer' })).toEqual({ user: 'outer', user_extracted: 'inner' });
});

test('strings have Go’s escapes, bytes among them', () => {
  expect(through('|= "\\xc3\\xbc\\u00fc\\U0001F389\\101\\n"', 'üü🎉A\n')).not.toBeNull();
});
