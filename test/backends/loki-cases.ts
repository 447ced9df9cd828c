// Questions written by hand: every form, every parameter and every kind of mistake, beside the generated ones.
import type { Nanos } from '../../src/model.ts';
import { iso, SECOND } from '../../src/time.ts';
import type { Case } from './loki-compare.ts';

/** The cases of one kind; the names are those of the tests. */
export type Group = { readonly name: string; readonly cases: readonly Case[] };

type Params = Case['params'];
type Window = { readonly start: string; readonly end: string };

const windowFrom = (from: Nanos): Window => ({ start: String(from), end: String(from + 60n * SECOND) });

/** A query as a range query, from both ends. */
const logs = (window: Window, query: string, more: Params = {}): Case[] =>
  ['forward', 'backward'].map((direction) => ({
    path: 'query_range',
    params: { query, ...window, limit: '5000', direction, ...more },
  }));

/** A metric query over the window and at its end. */
export const metrics = (window: Window, query: string): Case[] => [
  { path: 'query_range', params: { query, ...window, step: '5s' } },
  { path: 'query', params: { query, time: window.end } },
];

const LOGS = [
  '{app="web"}',
  '{app=~"web|pay"}',
  '{app!="web", env="prod"}',
  '{app!~"web|gen-.*", env=~".+"}',
  '{app="odd", what="quote \\" backslash \\\\ grüße 🎉"}',
  '{app="odd", what=~`quote " back.*`}',
  '{app="odd", what=" spaces around "}',
  '{app="odd", nothing=""}',
  '{app="late"}',
  '{app="nobody"}',
  '{env="dev"} |= "tick 11"',
  '{env="dev"} |= "tick" != "1" or "2" |~ "[3-5]$"',
  '{app="plain"} |= "\\"double\\""',
  '{app="plain"} |= `\\n`',
  '{app="plain"} |= "\\n"',
  '{app="plain"} |= "\\u00fc"',
  '{app="plain"} |= "\\xc3\\xbc"',
  '{app="plain"} |= "null byte \\x00"',
  '{app="plain"} |= "tab and \\001"',
  '{app="plain"} |~ `\\.\\s\\*\\s\\+`',
  '{app="plain"} |~ "x{100,}"',
  '{app="plain"} |~ "^.{1,3}$"',
  '{app="plain"} |~ "[\\"\']"',
  '{app="plain"} |~ `\\pL\\p{Greek}?`',
  '{app="plain"} |~ `[^\\x00-\\x7F]`',
  '{app="plain"} |~ `(?i:get) /o\\w+ (2|5)\\d\\d`',
  '{app="plain"} |~ `GET(?i) /orders|QUOTES`',
  '{app="plain"} |~ `\\Qregexp chars . *\\E`',
  '{app="plain"} |~ `carriage.return`',
  '{app="plain"} |~ `(?s)carriage..return`',
  '{app="plain"} |~ `(?m)^lines$`',
  '{app="plain"} |~ `[]{}]`',
  '{app="plain"} |~ `a{,2}`',
  '{app="plain"} |~ `\\-|\\@|\\"`',
  '{app="plain"} |~ `[[:punct:]]{2}`',
  '{app="plain"} |~ `\\bfrom\\b`',
  '{app="plain"} |~ `sep.$`',
  '{app="web"} | json',
  '{app="web"} | json | level="ERROR"',
  '{app="web"} | json | level=~"ERR.+" or context_status < 300',
  '{app="web"} | json | context_took > 250ms',
  '{app="web"} | json | context_size >= 12KB',
  '{app="web"} | json | __error__="JSONParserErr"',
  '{app="web"} | json | __error__!="" | drop __error__, __error_details__',
  '{app="web"} | json status="context.status", tag="context.tags[1]", odd="context[\\"a-b.c\\"]"',
  '{app="web"} | json x="arr[1].x", y="arr"',
  '{app="web"} | json | line_format "{{.level}} {{ .context_status }} {{.missing}}"',
  '{app="web"} | json | label_format lvl=level, both="{{.level}}-{{.app}}"',
  '{app="web"} | json | keep level, app',
  '{app="web"} | json | drop context_status, message, level="INFO"',
  '{app="web"} | json | keep level="ERROR", app=~"w.+"',
  '{app="web"} | json | n > 5',
  '{app="web"} | json | n = 10 and big > 1e10',
  '{app="web"} | json | json',
  '{app="web"} | json | logfmt',
  '{app="web"} | json | line_format "{{.message}}" | logfmt',
  '{app="pay"} | logfmt',
  '{app="pay"} | logfmt --strict',
  '{app="pay"} | logfmt --keep-empty',
  '{app="pay"} | logfmt --strict --keep-empty',
  '{app="pay"} | logfmt level, who="account"',
  '{app="pay"} | logfmt --strict level, who="account"',
  '{app="pay"} | logfmt took, size | took > 1s',
  '{app="pay"} | logfmt | size > 1KiB',
  '{app="pay"} | logfmt | count >= 1e3',
  '{app="pay"} | logfmt | count2 = 16',
  '{app="pay"} | logfmt | under = 1000',
  '{app="pay"} | logfmt | inf > 5',
  '{app="pay"} | logfmt | nan > 5',
  '{app="pay"} | logfmt | plus = 5',
  '{app="pay"} | logfmt | took2 = 1us or took3 < 0s or took4 = 24h',
  '{app="pay"} | logfmt | took6 = 0s',
  '{app="pay"} | logfmt | size2 > 1KB or size3 > 1KB',
  '{app="pay"} | logfmt | level="error" or account="acc-1" and took > 1s',
  '{app="pay"} | logfmt | level="error", took < 1s or retry="true"',
  '{app="pay"} | logfmt | (level="error" or level="warn") and account=~"acc-.+"',
  '{app="pay"} | logfmt | app_extracted="inner"',
  '{app="meta"}',
  '{app="meta"} | trace_id="abc"',
  '{app="meta"} | trace_id!=""',
  '{app="meta"} | logfmt',
  '{app="meta"} | logfmt | level="error"',
  '{app="meta"} | dotted_name="x"',
  '{app="meta"} | drop trace_id | logfmt',
  '{app="meta"} | keep user',
  '({app="late"})',
  '{ app = "late" , env = "dev" }',
  '{app="late"} # a comment',
  '{app="late"}\n|= "first"\n|= "f"',
];

