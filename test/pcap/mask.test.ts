import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { maskIds } from '../../src/pcap/mask.ts';

const masked = (text: string): string => {
  const bytes = Buffer.from(text);
  const into = Buffer.alloc(3 * bytes.length);
  return into.toString('utf8', 0, maskIds(bytes, 0, bytes.length, into));
};

describe('the endpoint behind a path', () => {
  test.each([
    ['GET /orders', 'GET /orders'],
    ['GET /', 'GET /'],
    ['GET /orders/4711/items/', 'GET /orders/{id}/items/'],
    ['GET /v1/users/0b7c3f52-8d1e-4b7a-9f2e-1a2b3c4d5e6f', 'GET /v1/users/{id}'],
    ['GET /blobs/deadbeef01', 'GET /blobs/{id}'],
    ['GET /feedface', 'GET /feedface'],
    ['GET /sessions/01ARZ3NDEKTSV4RRFFQ69G5FAV', 'GET /sessions/{id}'],
    ['GET /b2b', 'GET /b2b'],
  ])('%s', (path, endpoint) => expect(masked(path)).toBe(endpoint));

  test('part by part, as a regular expression would have it', () => {
    const ID = /^(?:\d+|(?=.*\d)(?:[0-9a-fA-F-]{8,}|.{16,}))$/;
    const letters = fc.constantFrom('1', '/', 'a', 'f', 'z', '-');
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 90 }), (text) => {
        const parts = `GET ${text.join('')}`.split('/');
        expect(masked(parts.join('/'))).toBe(
          parts.map((part, i) => (i > 0 && ID.test(part) ? '{id}' : part)).join('/'),
        );
      }),
      { numRuns: 500 },
    );
  });
});
