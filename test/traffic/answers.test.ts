import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { answers } from '../../src/traffic/answers.ts';
import { Malformed } from '../../src/traffic/failure.ts';

type Read = { status: number | null; reusable: boolean };

/** What a connection's bytes say to one request; cut into pieces at the given places. */
const read = (text: string, { method = 'GET', cuts = [] as readonly number[], closed = false } = {}): Read => {
  const one = answers();
  one.await(method);
  const bytes = Buffer.from(text, 'latin1');
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  let status: number | null = null;
  for (let i = 1; i < places.length && status === null; i += 1) {
    const piece = bytes.subarray(places[i - 1], places[i]);
    if (piece.length > 0) status = one.push(piece);
  }
  if (closed) status ??= one.end();
  return { status, reusable: one.reusable() };
};

const word = (text: string, method = 'GET'): string => {
  try {
    read(text, { method });
    return 'none';
  } catch (error) {
    return error instanceof Malformed ? error.message : `no word: ${error}`;
  }
};

const OK = 'HTTP/1.1 200 OK\r\n';

describe('an answer ends', () => {
  test.each([
    ['after as many bytes as it says', `${OK}Content-Length: 4\r\n\r\nbody`, 200],
    [
      'after its last chunk and trailers',
      `${OK}Transfer-Encoding: gzip, chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n`,
      200,
    ],
    ['with its head, where nothing follows', `${OK}content-length:0\r\n\r\n`, 200],
    ['with its head, for statuses without a body', 'HTTP/1.1 204 No Content\r\n\r\n', 204],
    ['with its head, for 304, whatever length it names', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n', 304],
    [
      'after the interim ones',
      `HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n${OK}Content-Length: 1\r\n\r\n!`,
      200,
    ],
    ['where a reason is missing, too', 'HTTP/1.1 503 \r\ncontent-length: 0\r\n\r\n', 503],
    ['where the same length is said twice', `${OK}content-length: 2\r\nContent-Length: 2, 2\r\n\r\nok`, 200],
  ])('%s', (_how, text, status) => {
    expect(read(text)).toEqual({ status, reusable: true });
    expect(read(text.slice(0, -1)).status).toBeNull();
    expect(read(text.slice(0, -1), { closed: true }).status).toBeNull();
  });

  test('with the head, when only the head was asked for', () => {
    expect(read(`${OK}Content-Length: 400\r\n\r\n`, { method: 'HEAD' })).toEqual({ status: 200, reusable: true });
  });

  test.each([`${OK}\r\nall until the end`, `${OK}Transfer-Encoding: gzip\r\n\r\n...`, 'HTTP/1.0 200 OK\r\n\r\n'])(
    'with the connection, where nothing else ends it: %j',
    (text) => {
      expect(read(text)).toEqual({ status: null, reusable: false });
      expect(read(text, { closed: true })).toEqual({ status: 200, reusable: false });
    },
  );

  test('where its framing says, however its bytes arrive', () => {
    const size = fc.integer({ min: 1, max: 40 });
    const chunked = fc.array(size, { maxLength: 5 }).map((sizes) => {
      const all = sizes.map((one) => `${one.toString(16)}\r\n${'x'.repeat(one)}\r\n`).join('');
      return `transfer-encoding: chunked\r\n\r\n${all}0\r\n\r\n`;
    });
    const counted = size.map((one) => `content-length: ${one}\r\n\r\n${'\n'.repeat(one)}`);
    const body = fc.oneof(chunked, counted);
    fc.assert(
      fc.property(
        body,
        fc.array(fc.nat(300), { maxLength: 8 }),
        fc.integer({ min: 200, max: 599 }),
        (rest, cuts, code) => {
          fc.pre(code !== 204 && code !== 304);
          const text = `HTTP/1.1 ${code} Some Words\r\nServer: a\r\n${rest}`;
          expect(read(text, { cuts })).toEqual({ status: code, reusable: true });
          expect(read(text.slice(0, -1), { cuts }).status).toBeNull();
        },
      ),
    );
  });
});

describe('a connection carries no other request', () => {
  test.each([
    ['when the server says so', `${OK}Connection: Close\r\nContent-Length: 0\r\n\r\n`],
    ['when HTTP/1.0 does not say otherwise', 'HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n'],
    ['when more comes than was asked for', `${OK}Content-Length: 0\r\n\r\nmore`],
  ])('%s', (_when, text) => {
    expect(read(text)).toEqual({ status: 200, reusable: false });
  });

  test('but HTTP/1.0 may say otherwise', () => {
    const text = 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n';
    expect(read(text)).toEqual({ status: 200, reusable: true });
  });

  test('after the time that the server keeps it', () => {
    const one = answers();
    one.await('GET');
    one.push(Buffer.from(`${OK}Keep-Alive: timeout=7, max=100\r\nContent-Length: 0\r\n\r\n`));
    expect(one.keptMs()).toBe(7000);
  });
});

describe('what can not be understood is told in a word', () => {
  test.each([
    '220 mail ready\r\n',
    'HTTP/2 200\r\n\r\n',
    'HTTP/1.1 20 OK\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\n\r\n',
    `${OK}Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc`,
    `${OK}Content-Length: -1\r\n\r\n`,
    `${OK}Content-Length: 1e3\r\n\r\n`,
    `${OK}Transfer-Encoding: chunked\r\n\r\nzz\r\n`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n`,
    `${OK}Transfer-Encoding: chunked\r\n\r\n${'0'.repeat(20_000)}`,
  ])('%j', (text) => {
    expect(word(text)).toBe('malformed response');
  });

  test('a head without an end is given up', () => {
    expect(word(`${OK}X: ${'y'.repeat(70_000)}`)).toBe('response headers too large');
  });

  test('bytes that nobody asked for are no answer', () => {
    expect(() => answers().push(Buffer.from(OK))).toThrow(Malformed);
  });

  test('no bytes at all make it fail in another way', () => {
    const head = fc.constantFrom('', OK, `${OK}Transfer-Encoding: chunked\r\n\r\n`, `${OK}Content-Length: 5\r\n\r\n`);
    fc.assert(
      fc.property(head, fc.string({ unit: 'binary' }), fc.array(fc.nat(300), { maxLength: 4 }), (begin, rest, cuts) => {
        try {
          read(begin + rest, { cuts, closed: true });
        } catch (error) {
          expect(error).toBeInstanceOf(Malformed);
        }
      }),
      { numRuns: 500 },
    );
  });
});
