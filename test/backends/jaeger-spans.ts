// OTLP spans for the lab's trace store and a real Jaeger: some written by hand for what they are about, the rest generated.
import fc from 'fast-check';

export type Value = Readonly<Record<string, unknown>>;
export type Attribute = { readonly key: string; readonly value: Value };
export type Span = {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly [other: string]: unknown;
};
export type ResourceSpans = {
  readonly resource: { readonly attributes: readonly Attribute[] };
  readonly scopeSpans: readonly {
    readonly scope?: Value;
    readonly schemaUrl?: string;
    readonly spans: readonly Span[];
  }[];
};
/** The body of one export request. */
export type Export = { readonly resourceSpans: readonly ResourceSpans[] };

/** Where all spans begin but those about time itself, in seconds since the epoch. */
export const FROM = 1_795_240_000;
export const UNTIL = FROM + 2000;

export const string = (key: string, stringValue: string): Attribute => ({ key, value: { stringValue } });

const hex = (n: number, digits: number): string => n.toString(16).padStart(digits, '0');

/** A span of hand-written trace `trace`, ten seconds after the last one's; `more` says what it is about. */
const span = (trace: number, id: number, more: Readonly<Record<string, unknown>> = {}): Span => {
  const start = BigInt(FROM + 10 * (trace % 100)) * 1_000_000_000n + 123_456_789n;
  return {
    traceId: `00000000000000ab${hex(trace, 16)}`,
    spanId: hex(id, 16),
    name: 'GET /',
    kind: 2,
    startTimeUnixNano: String(start),
    endTimeUnixNano: String(start + 5_000_000n),
    attributes: [],
    ...more,
  };
};

const resource = (attributes: readonly Attribute[], spans: readonly Span[], scope?: Value): ResourceSpans => ({
  resource: { attributes },
  scopeSpans: [{ ...(scope ? { scope } : {}), spans }],
});
const of = (service: string, spans: readonly Span[], scope?: Value): ResourceSpans =>
  resource([string('service.name', service)], spans, scope);
const one = (...resourceSpans: ResourceSpans[]): Export => ({ resourceSpans });

const EVERY_TYPE: readonly Attribute[] = [
  string('text', 'a "quoted" <b> & ünï ☕ 💶 \\ \u2028'),
  string('empty', ''),
  { key: 'yes', value: { boolValue: true } },
  { key: 'no', value: { boolValue: false } },
  { key: 'whole', value: { intValue: '-7' } },
  { key: 'zero', value: { intValue: '0' } },
  { key: 'largest', value: { intValue: '9223372036854775807' } },
  { key: 'unsafe', value: { intValue: '-9007199254740993' } },
  { key: 'part', value: { doubleValue: 0.1 } },
  { key: 'wide', value: { doubleValue: 1e21 } },
  { key: 'tiny', value: { doubleValue: 1.5e-7 } },
  { key: 'nothing', value: {} },
  { key: 'bytes', value: { bytesValue: 'AAEC/w==' } },
  {
    key: 'list',
    value: {
      arrayValue: { values: [{ stringValue: '<x>' }, { intValue: '9007199254740993' }, {}, { boolValue: true }] },
    },
  },
  {
    key: 'map',
    value: {
      kvlistValue: {
        values: [
          { key: 'z', value: { doubleValue: 2 } },
          { key: 'a', value: { arrayValue: { values: [] } } },
          { key: 'b', value: { bytesValue: '/w==' } },
        ],
      },
    },
  },
];

/** The trace that Jaeger changes when it is read: a server with its client's span id, an address as a number, an SDK's name. */
export const ADJUSTED = 20;
/** The trace with a number that JSON does not have. */
export const NOT_A_NUMBER = 21;

export const idOf = (trace: number): string => span(trace, 1).traceId;

