import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { durationsOf } from '../../../src/layers/logs/durations.ts';
import { parseLine } from '../../../src/layers/logs/fields.ts';
import { template } from '../../../src/layers/logs/template.ts';
import { failureOf, prose } from '../../../src/layers/logs/words.ts';
import { logfmt } from '../../../src/logfmt.ts';

describe('a line is read whatever its format', () => {
  test.each([
    [
      '{"level":"ERROR","message":"no","context":{"peer":"b","n":1}}',
      'error',
      'no',
      ['level', 'message', 'context.peer', 'context.n'],
    ],
    ['{"level":40,"time":1,"msg":"slow"}', 'warn', 'slow', ['level', 'time', 'msg']],
    [
      'ts=2026-11-21T07:00:00Z level=warn msg="call failed" peer=b took=12ms',
      'warn',
      'call failed',
      ['ts', 'level', 'msg', 'peer', 'took'],
    ],
    ['2026-11-21 07:00:00 ERROR [main] boom', 'error', '2026-11-21 07:00:00 ERROR [main] boom', []],
    ['E1121 07:00:00.000001 1 server.go:9] boom', 'error', 'E1121 07:00:00.000001 1 server.go:9] boom', []],
    ['just a = b and words of prose in a line', null, 'just a = b and words of prose in a line', []],
    ['{"broken": ', null, '{"broken": ', []],
  ])('%s', (line, level, message, keys) => {
    const parsed = parseLine(line);
    expect({ level: parsed.level, message: parsed.message, keys: [...parsed.fields.keys()] }).toEqual({
      level,
      message,
      keys,
    });
  });

  test('no line throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
        const parsed = parseLine(line);
        failureOf(parsed, prose(parsed));
        durationsOf(parsed);
        template(parsed.message);
      }),
    );
  });
});

describe('logfmt', () => {
  const key = fc.stringMatching(/^[a-z][a-z0-9_.]{0,8}$/);
  test('reads back what was written, quoted or not', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.string()), { maxLength: 5 }), (pairs) => {
        const quoted = (text: string): string =>
          `"${text.replace(/[\\"]/g, '\\$&').replace(/\n/g, '\\n').replace(/\r/g, '\\r')}"`;
        const line = pairs.map(([name, value]) => `${name}=${quoted(value)}`).join(' ');
        expect(logfmt(line)).toEqual({
          clean: true,
          pairs: pairs.map(([name, value]) => ({ key: name, value, bare: false })),
        });
      }),
    );
  });

  test('any text comes to an end, and what is no pair is skipped', () => {
    fc.assert(fc.property(fc.string(), (line) => void logfmt(line)));
    expect(logfmt('a=1 ="x" b="open c=2 flag')).toEqual({
      clean: false,
      pairs: [
        { key: 'a', value: '1', bare: false },
        { key: 'c', value: '2', bare: false },
        { key: 'flag', value: '', bare: true },
      ],
    });
  });
});

describe('failures are known by the words of the field', () => {
  test.each([
    ['level=error msg="connect ECONNREFUSED 198.18.0.4:8080" n=1', 'gone'],
    ['level=warn msg="dial tcp: lookup b: no such host" n=1', 'gone'],
    ['level=error msg="read: connection reset by peer" n=1', 'gone'],
    ['2026 ERROR upstream connect error or disconnect: no healthy upstream', 'gone'],
    ['level=warn msg="context deadline exceeded" n=1', 'timeout'],
    ['level=error msg="request timed out after 1s" n=1', 'timeout'],
    ['{"level":"WARN","message":"call failed","context":{"error":"HTTP 504 Gateway Timeout"}}', 'answered'],
    ['{"level":"INFO","message":"request served","context":{"status":503}}', 'answered'],
    ['{"level":"ERROR","message":"handler threw"}', 'failed'],
    ['{"level":"INFO","message":"timeout set to 5 s"}', null],
    ['{"level":"INFO","message":"request served","context":{"status":404}}', null],
    ['{"level":"WARN","message":"client disconnected: ECONNRESET"}', null],
    ['{"level":"WARN","message":"cache is cold"}', null],
  ])('%s → %s', (line, failure) => {
    const parsed = parseLine(line);
    expect(failureOf(parsed, prose(parsed))).toBe(failure);
  });
});

describe('times are known by their names and units', () => {
  test.each([
    ['{"duration_ms":12.5,"status":200,"timestamp":1795244400}', [['duration_ms', 12.5, true]]],
    ['{"elapsed":3,"items":9}', [['elapsed', 3, false]]],
    ['{"http":{"request_duration_seconds":0.25}}', [['http.request_duration_seconds', 250, true]]],
    ['{"took":"1.5s","retry_after":2}', [['took', 1500, true]]],
    ['matched 7 orders in 3.5 ms for 198.18.0.7', [['time 1 of the message', 3.5, true]]],
  ])('%s', (line, times) => {
    expect(durationsOf(parseLine(line)).map(({ name, ms, unit }) => [name, ms, unit])).toEqual(times);
  });
});

test('a template keeps the words and masks what changes', () => {
  const [one, other] = [
    'order o-17 of "bob" took 12 ms at 198.18.0.4:80',
    'order o-9 of "al x" took 7.5 ms at 10.0.0.1:81',
  ];
  expect(template(one)).toBe(template(other));
  expect(template(one)).toContain('order');
});
