import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Usage } from '../../src/errors.ts';
import { iso } from '../../src/time.ts';
import { failed, fromLine, type LedgerRecord, toLine } from '../../src/traffic/ledger.ts';
import { record, unsent } from './helpers.ts';

const time = fc.bigInt({ min: 0n, max: 4_000_000_000_000_000_000n }).map(iso);
const orNull = <T>(some: fc.Arbitrary<T>): fc.Arbitrary<T | null> => fc.option(some, { nil: null });
const end = orNull(fc.record({ ip: fc.ipV4(), port: fc.integer({ min: 1, max: 65535 }) }));
const ms = orNull(fc.double({ min: 0, max: 1e6, noNaN: true }).map((value) => value + 0));
const anyRecord: fc.Arbitrary<LedgerRecord> = fc.record({
  ...{ n: fc.nat(), journey: fc.string(), request: fc.string(), requestId: fc.uuid(), correlationId: fc.string() },
  ...{ traceId: fc.string(), spanId: fc.string(), user: fc.string({ unit: 'binary' }), session: fc.string() },
  ...{ intended: time, sent: orNull(time), ended: orNull(time), status: orNull(fc.integer({ min: 100, max: 599 })) },
  ...{ error: orNull(fc.string({ unit: 'grapheme' })), latencyMs: ms, serviceMs: ms, local: end, remote: end },
});

describe('a ledger line', () => {
  test('gives back the record that it was made of, and is one line', () => {
    fc.assert(
      fc.property(anyRecord, (one) => {
        expect(fromLine(toLine(one))).toEqual(one);
        expect(toLine(one)).not.toMatch(/[\r\n]/);
      }),
    );
  });

  test('is JSON as JSON.stringify writes it', () => {
    const keys = [...Object.keys(record(1, { atMs: 0 })), 'ip', 'port'];
    fc.assert(fc.property(anyRecord, (one) => expect(toLine(one)).toBe(JSON.stringify(one, keys))));
  });

  test.each(['', '{', 'null', '[]', '{"n":1}', toLine(record(1, { atMs: 0 })).replace('"n":1', '"n":-1')])(
    'that is none is refused in one line: %s',
    (line) => {
      expect(() => fromLine(line)).toThrow(Usage);
      expect(() => fromLine(line)).toThrow(/^ledger: [^\n]+$/);
    },
  );

  test('any text at all is a record or a Usage', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(() => fromLine(text)).toThrow(Usage);
      }),
    );
  });
});

test('a refusal, a 404 and a 500 are failures; a 302, an abort and what was never sent are not', () => {
  const of = (over: Partial<LedgerRecord>): boolean => failed(record(0, { atMs: 0, ...over }));
  expect([of({ status: null, error: 'ECONNREFUSED' }), of({ status: 404 }), of({ status: 500 })]).toEqual([
    true,
    true,
    true,
  ]);
  expect([of({ status: 302 }), of({ status: null, error: 'aborted' }), of(unsent)]).toEqual([false, false, false]);
});