const HAND: readonly Export[] = [
  one(
    of('every type', [span(1, 1, { attributes: EVERY_TYPE })], {
      name: 'lib',
      version: '1.0',
      attributes: [string('in', 'scope')],
    }),
  ),
  one(of('no kind', [span(2, 1, { kind: 0, name: '' }), span(2, 2, { kind: 0, parentSpanId: hex(1, 16), name: 'b' })])),
  ...[1, 2, 3, 4, 5].map((kind) => one(of('kinds', [span(3, kind, { kind, name: `kind ${kind % 3}` })]))),
  one(
    of('statuses', [
      span(4, 1, { status: { code: 1 } }),
      span(4, 2, {
        status: { code: 2, message: 'it "broke"' },
        attributes: [{ key: 'error', value: { boolValue: false } }],
      }),
      span(4, 3, { status: {} }),
      span(4, 4, { status: { message: 'only words' } }),
    ]),
  ),
  one(
    of('events', [
      span(5, 1, {
        events: [
          { timeUnixNano: '1795240050200000001', name: 'exception', attributes: [string('exception.message', 'no')] },
          { timeUnixNano: '1795240050100000000', name: '', attributes: [string('what', 'nameless')] },
          {
            timeUnixNano: '1795240050300000000',
            name: 'named',
            attributes: [string('event', 'itself')],
            droppedAttributesCount: 3,
          },
        ],
      }),
    ]),
  ),
  one(
    of('links', [
      span(6, 1),
      span(6, 2, {
        parentSpanId: hex(1, 16),
        traceState: 'vendor=1,other=2',
        links: [
          {
            traceId: idOf(1),
            spanId: hex(1, 16),
            traceState: 'a=b',
            attributes: [string('link.type', 'retry')],
            flags: 1,
          },
          { traceId: idOf(6), spanId: hex(1, 16) },
          { traceId: idOf(7), spanId: hex(9, 16), attributes: [string('opentracing.ref_type', 'child_of')] },
          { traceId: '0'.repeat(32), spanId: hex(3, 16) },
        ],
        droppedLinksCount: 2,
        droppedAttributesCount: 1,
        flags: 257,
      }),
    ]),
  ),
  one(resource([string('host.name', 'h-1')], [span(7, 1)])),
  one(resource([string('service.name', '')], [span(8, 1)])),
  one(resource([{ key: 'service.name', value: { intValue: '7' } }], [span(9, 1)])),
  one({ resource: { attributes: [] }, scopeSpans: [{ spans: [span(10, 1)] }] }),
  one(of('64 bit', [span(11, 1, { traceId: `${'0'.repeat(16)}a1b2c3d4e5f60718` })])),
  one(of('orphans', [span(12, 1, { parentSpanId: 'ffffffffffffffff' })])),
  ...[1, 2].map(() => one(of('sent twice', [span(13, 1, { attributes: [string('n', '1')] })]))),
  one(of('same span id', [span(14, 1, { name: 'first' })])),
  one(of('same span id', [span(14, 1, { name: 'second' })])),
  one(
    of('durations', [
      span(15, 1, { endTimeUnixNano: span(15, 1).startTimeUnixNano }),
      span(15, 2, { startTimeUnixNano: '1795240150000000000', endTimeUnixNano: '1795240149000000000' }),
      span(15, 3, { endTimeUnixNano: '2110600150000000001' }),
      span(15, 4, { startTimeUnixNano: '1795240150000000000', endTimeUnixNano: '1795240150000000001' }),
    ]),
  ),
  one(of('1970', [span(16, 1, { startTimeUnixNano: '0', endTimeUnixNano: '1000' })])),
  one(
    of('caller', [span(17, 1), span(17, 2, { kind: 3, parentSpanId: hex(1, 16), name: 'call' })]),
    of('callee "ü"', [span(17, 3, { parentSpanId: hex(2, 16) }), span(17, 4, { kind: 1, parentSpanId: hex(3, 16) })]),
  ),
  one(of('caller', [span(18, 1)]), of('callee "ü"', [span(18, 2, { parentSpanId: hex(1, 16) })])),
  one(
    resource([string('service.name', 'schema'), string('resource.only', 'r')], [span(19, 1)], {
      name: 'lib',
      droppedAttributesCount: 4,
    }),
  ),
  {
    resourceSpans: [
      {
        ...of('schema', []),
        schemaUrl: 'https://opentelemetry.io/schemas/1.37.0',
        scopeSpans: [{ schemaUrl: 'https://opentelemetry.io/schemas/1.36.0', spans: [span(19, 2)] }],
      } as ResourceSpans,
    ],
  },
  one(
    of('adjusted', [
      span(ADJUSTED, 1, { kind: 3 }),
      span(ADJUSTED, 1, { kind: 2 }),
      span(ADJUSTED, 2, {
        attributes: [{ key: 'peer.ipv4', value: { intValue: '2130706433' } }, string('telemetry.sdk.name', 'x')],
      }),
    ]),
  ),
  one(of('not a number', [span(NOT_A_NUMBER, 1, { attributes: [{ key: 'n', value: { doubleValue: 'NaN' } }] })])),
];

const SERVICES = ['gateway', 'order-service', 'märkte ☕', 'a/b', '"quoted" & <b>', 'x+y z%', 'quotes'];
const NAMES = ['GET /orders', 'POST /orders', 'SELECT', 'naïve \'quote\' "q"', '💶 price', 'a:b', 'publish'];
const KEYS = ['user.id', 'http.response.status_code', 'peer.service', 'retry', 'k"ey', 'ключ', 'a:b'];

const text = fc.oneof(
  fc.constantFrom('trader-1', 'trader-2', '503', 'true', '<&>'),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
);
const leaf: fc.Arbitrary<Value> = fc.oneof(
  fc.record({ stringValue: text }),
  fc.record({ boolValue: fc.boolean() }),
  fc.record({
    intValue: fc.oneof(
      fc.constantFrom('503', '200'),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
    ),
  }),
  fc.record({ doubleValue: fc.double({ noNaN: true, noDefaultInfinity: true }) }),
  fc.record({ bytesValue: fc.uint8Array({ maxLength: 6 }).map((bytes) => Buffer.from(bytes).toString('base64')) }),
  fc.constant({}),
);
const pairs = (value: fc.Arbitrary<Value>, keys: fc.Arbitrary<string>, maxLength: number): fc.Arbitrary<Attribute[]> =>
  fc.uniqueArray(fc.record({ key: keys, value }), { selector: (it) => it.key, maxLength });