const METRICS = [
  'rate({app="steady"}[10s])',
  'count_over_time({app="steady"}[7s])',
  'bytes_rate({app="plain"}[30s])',
  'bytes_over_time({app="plain"}[1m])',
  'count_over_time({app="steady"}[1m] offset 10s)',
  'count_over_time({app="steady"} |= "1" [10s] offset -5s)',
  'count_over_time(({app="steady"} |= "1")[10s])',
  'count_over_time({app="steady"}[10s] |= "1")',
  'count_over_time({app="nobody"}[10s])',
  'sum(rate({env="dev"}[10s]))',
  'sum by (app) (rate({env="dev"}[10s]))',
  'sum by (app, env) (count_over_time({app=~".+"}[20s]))',
  'sum without (app) (count_over_time({app=~".+"}[20s]))',
  'sum(count_over_time({app=~".+"}[20s])) by (env)',
  'sum by () (count_over_time({app=~".+"}[20s]))',
  'sum without () (count_over_time({app="web"}[20s]))',
  'min by (env) (count_over_time({app=~".+"}[20s]))',
  'max(count_over_time({app=~".+"}[20s]))',
  'avg without (pod) (count_over_time({app="web"}[20s]))',
  'count by (env) (rate({app=~".+"}[20s]))',
  'topk(1, sum by (app) (count_over_time({app=~"steady|late"}[20s])))',
  'bottomk(1, sum by (app) (count_over_time({app=~"steady|late"}[20s])))',
  'topk(1, count_over_time({app=~"steady|web", env="dev"}[20s])) by (env)',
  'topk(5, sum by (app) (bytes_over_time({app=~"steady|late"}[20s])))',
  'sum by (level) (count_over_time({app="web"} | json [30s]))',
  'sum by (level) (count_over_time({app="web"} | json | __error__="" [30s]))',
  'sum by (level) (count_over_time({app="web"} | json | __error__!="" [30s]))',
  'sum(count_over_time({app="web"} | json [30s]))',
  'sum(count_over_time({app="web"} | json | __error__="JSONParserErr" [30s]))',
  'sum by (app) (count_over_time({app="web"} | json [30s]))',
  'count_over_time({app="web"} | json | __error__="" | keep level [30s])',
  'sum by (level2) (count_over_time({app="web"} | json | label_format level2=level [30s]))',
  'sum by (l) (count_over_time({app="pay"} | logfmt l="level" [30s]))',
  'sum by (app_extracted) (count_over_time({app="web"} | json | app_extracted!="" [30s]))',
  'sum by (trace_id) (count_over_time({app="meta"}[30s]))',
  'sum by (user) (count_over_time({app="meta"} | logfmt | level!="" [30s]))',
  'count_over_time({app="meta"}[30s])',
  'avg_over_time({app="web"} | json | __error__="" | unwrap context_status | __error__="" [30s])',
  'max_over_time({app="web"} | json | unwrap context_duration_ms [30s]) without (pod, level, message)',
  'sum_over_time({app="pay"} | logfmt | unwrap bytes(size) | __error__="" [1m])',
  'sum by (app) (sum_over_time({app="pay"} | logfmt | unwrap duration(took) | __error__="" [1m]))',
  'rate({app="pay"} | logfmt | unwrap duration_seconds(took) | __error__="" [1m])',
  'quantile_over_time(0.5, {app="web"} | json | unwrap n [1m]) by (app)',
  'quantile_over_time(0.9, {app=~"gen-.*"} | json | __error__="" | unwrap status | __error__="" [1m]) by (app)',
  'quantile_over_time(1.5, {app="web"} | json | unwrap n [1m]) by (app)',
  'first_over_time({app="pay"} | logfmt | unwrap count [1m])',
  'last_over_time({app="pay"} | logfmt | unwrap plus [1m])',
  'min_over_time({app="pay"} | logfmt | unwrap duration(took) | __error__="", level="info" [1m]) by (app)',
  'max_over_time({app="pay"} | logfmt | unwrap inf [1m])',
  'max_over_time({app="pay"} | logfmt | unwrap nan [1m])',
  'max_over_time({app="pay"} | logfmt | unwrap took [1m])',
  'sum by (app) (rate({env="dev"}[20s])) / sum by (app) (count_over_time({env="dev"}[20s]))',
  'sum(rate({app="web"} |= "ERROR" [30s])) / sum(rate({app="web"}[30s])) * 100',
  'sum by (app) (rate({env="dev"}[20s])) > 0.5',
  'sum by (app) (rate({env="dev"}[20s])) > bool 0.5',
  '0.5 < sum by (app) (rate({env="dev"}[20s]))',
  'sum by (app) (count_over_time({env="dev"}[20s])) == sum by (app) (count_over_time({env="dev"}[20s]))',
  'sum by (app) (count_over_time({env="dev"}[20s])) != bool 40',
  '2 ^ 3 ^ 2',
  '-2 ^ 2',
  '10 - 2 - 3',
  '7 % 4 * 2',
  '1 / 0',
  '0 / 0',
  '1 > 2',
  '1 > bool 2',
  '-1 * sum(rate({app="steady"}[10s]))',
  'sum(rate({app="steady"}[10s])) ^ 2 ^ 0.5',
  'sum by (app) (rate({app="steady"}[10s])) + sum by (env) (rate({app="steady"}[10s]))',
  '(sum(rate({app="steady"}[10s])) + 1) * 2',
  'sum(sum by (app) (rate({env="dev"}[10s])))',
];

