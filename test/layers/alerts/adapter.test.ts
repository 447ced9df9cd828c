import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { alertmanager } from '../../../src/layers/alerts/adapter.ts';
import type { AlertItem, Answer, Window } from '../../../src/model.ts';
import { naming } from '../../../src/naming.ts';
import { fromIso } from '../../../src/time.ts';
import { type Recorded, replay } from '../metrics/replay.ts';

const fixture = (name: string): string =>
  readFileSync(new URL(`../../../fixtures/${name}.json`, import.meta.url), 'utf8');
const window: Window = { from: 1795245432n * 1_000_000_000n, until: 1795245446n * 1_000_000_000n };
const signal = new AbortController().signal;
const address = new Map([['127.0.0.1', { ip: '127.0.0.1', service: 'order-service', pod: 'order-service-b2' }]]);
const names = naming(['order-service', 'market-data'], () => address);

/** The answer to a query for ALERTS and ALERTS_FOR_STATE at once. */
const resultOf = (name: string): string => JSON.stringify(JSON.parse(fixture(name)).data.result).slice(1, -1);
const both = `{"status":"success","data":{"resultType":"matrix","result":[${resultOf('prometheus/ALERTS_FOR_STATE')},${resultOf('prometheus/ALERTS')}]}}`;

const recorded =
  (held: string) =>
  (path: string): Recorded => {
    if (path.startsWith('/api/v1/alerts')) return { body: fixture('prometheus/alerts') };
    if (path.startsWith('/api/v1/query')) return { body: both };
    if (path.startsWith('/api/v2/alerts')) return { body: fixture(`alertmanager/${held}`) };
    return { body: fixture('alertmanager/deliveries') };
  };

const look = async (answer: (path: string) => Recorded): Promise<Answer<AlertItem>> => {
  await using server = await replay(answer);
  const { url } = server;
  await using layer = alertmanager({ prometheusUrl: url, alertmanagerUrl: url, webhookUrl: url, naming: names });
  return await layer.look(window, signal);
};
const brief = ({ items }: Answer<AlertItem>, name: string): string[] =>
  items.filter((item) => item.name === name).map(({ source, state }) => `${source} ${state}`);

describe('alertmanager', () => {
  test('shows one alert in every state and place that it was in', async () => {
    const found = await look(recorded('active'));
    expect(found.gaps).toEqual([]);
    expect(brief(found, 'PodDown').sort()).toEqual([
      'alertmanager firing',
      'prometheus firing',
      'prometheus firing',
      'prometheus pending',
      'webhook firing',
      'webhook resolved',
    ]);
  });

  test('an item is dated by when the alert became active, to the nanosecond where that is known', async () => {
    const { items } = await look(recorded('active'));
    const pending = items.find(({ name }) => name === 'SlowToFire');
    expect(pending).toMatchObject({ state: 'pending', labels: { severity: 'warning' } });
    expect(items.map(({ at }) => at)).toContain(fromIso('2026-11-21T07:17:20.734645378Z'));
    expect(items.find(({ source }) => source === 'webhook')!.at).toBe(fromIso('2026-11-21T07:17:22.734Z'));
  });

  test('an alert that was there before the window is dated before it', async () => {
    const { items } = await look(recorded('active'));
    const watchdog = items.filter(({ name }) => name === 'Watchdog');
    expect(watchdog.map(({ at }) => at < window.from)).toEqual([true, true]);
  });

  test('an alert that a silence suppresses says which silence', async () => {
    const found = await look(recorded('suppressed'));
    const held = found.items.find(({ source, name }) => source === 'alertmanager' && name === 'PodDown');
    expect(held).toMatchObject({ state: 'suppressed' });
    expect(held!.annotations.suppressed_by).toMatch(/^silence [0-9a-f-]{36}$/);
  });

  test('an address in a label names its component', async () => {
    const labels = { alertname: 'TargetDown', instance: '127.0.0.1:19102' };
    const alerts = [{ labels, annotations: {}, state: 'firing', activeAt: '2026-11-21T07:17:20Z', value: '0' }];
    const { items } = await look((path) =>
      path.startsWith('/api/v1/alerts')
        ? { body: JSON.stringify({ status: 'success', data: { alerts } }) }
        : { body: fixture('prometheus/empty') },
    );
    expect(items[0]!.labels.firedrill_component).toBe('order-service');
  });

  test('a source that is not there is not asked', async () => {
    await using server = await replay(recorded('active'));
    await using layer = alertmanager({
      prometheusUrl: null,
      alertmanagerUrl: server.url,
      webhookUrl: null,
      naming: names,
    });
    const { queries } = await layer.look(window, signal);
    expect(server.asked).toEqual(['/api/v2/alerts']);
    expect(queries.map(({ url }) => url)).toEqual([`${server.url}/api/v2/alerts`]);
  });

  test('a source that fails is a gap and hides no other', async () => {
    const found = await look((path) =>
      path.startsWith('/api/v2') ? { status: 400, body: fixture('alertmanager/bad-filter') } : recorded('active')(path),
    );
    expect(found.gaps.map(({ why }) => why)).toEqual(['HTTP 400: "bad matcher format: nonsense("']);
    expect(brief(found, 'PodDown')).toContain('webhook firing');
  });

  test('a time that is none is a gap with its place', async () => {
    const { gaps } = await look((path) => ({
      body: recorded('active')(path).body.replaceAll(/"2026-[^"]*"/g, '"yesterday"'),
    }));
    expect(gaps).toHaveLength(3);
    expect(gaps[0]!.why).toMatch(/'yesterday' is not an RFC 3339 time/);
  });

  test.each([
    ['HTML', { body: '<!doctype html>' }],
    ['half a JSON', { body: '[{"labels":' }],
    ['another JSON', { body: '{}' }],
    ['an error', { status: 500, body: '"internal"' }],
  ])('%s from everywhere is a gap for every query', async (_, answer) => {
    const { items, queries, gaps } = await look(() => answer);
    expect(items).toEqual([]);
    expect(gaps).toHaveLength(queries.length);
  });
});
