// What both Lokis are given: lines written by hand for what is awkward in them, and generated ones.
import fc from 'fast-check';
import type { Nanos } from '../../src/model.ts';
import { MILLISECOND, SECOND } from '../../src/time.ts';

type Value = readonly [string, string] | readonly [string, string, Readonly<Record<string, string>>];
export type Stream = { readonly stream: Readonly<Record<string, string>>; readonly values: readonly Value[] };
export type Push = { readonly streams: readonly Stream[] };

type Lines = readonly (string | readonly [string, Readonly<Record<string, string>>])[];

/** A stream whose lines come `every` nanoseconds, beginning at `at`. */
const stream = (labels: Stream['stream'], at: Nanos, every: Nanos, lines: Lines): Stream => ({
  stream: labels,
  values: lines.map((line, index) => {
    const time = String(at + BigInt(index) * every);
    return typeof line === 'string' ? [time, line] : [time, line[0], line[1]];
  }),
});

const json = (level: string, status: number | string, more: object = {}): string =>
  JSON.stringify({ level, message: `answered ${status}`, context: { status, took: `${status}ms`, ...more } });

const STRUCTURED: Lines = [
  json('INFO', 200, { duration_ms: 12.5, tags: ['a', 'b'], ok: true, none: null, path: '/orders' }),
  json('ERROR', 503, { duration_ms: 1e3, peer: 'pay', 'a-b.c': 'dashed', '9lives': 'digit' }),
  json('WARN', 404, { size: '12KB', deep: { deeper: { deepest: 'found' } }, empty: '' }),
  json('info', 'none', { quoted: 'say "hi"', backslash: 'C:\\temp\\new', unicode: 'grüße 🎉 日本', app: 'inner' }),
  '{"app":"other","pod":"shadow","level":"DEBUG"}',
  '{"n":10.0,"big":12345678901234567890,"exp":1.5e3,"neg":-7,"t":true,"f":false,"nil":null,"arr":[1,{"x":2}]}',
  '{"a b":"space","a.b":"dot","ä":"umlaut","":"empty key","9":"digit"}',
  '{"esc":"tab\\tnew\\nline \\u00e9 \\ud83d\\ude00 \\/"}',
  '{"level":"ERROR","level":"twice"}',
  '{}',
  '{"open":"never closed"',
  '{"level":"INFO"} trailing',
  '  {"level":"INFO","indented":"yes"}',
  '[1,2,3]',
  '"just a string"',
  '42',
  'null',
  'no json at all',
];

const PAIRS: Lines = [
  'level=info msg="order placed" took=1.5s size=3KB account=acc-1',
  'level=error msg="it said \\"no\\"" took=250ms size=12B account=acc-2',
  'level=warn took=2m size=1.5MiB account=acc-1 retry=true',
  'level=debug flag empty= quoted="" took=5',
  'took=nonsense size=huge level=info account=acc-3',
  'level=info msg="tab\\there\\nnewline \\u00e9"',
  'level=error unterminated="never closed',
  'level=info stray" quote=1',
  '="no key" level=info',
  'a=1 a=2 b==3 c=4',
  'dash-key=1 dotted.key=2 9digit=3 ünïcode=4',
  'app=inner env="inner too" level=warn',
  '   spaced   level=info   took=1h30m   ',
  'just words without pairs',
  'level=INFO count=1e3 count2=0x10 inf=Inf nan=NaN under=1_000 plus=+5 neg=-2.5',
  'took=1us took2=1µs took3=-3s took4=1d took5=.5s took6=0 size=7 size2=1e3KB size3="1.5 kB"',
];

const PLAIN: Lines = [
  'GET /orders 200 from 198.51.100.7',
  'GET /ORDERS 503 from 198.51.100.8',
  'quotes "double" \'single\' `back`',
  'backslash \\ and \\n and \\\\',
  'grüße aus köln 🎉 日本語',
  '',
  ' ',
  '\ttab and \u0001 control \u007f',
  'two\nlines',
  'carriage\r\nreturn',
  'regexp chars . * + ? ( ) [ ] { } ^ $ |',
  'percent %s %d and {{.template}}',
  `long ${'x'.repeat(20_000)} end`,
  'null byte \u0000 inside',
  'bom \ufeff and nbsp \u00a0 and line sep \u2028',
];

