import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { h, inlineJson } from '../../../src/reporters/page/markup.ts';

describe('h', () => {
  test('text is escaped, markup is not, nothing is nothing', () => {
    expect(h`<p title="${'"x"'}">${'<b>'}${h`<i>${1}</i>`}${[h`<u></u>`, h`&`]}${null}</p>`.html).toBe(
      '<p title="&quot;x&quot;">&lt;b&gt;<i>1</i><u></u>&</p>',
    );
  });

  test('no text can bring in a tag or end an attribute', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !/[<>"']/.test(h`${text}`.html)));
  });
});

describe('inlineJson', () => {
  test('means the same, and cannot end its script', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), (value, text) => {
        const { html } = inlineJson([value, text, '</script><!--']);
        expect(html).not.toContain('<');
        expect(JSON.parse(html)).toEqual(JSON.parse(JSON.stringify([value, text, '</script><!--'])));
      }),
    );
  });
});
