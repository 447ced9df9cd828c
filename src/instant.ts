// One instant query to Prometheus or Loki, for a scenario's own expectations.
import { request } from 'undici';
import { Unreachable } from './errors.ts';
import type { Nanos } from './model.ts';

type Sample = { readonly value: readonly [number, string] };

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
  const values = body.data.result.map((one) => Number(one.value[1])).filter((value) => !Number.isNaN(value));
  return values.length > 0 ? Math.max(...values) : null;
};

const parse = (text: string): { readonly data: { readonly result: readonly Sample[] } } | null => {
  try {
    const body = JSON.parse(text) as { data?: { result?: unknown } };
    return Array.isArray(body.data?.result) ? (body as { data: { result: Sample[] } }) : null;
  } catch {
    return null;
  }
};