/** Windows, limits, steps and directions. */
const parameters = (from: Nanos): Case[] => {
  const { start, end } = windowFrom(from);
  const seconds = Number(from / SECOND);
  const query = '{app="steady"}';
  const rate = 'count_over_time({app="steady"}[7s])';
  const range = (more: Params): Case => ({ path: 'query_range', params: { query, ...more } });
  const stepped = (more: Params): Case => ({ path: 'query_range', params: { query: rate, ...more } });
  return [
    ...['1', '7', '100', '119', '120', '5000', '+5'].flatMap((limit) =>
      ['forward', 'backward', 'FORWARD', 'BackWard'].map((direction) => range({ start, end, limit, direction })),
    ),
    range({ start, end }),
    range({ start: String(seconds), end: String(seconds + 30) }),
    range({ start: `${seconds}.5`, end: `${seconds + 10}.25` }),
    range({ start: iso(from), end: iso(from + 10n * SECOND) }),
    range({ start: new Date(seconds * 1000).toISOString().replace('Z', '+00:00'), end }),
    range({ since: '3h', end }),
    range({ since: '30s', end }),
    range({ since: '1h30m', end, limit: '3' }),
    range({ since: '1d' }),
    range({ start, end, since: '1s' }),
    range({ start, end, interval: '10s' }),
    range({ start, end, interval: '10s', direction: 'forward' }),
    range({ start, end, limit: '' }),
    range({ start, end, direction: '' }),
    range({ start, end, step: '', since: '' }),
    ...['1', '7', '2.5', '1s', '7s', '500ms', '1m', '90', '60s', '1m30s', '0.5', '1e1', '120s'].map((step) =>
      stepped({ start, end, step }),
    ),
    stepped({ start, end }),
    stepped({ start: String(from + 3n * SECOND + 1n), end: String(from + 33n * SECOND), step: '4s' }),
    stepped({ start: `${seconds + 3}.25`, end: `${seconds + 33}.75`, step: '2s' }),
    stepped({ start: String(seconds - 600), end, step: '30s' }),
    stepped({ start, end: start, step: '5s' }),
    ...['7', '7s', ''].map((step) => ({ path: 'query', params: { query: rate, time: end, step } })),
    { path: 'query', params: { query: rate, time: String(seconds + 30) } },
    { path: 'query', params: { query: rate, time: `${seconds + 30}.5` } },
    { path: 'query', params: { query: rate, time: iso(from + 30n * SECOND) } },
    { path: 'query', params: { query: rate, time: end, limit: '1' } },
    { path: 'query', params: { query: rate } },
  ];
};

