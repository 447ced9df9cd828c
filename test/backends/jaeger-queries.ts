// What both trace stores are asked: every endpoint about every trace and service, searches of all kinds, and nonsense.
import fc from 'fast-check';
import { type Attribute, type Export, FROM, type Span, servicesOf, spansOf, UNTIL } from './jaeger-spans.ts';

/** `whole`: the path of the same search without its limit. */
export type Query = { readonly path: string; readonly whole?: string };

type Params = Readonly<Record<string, string | number | readonly string[] | null>>;

const query = (path: string, params: Params): string => {
  const given = Object.entries(params).flatMap(([name, value]) =>
    [value].flat().flatMap((one): [string, string][] => (one === null ? [] : [[name, String(one)]])),
  );
  return given.length > 0 ? `${path}?${new URLSearchParams(given)}` : path;
};

const DEPTH = 1000;
const V3 = '/api/v3/traces';
const LEGACY = '/api/traces';
const at = (seconds: number): string => new Date(seconds * 1000).toISOString();
const v3 = (params: Params): string =>
  query(V3, {
    'query.start_time_min': at(FROM),
    'query.start_time_max': at(UNTIL),
    'query.num_traces': DEPTH,
    ...params,
  });
const legacy = (params: Params): string =>
  query(LEGACY, { start: FROM * 1e6, end: UNTIL * 1e6, limit: DEPTH, ...params });

const KINDS = ['unspecified', 'internal', 'server', 'client', 'producer', 'consumer', 'SERVER', 'none'];

const ofService = (service: string): string[] => [
  v3({ 'query.service_name': service }),
  legacy({ service }),
  query('/api/v3/operations', { service }),
  query('/api/operations', { service }),
  `/api/services/${encodeURIComponent(service)}/operations`,
  query('/api/dependencies', { service, endTs: UNTIL * 1000, lookback: (UNTIL - FROM) * 1000 }),
];

const ofKind = (kind: string): string[] => [
  query('/api/v3/operations', { service: 'kinds', span_kind: kind }),
  query('/api/operations', { service: 'kinds', spanKind: kind }),
  legacy({ service: 'kinds', tag: `span.kind:${kind}` }),
];

const ofTrace = (id: string): string[] => [
  `${V3}/${id}`,
  `${LEGACY}/${id}`,
  ...(id.startsWith('0'.repeat(16))
    ? [`${V3}/${id.slice(16).toUpperCase()}`, `${LEGACY}/${id.replace(/^0+/, '')}`]
    : []),
];

/** Text of an attribute's value as tags are compared with, where that is plain. */
const textOf = ({ value }: Attribute): string | null => {
  const { stringValue, boolValue, intValue, doubleValue } = value as Record<string, unknown>;
  const plain = stringValue ?? boolValue ?? intValue ?? doubleValue;
  return plain === undefined ? null : String(plain);
};

const ofTag = (service: string, attribute: Attribute): string[] => {
  const text = textOf(attribute);
  return text === null
    ? []
    : [
        legacy({ service, tags: JSON.stringify({ [attribute.key]: text }) }),
        legacy({ service, tag: `${attribute.key}:${text}` }),
        v3({ 'query.service_name': service, 'query.attributes': JSON.stringify({ [attribute.key]: text }) }),
      ];
};

const ofAllTags = (exports: readonly Export[]): string[] =>
  exports.flatMap(({ resourceSpans }) =>
    resourceSpans.flatMap(({ resource, scopeSpans }) => {
      const service = textOf(resource.attributes.find((one) => one.key === 'service.name') ?? { key: '', value: {} });
      const all = scopeSpans.flatMap(({ spans }) => spans.flatMap((one) => one.attributes));
      return service ? all.flatMap((one) => ofTag(service, one)) : [];
    }),
  );

