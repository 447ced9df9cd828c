// One instant query to Prometheus or Loki, for a scenario's own expectations.
import { request } from 'undici';
import { Unreachable } from './errors.ts';
import type { Nanos } from './model.ts';

type Point = readonly [time: number, value: string];

/** The largest value of the answer, or null when it is empty. Throws Unreachable with the backend's own words. */
export const instant = async (
  kind: 'promql' | 'logql',
  base: string | null,
  query: string,
  at: Nanos,
): Promise<number | null> => {
  if (!base) throw new Unreachable(`${kind}: there is no backend to ask`);
  const path = kind === 'promql' ? '/api/v1/query' : '/loki/api/v1/query';
  const time = kind === 'promql' ? String(Number(at) / 1e9) : String(at);
  const response = await request(`${base}${path}?${new URLSearchParams({ query, time })}`, {
    headersTimeout: 5000,
    bodyTimeout: 5000,
  });
  const text = await response.body.text();
  const body = parse(text);
  if (response.statusCode !== 200 || !body)
    throw new Unreachable(`${kind} ${query}: ${base} answers ${response.statusCode}: ${text.slice(0, 200)}`);
  const values = points(body.data).map(([, value]) => finite(value));
  const numbers = values.filter((value) => !Number.isNaN(value));
  return numbers.length > 0 ? numbers.reduce((a, b) => Math.max(a, b)) : null;
};

/** Prometheus writes `+Inf`; a file of JSON has no infinity, so the largest number stands for it. */
const finite = (value: string): number =>
  /^[+-]Inf$/.test(value) ? Number(`${value[0]}1`) * Number.MAX_VALUE : Number(value);

/** One point for each series; a scalar is one by itself. Ranges and log lines have no value of the moment. */
const points = ({ resultType, result }: Data): Point[] => {
  if (resultType === 'scalar') return [result as unknown as Point];
  if (resultType === 'vector') return result.map(({ value }) => value);
  throw new Unreachable(`the query gives a ${resultType}, which has no value of the moment; ask for an instant vector`);
};

type Data = { readonly resultType: string; readonly result: readonly { readonly value: Point }[] };

const parse = (text: string): { readonly data: Data } | null => {
  try {
    const body = JSON.parse(text) as { data?: { result?: unknown } };
    return Array.isArray(body.data?.result) ? (body as { data: Data }) : null;
  } catch {
    return null;
  }
};
