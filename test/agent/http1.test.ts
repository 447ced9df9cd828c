import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type Piece, REQUESTS, responses, splitter } from '../../src/agent/http1.ts';

const pieces = (text: string, dialect = REQUESTS): Piece[] => splitter(dialect).push(Buffer.from(text, 'latin1'));
const kinds = (text: string, dialect = REQUESTS): string =>
  pieces(text, dialect)
    .map(({ kind }) => kind)
    .join(' ');

const GET = 'GET /a HTTP/1.1\r\nHost: a\r\n\r\n';
const SIZED = 'POST /b HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello';
const CHUNKED =
  'PUT /c HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\n';

describe('requests', () => {
  test('a request without a declared body is complete with its head', () => {
    expect(kinds(GET)).toBe('head end');
  });

  test('a sized body ends after its last byte, and a pipelined request follows', () => {
    expect(kinds(SIZED + GET)).toBe('head body end head end');
  });

  test('a chunked body ends after its trailer', () => {
    expect(kinds(CHUNKED)).toBe('head body body body body body body body end');
  });

  test('a body that looks like a request is a body', () => {
    const text = `POST /b HTTP/1.1\r\nContent-Length: ${GET.length}\r\n\r\n${GET}`;
    expect(kinds(text)).toBe('head body end');
  });

  test('a head without its empty line is held back', () => {
    const cut = splitter(REQUESTS);
    expect(cut.push(Buffer.from('GET /a HT'))).toEqual([]);
    expect(cut.rest().toString()).toBe('GET /a HT');
  });

  test.each([
    ['TLS', '\x16\x03\x01\x02\x00'],
    ['HTTP/2 with prior knowledge', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['Redis', '*1\r\n$4\r\nPING\r\n'],
    ['PostgreSQL', '\x00\x00\x00\x08\x04\xd2\x16\x2f'],
    ['SMTP', 'EHLO x\r\n'],
    ['a broken chunk size', 'PUT /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'],
  ])('%s is passed on as raw bytes', (_, text) => {
    expect(kinds(text).split(' ').at(-1)).toBe('raw');
  });

  test('after an upgrade, frames are raw', () => {
    expect(kinds(`${GET}\x81\x05hello`)).toBe('head end raw');
  });

  test('a head that never ends becomes raw before it fills the memory', () => {
    expect(kinds(`GET /a HTTP/1.1\r\nX: ${'x'.repeat(70_000)}`)).toBe('raw');
  });
});

describe('answers', () => {
  const answered = (method: string) => responses(() => method);

  test('an interim answer has no body, and the final one follows', () => {
    const text = 'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
    expect(kinds(text, answered('POST'))).toBe('head end head body end');
  });

  test.each([
    ['HEAD', 'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n'],
    ['GET', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['GET', 'HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n'],
  ])('an answer to %s that has no body is complete with its head: %j', (method, text) => {
    expect(kinds(text, answered(method))).toBe('head end');
  });

  test('without a declared length the body goes on until the connection ends', () => {
    expect(kinds('HTTP/1.0 200 OK\r\n\r\nabc', answered('GET'))).toBe('head body');
  });

  test('after 101 everything is raw', () => {
    expect(kinds('HTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x01x', answered('GET'))).toBe('head raw');
  });
});

describe('any stream, cut anywhere', () => {
  const message = fc.oneof(
    fc.constantFrom(GET, CHUNKED, '\r\n'),
    fc
      .string({ unit: 'binary-ascii', maxLength: 40 })
      .map((body) => `POST /b HTTP/1.1\r\nContent-Length: ${body.length}\r\n\r\n${body}`),
  );
  const stream = fc.array(message, { maxLength: 8 }).map((all) => all.join(''));
  const cuts = fc.array(fc.nat(60), { minLength: 1, maxLength: 40 });

  const pushed = (text: string, sizes: readonly number[]): { bytes: Buffer; heads: number } => {
    const cut = splitter(REQUESTS);
    const all: Piece[] = [];
    let rest = Buffer.from(text, 'latin1');
    for (let i = 0; rest.length > 0; i += 1) {
      const size = 1 + sizes[i % sizes.length]!;
      all.push(...cut.push(rest.subarray(0, size)));
      rest = rest.subarray(size);
    }
    const bytes = Buffer.concat([...all.flatMap((piece) => (piece.bytes ? [piece.bytes] : [])), cut.rest()]);
    return { bytes, heads: all.filter(({ kind }) => kind === 'head').length };
  };

  test('comes out byte for byte, with as many heads as there are requests', () => {
    fc.assert(
      fc.property(stream, cuts, (text, sizes) => {
        const { bytes, heads } = pushed(text, sizes);
        expect(bytes.toString('latin1')).toBe(text);
        expect(heads).toBe(pieces(text).filter(({ kind }) => kind === 'head').length);
      }),
    );
  });

  test('comes out byte for byte even when it is noise', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii' }), cuts, (text, sizes) => {
        expect(pushed(text, sizes).bytes.toString('latin1')).toBe(text);
      }),
    );
  });
});