/** Labels, their values and series. */
const names = (from: Nanos): Case[] => {
  const window = windowFrom(from);
  // Before all lines, and no more than the two and a half hours ago for which ingesters are asked.
  const elsewhere = { start: String(from - 1200n * SECOND), end: String(from - 600n * SECOND) };
  const selectors = [
    '{app="web"}',
    '{app=~"gen-.*"}',
    '{app="nobody"}',
    '{env="dev", app!="steady"}',
    '{app="odd"}',
    '{app="meta"}',
  ];
  const values = ['app', 'env', 'pod', 'what', 'zone', 'nothing', 'nobody', 'trace_id'];
  return [
    { path: 'labels', params: window },
    { path: 'label', params: window },
    { path: 'labels', params: elsewhere },
    { path: 'labels', params: { since: '3h' } },
    ...selectors.map((query) => ({ path: 'labels', params: { ...window, query } })),
    ...values.map((name) => ({ path: `label/${name}/values`, params: window })),
    { path: 'label/app/values', params: elsewhere },
    { path: 'label/app/values', params: { since: '3h' } },
    ...selectors.map((query) => ({ path: 'label/app/values', params: { ...window, query } })),
    ...selectors.map((one) => ({ path: 'series', params: { ...window, 'match[]': one } })),
    ...selectors.map((one) => ({ path: 'series', params: { ...window, match: one } })),
    { path: 'series', params: { ...window, 'match[]': ['{app="web"}', '{app="pay"}', '{env="prod"}'] } },
    { path: 'series', params: { ...elsewhere, 'match[]': '{app="web"}' } },
    { path: 'series', params: window },
  ];
};

const BROKEN = [
  '',
  ' ',
  'foo',
  '{',
  '}',
  '{}',
  '{a="b"',
  '{a=b}',
  "{a='b'}",
  '{a="b",}',
  '{a="b" c="d"}',
  '{="b"}',
  '{a=~".*"}',
  '{a!="b"}',
  '{a=""}',
  '{a="b"} |',
  '{a="b"} |=',
  '{a="b"} |= foo',
  '{a="b"} |= "x" or',
  '{a="b"} "x"',
  '{a="b"} | foo',
  '{a="b"} | foo bar',
  '{a="b"} | json |',
  '{a="b"} | json foo bar',
  '{a="b"} | json x="["',
  '{a="b"} | logfmt --wrong',
  '{a="b"} | json | status >',
  '{a="b"} | json | status = "5" and',
  '{a="b"} | json | (status = 5',
  '{a="b"} | line_format',
  '{a="b"} | line_format x',
  '{a="b"} | label_format',
  '{a="b"} | label_format a',
  '{a="b"} | label_format a=b, a=c',
  '{a="b"} | label_format __error__=b',
  '{a="b"} | drop',
  '{a="b"} | unwrap x',
  '{a="b"} != 5',
  'rate({a="b"})',
  'rate({a="b"}[5m)',
  'rate({a="b"}[5])',
  'rate({a="b"}[])',
  'rate([5m])',
  'rate()',
  'rate',
  'rate({a="b"}[5m] offset)',
  'rate({a="b"}[5m]',
  'wrong({a="b"}[5m])',
  'sum({a="b"})',
  'sum()',
  'sum by (x) {a="b"}',
  'sum(count_over_time({a="b"}[1m])) by',
  'sum(count_over_time({a="b"}[1m])) by x',
  'sum by (app) (rate({a="b"}[1m])) by (env)',
  'topk(rate({a="b"}[1m]))',
  'topk(0, rate({a="b"}[1m]))',
  'sum(5, rate({a="b"}[1m]))',
  'avg_over_time({a="b"}[1m])',
  'count_over_time({a="b"} | unwrap x [1m])',
  'rate({a="b"}[1m]) by (a)',
  'sum_over_time({a="b"} | unwrap x [1m]) by (a)',
  'quantile_over_time({a="b"} | unwrap x [1m])',
  'quantile_over_time(0.5, {a="b"}[1m])',
  'rate({a="b"}[1m]) +',
  '+ rate({a="b"}[1m])',
  'rate({a="b"}[1m]) + {a="b"}',
  '{a="b"} + 1',
  '1 +',
  '5m',
  '"text"',
  '{a=~"("}',
  '{a=~"[z-a]"}',
  '{a="b"} |~ "("',
  '{a="b"} |~ "a**"',
  '{a="b"} |~ "(?=x)"',
  '{a="b"} |~ "(?<!x)"',
  '{a="b"} |~ `(a)\\1`',
  '{a="b"} | json | level=~"("',
  '{a="b"}\n | json foo bar',
  '{a="b"} | json\n| logfmt\n  |= ',
];