/** Tags that are not a span's own attribute, or are more than text. */
const SPECIAL: readonly string[] = [
  ...['true', 'false', 'T', '1', 'maybe'].map((error) =>
    legacy({ service: 'statuses', tags: JSON.stringify({ error }) }),
  ),
  legacy({ service: 'every type', tag: 'in:scope' }),
  legacy({ service: 'every type', tag: ['yes:true', 'no:false'] }),
  legacy({ service: 'every type', tag: ['yes:true', 'no:true'] }),
  legacy({ service: 'every type', tag: 'yes:true', tags: '{"whole":"-7"}' }),
  legacy({ service: 'every type', tag: 'bytes:AAEC/w==' }),
  legacy({ service: 'every type', tag: 'list:["\\u003cx\\u003e",9007199254740993,null,true]' }),
  legacy({ service: 'every type', tag: 'map:{"a":[],"b":"/w==","z":2}' }),
  legacy({ service: 'every type', tag: 'nothing:' }),
  legacy({ service: 'every type', tags: '{"nothing":null}' }),
  legacy({ service: 'every type', tags: 'null' }),
  legacy({ service: 'events', tag: 'exception.message:no' }),
  legacy({ service: 'events', tag: 'what:nameless' }),
  legacy({ service: 'links', tag: 'link.type:retry' }),
  legacy({ service: 'schema', tag: 'resource.only:r' }),
  legacy({ service: 'schema', tag: 'only:r' }),
  legacy({ service: 'every type', tag: 'scope.name:lib' }),
  legacy({ service: 'every type', tag: 'scope.version:2.0' }),
  legacy({ service: 'every type', tag: 'resource.service.name:every type' }),
  legacy({ service: 'statuses', tag: 'span.status:ERROR' }),
  legacy({ service: 'every type', tag: 'service.name:every type' }),
];

const WHOLE = { endTs: UNTIL * 1000, lookback: (UNTIL - FROM) * 1000 };
const DEPENDENCIES: readonly string[] = [
  query('/api/dependencies', WHOLE),
  query('/api/dependencies', { ...WHOLE, endTs: (FROM + 175) * 1000 }),
  query('/api/dependencies', { endTs: (FROM + 180) * 1000, lookback: 5000 }),
  // From the nanosecond that a trace begins, up to the one that it ends.
  query('/api/dependencies', { endTs: (FROM + 182) * 1000, lookback: 1877 }),
  query('/api/dependencies', { ...WHOLE, lookback: -1 }),
  query('/api/dependencies', { ...WHOLE, lookback: 'many' }),
  query('/api/dependencies', { ...WHOLE, endTs: 'now' }),
  query('/api/dependencies', { ...WHOLE, service: 'nobody' }),
];

const BAD_IDS = [
  'not-an-id',
  '0',
  '00',
  'ffffffffffffffff',
  '1'.repeat(32),
  '1'.repeat(33),
  '0x12',
  '12345678901234567g',
  '%20',
  'a b',
];
const BAD_TIMES = [
  'yesterday',
  '2026-11-21',
  '2026-11-21 04:00:00Z',
  '2026-11-21T04:00:00',
  '2026-13-21T04:00:00Z',
  '2026-11-21t04:00:00z',
];
const GOOD_TIMES = [
  '2026-11-21T04:00:00+01:00',
  '2026-11-21T04:00:00.5Z',
  '2026-11-21T04:00:00,5Z',
  '2026-11-21T04:00:00.123456789123Z',
];
const DURATIONS = [
  'soon',
  '5',
  '0',
  '-1s',
  '+5ms',
  '.5ms',
  '5.ms',
  '1h2m3.5s',
  '5us',
  '5µs',
  '5μs',
  '1d',
  's',
  '',
  '99999999h',
  '1e3s',
];
const NUMBERS = ['many', '0', '-1', '+3', '1.5', '', '99999999999', '9223372036854775808', ' 3', '0x10'];

const withBad = (service: string): string[] => [
  ...BAD_IDS.flatMap((id) => [
    `${V3}/${encodeURIComponent(id)}`,
    `${LEGACY}/${encodeURIComponent(id)}`,
    query(LEGACY, { traceID: id }),
  ]),
  ...[...BAD_TIMES, ...GOOD_TIMES].flatMap((time) => [
    v3({ 'query.service_name': service, 'query.start_time_min': time }),
    v3({ 'query.service_name': service, 'query.start_time_max': time }),
  ]),
  ...DURATIONS.flatMap((time) => [
    v3({ 'query.service_name': service, 'query.duration_min': time }),
    v3({ 'query.service_name': service, 'query.duration_max': time }),
    legacy({ service, minDuration: time }),
    legacy({ service, maxDuration: time }),
  ]),
  ...NUMBERS.flatMap((n) => [
    v3({ 'query.service_name': service, 'query.num_traces': n }),
    legacy({ service, limit: n }),
    legacy({ service, start: n }),
    legacy({ service, end: n }),
  ]),
  ...['maybe', 'TRUE', '0', 'yes'].flatMap((raw) => [
    v3({ 'query.service_name': service, 'query.raw_traces': raw }),
    legacy({ service, raw }),
    query(`${LEGACY}/1`, { raw }),
    query(`${V3}/1`, { raw_traces: raw }),
  ]),
  ...['nocolon', ':value', 'a:', ':'].map((tag) => legacy({ service, tag })),
  ...['{', '[]', '"text"', '{"a":1}', '{"a":null}', '{}'].map((tags) => legacy({ service, tags })),
];

