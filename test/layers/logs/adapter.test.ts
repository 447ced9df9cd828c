import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import { loki } from '../../../src/layers/logs/adapter.ts';
import type { Answer, LogItem, Window } from '../../../src/model.ts';
import { naming } from '../../../src/naming.ts';
import { platform } from '../../../src/platform.ts';
import { startLogStore } from '../../../src/targets/lab/log-store.ts';

type Recorded = { name: string; status: number; contentType: string; body: string };
const recorded = new Map(
  readFileSync('fixtures/loki/adapter-answers.ndjson', 'utf8')
    .trim()
    .split('\n')
    .map((line): [string, Recorded] => [JSON.parse(line).name, JSON.parse(line)]),
);

const FROM = 1_795_244_400n * 1_000_000_000n;
const WINDOW: Window = { from: FROM, until: FROM + 60n * 1_000_000_000n };
const COMPONENTS = ['api-gateway', 'order-service', 'ledger', 'matcher'];
const { telemetry } = platform({
  name: 'shop',
  entry: 'api-gateway',
  components: { 'api-gateway': { endpoints: { 'GET /': { work: '1ms' } } } },
  journeys: {},
});

const ask = (url: string, window = WINDOW): Promise<Answer<LogItem>> =>
  loki({
    url,
    naming: naming(COMPONENTS, () => new Map()),
    telemetry,
  }).look(window, new AbortController().signal);

const serving = async (
  answer: { status?: number; body: string },
  use: (url: string, seen: IncomingMessage[]) => Promise<void>,
): Promise<void> => {
  const seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    response.writeHead(answer.status ?? 200).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
};

const lookAt = async (body: string, status = 200): Promise<Answer<LogItem>> => {
  let answer: Answer<LogItem> | undefined;
  await serving({ status, body }, async (url) => {
    answer = await ask(url);
  });
  return answer!;
};

describe('the Loki adapter', () => {
  test("turns a real Loki's answer into items with service, pod, line and nanoseconds", async () => {
    const { items, gaps, queries } = await lookAt(recorded.get('first page')!.body);
    expect(gaps).toEqual([]);
    expect(items).toHaveLength(49);
    expect(new Set(items.map(({ service }) => service))).toEqual(new Set(COMPONENTS));
    const first = items.find(({ at, service }) => at === 1_795_244_401_300_000_000n && service === 'ledger')!;
    expect(first.pod).toBe('ledger-1');
    expect(first.line).toMatch(/^level=info msg="entry/);
    expect(first.labels).toMatchObject({ namespace: 'shop', detected_level: 'info' });
    expect(queries.map(({ text }) => text)).toEqual(['{service=~".+"}']);
  });

  test('gives a line the same id with and without categorized labels', async () => {
    const [one, other] = [
      await lookAt(recorded.get('first page')!.body),
      await lookAt(recorded.get('without categories')!.body),
    ];
    expect(new Set(one.items.map(({ id }) => id))).toEqual(new Set(other.items.map(({ id }) => id)));
  });

  test('an empty answer is no gap', async () => {
    expect(await lookAt(recorded.get('nothing there')!.body)).toMatchObject({ items: [], gaps: [] });
  });

  test.each([
    ['an HTTP error', recorded.get('refused')!.status, recorded.get('refused')!.body, /^HTTP 400: max entries limit/],
    ['HTML', 200, '<!doctype html><html>login</html>', /^HTTP 200 with HTML instead of JSON/],
    ['half a JSON', 200, recorded.get('first page')!.body.slice(0, 300), /^HTTP 200 with broken or cut off JSON/],
    ['another JSON', 200, '{"status":"success","data":{"resultType":"matrix","result":[]}}', /^the answer is not/],
  ])('%s is a gap over the whole window, in one line', async (_, status, body, why) => {
    const { items, gaps, queries } = await lookAt(body, status);
    expect(items).toEqual([]);
    expect(gaps).toEqual([{ layer: 'logs', query: queries[0]!.text, window: WINDOW, why: expect.stringMatching(why) }]);
    expect(gaps[0]!.why).not.toContain('\n');
  });

  test('a Loki that is not there is a gap', async () => {
    let url = '';
    await serving({ body: '' }, async (it) => {
      url = it;
    });
    expect((await ask(url)).gaps).toMatchObject([
      { layer: 'logs', window: WINDOW, why: expect.stringMatching(/ECONNREFUSED/) },
    ]);
  });

  test('walks past the limit and sees every line once', async () => {
    await using store = await startLogStore({ host: '127.0.0.1', port: 0, maxBytes: 1e8 });
    for (let n = 0; n < 12_000; n++) {
      // Three lines share each instant, so that a page ends in the middle of one.
      store.push({ service: 'ledger', pod: `ledger-${n % 2}` }, FROM + BigInt(Math.floor(n / 3)) * 1000n, `line ${n}`);
    }
    const { items, gaps, queries } = await ask(store.url);
    expect(gaps).toEqual([]);
    expect(items).toHaveLength(12_000);
    expect(queries.length).toBe(3);
  });

  test('more lines in one nanosecond than a page holds are a gap, not an endless walk', async () => {
    await using store = await startLogStore({ host: '127.0.0.1', port: 0, maxBytes: 1e8 });
    for (let n = 0; n < 5100; n++) store.push({ service: 'ledger' }, FROM + 5n, `line ${n}`);
    const { items, gaps } = await ask(store.url);
    expect(items).toHaveLength(5000);
    expect(gaps).toMatchObject(
      [{ window: { from: FROM + 5n, until: WINDOW.until }, why: /single nanosecond/ }].map((one) => ({
        ...one,
        why: expect.stringMatching(one.why),
      })),
    );
  });

  test('a line whose stream names no component takes its component from the pod, or is left out', async () => {
    await using store = await startLogStore({ host: '127.0.0.1', port: 0, maxBytes: 1e6 });
    store.push({ service: 'sidecar', pod: 'order-service-7d9f-abcde' }, FROM, 'mine');
    store.push({ service: 'sidecar', pod: 'other-1' }, FROM, 'not mine');
    const { items } = await ask(store.url);
    expect(items.map(({ service, line }) => [service, line])).toEqual([['order-service', 'mine']]);
  });
});
