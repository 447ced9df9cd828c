import { describe, expect, test } from '@jest/globals';
import { identities } from '../../src/traffic/identity.ts';
import { writer } from '../../src/traffic/wire.ts';
import { planAt } from './helpers.ts';

const plan = planAt('http://shop.example:8080/base/', [0], 1000);
const ids = identities('run-1')(0);
const said = (over: object, url = plan.url): string =>
  writer({ runId: 'run-1', url })({ ...plan.requests[0]!, ...over }, ids);

describe('a request on the wire', () => {
  test('has the base URL’s path, its host, every tag once, and an empty line at its end', () => {
    const [line, ...headers] = said({}).split('\r\n');
    expect(line).toBe('GET /base/orders HTTP/1.1');
    expect(headers.slice(-2)).toEqual(['', '']);
    const names = headers.slice(0, -2).map((header) => header.split(': ')[0]!);
    expect(new Set(names).size).toBe(names.length);
    expect(headers).toContain('host: shop.example:8080');
    expect(headers).toContain(`traceparent: 00-${ids.traceId}-${ids.spanId}-03`);
    expect(headers).toContain('x-session-id: session-0');
    expect(said({}, 'http://shop.example')).toContain('\r\nhost: shop.example\r\n');
  });

  test('says how many bytes its body has, not how many letters; a body that may be and is not has none', () => {
    const body = '{"user":"Zoë"}';
    expect(said({ method: 'POST', body })).toMatch(/\r\ncontent-length: 15\r\n\r\n\{"user":"Zoë"\}$/);
    expect(said({ method: 'POST' })).toContain('\r\ncontent-length: 0\r\n');
    expect(said({ method: 'DELETE' })).not.toContain('content-length');
  });

  test.each([{ path: '/orders/Ω' }, { path: '/a b' }, { path: '/a\r\nx-evil: 1' }, { method: 'GE T' }])(
    'what HTTP does not allow is never written: %j',
    (over) => {
      expect(() => said(over)).toThrow('invalid request');
    },
  );
});
