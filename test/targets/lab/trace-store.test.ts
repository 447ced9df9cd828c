import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { SpanKind as Kind, SpanStatusCode } from '@opentelemetry/api';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import fc from 'fast-check';
import { startTraceStore, type TraceStore } from '../../../src/targets/lab/trace-store.ts';
import { recorded } from '../../layers/traces/recorded.ts';

const fixtures = new URL('../../../fixtures/jaeger/', import.meta.url);
const pushed = readFileSync(new URL('pushed.json', fixtures));
const JSON_TYPE = 'application/json';
const PROTOBUF = 'application/x-protobuf';

const start = (maxSpans = 1000) => startTraceStore({ host: '127.0.0.1', port: 0, maxSpans });
const send = (store: TraceStore, body: Uint8Array | string, headers: Record<string, string>) =>
  fetch(`${store.url}/v1/traces`, { method: 'POST', headers, body: Buffer.from(body) });
const get = async (store: TraceStore, path: string) => {
  const answer = await fetch(store.url + path);
  return { status: answer.status, body: await answer.json() };
};

let store: TraceStore;
beforeAll(async () => {
  store = await start();
  await send(store, pushed, { 'content-type': JSON_TYPE });
});
afterAll(async () => {
  await store[Symbol.asyncDispose]();
});

/** The same whatever the order of lists, the numbering of processes and the grouping of resources. */
const canonical = (value: unknown): unknown => {
  if (Array.isArray(value))
    return value.map(canonical).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort()
      .map(([key, inner]) => [key, canonical(inner)]),
  );
};
type Flat = {
  readonly span: Readonly<Record<string, unknown>> & { readonly attributes?: unknown };
  readonly scope?: unknown;
  readonly resource?: { readonly attributes: unknown } | undefined;
};
type V3 = {
  result: { resourceSpans: { resource: Flat['resource']; scopeSpans: { scope: unknown; spans: Flat['span'][] }[] }[] };
};
type Legacy = {
  data: { traceID: string; spans: { processID: string }[]; processes: Record<string, unknown> }[];
};

const v3Spans = (body: unknown): Flat[] =>
  (body as V3).result.resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ scope, spans }) => spans.map((span) => ({ span, scope, resource }))),
  );
const legacySpans = (body: unknown): unknown[] =>
  (body as Legacy).data.flatMap(({ spans, processes }) =>
    spans.map(({ processID, ...span }) => ({ span, process: processes[processID] })),
  );
const spansOf = (body: unknown): unknown => {
  if ((body as V3).result) return v3Spans(body);
  return (body as Legacy).data?.[0]?.spans ? legacySpans(body) : body;
};

/** Where the store does as Jaeger 2.20 documents, and the recorded 2.13 does not (yet): see fixtures/jaeger/README.md. */
const DIFFERENT = ['services-empty', 'v3-services-empty', 'traces-tag', 'v3-traces-attribute', 'v3-traces-error'];
const names = readdirSync(fixtures)
  .filter((file) => file.endsWith('.txt') && file !== 'otlp-ok.txt')
  .map((file) => file.replace('.txt', ''));
const good = names.filter((name) => recorded(name).status === 200 && recorded(name).body.startsWith('{'));

describe('answers are those of the recorded Jaeger', () => {
  test.each(good.filter((name) => !DIFFERENT.includes(name)))('%s', async (name) => {
    const { path, body } = recorded(name);
    const mine = await get(store, path);
    expect(mine.status).toBe(200);
    expect(canonical(spansOf(mine.body))).toEqual(canonical(spansOf(JSON.parse(body))));
  });

  test.each(names.filter((name) => [400, 404].includes(recorded(name).status) && name !== 'v3-traces-camel'))(
    '%s is refused in the same shape',
    async (name) => {
      const { path, status, body } = recorded(name);
      const mine = await get(store, path);
      const shape = (text: string) => text.replace(/"(msg|message)":"([^"\\]|\\.)*"/g, '"$1":""');
      expect(mine.status).toBe(status);
      expect(shape(JSON.stringify(mine.body))).toBe(shape(JSON.stringify(JSON.parse(body))));
    },
  );
});

