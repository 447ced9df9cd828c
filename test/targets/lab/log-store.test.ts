import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { request } from 'undici';
import { type LogStore, startLogStore } from '../../../src/targets/lab/log-store.ts';

type Recorded = {
  name: string;
  path: string;
  params: Record<string, string>;
  status: number;
  contentType: string;
  body: string;
};
const read = (file: string): string => readFileSync(`fixtures/loki/${file}`, 'utf8');
const recorded: Recorded[] = read('answers.ndjson')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line));

const SECOND = 1_000_000_000n;
const FROM = 1_795_244_400n * SECOND;
const MINUTE = { start: String(FROM), end: String(FROM + 60n * SECOND) };

const get = async (store: LogStore, path: string, params: Record<string, string>) => {
  const response = await request(`${store.url}${path}?${new URLSearchParams(params)}`);
  return { status: response.statusCode, type: response.headers['content-type'], body: await response.body.text() };
};

const push = async (store: LogStore, body: string | Buffer, headers: Record<string, string> = {}) => {
  const response = await request(`${store.url}/loki/api/v1/push`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  });
  return { status: response.statusCode, body: await response.body.text() };
};

const fresh = (maxBytes = 1e8): Promise<LogStore> => startLogStore({ host: '127.0.0.1', port: 0, maxBytes });

type Row = { stream?: object; metric?: object; values?: [unknown, string][]; value?: [unknown, string] };
const sorted = (labels: object | undefined): string => JSON.stringify(Object.entries(labels ?? {}).sort());
// Floating point sums depend on the order of addition, which Loki shards.
const rounded = ([at, text]: [unknown, string]): unknown[] => [at, Number(text).toPrecision(12)];

/** An answer without what Loki itself leaves open: the order of series and of labels, the last digit of a sum. */
const comparable = (body: string): unknown => {
  if (!body.startsWith('{')) return body;
  const { status, data } = JSON.parse(body);
  if (!data || Array.isArray(data))
    return { status, data: data?.map((one: unknown) => (typeof one === 'object' ? sorted(one!) : one)).sort() };
  const rows = (data.result as Row[]).map((row) => ({
    labels: sorted(row.stream ?? row.metric),
    values: row.metric ? [...(row.values ?? []), ...(row.value ? [row.value] : [])].map(rounded) : row.values,
  }));
  return { status, type: data.resultType, rows: rows.sort((a, b) => (a.labels < b.labels ? -1 : 1)) };
};

// Our grammar package names the place but not what could have stood there, and calls keywords identifiers.
const place = (body: string): string =>
  /^(parse error at line [1-9]\d*, col \d+: syntax error: unexpected \S+?)(?:,|\s*$)/.exec(body)?.[1] ?? '';
const OTHER_WORDS = [
  'bad: {}',
  'bad: rate({a="b"}[5m)',
  'bad: {a=~"("}',
  'bad: {a="b"} |~ "("',
  'bad: {a="b"} | unwrap x',
];

describe('the log store answers as a real Loki did', () => {
  let store: LogStore;
  beforeAll(async () => {
    store = await fresh();
    for (const body of JSON.parse(read('pushes.json')))
      expect((await push(store, JSON.stringify(body))).status).toBe(204);
  });
  afterAll(async () => {
    await store[Symbol.asyncDispose]();
  });

  const good = recorded.filter(({ status, name }) => status === 200 && name !== 'buildinfo');
  test.each(good.map((one) => [one.name, one] as const))('%s', async (_, { path, params, body, contentType }) => {
    const answer = await get(store, path, params);
    expect(answer.body && comparable(answer.body)).toEqual(comparable(body));
    expect(answer).toMatchObject({ status: 200, type: contentType });
  });

  const bad = recorded.filter(({ status }) => status !== 200);
  test.each(bad.map((one) => [one.name, one] as const))('refused: %s', async (name, recordedAnswer) => {
    const answer = await get(store, recordedAnswer.path, recordedAnswer.params);
    expect(answer).toMatchObject({ status: recordedAnswer.status, type: recordedAnswer.contentType });
    if (OTHER_WORDS.includes(name)) expect(answer.body).toMatch(/^parse error/);
    else if (place(recordedAnswer.body)) expect(answer.body).toBe(place(recordedAnswer.body));
    else expect(answer.body.slice(0, 60)).toBe(recordedAnswer.body.slice(0, 60));
  });
});

