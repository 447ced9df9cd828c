import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { connectionTable } from '../../src/pcap/connections.ts';
import { hashOf } from '../../src/pcap/hash.ts';
import { emptyHeaders, type Headers } from '../../src/pcap/headers.ts';
import { lookupIn } from '../../src/pcap/lookup.ts';
import { emptyPlain, FOUND, IN_PLAIN, type Plain } from '../../src/pcap/plain.ts';

const { WORDS, SIDE, SOURCE, DESTINATION, BOTH_PORTS, HASH } = IN_PLAIN;

type Ends = Pick<Headers, 's3' | 'd3' | 'sourcePort' | 'destinationPort'>;

const headersOf = (ends: Ends, rest: Partial<Headers> = {}): Headers => ({
  ...{ ...emptyHeaders(), s2: 0xffff, d2: 0xffff, protocol: 6 },
  ...{ ...ends, ...rest },
});

const put = ({ words }: Plain, n: number, { s3, d3, sourcePort, destinationPort }: Ends): void => {
  const at = n << WORDS;
  words[at + SIDE] = FOUND.UNKNOWN;
  words[at + SOURCE] = s3;
  words[at + DESTINATION] = d3;
  words[at + BOTH_PORTS] = (sourcePort << 16) | destinationPort;
  words[at + HASH] = hashOf(s3, sourcePort, d3, destinationPort);
};

const ends: fc.Arbitrary<Ends> = fc.record({
  s3: fc.integer({ min: -2, max: 2 }),
  d3: fc.integer({ min: -2, max: 2 }),
  sourcePort: fc.constantFrom(1, 80, 65_535),
  destinationPort: fc.constantFrom(80, 65_535),
});

test('of a block the same sides are found as packet by packet, and none of conversations that are not known', () => {
  fc.assert(
    fc.property(fc.array(ends, { maxLength: 60 }), fc.array(ends, { maxLength: 200 }), (known, asked) => {
      const table = connectionTable(() => {}, 64);
      const plain = emptyPlain();
      for (const one of known) table.side(headersOf(one));
      for (const [n, one] of asked.entries()) put(plain, n, one);
      lookupIn(table.state, plain)(asked.length);
      const found = asked.map((_, n) => plain.words[(n << WORDS) + SIDE]);
      expect(found).toEqual(
        asked.map((one) => (table.find(headersOf(one)) < 0 ? FOUND.UNKNOWN : table.side(headersOf(one)))),
      );
    }),
  );
});

test.each<[string, Partial<Headers>]>([
  ['another protocol', { protocol: 17 }],
  ['IPv6', { s2: 0, d2: 0 }],
  ['IPv6 at one end', { d2: 0 }],
])('a conversation of %s between the same numbers is another one', (_, rest) => {
  const table = connectionTable(() => {}, 4);
  const plain = emptyPlain();
  const same = { s3: 1, d3: 2, sourcePort: 1, destinationPort: 80 };
  table.side(headersOf(same, rest));
  put(plain, 0, same);
  lookupIn(table.state, plain)(1);
  expect(plain.words[SIDE]).toBe(FOUND.UNKNOWN);
  const side = table.side(headersOf(same));
  lookupIn(table.state, plain)(1);
  expect(plain.words[SIDE]).toBe(side);
});

test('what is not plain is not looked for', () => {
  const table = connectionTable(() => {}, 4);
  const plain = emptyPlain();
  plain.words[SIDE] = FOUND.NOT_PLAIN;
  lookupIn(table.state, plain)(1);
  expect(plain.words[SIDE]).toBe(FOUND.NOT_PLAIN);
});