describe('beyond the recorded version', () => {
  const day = 'query.startTimeMin=2026-11-21T04:00:00Z&query.startTimeMax=2026-11-21T08:00:00Z';

  test('API v3 takes camelCase', async () => {
    const { body } = await get(store, `/api/v3/traces?query.serviceName=gateway&${day}&query.searchDepth=1`);
    expect(new Set(v3Spans(body).map((one) => one.span.traceId)).size).toBe(1);
  });
  test('attributes must be on the same span as the service', async () => {
    const of = (service: string) =>
      `/api/v3/traces?query.serviceName=${service}&${day}&query.attributes=%7B%22user.id%22%3A%22trader-1%22%7D`;
    expect((await get(store, of('gateway'))).status).toBe(200);
    expect((await get(store, of('quotes'))).status).toBe(404);
  });
  test('a span id without its leading zeroes finds the trace', async () =>
    expect((await get(store, '/api/v3/traces/a1b2c3d4e5f60718')).status).toBe(200));
  test('a path that is not there is a plain 404, not JSON', async () => {
    const answer = await fetch(`${store.url}/api/v3/nothing`);
    expect([answer.status, answer.headers.get('content-type')]).toEqual([404, 'text/plain; charset=utf-8']);
  });
});

/** What an OpenTelemetry SDK sends for one span, in protobuf. */
const fromSdk = (): Uint8Array => {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'sdk', 'k8s.pod.name': 'sdk-1' }),
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  });
  const span = provider.getTracer('lib', '2.1.0').startSpan('GET /', {
    kind: Kind.CLIENT,
    startTime: [1795240800, 123456789],
    attributes: { text: 'a', yes: true, whole: -7, part: 0.5, list: ['x', 'y'], big: 2 ** 40 },
  });
  span.addEvent('exception', { 'exception.message': 'no' }, [1795240800, 200000000]);
  span.setStatus({ code: SpanStatusCode.ERROR, message: 'refused' });
  span.end([1795240801, 987654321]);
  return ProtobufTraceSerializer.serializeRequest(exporter.getFinishedSpans())!;
};

