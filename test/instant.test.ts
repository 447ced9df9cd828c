import { afterEach, describe, expect, test } from '@jest/globals';
import { Unreachable } from '../src/errors.ts';
import { instant } from '../src/instant.ts';
import { fromIso } from '../src/time.ts';
import { atAnotherTime, misbehaving } from './helpers/misbehaving.ts';
import { HTML, type Listener, listener, NOBODY, type Says } from './targets/lab/listener.ts';

const AT = fromIso('2026-11-21T07:00:00.250Z');
const backends: Listener[] = [];
afterEach(async () => {
  for (const one of backends.splice(0)) await one[Symbol.asyncDispose]();
});

const backend = async (says: Says): Promise<Listener> => {
  const one = await listener(() => says);
  backends.push(one);
  return one;
};
const data = (resultType: string, result: unknown): Says => ({
  status: 200,
  body: JSON.stringify({ status: 'success', data: { resultType, result } }),
});
const vector = (...values: string[]): Says =>
  data(
    'vector',
    values.map((value) => ({ metric: {}, value: [1763708400.25, value] })),
  );
const ask = async (says: Says, query = 'sum(up)') => instant('promql', (await backend(says)).url, query, AT);

describe('an instant query', () => {
  test('asks Prometheus for the moment in seconds and Loki for it in nanoseconds', async () => {
    const one = await backend(vector('1'));
    await instant('promql', one.url, 'sum(up{a="b"})', AT);
    await instant('logql', one.url, 'rate({a="b"}[5s])', AT);
    const [prometheus, loki] = one.got.map(({ url }) => new URL(url, one.url));
    expect([prometheus!.pathname, prometheus!.searchParams.get('query'), prometheus!.searchParams.get('time')]).toEqual(
      ['/api/v1/query', 'sum(up{a="b"})', String(Number(AT) / 1e9)],
    );
    expect([loki!.pathname, loki!.searchParams.get('query'), loki!.searchParams.get('time')]).toEqual([
      '/loki/api/v1/query',
      'rate({a="b"}[5s])',
      String(AT),
    ]);
  });

  test.each([
    [['3'], 3],
    [['3', '7', '-1'], 7],
    [['NaN', '2'], 2],
    [['+Inf', '2'], Number.MAX_VALUE],
    [['-Inf'], -Number.MAX_VALUE],
    [['NaN'], null],
    [[], null],
  ])('gives the largest value of %j', async (values, largest) => {
    expect(await ask(vector(...values))).toBe(largest);
  });

  test('gives a scalar as it is', async () => {
    expect(await ask(data('scalar', [1763708400.25, '42']))).toBe(42);
  });

  test.each(['matrix', 'streams', 'string'])('that gives a %s is refused with what to ask instead', async (type) => {
    await expect(ask(data(type, []))).rejects.toThrow(
      new Unreachable(`the query gives a ${type}, which has no value of the moment; ask for an instant vector`),
    );
  });

  test.each([
    [
      { status: 400, body: '{"status":"error","errorType":"bad_data","error":"parse error"}' },
      /HTTP 400: .*parse error/,
    ],
    [HTML, /HTTP 200 with HTML instead of JSON/],
    [{ status: 200, body: '{"data":{"resu' }, /HTTP 200 with broken or cut off JSON/],
    [{ status: 503, body: '' }, /HTTP 503 with an empty body/],
  ])('that is answered by %j is Unreachable with the backend’s own words', async (says, words) => {
    const asked = ask(says);
    await expect(asked).rejects.toThrow(words);
    await expect(asked).rejects.toBeInstanceOf(Unreachable);
  });

  test('of a backend whose clock is an hour off is no answer: the moment asked about is another one there', async () => {
    const late = await misbehaving((_, response) => atAnotherTime(-3_600_000, vector('1').body!)(response));
    await expect(instant('promql', late.url, 'up', AT)).rejects.toThrow(/its clock is 3\d\d\d s behind ours/);
    await late[Symbol.asyncDispose]();
  });

  test('to nobody fails, and without a backend says so', async () => {
    await expect(instant('promql', NOBODY, 'up', AT)).rejects.toThrow('ECONNREFUSED');
    await expect(instant('logql', null, 'up', AT)).rejects.toThrow(
      new Unreachable('logql: there is no backend to ask'),
    );
  });
});
