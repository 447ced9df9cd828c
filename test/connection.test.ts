// Claims about one question over HTTP: whatever comes in place of an answer is one line, soon, and in bounded memory.
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ClientSection } from '../src/access.ts';
import { address, clockTrouble, getJson, TooLong } from '../src/connection.ts';
import { access } from '../src/credentials.ts';
import { oneLine, Unreachable } from '../src/errors.ts';
import {
  atAnotherTime,
  endless,
  latin1,
  type Misbehaving,
  misbehaving,
  page,
  refusing,
  stalled,
  truncated,
} from './helpers/misbehaving.ts';
import { NOBODY } from './targets/lab/listener.ts';

type Sends = typeof endless;

const opened: Misbehaving[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one[Symbol.asyncDispose]();
});
/** Does the first thing at the first request, and so on; the last one at all further ones. */
const backend = async (...sends: readonly Sends[]): Promise<Misbehaving> => {
  let n = 0;
  const one = await misbehaving((_, response) => sends[Math.min(n++, sends.length - 1)]!(response));
  opened.push(one);
  return one;
};
const json =
  (body: unknown, headers: Readonly<Record<string, string>> = {}): Sends =>
  (response) => {
    response
      .writeHead(200, headers)
      .end(typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body));
  };
const never = new AbortController().signal;
const ask = async (url: string, signal = never, client: Partial<ClientSection> = {}) =>
  getJson(url, signal, access('backends.loki', { headers: {}, ...client }));
/** A busy machine needs some of it to read what a server has sent at once. */
const lookOf2s = (): AbortSignal => AbortSignal.timeout(2000);

/** What a failed question says. It is always Unreachable and one line. */
const why = async (sends: Sends, signal = never, client: Partial<ClientSection> = {}): Promise<string> => {
  const { url } = await backend(sends);
  const error = await ask(url, signal, client).then(
    () => 'an answer',
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Unreachable);
  expect(oneLine(error)).not.toContain('\n');
  return oneLine(error);
};

describe('an answer', () => {
  test('is its JSON and its status, whatever that is', async () => {
    const { url } = await backend((response) => void response.writeHead(404).end('{"error":"none"}'));
    expect(await ask(url)).toEqual({ status: 404, body: { error: 'none' }, skewMs: 0 });
  });

  test('may come in gzip, which is asked for', async () => {
    const one = await backend(json(gzipSync('{"a":"ü"}'), { 'content-encoding': 'gzip' }));
    expect((await ask(one.url)).body).toEqual({ a: 'ü' });
    expect(one.got[0]!.headers['accept-encoding']).toBe('gzip');
  });

  test('may have every JSON value in it', async () => {
    let said: unknown = null;
    const one = await backend((response) => json(JSON.stringify(said))(response));
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        said = value;
        expect((await ask(one.url)).body).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 50 },
    );
  });
});