describe('OTLP/HTTP', () => {
  test("an SDK's protobuf is read to the last nanosecond, plain and gzipped", async () => {
    for (const packed of [false, true]) {
      await using mine = await start();
      const body = packed ? gzipSync(fromSdk()) : fromSdk();
      const answer = await send(mine, body, {
        'content-type': PROTOBUF,
        ...(packed ? { 'content-encoding': 'gzip' } : {}),
      });
      expect([answer.status, answer.headers.get('content-type'), (await answer.arrayBuffer()).byteLength]).toEqual([
        200,
        PROTOBUF,
        0,
      ]);
      const { body: found } = await get(
        mine,
        '/api/v3/traces?query.serviceName=sdk&query.startTimeMin=2026-11-21T05:59:00Z&query.startTimeMax=2026-11-21T06:01:00Z',
      );
      const one = v3Spans(found)[0]!;
      expect(one.resource!.attributes).toContainEqual({ key: 'k8s.pod.name', value: { stringValue: 'sdk-1' } });
      expect(one.scope).toEqual({ name: 'lib', version: '2.1.0' });
      expect(one.span).toMatchObject({
        kind: 3,
        startTimeUnixNano: '1795240800123456789',
        endTimeUnixNano: '1795240801987654321',
        status: { code: 2, message: 'refused' },
        events: [{ timeUnixNano: '1795240800200000000', name: 'exception' }],
      });
      expect(canonical(one.span.attributes)).toEqual(
        canonical([
          { key: 'text', value: { stringValue: 'a' } },
          { key: 'yes', value: { boolValue: true } },
          { key: 'whole', value: { intValue: '-7' } },
          { key: 'part', value: { doubleValue: 0.5 } },
          { key: 'list', value: { arrayValue: { values: [{ stringValue: 'x' }, { stringValue: 'y' }] } } },
          { key: 'big', value: { intValue: String(2 ** 40) } },
        ]),
      );
    }
  });

  test('spans without a valid id are counted as rejected, the others are kept', async () => {
    await using mine = await start();
    const spans = [
      { traceId: '0'.repeat(32), spanId: '1'.repeat(16) },
      { traceId: '1'.repeat(32), spanId: '1'.repeat(16) },
    ];
    const answer = await send(mine, JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans }] }] }), {
      'content-type': JSON_TYPE,
    });
    expect(await answer.json()).toMatchObject({ partialSuccess: { rejectedSpans: '1' } });
    expect(mine.counts()).toMatchObject({ spans: 1, rejected: 1 });
  });

  test.each([
    ['JSON that is none', 'zzz', { 'content-type': JSON_TYPE }, 400],
    ['JSON of another shape', '{"resourceSpans":"x"}', { 'content-type': JSON_TYPE }, 400],
    ['protobuf that ends too early', fromSdk().slice(0, 40), { 'content-type': PROTOBUF }, 400],
    ['gzip that is none', 'zzz', { 'content-type': JSON_TYPE, 'content-encoding': 'gzip' }, 400],
    ['another media type', 'x', { 'content-type': 'text/plain' }, 415],
    ['another encoding', 'x', { 'content-type': JSON_TYPE, 'content-encoding': 'br' }, 415],
    [
      'too much',
      gzipSync(Buffer.alloc(65 * 1024 * 1024)),
      { 'content-type': JSON_TYPE, 'content-encoding': 'gzip' },
      413,
    ],
  ])('%s is refused', async (_what, body, headers, status) => {
    const answer = await send(store, body, headers as Record<string, string>);
    expect(answer.status).toBe(status);
    const said = Buffer.from(await answer.arrayBuffer()).toString();
    expect(said).not.toMatch(/\n\s*at /);
  });

  test('bytes of any kind are never taken for an error of ours', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), async (bytes) => {
        const { status } = await send(store, bytes, { 'content-type': PROTOBUF });
        expect([200, 400]).toContain(status);
      }),
      { numRuns: 100 },
    );
  });
});

describe('what is held is bounded', () => {
  const trace = (n: number, spans = 1) =>
    JSON.stringify({
      resourceSpans: [
        {
          resource: { attributes: [{ key: 'service.name', value: { stringValue: 's' } }] },
          scopeSpans: [
            {
              spans: Array.from({ length: spans }, (_, at) => ({
                traceId: n.toString(16).padStart(32, '0'),
                spanId: (at + 1).toString(16).padStart(16, '0'),
                startTimeUnixNano: `17952408${String(n).padStart(2, '0')}000000000`,
                endTimeUnixNano: `17952408${String(n).padStart(2, '0')}000000001`,
              })),
            },
          ],
        },
      ],
    });
  const ids = async (mine: TraceStore) =>
    ((await get(mine, '/api/traces?service=s&start=1795240000000000&end=1795250000000000')).body as Legacy).data.map(
      (one) => one.traceID,
    );

  test('the oldest traces make room, whole, and are counted', async () => {
    await using mine = await start(4);
    for (const n of [1, 2, 3]) await send(mine, trace(n, 2), { 'content-type': JSON_TYPE });
    expect(await ids(mine)).toEqual(['3', '2'].map((n) => n.padStart(16, '0')));
    expect(mine.counts()).toEqual({ spans: 4, traces: 2, received: 6, evicted: 2, rejected: 0 });
  });

  test('a span sent twice is held once', async () => {
    await using mine = await start(4);
    for (const n of [1, 1]) await send(mine, trace(n), { 'content-type': JSON_TYPE });
    expect(mine.counts()).toMatchObject({ spans: 1, received: 2 });
  });
});