const badParameters = (from: Nanos): Case[] => {
  const { start, end } = windowFrom(from);
  const query = '{app="web"}';
  const rate = 'rate({app="web"}[1m])';
  const range = (more: Params): Case => ({ path: 'query_range', params: { query, start, end, ...more } });
  return [
    ...['0', '-1', '5001', 'x', '1.5', '1e2', ' 5'].map((limit) => range({ limit })),
    ...['sideways', 'up', '1'].map((direction) => range({ direction })),
    ...['yesterday', '2026', '2026-11-21', '12:00', '1.2.3', '-', '1e9'].map((text) => range({ start: text })),
    range({ start: end, end: start }),
    range({ end: 'now' }),
    range({ since: 'x' }),
    range({ start: '', since: '5x' }),
    range({ start: '', since: '10' }),
    range({ start: '', since: '-5m' }),
    range({ start: '0' }),
    ...['0', '-1', 'x', '0s', '-5s', '1ms', '1x'].map((step) => range({ query: rate, step })),
    { path: 'query', params: { query, time: end } },
    { path: 'query', params: { query: rate, time: 'soon' } },
    { path: 'query', params: { query: rate, time: end, limit: '0' } },
    { path: 'query', params: { query: rate, time: end, direction: 'sideways' } },
    { path: 'query_range', params: {} },
    { path: 'query', params: {} },
    { path: 'labels', params: { start: 'x' } },
    { path: 'labels', params: { start: end, end: start } },
    { path: 'labels', params: { start, end, query: '{a=' } },
    { path: 'labels', params: { start, end, query: 'rate({a="b"}[1m])' } },
    { path: 'label/app/values', params: { start, end, query: '{a=' } },
    { path: 'label/app/values', params: { end: 'x' } },
    { path: 'series', params: { start, end, 'match[]': '{a=' } },
    { path: 'series', params: { start, end, 'match[]': '{a="b"} |= "x"' } },
    { path: 'series', params: { start, end, 'match[]': 'rate({a="b"}[1m])' } },
    { path: 'series', params: { start, end, 'match[]': '{}' } },
    { path: 'series', params: { start: end, end: start, 'match[]': '{a="b"}' } },
    { path: 'nowhere', params: {} },
  ];
};

export const groups = (from: Nanos): Group[] => {
  const window = windowFrom(from);
  return [
    { name: 'log queries', cases: LOGS.flatMap((query) => logs(window, query)) },
    { name: 'metric queries', cases: METRICS.flatMap((query) => metrics(window, query)) },
    { name: 'windows, limits, steps and directions', cases: parameters(from) },
    { name: 'labels, values and series', cases: names(from) },
    {
      name: 'queries that are none',
      cases: BROKEN.map((query) => ({ path: 'query_range', params: { query, ...window } })),
    },
    { name: 'parameters that are none', cases: badParameters(from) },
  ];
};

/** The cases of queries that are known to be answered otherwise. */
export const known = (from: Nanos, queries: readonly string[]): Group => {
  const window = windowFrom(from);
  return { name: 'known differences', cases: queries.flatMap((query) => metrics(window, query).slice(0, 1)) };
};

/** A generated query of either kind, as it is asked. */
export const generated = (from: Nanos, logQueries: readonly string[], metricQueries: readonly string[]): Group[] => {
  const window = windowFrom(from);
  return [
    { name: 'generated log queries', cases: logQueries.flatMap((query) => logs(window, query).slice(1)) },
    { name: 'generated metric queries', cases: metricQueries.flatMap((query) => metrics(window, query)) },
  ];
};