const nested = (value: fc.Arbitrary<Value>): fc.Arbitrary<Value> =>
  fc.oneof(
    fc.record({ arrayValue: fc.record({ values: fc.array(value, { maxLength: 3 }) }) }),
    fc.record({ kvlistValue: fc.record({ values: pairs(value, text, 3) }) }),
  );
const anyValue = fc.oneof(
  { weight: 4, arbitrary: leaf },
  { weight: 1, arbitrary: nested(fc.oneof(leaf, nested(leaf))) },
);
const attributes = pairs(anyValue, fc.constantFrom(...KEYS), 4);
const ofLinks = pairs(anyValue, fc.constantFrom('link.type', 'link.reason'), 2);

const id = (digits: number): fc.Arbitrary<string> =>
  fc.bigInt({ min: 1n, max: 16n ** BigInt(digits) - 1n }).map((n) => n.toString(16).padStart(digits, '0'));
const traceIds = fc.oneof(
  id(32),
  id(16).map((short) => short.padStart(32, '0')),
);
const durations = fc.oneof(
  fc.constantFrom(0, 1, -5, 1_000_000, 3e17),
  fc.integer({ min: 1, max: 5_000_000_000 }),
  fc.integer({ min: 1, max: 2_000_000 }),
);

const shape = fc.record({
  service: fc.constantFrom(...SERVICES),
  parent: fc.option(fc.oneof(fc.nat({ max: 5 }), id(16)), { freq: 4, nil: null }),
  spanId: id(16),
  name: fc.oneof(fc.constantFrom(...NAMES), text),
  kind: fc.nat({ max: 5 }),
  offset: fc.nat({ max: 1_500_000_000 }),
  duration: durations,
  attributes,
  traceState: fc.constantFrom('', 'vendor=x'),
  status: fc.record({ code: fc.constantFrom(0, 1, 2), message: fc.constantFrom('', 'no "way"') }),
  events: fc.array(
    fc.record({
      timeUnixNano: fc.nat().map((n) => String(BigInt(FROM) * 1_000_000_000n + BigInt(n))),
      name: text,
      attributes,
    }),
    { maxLength: 2 },
  ),
  links: fc.array(fc.record({ traceId: traceIds, spanId: id(16), attributes: ofLinks }), { maxLength: 2 }),
});
const trace = fc.record({
  traceId: traceIds,
  start: fc.nat({ max: 1990 }),
  nanos: fc.nat({ max: 999_999_999 }),
  scope: fc.record({ name: fc.constantFrom('', 'http', 'db'), version: fc.constantFrom('', '2.1'), attributes }),
  pod: text,
  shapes: fc.uniqueArray(shape, { selector: (it) => it.spanId, minLength: 1, maxLength: 6 }),
});

type Generated = ReturnType<typeof trace.generate>['value'];

const generatedSpan = (
  it: Generated,
  { service: _, parent, offset, duration, ...rest }: Generated['shapes'][number],
): Span => {
  const start = BigInt(FROM + it.start) * 1_000_000_000n + BigInt(it.nanos + offset);
  const parentSpanId = typeof parent === 'number' ? it.shapes[parent]?.spanId : (parent ?? undefined);
  return {
    ...rest,
    traceId: it.traceId,
    ...(parentSpanId && parentSpanId !== rest.spanId ? { parentSpanId } : {}),
    startTimeUnixNano: String(start),
    endTimeUnixNano: String(start + BigInt(duration)),
  };
};

const generatedExport = (it: Generated): Export => {
  const services = [...new Set(it.shapes.map((shape) => shape.service))];
  return one(
    ...services.map((service) =>
      resource(
        [string('service.name', service), string('k8s.pod.name', it.pod)],
        it.shapes.filter((shape) => shape.service === service).map((shape) => generatedSpan(it, shape)),
        it.scope,
      ),
    ),
  );
};

/** Export requests, the same for the same seed; no two generated traces share an id. */
export const exportsOf = (seed: number, traces: number): readonly Export[] => {
  const all = fc.uniqueArray(trace, { selector: (it) => it.traceId, minLength: traces, maxLength: traces });
  return [...HAND, ...fc.sample(all, { seed, numRuns: 1 })[0]!.map(generatedExport)];
};

export const spansOf = (exports: readonly Export[]): readonly Span[] =>
  exports.flatMap((it) => it.resourceSpans.flatMap((one) => one.scopeSpans.flatMap(({ spans }) => spans)));

export const servicesOf = (exports: readonly Export[]): readonly string[] => [
  ...new Set(
    exports.flatMap((it) =>
      it.resourceSpans.flatMap(({ resource: { attributes: all } }) =>
        all.filter((one) => one.key === 'service.name').map((one) => String(one.value.stringValue ?? '')),
      ),
    ),
  ),
];
