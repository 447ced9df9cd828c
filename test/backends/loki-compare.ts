// One question put to both Lokis, and their answers made comparable.
import { request } from 'undici';

/** A question: what is asked, where and with which parameters; a list repeats a parameter. */
export type Case = {
  readonly path: string;
  readonly params: Readonly<Record<string, string | readonly string[]>>;
};
export type Answer = { readonly status: number; readonly type: string; readonly body: string };
/** What both said; `lab` and `real` are in a form in which equal answers are equal texts. */
export type Compared = { readonly asked: Case; readonly lab: string; readonly real: string };

const PREFIX = '/loki/api/v1/';

export const queryString = ({ params }: Case): string =>
  new URLSearchParams(
    Object.entries(params).flatMap(([name, value]) => [value].flat().map((one) => [name, one] as [string, string])),
  ).toString();

export const ask = async (url: string, asked: Case): Promise<Answer> => {
  const { statusCode, headers, body } = await request(`${url}${PREFIX}${asked.path}?${queryString(asked)}`);
  return { status: statusCode, type: String(headers['content-type'] ?? ''), body: await body.text() };
};

/** Asks both. */
export const compare = async (labUrl: string, realUrl: string, asked: Case): Promise<Compared> => {
  const [lab, real] = await Promise.all([ask(labUrl, asked), ask(realUrl, asked)]);
  return { asked, lab: comparable(lab), real: comparable(real) };
};

type Row = {
  readonly stream?: Record<string, string>;
  readonly metric?: Record<string, string>;
  readonly values?: readonly [unknown, string][];
  readonly value?: [unknown, string];
};

const labels = (of: object): string => JSON.stringify(Object.entries(of).sort(([a], [b]) => (a < b ? -1 : 1)));

// The order in which floating point numbers are added is Loki's own affair: it shards. The last digits depend on it.
const number = (text: string): string =>
  Number.isFinite(Number(text)) ? String(Number(Number(text).toPrecision(11))) : text;
const sample = ([at, text]: [unknown, string]): string => `${at} ${number(text)}`;

/** Lines of one instant in the order of their texts: which of several streams comes first then is left open. */
const tied = (values: readonly [unknown, string][]): [unknown, string][] =>
  [...Map.groupBy(values, ([at]) => at).values()].flatMap((same) => same.sort(([, a], [, b]) => (a < b ? -1 : 1)));

const row = (one: Row): string => {
  const head = labels(one.stream ?? one.metric ?? {});
  if (one.stream)
    return `${head}\n${tied(one.values ?? [])
      .map((value) => `  ${JSON.stringify(value)}`)
      .join('\n')}`;
  return `${head}\n${[...(one.values ?? []), ...(one.value ? [one.value] : [])].map((value) => `  ${sample(value)}`).join('\n')}`;
};

/** Status, type and body as one text: rows in the order of their labels, numbers to eleven digits, no statistics. */
export const comparable = ({ status, type, body }: Answer): string => `${status} ${type}\n${said(body)}`;

const said = (body: string): string => {
  if (!body.startsWith('{')) return body.trimEnd();
  const { status, data, ...rest } = JSON.parse(body);
  return [status, JSON.stringify(rest), ...content(data)].join('\n');
};

const content = (data: { resultType: string; result: unknown } | unknown[] | undefined): string[] => {
  if (data === undefined || data === null) return ['no data'];
  if (Array.isArray(data))
    return data.map((one) => (typeof one === 'object' ? labels(one as object) : String(one))).sort();
  if (data.resultType === 'scalar') return ['scalar', sample(data.result as [unknown, string])];
  return [data.resultType, ...(data.result as Row[]).map(row).sort()];
};