const handWritten = (from: Nanos): Push[] => {
  const at = (ms: number): Nanos => from + BigInt(ms) * MILLISECOND;
  const instant = String(at(30_000));
  return [
    {
      streams: [
        stream({ app: 'web', env: 'prod', pod: 'web-1' }, at(1000), 3n * SECOND, STRUCTURED),
        stream({ app: 'web', env: 'prod', pod: 'web-2' }, at(2500), 2n * SECOND, [...STRUCTURED].reverse()),
        stream({ app: 'pay', env: 'prod' }, at(500), 3n * SECOND, PAIRS),
        stream({ app: 'plain', env: 'dev' }, at(1700), 2n * SECOND, PLAIN),
      ],
    },
    {
      streams: [
        stream(
          { app: 'steady', env: 'dev' },
          at(0),
          SECOND / 2n,
          Array.from({ length: 120 }, (_, n) => `tick ${n}`),
        ),
      ],
    },
    {
      streams: [
        {
          stream: { app: 'instant', env: 'dev' },
          values: ['c', 'a', 'b', 'a', ''].map((line) => [instant, line] as const),
        },
        { stream: { app: 'instant', env: 'prod' }, values: [[instant, 'a']] },
        { stream: { app: 'odd', what: 'quote " backslash \\ grüße 🎉' }, values: [[String(at(40_000)), 'odd label']] },
        { stream: { app: 'odd', what: ' spaces around ' }, values: [[String(at(41_000)), 'spaced label']] },
        {
          stream: { app: 'odd', what: 'empty sibling', nothing: '' },
          values: [[String(at(42_000)), 'an empty label']],
        },
      ],
    },
    { streams: [stream({ app: 'late', env: 'dev' }, at(30_000), SECOND, ['third', 'fourth'])] },
    { streams: [stream({ app: 'late', env: 'dev' }, at(10_000), SECOND, ['first', 'second'])] },
    { streams: [stream({ app: 'late', env: 'dev' }, at(10_000), SECOND, ['first', 'second, changed'])] },
    {
      streams: [
        stream({ app: 'meta', env: 'prod' }, at(5000), 5n * SECOND, [
          ['level=info msg=plain', { trace_id: 'abc', user: 'u-1' }],
          ['level=warn trace_id=inner', { trace_id: 'def', 'dotted.name': 'x' }],
          ['level=error', { app: 'shadow', level: 'meta' }],
          ['level=error', {}],
          'level=info msg="without metadata"',
        ]),
      ],
    },
  ];
};

const word = fc.constantFrom(
  'alpha',
  'beta',
  'gamma',
  'grüße',
  'x y',
  'say "no"',
  'C:\\dir',
  '',
  '7',
  '7.5',
  '250ms',
  '3KB',
  'true',
);
const field = fc.constantFrom('level', 'status', 'took', 'size', 'app', 'user', 'a-b', 'n.m');
const level = fc.constantFrom('info', 'warn', 'error');

const jsonLine = fc
  .tuple(
    level,
    fc.dictionary(
      field,
      fc.oneof(word, fc.integer({ min: -5, max: 600 }), fc.boolean(), fc.dictionary(field, word, { maxKeys: 2 })),
      { maxKeys: 4 },
    ),
  )
  .map(([one, fields]) => JSON.stringify({ ...fields, level: one }));
const pairLine = fc
  .tuple(level, fc.array(fc.tuple(field, word), { maxLength: 4 }))
  .map(([one, pairs]) =>
    [
      `level=${one}`,
      ...pairs.map(([name, text]) => `${name}=${/[\s"\\]/.test(text) ? JSON.stringify(text) : text}`),
    ].join(' '),
  );
const plainLine = fc.oneof(
  fc.array(word, { maxLength: 5 }).map((words) => words.join(' ')),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
);

const labels = fc.record({
  app: fc.constantFrom('gen-json', 'gen-pairs', 'gen-plain'),
  zone: fc.constantFrom('a', 'b', 'grün'),
});
const LINES: Readonly<Record<string, fc.Arbitrary<string>>> = {
  'gen-json': jsonLine,
  'gen-pairs': pairLine,
  'gen-plain': plainLine,
};

const generatedStream = (from: Nanos): fc.Arbitrary<Stream> =>
  labels.chain((own) =>
    fc
      // Half of the times are whole seconds, so that several lines share an instant.
      .array(
        fc.tuple(
          fc.oneof(
            fc.integer({ min: 0, max: 59 }).map((s) => s * 1000),
            fc.integer({ min: 0, max: 59_999 }),
          ),
          LINES[own.app]!,
        ),
        { minLength: 1, maxLength: 25 },
      )
      .map((entries) => ({
        stream: own,
        values: entries.map(([ms, line]) => [String(from + BigInt(ms) * MILLISECOND), line] as const),
      })),
  );

/** Pushes whose lines lie in the minute from `from`; the same ones for the same seed. */
export const pushes = (from: Nanos, seed: number): Push[] => [
  ...handWritten(from),
  ...fc
    .sample(fc.array(generatedStream(from), { minLength: 1, maxLength: 4 }), { seed, numRuns: 12 })
    .map((streams) => ({ streams })),
];
