import { describe, expect, test } from '@jest/globals';
import { line, text } from '../../src/reporters/text.ts';
import { type Verdict, verdict } from '../../src/verdict.ts';
import { aPlan, controlPlan, stored } from './stored.ts';

const judged = verdict(stored());
const lines = (it: Verdict, plan = aPlan): string[] => text(it, plan).split('\n');
const row = (it: Verdict, layer: string): string => lines(it).find((one) => one.startsWith(`${layer} `))!;

describe('text', () => {
  test('begins with the outcome, the scenario and why', () => {
    const [first, second] = lines(judged);
    expect(first).toBe('LAYER UNHEALTHY killed orders');
    expect(second).toMatch(/^ {2}metrics: none of \d+ tagged requests answered after the injection was seen there/);
  });

  test('a layer that explained the fault has its bracket and whom it blames', () => {
    expect(row(judged, 'traces')).toMatch(/^traces +yes +yes +yes +0\.0-3\.2 s +explained +0\.\d\d absent orders$/);
  });

  test('a layer below its demand is marked, one without a demand is not', () => {
    expect(row(judged, 'metrics')).toContain('! located');
    expect(row(judged, 'logs')).not.toContain('!');
  });

  test('a layer without data has neither noticed nor missed anything', () => {
    expect(row(judged, 'flows')).toMatch(/^flows +- +- +- +- /);
  });

  test('only layers that did not explain the fault say why', () => {
    const reasons = lines(judged).filter((one) => /^\w+ +(blind|silent|noticed|located|explained): /.test(one));
    expect(reasons.map((one) => one.split(' ')[0])).toEqual(['metrics', 'alerts', 'logs', 'flows', 'packets']);
  });

  test('each layer that was asked says how many of the requests that were answered it came to show, how late, and by what', () => {
    const said = lines(judged).slice(lines(judged).findIndex((one) => one.startsWith('sentinels ')));
    expect(said[1]).toMatch(
      /^traces +50\/50 +- +\d+\.\d-\d+\.\d s +\d+\.\d s +any of the traces of gateway at the time$/,
    );
    expect(said[2]).toMatch(/^metrics +0\/50 +- +- +- +any of the metrics at the time$/);
    expect(said[3]).toMatch(/^alerts +- +- +- +- +no sentinel: nothing fires all the time here$/);
  });

  test('the ground truth has place, times, length and witnesses', () => {
    const said = text(judged, aPlan);
    expect(said).toContain('podKill on service:orders (absent)');
    expect(said).toMatch(/from 2026-11-21 07:00:14\.\d{3}Z until 07:00:19\.\d{3}Z, 5\.0 s/);
    expect(said).toContain('witnessed 1 of 1 killed pods are gone: orders-a');
    expect(said).toContain('1 of 1 pods ready again: orders-b');
  });

  test('a control says that there was nothing to find, and locates nothing', () => {
    const control = verdict(stored({ plan: controlPlan, history: [], items: new Map() }));
    const said = lines(control, controlPlan);
    expect(said).toContain(
      "fault     none: whatever a layer reports is a false alarm, unless the client's own requests got worse too",
    );
    expect(said.some((one) => one.startsWith('healed'))).toBe(false);
  });

  test('the same gap at every look is one line; many kinds are cut short', () => {
    const window = { from: '2026-11-21T07:00:01.000000000Z', until: '2026-11-21T07:00:03.000000000Z' };
    const gaps = Array.from({ length: 40 }, (_, n) => ({
      layer: 'logs' as const,
      query: '{}',
      window,
      why: `HTTP ${500 + (n % 10)}`,
    }));
    const said = lines({ ...judged, gaps });
    expect(said.filter((one) => one.includes('HTTP 50'))).toHaveLength(8);
    expect(said.find((one) => one.includes('HTTP 500'))).toContain('logs, 4 of its answers missing');
    expect(said.some((one) => one.trim() === 'and 2 more kinds')).toBe(true);
  });

  test('no line is wider than 110 columns, however long a word is', () => {
    const why = `HTTP 502 ${'x'.repeat(400)} end`;
    const long = { ...judged, because: why, layers: { ...judged.layers, logs: { ...judged.layers.logs, why } } };
    expect(Math.max(...lines(long).map(({ length }) => length))).toBeLessThanOrEqual(110);
    expect(text(long, aPlan).replace(/\s/g, '')).toContain('x'.repeat(400));
  });

  test('escape codes and line breaks of a backend do not reach the terminal', () => {
    const evil = { ...judged, because: 'red \u001b[31m and\r\nmore' };
    expect(lines(evil)[1]).toBe('  red [31m and more');
  });
});

describe('line', () => {
  test('is one line of at most 110 columns with outcome, scenario and reason', () => {
    const one = line({ ...judged, because: `because\n${'of this '.repeat(30)}` });
    expect(one).toMatch(/^LAYER UNHEALTHY +killed orders {2}because of this .*\.\.\.$/);
    expect(one.length).toBeLessThanOrEqual(110);
  });
});
