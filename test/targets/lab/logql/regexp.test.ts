import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { regexp } from '../../../../src/targets/lab/logql/regexp.ts';

describe("Go's regular expressions", () => {
  test.each([
    ['[[:alpha:]]+7', 'x7', true],
    ['[[:alpha:]]+7', '77', false],
    ['carriage.return', 'carriage\rreturn', true],
    ['two.lines', 'two\nlines', false],
    ['(?s)two.lines', 'two\nlines', true],
    ['(?m)^lines$', 'two\nlines', true],
    ['^lines$', 'two\nlines', false],
    ['a(?i)b|C', 'xc', true],
    ['(a(?i)b)c', 'aBC', false],
    ['(?i:get) /o', 'GET /o', true],
    ['\\Qa.b\\E+', 'a.bbb', true],
    ['\\Qa.b\\E', 'axb', false],
    ['[]{}]', ']', true],
    ['a{,2}', 'a{,2}', true],
    ['x{3,}', 'xx', false],
    ['\\-\\@\\"', '-@"', true],
    ['(?P<name>x)(?<other>y)', 'xy', true],
    ['\\s', '\u00a0', false],
    ['\\p{Greek}\\pL', 'αa', true],
    ['\\x{1F389}|\\101', 'A', true],
    ['^$', '𒀊', false],
  ])('%s on %j: %s', (source, text, expected) => {
    expect(regexp(source, false).test(text)).toBe(expected);
  });

  test('an anchored one matches the whole text, line breaks as well', () => {
    expect(regexp('a.*|b', true).test('a\nz')).toBe(true);
    expect(regexp('a|b', true).test('ab')).toBe(false);
  });

  test.each([['('], ['a)'], ['(?=x)'], ['(?<!x)'], ['(a)\\1'], ['[a'], ['\\'], ['[z-a]'], ['a**'], ['[[:nope:]]']])(
    '%s is refused in one line',
    (source) => {
      expect(() => regexp(source, false)).toThrow(/^parse error : error parsing regexp: [^\n]+$/);
    },
  );

  test('a text that is quoted matches itself and nothing else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (text, other) => {
        fc.pre(!text.includes('\\E'));
        const pattern = regexp(`\\Q${text}\\E`, true);
        expect(pattern.test(text)).toBe(true);
        expect(pattern.test(other)).toBe(text === other);
      }),
    );
  });
});