describe('the log store', () => {
  test.each([
    ['{a="b"} | line_format "{{.x | lower}}"', 23],
    ['stddev(rate({a="b"}[1m]))', 1],
    ['sum(rate({a="b"} | pattern "<_> x" [1m]))', 20],
    ['rate({a="b"}[1m]) and rate({a="c"}[1m])', 19],
    ['label_replace(rate({a="b"}[1m]), "x", "$1", "y", "(.*)")', 1],
    ['{a="b"} |= ip("10.0.0.0/8")', 9],
  ])('says where it does not support %s', async (query, column) => {
    await using store = await fresh();
    const { status, type, body } = await get(store, '/loki/api/v1/query_range', { query, ...MINUTE });
    expect({ status, type }).toEqual({ status: 400, type: 'text/plain; charset=utf-8' });
    expect(body).toMatch(new RegExp(`^parse error at line 1, col ${column}: not supported: `));
  });

  test('takes gzip, and POSTed queries', async () => {
    await using store = await fresh();
    const body = JSON.stringify({ streams: [{ stream: { app: 'x' }, values: [[String(FROM), 'héllo']] }] });
    expect(await push(store, gzipSync(body), { 'content-encoding': 'gzip' })).toEqual({ status: 204, body: '' });
    const answer = await request(`${store.url}/loki/api/v1/query_range`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams({ query: '{app="x"}', ...MINUTE }).toString(),
    });
    expect(await answer.body.json()).toMatchObject({
      data: { result: [{ stream: { app: 'x' }, values: [[String(FROM), 'héllo']] }] },
    });
  });

  test.each([
    ['text that is not JSON', 'nope', {}, 400, /^push: the body is not JSON/],
    [
      'times that are no nanoseconds',
      '{"streams":[{"stream":{"a":"b"},"values":[["now","x"]]}]}',
      {},
      400,
      /nanoseconds/,
    ],
    ['a stream without labels', `{"streams":[{"stream":{},"values":[["1","x"]]}]}`, {}, 400, /at least one label pair/],
    ['a body that only claims to be gzip', '{}', { 'content-encoding': 'gzip' }, 400, /^push: the body is not gzip/],
    ['snappy protobuf', 'x', { 'content-type': 'application/x-protobuf' }, 415, /application\/json/],
  ])('refuses %s in one line', async (_, body, headers, status, why) => {
    await using store = await fresh();
    const answer = await push(store, body, headers as Record<string, string>);
    expect(answer.status).toBe(status);
    expect(answer.body).toMatch(why);
    expect(answer.body.trim()).not.toContain('\n');
  });

  test('drops the oldest lines first when it is full, across streams, and counts them', async () => {
    await using store = await fresh(10 * (4 + 64));
    for (let n = 0; n < 25; n++)
      store.push({ app: n % 2 ? 'odd' : 'even' }, FROM + BigInt(n), `l-${String(n).padStart(2, '0')}`);
    expect(store.held()).toEqual({ lines: 10, bytes: 680, dropped: 15 });
    const { body } = await get(store, '/loki/api/v1/query_range', {
      query: '{app=~".+"}',
      direction: 'forward',
      ...MINUTE,
    });
    const lines = JSON.parse(body).data.result.flatMap(({ values }: { values: string[][] }) =>
      values.map(([, line]) => line),
    );
    expect(lines.sort()).toEqual(Array.from({ length: 10 }, (_, n) => `l-${n + 15}`));
  });

  test('keeps the order of time when lines come late, and a line that comes twice only once', async () => {
    await using store = await fresh();
    for (const n of [3, 1, 2, 1]) store.push({ app: 'x' }, FROM + BigInt(n), `line ${n}`);
    const { body } = await get(store, '/loki/api/v1/query_range', {
      query: '{app="x"}',
      direction: 'forward',
      ...MINUTE,
    });
    expect(JSON.parse(body).data.result[0].values.map((value: string[]) => value[1])).toEqual([
      'line 1',
      'line 2',
      'line 3',
    ]);
  });

  test('labels that a line alone has come with it, and only with it', async () => {
    await using store = await fresh();
    const values = [
      [String(FROM), 'one', { 'trace.id': 'abc', app: 'shadow' }],
      [String(FROM + 1n), 'two'],
      [String(FROM), 'one', { 'trace.id': 'def' }],
    ];
    expect((await push(store, JSON.stringify({ streams: [{ stream: { app: 'x' }, values }] }))).status).toBe(204);
    const { body } = await get(store, '/loki/api/v1/query_range', { query: '{app="x"}', ...MINUTE });
    expect(JSON.parse(body).data.result).toEqual([
      { stream: { app: 'x', app_extracted: 'shadow', trace_id: 'abc' }, values: [[String(FROM), 'one']] },
      { stream: { app: 'x', trace_id: 'def' }, values: [[String(FROM), 'one']] },
      { stream: { app: 'x' }, values: [[String(FROM + 1n), 'two']] },
    ]);
    const names = await get(store, '/loki/api/v1/labels', MINUTE);
    expect(JSON.parse(names.body).data).toEqual(['app']);
  });

  test('an empty label of a stream is none', async () => {
    await using store = await fresh();
    store.push({ app: 'x', none: '' }, FROM, 'line');
    const { body } = await get(store, '/loki/api/v1/series', { 'match[]': '{}', ...MINUTE });
    expect(JSON.parse(body).data).toEqual([{ app: 'x' }]);
  });

  test('lines that a format has made equal are told once a stream and instant', async () => {
    await using store = await fresh();
    for (const env of ['dev', 'prod']) for (const line of ['a', 'b']) store.push({ app: 'x', env }, FROM, line);
    const query = '{app="x"} | line_format "same" | drop env';
    const { body } = await get(store, '/loki/api/v1/query_range', { query, ...MINUTE });
    expect(JSON.parse(body).data.result[0].values).toEqual([1, 2].map(() => [String(FROM), 'same']));
  });

  test('an interval leaves out lines that are too close', async () => {
    await using store = await fresh();
    for (let n = 0n; n < 30n; n++) store.push({ app: 'x' }, FROM + n * SECOND, `line ${n}`);
    const params = { query: '{app="x"}', interval: '10s', direction: 'forward', ...MINUTE };
    const { body } = await get(store, '/loki/api/v1/query_range', params);
    expect(JSON.parse(body).data.result[0].values.map(([, line]: string[]) => line)).toEqual([
      'line 0',
      'line 10',
      'line 20',
    ]);
  });

  test.each([
    ['2 ^ 100', '1267650600228229400000000000000'],
    ['1 / 10000000000', '0.0000000001'],
    ['5 / 0', 'NaN'],
    ['2 ^ 3 ^ 2', '512'],
  ])('%s is %s, without an exponent', async (query, value) => {
    await using store = await fresh();
    const { body } = await get(store, '/loki/api/v1/query', { query });
    expect(JSON.parse(body).data.result[1]).toBe(value);
  });

  test.each([
    ['an empty parameter', 'limit', ''],
    ['a step with a sign', 'step', '+5'],
    ['a query in parentheses', 'query', '({app="x"})'],
  ])('%s is taken', async (_, name, value) => {
    await using store = await fresh();
    const { status } = await get(store, '/loki/api/v1/query_range', { query: '{app="x"}', ...MINUTE, [name]: value });
    expect(status).toBe(200);
  });

  test.each([
    ['query', { query: 'rate({a="b"}[1m])', time: 'soon' }, /^strconv.ParseInt: parsing "soon"/],
    ['query', { query: 'rate({a="b"}[1m])', limit: '0' }, /^limit must be a positive value$/],
    ['query_range', { query: '{a="b"}', since: '10' }, /^could not parse 'since' parameter: not a valid duration/],
    ['query_range', { query: '{a="b"}', since: '5x' }, /^could not parse 'since' parameter: unknown unit "x"/],
    ['query_range', { query: '{}' }, /^parse error : queries require at least one/],
    ['query_range', { query: 'topk(0, rate({a="b"}[1m]))' }, /must be greater than 0/],
    ['series', { 'match[]': '{a="b"} |= "x"' }, /^only label matchers are supported$/],
    ['labels', { start: '20', end: '10' }, /no longer available/],
  ])('%s refuses %j as Loki does', async (path, params, why) => {
    await using store = await fresh();
    const { status, body } = await get(store, `/loki/api/v1/${path}`, params as unknown as Record<string, string>);
    expect({ status, body }).toEqual({ status: 400, body: expect.stringMatching(why) });
  });

  test('a port that is taken is one clear line', async () => {
    await using store = await fresh();
    const port = Number(new URL(store.url).port);
    await expect(startLogStore({ host: '127.0.0.1', port, maxBytes: 1 })).rejects.toThrow(
      /^log store: can't listen: .*EADDRINUSE/,
    );
  });

  test('counts 30000 lines of a minute well under a second', async () => {
    await using store = await fresh();
    for (let n = 0; n < 30_000; n++) {
      const line = JSON.stringify({
        level: n % 50 ? 'INFO' : 'WARN',
        message: 'call answered',
        context: { peer: 'p', duration_ms: n % 90 },
      });
      store.push({ service: `s${n % 12}` }, FROM + BigInt(n) * 2_000_000n, line);
    }
    const query = 'sum by (service) (count_over_time({service=~".+"} | json | level="WARN" [10s]))';
    const before = performance.now();
    const { body } = await get(store, '/loki/api/v1/query_range', { query, step: '5s', ...MINUTE });
    expect(JSON.parse(body).data.result.length).toBe(6);
    expect(performance.now() - before).toBeLessThan(2000);
  });
});
