import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { junit } from '../../src/reporters/junit.ts';
import { type Outcome, type Verdict, verdict } from '../../src/verdict.ts';
import { stored } from './stored.ts';

const judged = verdict(stored());

/** Each case as `name: passed`, or with the first of its children that is a result. */
const cases = (xml: string): string[] =>
  [...xml.matchAll(/<testcase [^>]*? name="([^"]*)"[^>]*>([\s\S]*?)<\/testcase>/g)].map(
    ([, name, inner]) => `${name}: ${/<(failure|error|skipped) /.exec(inner!)?.[1] ?? 'passed'}`,
  );
const of = (it: Verdict): string[] => cases(junit([it]));
const as = (outcome: Outcome, more: Partial<Verdict> = {}): Verdict => ({
  ...judged,
  outcome,
  expectations: [],
  ...more,
});

describe('junit', () => {
  test('a layer below its demand fails, one that has no demand is no case', () => {
    expect(of(as('fail'))).toEqual([
      'drill: passed',
      'healed: passed',
      'traces is explained: passed',
      'metrics is located: failure',
    ]);
  });

  test('a layer with gaps is an error, for nobody knows what it would have shown', () => {
    const window = { from: '2026-11-21T07:00:01.000000000Z', until: '2026-11-21T07:00:03.000000000Z' };
    const gaps = [{ layer: 'metrics' as const, query: 'up', window, why: 'HTTP 503' }];
    expect(of(as('fail', { gaps }))).toContain('metrics is located: error');
  });

  test.each(['inconclusive', 'invalid-injection', 'not-exposed', 'layer-unhealthy'] as const)(
    '%s is one error, and its layers are skipped even where they would have passed',
    (outcome) => {
      expect(of(as(outcome))).toEqual([
        'drill: error',
        'healed: passed',
        'traces is explained: skipped',
        'metrics is located: skipped',
      ]);
    },
  );

  test('still broken is a failure of healing', () => {
    expect(of(as('still-broken')).slice(0, 2)).toEqual(['drill: skipped', 'healed: failure']);
  });

  test("a control's false alarm is a failure of the drill", () => {
    const groundTruth = { ...judged.groundTruth, on: null };
    expect(of(as('fail', { groundTruth }))[0]).toBe('drill: failure');
    expect(of(as('pass', { groundTruth }))[0]).toBe('drill: passed');
  });

  test('expectations hold, fail, or are errors when nobody knows', () => {
    const expectations = [true, false, null].map((holds, n) => ({ says: `e${n}`, holds, evidence: [], why: 'so' }));
    expect(of(as('fail', { expectations })).slice(-3)).toEqual(['e0: passed', 'e1: failure', 'e2: error']);
  });

  test('the counts of suites and of the whole are those of the cases', () => {
    const xml = junit([as('fail'), as('inconclusive')]);
    expect(xml).toMatch(/<testsuites name="firedrill" tests="8" failures="1" errors="1" skipped="2"/);
    expect(xml).toMatch(/<testsuite name="killed orders" tests="4" failures="1" errors="0" skipped="0"/);
    expect(xml).toMatch(/<testsuite name="killed orders" tests="4" failures="0" errors="1" skipped="2"/);
  });

  test('the time of a layer is the upper end of its bracket, in seconds', () => {
    expect(junit([as('fail')])).toMatch(/name="traces is explained" time="3\.200"/);
  });

  test('seed, run, target and platform are properties', () => {
    const xml = junit([judged]);
    for (const [name, value] of Object.entries({ seed: 7, runId: 'run-7', target: 'lab', platform: 'shop' }))
      expect(xml).toContain(`<property name="${name}" value="${value}"/>`);
  });

  test('any text comes out as XML that means the same, without the characters that XML forbids', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (because) => {
        const xml = junit([as('inconclusive', { because })]);
        const message = /<error message="([^"]*)"/.exec(xml)![1]!;
        expect(message).not.toMatch(/[<\t\n\r]/);
        expect(unescaped(message)).toBe(`INCONCLUSIVE: ${allowed(because)}`);
      }),
      { numRuns: 200 },
    );
  });

  test('control characters and halves of surrogate pairs are replaced', () => {
    expect(junit([as('inconclusive', { because: 'a\u0000b\u001b[31mc\ud800d\uffffe😀' })])).toContain(
      'INCONCLUSIVE: a\ufffdb\ufffd[31mc\ufffdd\ufffde😀',
    );
  });
});

const unescaped = (text: string): string =>
  text
    .replace(/&#(\d+);/g, (_, code) => String.fromCharCode(Number(code)))
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&amp;/g, '&');

/** XML 1.0's own list of characters, written the other way round. */
const allowed = (text: string): string =>
  [...text]
    .map((one) => {
      const code = one.codePointAt(0)!;
      const fine =
        [0x9, 0xa, 0xd].includes(code) ||
        (code >= 0x20 && code <= 0xd7ff) ||
        (code >= 0xe000 && code <= 0xfffd) ||
        code >= 0x10000;
      return fine ? one : '\ufffd';
    })
    .join('');