describe('what is no answer is told in one line', () => {
  test.each([
    ['HTML', page, /^HTTP 200 with HTML instead of JSON$/],
    ['nothing', json(''), /^HTTP 200 with an empty body instead of JSON$/],
    ['half a JSON', json('{"data":['), /^HTTP 200 with broken or cut off JSON: \{"data":\[$/],
    ['a text', json('ready'), /^HTTP 200 with a text instead of JSON: ready$/],
    ['an error in plain text', refusing(400, {}, 'parse error\nat 1:2'), /^HTTP 400: parse error at 1:2$/],
    ['a body that ends early', truncated, /^HTTP 200, of whose body only 9 bytes came before the connection ended$/],
    ['bytes that are not UTF-8', latin1, /^HTTP 200 with bytes that are not UTF-8$/],
    [
      'broken gzip',
      json('not gzip', { 'content-encoding': 'gzip' }),
      /^HTTP 200 with broken gzip: .*incorrect header check$/,
    ],
    [
      'gzip that ends early',
      json(gzipSync('{"a":1}').subarray(0, -9), { 'content-encoding': 'gzip' }),
      /^HTTP 200, of whose body only \d+ bytes came before the connection ended$/,
    ],
    [
      'another encoding',
      json('x', { 'content-encoding': 'br' }),
      /^HTTP 200 in an encoding that was not asked for: br$/,
    ],
    [
      'a redirect',
      refusing(302, { location: 'https://sso.example/login?next=/secret' }),
      /^HTTP 302 to another place \(https:\/\/sso\.example\/login\)/,
    ],
  ] as [string, Sends, RegExp][])('%s', async (_, sends, words) => {
    expect(await why(sends)).toMatch(words);
  });

  test('nobody there', async () => {
    await expect(ask(NOBODY)).rejects.toThrow(/^no answer: .*connect ECONNREFUSED/);
  });

  test('a server that ends the connection instead of answering', async () => {
    expect(await why((response) => response.destroy())).toMatch(/^no answer: /);
  });
});

describe('an answer is bounded', () => {
  test('in bytes: one that streams for ever is left soon after 32 MB', async () => {
    let sent = 0;
    const counted: Sends = (response) => {
      endless(response);
      response.on('close', () => {
        sent = response.socket?.bytesWritten ?? sent;
      });
    };
    expect(await why(counted)).toBe('HTTP 200 with more than 32 MB');
    expect(sent).toBeLessThan(64 * 2 ** 20);
  });

  test('in bytes: one of 50 MB is too long, and says so by its kind', async () => {
    const { url } = await backend(json(`["${'a'.repeat(50e6)}"]`));
    await expect(ask(url)).rejects.toBeInstanceOf(TooLong);
  });

  test('in bytes after decompression: 200 kB of gzip that are 200 MB', async () => {
    expect(await why(json(gzipSync(Buffer.alloc(200e6)), { 'content-encoding': 'gzip' }))).toBe(
      'HTTP 200 with more than 32 MB',
    );
  });

  test('in time: one that stalls ends with the look, and says how far it came', async () => {
    expect(await why(stalled, lookOf2s())).toBe(
      'HTTP 200, of whose body only 9 bytes came: the time of this look is over',
    );
  });

  test('in time: no answer at all ends with the look', async () => {
    expect(await why(() => undefined, AbortSignal.timeout(200))).toBe('no answer: the time of this look is over');
  });

  test('in time, whatever a look has: after 10 s', async () => {
    expect(await why(stalled)).toBe('HTTP 200, of whose body only 9 bytes came within 10 s');
  }, 15_000);
});

describe('a server that wants to be asked later', () => {
  test.each([429, 503])('with %i and a number of seconds is asked again then', async (status) => {
    const one = await backend(refusing(status, { 'retry-after': '1' }), json({ a: 1 }));
    const begun = performance.now();
    expect((await ask(one.url)).body).toEqual({ a: 1 });
    expect(performance.now() - begun).toBeGreaterThan(950);
    expect(one.got).toHaveLength(2);
  });

  test('at a date is asked again then, by its own clock', async () => {
    const [date, later] = ['Sat, 21 Nov 2026 07:00:00 GMT', 'Sat, 21 Nov 2026 07:00:01 GMT'];
    const byDate: Sends = (response) => {
      response.sendDate = false;
      refusing(503, { date, 'retry-after': later })(response);
    };
    const one = await backend(byDate, json({ a: 1 }));
    expect((await ask(one.url)).body).toEqual({ a: 1 });
    expect(one.got).toHaveLength(2);
  });

  test('later than there is time is not waited for, and its words are kept', async () => {
    const begun = performance.now();
    expect(await why(refusing(429, { 'retry-after': '120' }))).toBe('HTTP 429, to be asked again in 120 s: slow down');
    expect(performance.now() - begun).toBeLessThan(5000);
  });

  test('when the look is over first, its words are kept', async () => {
    expect(await why(refusing(503, { 'retry-after': '5' }), lookOf2s())).toBe(
      'HTTP 503, to be asked again in 5 s: slow down',
    );
  });

  test('without saying when is not asked again', async () => {
    const one = await backend(refusing(503));
    await expect(ask(one.url)).rejects.toThrow('HTTP 503: slow down');
    expect(one.got).toHaveLength(1);
  });
});

describe('a refused credential', () => {
  const TOKEN = 'tok-5ecr3t';
  const echo: Sends = (response) =>
    void response.writeHead(403).end(`no such token: ${response.req.headers.authorization}`);

  test.each([401, 403])('with %i says that none was sent, and where one is said', async (status) => {
    expect(await why(refusing(status, {}, 'who are you?'))).toBe(
      `HTTP ${status} and no credential was sent, for backends.loki of the profile names none: who are you?`,
    );
  });

  test('is named, never shown, though the server repeats it', async () => {
    process.env.TEST_TOKEN = TOKEN;
    const said = await why(echo, never, { bearerTokenEnv: 'TEST_TOKEN' });
    expect(said).toBe('HTTP 403 to the bearer token from $TEST_TOKEN: no such token: Bearer …');
  });

  test('is not in the JSON of a refusal either', async () => {
    process.env.TEST_TOKEN = TOKEN;
    const { url } = await backend(refusing(400, {}, JSON.stringify({ error: `bad ${TOKEN}` })));
    expect((await ask(url, never, { bearerTokenEnv: 'TEST_TOKEN' })).body).toEqual({ error: 'bad …' });
  });
});

describe("a server's clock", () => {
  test.each([
    [3_600_000, /^its clock is 3(600|599|601) s ahead of ours/],
    [-3_600_000, /^its clock is 3(600|599|601) s behind ours/],
  ])('that is %i ms off is told', async (aheadMs, words) => {
    const { url } = await backend(atAnotherTime(aheadMs, '{}'));
    expect(clockTrouble((await ask(url)).skewMs)).toMatch(words);
  });

  test('is right when its second lies between asking and answering, however long that takes', async () => {
    const { url } = await backend((response) => void setTimeout(() => json({})(response), 1500));
    expect((await ask(url)).skewMs).toBe(0);
  });

  test('can’t be seen through a cache, or without a date', async () => {
    const cached = await backend(json({}, { date: 'Sat, 21 Nov 2020 07:00:00 GMT', age: '60' }));
    expect((await ask(cached.url)).skewMs).toBe(0);
    expect(clockTrouble(0)).toBeNull();
  });
});

test('an address keeps a path prefix, and quotes in parameters', () => {
  expect(address('http://h/prefix/', '/api', { query: '{a="b\\"c"}' })).toBe(
    'http://h/prefix/api?query=%7Ba%3D%22b%5C%22c%22%7D',
  );
});
