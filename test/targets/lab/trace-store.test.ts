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
  readonly span: Readonly<Record<string, unknown>> & { readonly attributes?: unknown; readonly links?: unknown };
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

/** One span of service `s` on 2026-11-21, with more or other fields. */
const oneSpan = (span: object, more: object = {}, attributes: readonly object[] = [SERVICE]) => ({
  resourceSpans: [{ resource: { attributes }, scopeSpans: [{ ...more, spans: [{ ...SPAN, ...span }] }] }],
});
const text = (key: string, stringValue: string) => ({ key, value: { stringValue } });
const SERVICE = text('service.name', 's');
const SPAN = {
  traceId: 'ab'.repeat(16),
  spanId: '1'.repeat(16),
  name: 'op',
  kind: 2,
  startTimeUnixNano: '1795240800000000001',
  endTimeUnixNano: '1795240801000000001',
};
const ID = `/api/traces/${SPAN.traceId}`;
const SEARCH = '/api/traces?service=s&start=1795240000000000&end=1795250000000000';
const DAY = 'query.startTimeMin=2026-11-21T04:00:00Z&query.startTimeMax=2026-11-21T08:00:00Z';

/** A store that was sent these. */
const holding = async (...exports: readonly object[]): Promise<TraceStore> => {
  const mine = await start();
  for (const one of exports) {
    const { status } = await send(mine, JSON.stringify(one), { 'content-type': JSON_TYPE });
    expect(status).toBe(200);
  }
  return mine;
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
    ['another encoding', 'x', { 'content-type': JSON_TYPE, 'content-encoding': 'br' }, 400],
    ['a trace id of another length', JSON.stringify(oneSpan({ traceId: '11' })), { 'content-type': JSON_TYPE }, 400],
    ['a span id of another length', JSON.stringify(oneSpan({ spanId: '11' })), { 'content-type': JSON_TYPE }, 400],
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

// What test/backends/jaeger.test.ts found to be other in a real Jaeger.
describe('as a real Jaeger does', () => {
  test('a service without a name, or with none that is text, is given one', async () => {
    const named = (attributes: readonly object[], n: number) =>
      oneSpan({ traceId: String(n).repeat(32) }, {}, attributes);
    await using mine = await holding(
      named([text('host.name', 'h')], 1),
      named([text('service.name', '')], 2),
      named([{ key: 'service.name', value: { intValue: '7' } }], 3),
    );
    const placeholders = ['empty-service-name', 'missing-service-name', 'service-name-wrong-type'];
    expect((await get(mine, '/api/v3/services')).body).toEqual({ services: placeholders });
    const { body } = await get(mine, `/api/v3/traces/${'1'.repeat(32)}`);
    expect(v3Spans(body)[0]!.resource!.attributes).toContainEqual(text('service.name', 'missing-service-name'));
  });

  test.each(['1795240800000000001', '1795240700000000000', '0'])(
    'a span that ends at %s, not after it began, ends a nanosecond after',
    async (endTimeUnixNano) => {
      await using mine = await holding(oneSpan({ endTimeUnixNano }));
      const { body } = await get(mine, `/api/v3/traces/${SPAN.traceId}`);
      expect(v3Spans(body)[0]!.span).toMatchObject({ endTimeUnixNano: '1795240800000000002' });
    },
  );

  test('two spans of one id that are not the same are both held', async () => {
    await using mine = await holding(oneSpan({ name: 'a' }), oneSpan({ name: 'b' }), oneSpan({ name: 'a' }));
    expect(mine.counts()).toMatchObject({ spans: 2, received: 3 });
  });

  test('an attribute with an empty key is taken, by protobuf too', async () => {
    // resource_spans { resource { attributes { value { string_value: "v" } } } }
    const bytes = Buffer.from([0x0a, 9, 0x0a, 7, 0x0a, 5, 0x12, 3, 0x0a, 1, 0x76]);
    expect((await send(store, bytes, { 'content-type': PROTOBUF })).status).toBe(200);
  });

  test('null is what is not there, enums may be named, and numbers may be text', async () => {
    const attributes = [
      { key: 'a', value: null },
      { key: 'b', value: { doubleValue: '1.5' } },
    ];
    const status = { code: 'STATUS_CODE_ERROR', message: null };
    await using mine = await holding(oneSpan({ kind: 'SPAN_KIND_CLIENT', status, attributes, links: null }));
    expect(v3Spans((await get(mine, `/api/v3/traces/${SPAN.traceId}`)).body)[0]!.span).toMatchObject({
      kind: 3,
      status: { code: 2 },
      attributes: [
        { key: 'a', value: {} },
        { key: 'b', value: { doubleValue: 1.5 } },
      ],
    });
    expect((await send(mine, 'null', { 'content-type': JSON_TYPE })).status).toBe(200);
  });

  test('what was dropped, and the state of links, is kept', async () => {
    const link = { traceId: 'cd'.repeat(16), spanId: '2'.repeat(16), traceState: 'a=b', flags: 1 };
    const sent = { droppedAttributesCount: 1, droppedEventsCount: 2, droppedLinksCount: 3, links: [link] };
    await using mine = await holding(oneSpan(sent, { scope: { name: 'lib', droppedAttributesCount: 4 } }));
    const [one] = v3Spans((await get(mine, `/api/v3/traces/${SPAN.traceId}`)).body);
    expect(one).toMatchObject({ span: sent, scope: { name: 'lib', droppedAttributesCount: 4 } });
  });

  test.each([
    ['a whole number to the last digit', { intValue: '9223372036854775807' }, 'int64', '9223372036854775807'],
    ['a small one as a number', { intValue: '-7' }, 'int64', -7],
    ['no bytes as null', { bytesValue: '' }, 'binary', null],
    ['no value as no text', {}, 'string', ''],
    [
      'a list as JSON that HTML can hold',
      {
        arrayValue: { values: [{ stringValue: '<&>' }, {}, { intValue: '9007199254740993' }, { bytesValue: '/w==' }] },
      },
      'string',
      '["\\u003c\\u0026\\u003e",null,9007199254740993,"/w=="]',
    ],
    [
      'a map by its keys in order',
      {
        kvlistValue: {
          values: [{ key: 'é' }, { key: 'z', value: { doubleValue: 1e21 } }, { key: 'a', value: { boolValue: true } }],
        },
      },
      'string',
      '{"a":true,"z":1e+21,"é":null}',
    ],
  ])('the older API writes %s', async (_what, value, type, written) => {
    await using mine = await holding(oneSpan({ attributes: [{ key: 'k', value }] }));
    const { body } = await get(mine, ID);
    expect(body).toMatchObject({
      data: [{ spans: [{ tags: expect.arrayContaining([{ key: 'k', type, value: written }]) }] }],
    });
  });

  test('the older API has the trace state and every error as tags, and events’ names unless they say so themselves', async () => {
    const events = [
      { timeUnixNano: '1', name: 'e', attributes: [text('event', 'itself')] },
      { timeUnixNano: '2', attributes: [text('k', 'v')] },
    ];
    const error = { key: 'error', value: { boolValue: false } };
    await using mine = await holding(oneSpan({ traceState: 'a=b', status: { code: 2 }, attributes: [error], events }));
    const [span] = ((await get(mine, ID)).body as { data: { spans: Record<string, { fields: unknown }[]>[] }[] })
      .data[0]!.spans;
    expect(span!.tags).toContainEqual({ key: 'w3c.tracestate', type: 'string', value: 'a=b' });
    expect(span!.tags).toContainEqual({ key: 'error', type: 'bool', value: true });
    expect(span!.logs!.map((one) => one.fields)).toEqual([
      [{ key: 'event', type: 'string', value: 'itself' }],
      [{ key: 'k', type: 'string', value: 'v' }],
    ]);
  });

  test('a link says what kind of reference it is, to the parent too, and one to no trace is none', async () => {
    const childOf = [text('opentracing.ref_type', 'child_of')];
    const [parentSpanId, spanId] = ['3'.repeat(16), '4'.repeat(16)];
    const links = [
      { traceId: SPAN.traceId, spanId: parentSpanId },
      { traceId: 'cd'.repeat(16), spanId, attributes: childOf },
      { traceId: '0'.repeat(32), spanId },
    ];
    await using mine = await holding(oneSpan({ parentSpanId, links }));
    expect((await get(mine, ID)).body).toMatchObject({
      data: [
        {
          spans: [
            {
              references: [
                { refType: 'FOLLOWS_FROM', traceID: SPAN.traceId, spanID: parentSpanId },
                { refType: 'CHILD_OF', traceID: 'cd'.repeat(16), spanID: spanId },
              ],
            },
          ],
        },
      ],
    });
    const [{ span }] = v3Spans((await get(mine, `/api/v3/traces/${SPAN.traceId}`)).body) as [Flat];
    expect(span.links).toEqual(links.slice(0, 2));
  });

  test('a span of no kind has none in the older API and is internal in API v3', async () => {
    await using mine = await holding(oneSpan({ kind: 0 }));
    expect((await get(mine, '/api/operations?service=s')).body).toMatchObject({ data: [{ name: 'op', spanKind: '' }] });
    expect((await get(mine, '/api/v3/operations?service=s')).body).toEqual({
      operations: [{ name: 'op', spanKind: 'internal' }],
    });
    expect((await get(mine, '/api/v3/operations?service=s&spanKind=internal')).body).toEqual({ operations: [] });
  });

  test.each([
    ['tag=in:scope', 1],
    ['tag=in:event', 1],
    ['tag=in:link', 1],
    ['tag=in:none', 0],
    ['tag=in:scope&tag=n:7', 1],
    ['tag=in:scope&tag=n:8', 0],
    ['tags={"n":"7"}&tag=in:event', 1],
    ['tags=null', 1],
    ['tags={"e":null}', 1],
    ['tag=error:T', 0],
    ['tag=error:false', 1],
    ['tag=error:maybe', 0],
    ['tag=span.kind:SERVER', 1],
    ['tag=span.status:ok', 1],
    ['tag=scope.name:lib', 1],
    ['tag=scope.version:2', 0],
    ['tag=resource.service.name:s', 1],
    ['tag=resource.n:7', 0],
  ])('a search for %s finds %i', async (tags, traces) => {
    const attributes = [{ key: 'n', value: { intValue: '7' } }, text('e', '')];
    const events = [{ name: 'e', attributes: [text('in', 'event')] }];
    const links = [{ traceId: 'cd'.repeat(16), spanId: '2'.repeat(16), attributes: [text('in', 'link')] }];
    const scope = { name: 'lib', attributes: [text('in', 'scope')] };
    await using mine = await holding(oneSpan({ attributes, events, links, status: { code: 1 } }, { scope }));
    expect(((await get(mine, `${SEARCH}&${tags}`)).body as Legacy).data).toHaveLength(traces);
  });

  test('calls are counted in traces that lie wholly within', async () => {
    const child = { spanId: '2'.repeat(16), parentSpanId: SPAN.spanId, endTimeUnixNano: '1795240809000000000' };
    await using mine = await holding(oneSpan({}), oneSpan(child));
    const call = { parent: 's', child: 's', callCount: 1 };
    const calls = async (query: string) =>
      ((await get(mine, `/api/dependencies?${query}`)).body as { data: unknown[] }).data;
    expect(await calls('endTs=1795240809000&lookback=9000')).toEqual([call]);
    expect(await calls('endTs=1795240808999&lookback=9000')).toEqual([]);
    expect(await calls('endTs=1795240810000&lookback=9999')).toEqual([]);
    expect(await calls('endTs=1795240809000&lookback=9000&service=other')).toEqual([]);
  });

  test('ids that are not there are errors beside the traces that are', async () => {
    await using mine = await holding(oneSpan({}));
    expect((await get(mine, `/api/traces?traceID=${SPAN.traceId}&traceID=ff`)).body).toMatchObject({
      data: [{ traceID: SPAN.traceId }],
      errors: [{ msg: 'trace not found', traceID: '00000000000000ff' }],
    });
  });

  test.each([
    [`${SEARCH}&limit=0`, 500, 'search depth must be greater than 0 and less than max traces'],
    [`${SEARCH}&limit=-1`, 500, 'search depth must be greater than 0 and less than max traces'],
    [`${SEARCH}&limit=99999999999`, 400, 'limit'],
    [`${SEARCH}&minDuration=2s&maxDuration=1s`, 400, "'maxDuration' should be greater than 'minDuration'"],
    [`${SEARCH}&raw=maybe`, 400, 'raw'],
    [`${SEARCH}&tags=[]`, 400, 'tags'],
    [`${ID}?start=soon`, 400, "unable to parse param 'start'"],
    ['/api/dependencies?lookback=-1', 500, 'end time must be greater than start time'],
    [`/api/v3/traces?${DAY}&query.searchDepth=-1`, 400, 'malformed parameter query.searchDepth'],
    [`/api/v3/traces?${DAY}&query.num_traces=x`, 400, 'malformed parameter query.num_traces'],
    [`/api/v3/traces?${DAY}&query.rawTraces=maybe`, 400, 'malformed parameter query.rawTraces'],
    [`/api/v3/traces?${DAY.replace('T04', ' 04')}`, 400, 'malformed parameter query.startTimeMin'],
    [`/api/v3/traces/1?start_time=soon`, 400, 'malformed parameter start_time'],
  ])('%s is refused', async (path, status, words) => {
    const answer = await get(store, path);
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer.body)).toContain(words);
  });

  test.each([
    ['minDuration=-1s', 1],
    ['minDuration=.5s', 1],
    ['minDuration=1s', 1],
    ['minDuration=1.000000001s', 0],
    ['minDuration=%2B1h', 0],
    ['maxDuration=1.s', 1],
    ['maxDuration=0', 1],
    ['maxDuration=999999µs', 0],
    ['maxDuration=999999μs', 0],
  ])('%s finds %i', async (duration, traces) => {
    await using mine = await holding(oneSpan({}));
    expect(((await get(mine, `${SEARCH}&${duration}`)).body as Legacy).data).toHaveLength(traces);
  });

  test('API v3 without a depth, or with none, takes a hundred traces', async () => {
    const many = Array.from({ length: 101 }, (_, n) => oneSpan({ traceId: (n + 1).toString(16).padStart(32, '0') }));
    await using mine = await holding(...many);
    for (const depth of ['', '&query.searchDepth=0'])
      expect(v3Spans((await get(mine, `/api/v3/traces?${DAY}${depth}`)).body)).toHaveLength(100);
  });
});
