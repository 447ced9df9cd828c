// The lab's log store against a real Loki: the same lines into both, the same questions to both, the same answers.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { request } from 'undici';
import { until } from '../../src/poll.ts';
import { type LogStore, startLogStore } from '../../src/targets/lab/log-store.ts';
import { SECOND, systemClock } from '../../src/time.ts';
import type { Real } from '../live/real.ts';
import { ALLOWED, explains } from './loki-allowed.ts';
import { type Group, generated, groups, known } from './loki-cases.ts';
import { ask, type Case, type Compared, compare, queryString } from './loki-compare.ts';
import { logQuery, metricQuery } from './loki-grammar.ts';
import { type Push, pushes } from './loki-pushes.ts';
import { lokiAsPushed, versionOf } from './loki-server.ts';
import { builtFrom, missing } from './servers.ts';

const SEED = Number(process.env.FIREDRILL_SEED ?? 20_261);
const HOUR = 3600n * SECOND;
// The hour before this one: nothing that is still to come, and no border of an hour, at which Loki splits queries.
const FROM = (systemClock.now() / HOUR - 1n) * HOUR + 600n * SECOND;

const ALL: readonly Group[] = [
  ...groups(FROM),
  known(
    FROM,
    ALLOWED.flatMap(({ queries = [] }) => queries),
  ),
  ...generated(
    FROM,
    fc.sample(logQuery, { seed: SEED, numRuns: 300 }),
    fc.sample(metricQuery, { seed: SEED, numRuns: 250 }),
  ),
];

const why = missing('loki');
const name = `the log store answers as Loki does (FIREDRILL_SEED=${SEED})`;

(why ? describe.skip : describe)(why ? `${name} # ${why}` : name, () => {
  let lab: LogStore;
  let real: Real;
  const loki = (): string => real.at.loki!;
  const used = new Map<string, number>();
  let [asked, unexplained] = [0, 0];

  const push = async (url: string, body: string | Buffer, type = 'application/json'): Promise<number> => {
    const answer = await request(`${url}/loki/api/v1/push`, {
      method: 'POST',
      headers: { 'content-type': type },
      body,
    });
    await answer.body.dump();
    return answer.statusCode;
  };

  /** What is told of a difference: enough to ask again. */
  const told = ({ asked, lab, real }: Compared): string =>
    `${asked.path}?${decodeURIComponent(queryString(asked))}\nlab:  ${lab.slice(0, 1500)}\nreal: ${real.slice(0, 1500)}`;

  const difference = async (one: Case): Promise<string[]> => {
    const compared = await compare(lab.url, loki(), one);
    asked++;
    if (compared.lab === compared.real) return [];
    const reasons = explains(compared);
    for (const reason of reasons) used.set(reason.name, (used.get(reason.name) ?? 0) + 1);
    if (reasons.length > 0) return [];
    unexplained++;
    return [told(compared)];
  };

  const lines = async (url: string): Promise<number> => {
    const everything = { query: '{app=~".+"}', start: String(FROM), end: String(FROM + 60n * SECOND), limit: '5000' };
    const { data } = JSON.parse((await ask(url, { path: 'query_range', params: everything })).body);
    return data.result.reduce((sum: number, { values }: { values: unknown[] }) => sum + values.length, 0);
  };

  beforeAll(async () => {
    lab = await startLogStore({ host: '127.0.0.1', port: 0, maxBytes: 1e8 });
    real = await lokiAsPushed();
    for (const one of pushes(FROM, SEED)) {
      const body = JSON.stringify(one);
      expect([await push(lab.url, body), await push(loki(), body)]).toEqual([204, 204]);
    }
    const all = await lines(lab.url);
    await until('what was pushed', async () => ((await lines(loki())) === all ? true : null), {
      forMs: 30_000,
      everyMs: 200,
    });
  }, 90_000);

  afterAll(async () => {
    const version = real ? await versionOf(loki()).catch(() => '') : '';
    process.stdout.write(
      `loki: ${asked} queries compared with Loki ${version || (await builtFrom('loki')) || 'of a version unknown'}, ${unexplained} differences beyond the ${ALLOWED.length} allowed\n`,
    );
    await real?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
  }, 30_000);

  test.each(ALL.map((group) => [group.name, group] as const))(
    '%s',
    async (_, { cases }) => {
      const differences: string[] = [];
      for (const one of cases) differences.push(...(await difference(one)));
      expect(differences).toEqual([]);
    },
    180_000,
  );

  test('lines of one instant in one stream come in the same order', async () => {
    const one = { query: '{app="instant", env="dev"}', start: String(FROM), end: String(FROM + 60n * SECOND) };
    for (const direction of ['forward', 'backward']) {
      const params = { ...one, direction };
      const [ours, theirs] = await Promise.all(
        [lab.url, loki()].map(
          async (url) => JSON.parse((await ask(url, { path: 'query_range', params })).body).data.result,
        ),
      );
      expect(ours).toEqual(theirs);
      asked++;
    }
  });

  test('without a word about time both answer for the last hour', async () => {
    const now = systemClock.now() - 30n * SECOND;
    const values = [0n, 1n, 2n].map((n) => [String(now + n), `recent ${n}`] as const);
    const body = JSON.stringify({ streams: [{ stream: { app: 'recent' }, values }] } satisfies Push);
    expect([await push(lab.url, body), await push(loki(), body)]).toEqual([204, 204]);
    const one = { path: 'query_range', params: { query: '{app="recent"}' } };
    const both = await until(
      'the recent lines',
      async () => {
        const compared = await compare(lab.url, loki(), one);
        return compared.real.includes('recent 2') ? compared : null;
      },
      { forMs: 30_000, everyMs: 200 },
    );
    expect(both.lab).toBe(both.real);
    asked++;
  });

  test.each([
    ['no JSON', 'nope'],
    ['no object', '[]'],
    ['a time that is no string', '{"streams":[{"stream":{"a":"b"},"values":[[1,"x"]]}]}'],
    ['a time that is no number', '{"streams":[{"stream":{"a":"b"},"values":[["now","x"]]}]}'],
    ['no labels', `{"streams":[{"stream":{},"values":[["${FROM}","x"]]}]}`],
    ['metadata that is no string', `{"streams":[{"stream":{"a":"b"},"values":[["${FROM}","x",{"c":{}}]]}]}`],
    ['a line that is no string', `{"streams":[{"stream":{"a":"b"},"values":[["${FROM}",1]]}]}`],
    [
      'too long a line',
      JSON.stringify({ streams: [{ stream: { a: 'b' }, values: [[String(FROM), 'x'.repeat(262_145)]] }] }),
    ],
  ])('a push with %s is refused by both', async (_, body) => {
    expect([await push(lab.url, body), await push(loki(), body)]).toEqual([400, 400]);
  });

  test('every allowed difference occurs', () => {
    expect(ALLOWED.map((one) => one.name).filter((one) => !used.has(one))).toEqual([]);
  });
});