const MISSING: readonly string[] = [
  V3,
  LEGACY,
  v3({ 'query.start_time_min': null }),
  v3({ 'query.start_time_max': null }),
  v3({ 'query.service_name': 'nobody' }),
  legacy({}),
  legacy({ service: '' }),
  legacy({ service: 'nobody' }),
  legacy({ service: 'gateway', minDuration: '2s', maxDuration: '1s' }),
  v3({ 'query.service_name': 'gateway', 'query.duration_min': '2s', 'query.duration_max': '1s' }),
  v3({ 'query.service_name': 'gateway', 'query.num_traces': null }),
  query(V3, {
    'query.serviceName': 'kinds',
    'query.startTimeMin': at(FROM),
    'query.startTimeMax': at(UNTIL),
    'query.searchDepth': DEPTH,
  }),
  query('/api/v3/operations', {}),
  query('/api/v3/operations', { service: 'nobody' }),
  query('/api/operations', {}),
  query('/api/operations', { service: 'nobody' }),
  '/api/services/nobody/operations',
  '/api/v3/nothing',
  '/api/nothing',
  query(`${V3}/1`, { start_time: 'yesterday' }),
  query(`${V3}/1`, { end_time: 'tomorrow' }),
  query(`${LEGACY}/1`, { start: 'yesterday' }),
];

const search = (all: readonly Span[], services: readonly string[]): fc.Arbitrary<Query> => {
  const attribute = fc.constantFrom(...all.flatMap((one) => one.attributes).filter((one) => textOf(one) !== null));
  const seconds = fc.tuple(fc.integer({ min: FROM - 10, max: UNTIL }), fc.integer({ min: FROM, max: UNTIL + 10 }));
  const duration = fc.option(fc.constantFrom('1ns', '1us', '5ms', '300ms', '1.5s', '1h'), { nil: null });
  const asked = fc.record({
    old: fc.boolean(),
    service: fc.constantFrom(...services),
    operation: fc.option(fc.constantFrom(...all.map((one) => one.name)), { nil: null, freq: 2 }),
    window: seconds.map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const),
    min: duration,
    max: duration,
    tag: fc.option(attribute, { nil: null, freq: 2 }),
    limit: fc.option(fc.integer({ min: 1, max: 5 }), { nil: null, freq: 2 }),
  });
  return asked.map(({ old, service, operation, window: [from, until], min, max, tag, limit }) => {
    const path = (depth: number): string =>
      old
        ? legacy({
            service,
            operation,
            start: from * 1e6,
            end: until * 1e6,
            minDuration: min,
            maxDuration: max,
            tags: tag && JSON.stringify({ [tag.key]: textOf(tag)! }),
            limit: depth,
          })
        : v3({
            'query.service_name': service,
            'query.operation_name': operation,
            'query.start_time_min': at(from),
            'query.start_time_max': at(until),
            'query.duration_min': min,
            'query.duration_max': max,
            'query.num_traces': depth,
          });
    return { path: path(limit ?? DEPTH), ...(limit ? { whole: path(DEPTH) } : {}) };
  });
};

/** Asked before anything is sent. */
export const OF_NOTHING: readonly Query[] = [
  '/api/v3/services',
  '/api/services',
  query('/api/dependencies', WHOLE),
].map((path) => ({ path }));

/** All queries about what the export requests hold, `searches` of them generated from the seed. */
export const queriesOf = (exports: readonly Export[], seed: number, searches: number): readonly Query[] => {
  const services = [
    ...servicesOf(exports),
    'missing-service-name',
    'empty-service-name',
    'service-name-wrong-type',
  ].filter(Boolean);
  const all = spansOf(exports);
  const paths = [
    '/api/v3/services',
    '/api/services',
    ...new Set(all.map((one) => one.traceId)).values().flatMap(ofTrace),
    ...services.flatMap(ofService),
    ...KINDS.flatMap(ofKind),
    ...ofAllTags(exports),
    ...SPECIAL,
    ...DEPENDENCIES,
    ...withBad('kinds'),
    ...MISSING,
    query(LEGACY, { traceID: [all[0]!.traceId, 'ff', all.at(-1)!.traceId] }),
  ];
  return [
    ...new Set(paths).values().map((path) => ({ path })),
    ...fc.sample(search(all, services), { seed, numRuns: searches }),
  ];
};
