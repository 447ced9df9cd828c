// One instant query to Prometheus or Loki, for a scenario's own expectations.
import { z } from 'zod';
import { address, clockTrouble, getJson } from './connection.ts';
import type { Access } from './credentials.ts';
import { oneLine, Unreachable } from './errors.ts';
import type { Nanos } from './model.ts';

const PATIENCE_MS = 5000;
const SHOWN = 200;

const point = z.tuple([z.number(), z.string()]);
const answer = z.object({ data: z.object({ resultType: z.string(), result: z.array(z.unknown()) }) });
const vector = z.array(z.object({ value: point }));

/** The largest value of the answer, or null when it is empty. Throws Unreachable with the backend's own words. */
export const instant = async (
  kind: 'promql' | 'logql',
  base: string | null,
  query: string,
  at: Nanos,
  access?: Access,
): Promise<number | null> => {
  if (!base) throw new Unreachable(`${kind}: there is no backend to ask`);
  const path = kind === 'promql' ? '/api/v1/query' : '/loki/api/v1/query';
  const time = kind === 'promql' ? String(Number(at) / 1e9) : String(at);
  const asked = `${kind} ${query}: ${base}`;
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const told = await getJson(address(base, path, { query, time }), signal, access).catch((error: unknown) => {
    throw new Unreachable(`${asked}: ${oneLine(error)}`);
  });
  const { status, body, skewMs } = told;
  const parsed = answer.safeParse(body);
  if (status !== 200 || !parsed.success)
    throw new Unreachable(`${asked}: HTTP ${status}: ${JSON.stringify(body).slice(0, SHOWN)}`);
  const clock = clockTrouble(skewMs);
  if (clock) throw new Unreachable(`${asked}: ${clock}`);
  const numbers = points(parsed.data.data).filter((value) => !Number.isNaN(value));
  return numbers.length > 0 ? numbers.reduce((a, b) => Math.max(a, b)) : null;
};

/** Prometheus writes `+Inf`; a file of JSON has no infinity, so the largest number stands for it. */
const finite = (value: string): number =>
  /^[+-]Inf$/.test(value) ? Number(`${value[0]}1`) * Number.MAX_VALUE : Number(value);

type Data = z.output<typeof answer>['data'];

/** One value for each series; a scalar is one by itself. Ranges and log lines have no value of the moment. */
const points = ({ resultType, result }: Data): number[] => {
  const found = resultType === 'scalar' ? [{ value: result }] : resultType === 'vector' ? result : null;
  if (!found)
    throw new Unreachable(
      `the query gives a ${resultType}, which has no value of the moment; ask for an instant vector`,
    );
  const parsed = vector.safeParse(found);
  if (!parsed.success) throw new Unreachable(`the query gives a ${resultType} without values, such as histograms`);
  return parsed.data.map(({ value: [, text] }) => finite(text));
};
