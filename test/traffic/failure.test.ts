import { describe, expect, test } from '@jest/globals';
import { errors } from 'undici';
import { stamps } from '../../src/time.ts';
import { failure, triedAddress } from '../../src/traffic/failure.ts';
import { entry, failing, flightOf } from '../../src/traffic/flight.ts';
import { identities } from '../../src/traffic/identity.ts';
import { planAt, summarise } from './helpers.ts';

const system = (code: string, more: object = {}): Error =>
  Object.assign(new Error(`connect ${code}`), { code, ...more });

describe('the words for a failure', () => {
  test.each([
    [system('ECONNRESET'), 'ECONNRESET'],
    [system('CERT_HAS_EXPIRED'), 'CERT_HAS_EXPIRED'],
    [new errors.SocketError('other side closed'), 'connection closed'],
    [new errors.ConnectTimeoutError(), 'connect timeout'],
    [new errors.HeadersTimeoutError(), 'timeout'],
    [new errors.HTTPParserError('bad'), 'malformed response'],
    [new errors.ResponseContentLengthMismatchError(), 'response cut short'],
    [new errors.ClientDestroyedError(), 'aborted'],
    [new Error('two\n lines'), 'two lines'],
  ])('%s', (error, words) => {
    expect(failure(error)).toBe(words);
  });

  test('the address that was tried is that of the first of several attempts', () => {
    const first = system('ECONNREFUSED', { address: '::1', port: 8080 });
    const both = Object.assign(
      new AggregateError([first, system('ECONNREFUSED', { address: '127.0.0.1', port: 8080 })]),
      { code: 'ECONNREFUSED' },
    );
    expect([failure(both), triedAddress(both)]).toEqual(['ECONNREFUSED', { ip: '::1', port: 8080 }]);
    expect([triedAddress(new AggregateError([])), triedAddress(new Error('no address'))]).toEqual([null, null]);
  });

  test.each(['EMFILE', 'EADDRNOTAVAIL'])(
    '%s is this machine at its limit: not sent, and never a failure of the platform',
    (code) => {
      const plan = planAt('http://h', [0], 1000);
      const flight = { ...flightOf(plan.requests[0]!), sent: 5 };
      const record = entry(identities('run-1'), flight, 10, failing(flight, system(code)), stamps(0n));
      expect(record).toMatchObject({ sent: null, status: null, error: `not sent: ${code}`, latencyMs: null });
      expect(summarise([record], plan)).toMatchObject({
        failed: 0,
        saturated: expect.stringMatching(/^1 requests could not be sent/),
      });
    },
  );
});
