// LogQL as the lab's log store understands it, for fast-check: every query it draws is one that both must answer alike.
import fc from 'fast-check';

type Text = fc.Arbitrary<string>;

const of = (...all: readonly string[]): Text => fc.constantFrom(...all);
const join = (...parts: readonly Text[]): Text => fc.tuple(...parts).map((all) => all.join(''));
const maybe = (one: Text, weight = 1): Text =>
  fc.oneof({ arbitrary: fc.constant(''), weight: 1 }, { arbitrary: one, weight });
const many = (one: Text, between: string, most: number, least = 1): Text =>
  fc.array(one, { minLength: least, maxLength: most }).map((all) => all.join(between));

/** A string of LogQL: in double quotes, or raw where there is no backtick in it. */
const quoted = (text: Text): Text =>
  fc.tuple(text, fc.boolean()).map(([it, raw]) => (raw && !/[`\r]/.test(it) ? `\`${it}\`` : JSON.stringify(it)));

// ---- Log queries ----------------------------------------------------------------------------------------------------

const label = of('app', 'env', 'pod', 'zone', 'level', 'missing');
const app = of(
  'web',
  'pay',
  'plain',
  'steady',
  'instant',
  'odd',
  'late',
  'gen-json',
  'gen-pairs',
  'gen-plain',
  'nobody',
);
const appPattern = of('web|pay', 'gen-.*', '.+', '(?i)WEB', 'p.*', '[^g]+', 'web|steady|late', '.*a.*');
const more = fc.oneof(
  join(fc.constant(', '), label, of('=', '!='), quoted(of('prod', 'dev', 'a', 'grün', 'web-1', ''))),
  join(fc.constant(', '), label, of('=~', '!~'), quoted(of('prod|dev', 'web-.', '.*', '.+', '', '(?i)PROD', 'a|b'))),
);
const first = fc.oneof(join(fc.constant('app='), quoted(app)), join(fc.constant('app=~'), quoted(appPattern)));
const selector = join(fc.constant('{'), first, maybe(more), maybe(more), fc.constant('}'));

const needle = of(
  'info',
  'ERROR',
  '"',
  '\\',
  'grüße',
  '🎉',
  '7',
  'a',
  'x y',
  '',
  ' ',
  'level',
  '.',
  'not there',
  'tick 1',
  '{',
  '\n',
);
const pattern = of(
  'level=(info|warn)',
  '(?i)error',
  '^tick \\d+$',
  '\\d{3}',
  'a.c|b',
  '[[:alpha:]]+',
  '\\bx\\b',
  '^$',
  'gr.+e',
  '"[a-z]+"',
  '(?s)two.lines',
  '.*',
  '',
  '\\s',
  '(?P<n>7)',
);
const lineFilter = fc.oneof(
  join(of(' |= ', ' != '), quoted(needle)),
  join(
    of(' |= ', ' != '),
    quoted(needle.filter((it) => it !== '')),
    maybe(join(fc.constant(' or '), quoted(needle.filter((it) => it !== '')))),
  ),
  join(of(' |~ ', ' !~ '), quoted(pattern)),
  join(
    of(' |~ ', ' !~ '),
    quoted(pattern.filter((it) => it !== '' && it !== '.*')),
    maybe(join(fc.constant(' or '), quoted(pattern.filter((it) => it !== '' && it !== '.*')))),
  ),
);

const name = of(
  'level',
  'status',
  'took',
  'size',
  'user',
  'app',
  'a_b',
  'context_status',
  'context_duration_ms',
  'context_took',
  'account',
  'missing',
  'n',
);
const place = of(
  'level',
  'context.status',
  'context.tags[0]',
  'context.tags',
  '["a b"]',
  'context.deep',
  'missing',
  'n',
  'arr[1].x',
  'app',
  'context["a-b.c"]',
);
const parser = fc.oneof(
  of(' | json', ' | logfmt'),
  of(' | json', ' | logfmt', ' | logfmt --strict', ' | logfmt --keep-empty', ' | logfmt --strict --keep-empty'),
  join(fc.constant(' | json '), many(join(of('p1', 'p2', 'app', 'level'), fc.constant('='), quoted(place)), ', ', 2)),
  join(
    fc.constant(' | logfmt '),
    many(fc.oneof(of('level', 'took', 'app', 'missing'), of('l2="status"', 'p1="user"', 'app="account"')), ', ', 2),
  ),
);

const comparison = of(' = ', ' == ', ' != ', ' > ', ' >= ', ' < ', ' <= ');
const labelTest = fc.oneof(
  join(name, of('=', '!='), quoted(of('info', 'ERROR', '7', '', 'say "no"', 'C:\\dir', '250ms', 'grüße'))),
  join(name, of('=~', '!~'), quoted(of('info|warn', '(?i)error', '.+', '[0-9]+', '(a|g).+a', '[^e]*', '\\d+ms'))),
  join(name, comparison, of('200', '7', '7.5', '-1', '0', '1e3', '+5', '0.5')),
  join(name, comparison, of('250ms', '1.5s', '5s', '1m', '1h', '0s')),
  join(name, comparison, of('3KB', '12B', '1KiB', '1.5MB', '1MiB')),
  join(fc.constant('__error__'), of('=', '!='), quoted(of('', 'JSONParserErr', 'LogfmtParserErr', 'LabelFilterErr'))),
);
const labelFilter = join(
  fc.constant(' | '),
  fc.oneof(
    { arbitrary: labelTest, weight: 3 },
    { arbitrary: join(labelTest, of(' and ', ' or ', ', '), labelTest), weight: 2 },
    {
      arbitrary: join(
        fc.constant('('),
        labelTest,
        of(' or ', ' and '),
        labelTest,
        fc.constant(')'),
        of(' and ', ' or ', ', '),
        labelTest,
      ),
      weight: 1,
    },
    { arbitrary: join(labelTest, of(' and ', ' or '), labelTest, of(' and ', ' or '), labelTest), weight: 1 },
  ),
);

const template = of(
  '{{.level}}',
  '{{ .level }} took {{.took}}',
  'fixed',
  '',
  '{{.missing}}!',
  '"{{.app}}" {{.status}}',
  'grüße {{.user}}',
);
const change = fc.oneof(
  join(fc.constant(' | line_format '), quoted(template)),
  join(fc.constant(' | label_format '), of('level2=level', 'lvl=level, who=app', 'app=level', 'gone=missing')),
  join(fc.constant(' | label_format '), of('level2=', 'app=', 'level='), quoted(template)),
  join(fc.constant(' | '), of('drop ', 'keep '), many(fc.oneof(name, label), ', ', 3)),
  of(' | drop __error__', ' | drop __error__, __error_details__'),
);

const stages = fc
  .array(
    fc.oneof(
      { arbitrary: labelFilter, weight: 3 },
      { arbitrary: change, weight: 2 },
      { arbitrary: parser, weight: 1 },
      { arbitrary: lineFilter, weight: 1 },
    ),
    { maxLength: 3 },
  )
  .map((all) => all.join(''));

/** A log query: selector, line filters, parser, label filters and formats. */
export const logQuery: Text = join(selector, many(lineFilter, '', 2, 0), maybe(join(parser, stages), 3));

// ---- Metric queries -------------------------------------------------------------------------------------------------

const lookback = join(fc.constant('['), of('5s', '10s', '7s', '1m', '30s', '1m30s', '500ms', '2s'), fc.constant(']'));
const range = join(lookback, maybe(join(fc.constant(' offset '), of('5s', '1m', '10s', '-5s'))));
const safe = fc.oneof(
  { arbitrary: join(selector, many(lineFilter, '', 2, 0)), weight: 2 },
  {
    arbitrary: join(
      selector,
      of(' | json', ' | logfmt'),
      of(' | __error__=""', ' | drop __error__, __error_details__', ''),
      maybe(labelFilter),
    ),
    weight: 2,
  },
  { arbitrary: logQuery, weight: 1 },
);
const counted = join(
  of('rate', 'count_over_time', 'bytes_rate', 'bytes_over_time'),
  fc.constant('('),
  safe,
  fc.constant(' '),
  range,
  fc.constant(')'),
);

const grouping = join(
  of(' by ', ' without '),
  fc.constant('('),
  many(fc.oneof(label, of('level', 'status')), ', ', 2, 0),
  fc.constant(')'),
);
const unwrap = join(
  fc.constant(' | unwrap '),
  fc.oneof(
    of('status', 'n', 'context_duration_ms', 'context_status'),
    of('duration(took)', 'duration_seconds(took)', 'bytes(size)'),
  ),
  maybe(of(' | __error__=""'), 3),
);
const source = join(selector, of(' | json', ' | logfmt', ' | json | __error__=""'), unwrap);
const grouped = join(
  of('min', 'max', 'first', 'last').map((it) => `${it}_over_time(`),
  source,
  fc.constant(' '),
  lookback,
  fc.constant(')'),
  maybe(grouping),
);
const quantile = join(
  fc.constant('quantile_over_time('),
  of('0', '0.5', '0.9', '0.99', '1'),
  fc.constant(', '),
  source,
  fc.constant(' '),
  lookback,
  fc.constant(')'),
  maybe(grouping),
);
const summed = join(
  of('sum_over_time(', 'rate(', 'avg_over_time('),
  source,
  fc.constant(' '),
  lookback,
  fc.constant(')'),
);
const rangeQuery = fc.oneof(
  { arbitrary: counted, weight: 4 },
  { arbitrary: grouped, weight: 2 },
  { arbitrary: fc.oneof(quantile, summed), weight: 1 },
);

const vector = fc
  .tuple(of('sum', 'min', 'max', 'avg', 'count'), maybe(grouping, 3), rangeQuery, fc.boolean())
  .map(([op, by, inner, before]) => (before ? `${op}${by} (${inner})` : `${op}(${inner})${by}`));
const nested = join(of('sum', 'max', 'count'), maybe(grouping), fc.constant(' ('), vector, fc.constant(')'));
const aggregation = fc.oneof({ arbitrary: vector, weight: 5 }, { arbitrary: nested, weight: 1 });

const operator = of(' + ', ' - ', ' * ', ' / ', ' % ', ' ^ ', ' > ', ' >= ', ' < ', ' <= ', ' == ', ' != ');
const compared = of(' > bool ', ' == bool ', ' != bool ', ' <= bool ');
const literal = of('2', '0.5', '10', '0', '-1', '1e2');
const sum = join(fc.constant('sum by (app) ('), counted, fc.constant(')'));
const operand = fc.oneof(sum, literal, aggregation);
const binary = fc.oneof(
  join(fc.oneof(sum, aggregation), fc.oneof(operator, compared), operand),
  join(literal, fc.oneof(operator, compared), sum),
  join(sum, operator, literal, operator, literal),
  join(fc.constant('('), sum, operator, sum, fc.constant(')'), operator, literal),
  join(literal, operator, literal, operator, literal),
);

/** A metric query: range aggregations, aggregations over them and operations between those. */
export const metricQuery: Text = fc.oneof(
  { arbitrary: rangeQuery, weight: 3 },
  { arbitrary: aggregation, weight: 4 },
  { arbitrary: binary, weight: 3 },
);

/** A selector alone, as the endpoints about labels take it. */
export const selectorQuery: Text = selector;
