import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { accessTo } from '../../../src/credentials.ts';
import { loki } from '../../../src/layers/logs/adapter.ts';
import { naming } from '../../../src/naming.ts';
import { platform } from '../../../src/platform.ts';
import { until } from '../../../src/poll.ts';
import { startLogStore } from '../../../src/targets/lab/log-store.ts';
import { pushed } from '../../../src/targets/lab/log-store-push.ts';
import { type LogLine, lokiPush, pushBody } from '../../../src/targets/lab/loki-push.ts';
import { listener, NOBODY } from './listener.ts';

const SHOP = platform({ name: 'shop', entry: 'web', components: { web: { endpoints: {} } }, journeys: {} });
const line = (n: number, text = `line ${n}`, service = 'web'): LogLine => ({
  stream: { service, pod: `${service}-1` },
  at: String(1_800_000_000_000_000_000n + BigInt(n)),
  line: text,
});
const SOON = { forMs: 5000, everyMs: 10 };

test('lines pushed are lines that the logs adapter reads back, at their nanosecond', async () => {
  await using store = await startLogStore({ host: '127.0.0.1', port: 0, maxBytes: 1_000_000 });
  {
    await using push = lokiPush(store.url, (words) => expect(words).toBe('nothing'));
    for (const n of [1, 2, 3]) push.push(line(n));
  }
  await using adapter = loki({ url: store.url, naming: naming(['web'], () => new Map()), telemetry: SHOP.telemetry });
  const from = BigInt(line(0).at);
  const { items, gaps } = await adapter.look({ from, until: from + 10n }, AbortSignal.timeout(5000));
  expect(gaps).toEqual([]);
  expect(items.map(({ at, line, pod }) => [at - from, line, pod])).toEqual(
    [1, 2, 3].map((n) => [BigInt(n), `line ${n}`, 'web-1']),
  );
});

test('whatever the lines are, Loki’s JSON holds each of them, in order within its stream', () => {
  const lines = fc.array(fc.record({ n: fc.nat(), text: fc.string(), service: fc.constantFrom('web', 'orders') }), {
    minLength: 1,
  });
  fc.assert(
    fc.property(lines, (all) => {
      const sent = all.map(({ n, text, service }) => line(n, text, service));
      const got = pushed(pushBody(sent)).map(
        ({ labels, at, line }): LogLine => ({ stream: labels, at: String(at), line }),
      );
      const of = (some: readonly LogLine[], service: string): LogLine[] =>
        some.filter(({ stream }) => stream.service === service);
      for (const service of ['web', 'orders']) expect(of(got, service)).toEqual(of(sent, service));
    }),
  );
});

test('lines are pushed with the tenant that the profile names', async () => {
  await using backend = await listener(() => ({ status: 204 }));
  {
    await using push = lokiPush(
      backend.url,
      () => undefined,
      accessTo({ loki: { headers: {}, tenant: 'a' } }, 'loki', backend.url),
    );
    push.push(line(1));
  }
  expect(backend.got[0]!.headers).toMatchObject({ 'x-scope-orgid': 'a', 'content-type': 'application/json' });
});

describe('a Loki that', () => {
  test('is asked for many lines gets few requests, and none is larger than a mebibyte of lines', async () => {
    await using backend = await listener(() => ({ status: 204 }));
    {
      await using push = lokiPush(backend.url, () => undefined);
      for (let n = 0; n < 3000; n++) push.push(line(n, 'x'.repeat(1000)));
    }
    expect(backend.got).toHaveLength(3);
    for (const { body } of backend.got) expect(body.length).toBeLessThan(1.1 * 1024 * 1024);
  });

  test('is busy for a moment gets the same batch again, and loses nothing', async () => {
    await using backend = await listener((_, n) => (n < 3 ? { status: 503, body: 'empty ring' } : { status: 204 }));
    const said: string[] = [];
    await using push = lokiPush(backend.url, (words) => said.push(words));
    push.push(line(1));
    await until('the third attempt', () => (backend.got.length === 3 ? true : null), SOON);
    expect(new Set(backend.got.map(({ body }) => body.toString())).size).toBe(1);
    expect(said).toEqual([]);
  });

  test('refuses lines for good is not asked again, and the lines are counted', async () => {
    await using backend = await listener(() => ({ status: 400, body: 'entry too far behind\n' }));
    const said: string[] = [];
    {
      await using push = lokiPush(backend.url, (words) => said.push(words));
      for (const n of [1, 2, 3]) push.push(line(n));
    }
    expect(backend.got).toHaveLength(1);
    expect(said).toEqual([`${backend.url} did not get 3 log lines: HTTP 400 entry too far behind`]);
  });

  test('is gone holds nobody up for long, and what it did not get is counted', async () => {
    const said: string[] = [];
    {
      await using push = lokiPush(NOBODY, (words) => said.push(words));
      push.push(line(1));
    }
    expect(said).toEqual([expect.stringMatching(/did not get 1 log line: there was no time left to send them$/)]);
  });

  test('is gone for good fills no memory: lines beyond what may wait are counted at once', async () => {
    const said: string[] = [];
    {
      await using push = lokiPush(NOBODY, (words) => said.push(words));
      for (let n = 0; n < 17; n++) push.push(line(n, 'x'.repeat(1024 * 1024)));
      expect(said).toEqual([`${NOBODY} did not get 1 log line: too many lines are waiting`]);
    }
    expect(said.at(-1)).toContain('did not get 17 log lines');
  });
});
