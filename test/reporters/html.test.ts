import { hash } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { html } from '../../src/reporters/html.ts';
import { verdict } from '../../src/verdict.ts';
import { gistOf } from '../helpers/gist.ts';
import { at, controlPlan, stored } from './stored.ts';

const run = stored();
let page = '';
beforeAll(async () => {
  page = await html(run, verdict(run));
});

const policy = (): string =>
  /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(page)![1]!.replaceAll('&#39;', "'");

/** The text of every element of that name. */
const inner = (name: string, of = page): string[] =>
  [...of.matchAll(new RegExp(`<${name}(?: [^>]*)?>([\\s\\S]*?)</${name}>`, 'g'))].map(([, text]) => text!);

describe('the page', () => {
  test('loads nothing from anywhere', () => {
    expect(policy()).toMatch(/^default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+';/);
    expect([...page.matchAll(/ (?:src|href)="([^"]*)"/g)].filter(([, to]) => !to!.startsWith('#'))).toEqual([]);
    expect(page).not.toMatch(/<link|@import|url\(/);
  });

  test('allows the one script and the one style sheet that it carries, by their checksums', () => {
    const [style] = inner('style');
    const script = inner('script').at(-1)!;
    for (const text of [style!, script]) expect(policy()).toContain(`'sha256-${hash('sha256', text, 'base64')}'`);
    expect(page).not.toMatch(/ style="| on\w+="/);
  });

  test('what came from outside cannot end a script or begin an element', () => {
    expect(page).not.toContain('</script><b>orders');
    expect(page).toContain('&lt;/script&gt;&lt;b&gt;orders');
    expect(page.match(/<\/script>/g)).toHaveLength(2);
  });

  test('an alert whose name is markup is harmless in the data too', async () => {
    const name = '</script><!--<script>alert(1)';
    const labels = { alertname: name };
    const item = {
      id: 'a',
      at: at(15),
      seen: 1,
      name,
      state: 'firing' as const,
      labels,
      annotations: {},
      source: 'prometheus' as const,
    };
    const evil = stored({ items: new Map([['alerts', [item]]]) });
    const it = await html(evil, verdict(evil));
    expect(it.match(/<\/script>/g)).toHaveLength(2);
    expect(it).not.toContain('<!--');
    const data = JSON.parse(inner('script', it)[0]!);
    expect(data.charts.find((chart: { id: string }) => chart.id === 'alerts-1').rows[0].name).toContain(name);
  });

  test('every chart of the data has its place, and every place its chart', () => {
    const data = JSON.parse(inner('script')[0]!) as { charts: { id: string }[] };
    const places = [...inner('main')[0]!.matchAll(/data-chart="([^"]*)"/g)].map(([, id]) => id);
    expect(places).toEqual(data.charts.map(({ id }) => id));
    expect(places).toContain('traces-1');
  });

  test('evidence leads to the exact query of the look that first showed it', () => {
    expect(page).toContain('<a href="#traces-look-1">look 1</a>');
    expect(page).toContain('id="traces-look-1"');
    expect(page).toContain('ask traces &quot;1&quot;');
    expect(page).toContain('http://127.0.0.1/traces?look=1&amp;limit=5');
  });

  test('a layer says how many of the requests that were answered it came to show', () => {
    const { by, baseline } = verdict(run).layers.traces.sentinels!;
    expect(page).toContain(`<th scope="row">traces</th><td>${baseline.arrived}/${baseline.sent}</td>`);
    expect(page).toContain(`<td>${by}</td>`);
  });

  test('has the ground truth, the expectations, the plan and how to judge it again', () => {
    for (const said of [
      '1 of 1 killed pods are gone',
      'OrdersDown',
      'npx firedrill judge .',
      verdict(run).ledgerSha256,
    ])
      expect(page).toContain(said);
    for (const deadline of Object.values(run.plan.deadlines)) expect(page).toContain(`>${deadline.ms}</td>`);
  });

  test('is small', () => {
    expect(page.length).toBeLessThan(300_000);
  });

  test('a control says that whatever is reported is a false alarm', async () => {
    const control = stored({ plan: controlPlan });
    expect(await html(control, verdict(control))).toContain('this is a control');
  });

  test('a run that has nothing but a plan still has its page', async () => {
    const empty = {
      plan: run.plan,
      history: [],
      ledger: gistOf(run.plan, [], []),
      evidence: { looks: [], items: new Map(), gaps: [], asked: [] },
    };
    expect(await html(empty, verdict(empty))).toContain('INCONCLUSIVE');
  });
});
