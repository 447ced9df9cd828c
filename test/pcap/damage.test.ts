import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createPcapScanner, type PcapEnd } from '../../src/pcap/reader.ts';
import { createSurvey } from '../../src/pcap/survey.ts';
import { attribute, enhancedBlock, ethernet, interfaceBlock, nflog, sectionBlock, tcp4 } from './build.ts';
import { captureOf, client, EVERYTHING, handshake, OK, request, server, type Told } from './tell.ts';

/** The survey as a user gets it, but for the size of its table. */
const read = (bytes: Buffer, chunk = 65_536): PcapEnd => {
  const survey = createSurvey({ ...EVERYTHING, connections: 256 });
  const scanner = createPcapScanner(survey.take);
  for (let at = 0; at < bytes.length; at += chunk) scanner.push(bytes.subarray(at, at + chunk));
  survey.found();
  return scanner.end();
};

const exchange = (n: number): Told[] => {
  const text = request(`/orders/${n}`, { 'x-user-id': `user-${n % 7}`, 'x-request-id': `r${n}` });
  const port = { sourcePort: 40_000 + n };
  const to = { destinationPort: 40_000 + n };
  return [
    ...handshake(n * 10).map((one, i) => ({ ...one, ...(i === 1 ? to : port) })),
    client(n * 10 + 3, { seq: 1, flags: 'PA', payload: text, ...port }),
    server(n * 10 + 5, { seq: 1001, flags: 'PA', payload: OK, ...to }),
    server(n * 10 + 6, { seq: 1001 + OK.length, flags: 'FA', ...to }),
  ];
};

const classic = captureOf(Array.from({ length: 150 }, (_, n) => exchange(n)).flat());

const pcapng = Buffer.concat([
  sectionBlock(),
  interfaceBlock(1),
  interfaceBlock(239),
  ...Array.from({ length: 100 }, (_, n) => {
    const ip = tcp4({ sourcePort: 40_000 + n, seq: 1, flags: 'PA', payload: request(`/a/${n}`), ipId: n + 1 });
    const data = n % 2 === 0 ? ethernet(ip, 0x0800, n % 3 === 0 ? [0x8100] : []) : nflog([attribute(9, ip)]);
    return enhancedBlock(n % 2, 1_700_000_000_000_000n + BigInt(n), data);
  }),
]);

const files = [
  ['pcap', classic],
  ['pcapng', pcapng],
] as const;

const LONG = process.env.FIREDRILL_EVERY_BYTE !== undefined;

describe.each(files)('a damaged %s', (_, file) => {
  test('cut at any byte it says where it ends, with the packets before that', () => {
    const whole = read(file).packets;
    const check = (at: number): void => {
      const { packets, end } = read(file.subarray(0, at));
      expect(packets).toBeLessThanOrEqual(whole);
      if (end !== 'complete') expect('truncated' in end && end.truncated <= at && end.why !== '').toBe(true);
    };
    if (LONG) for (let at = 0; at < Math.min(file.length, 65_536); at += 1) check(at);
    else fc.assert(fc.property(fc.nat(file.length), check), { numRuns: 60 });
  });

  /** What a field of one, two or four bytes can be at its worst, in either byte order. */
  const extreme = fc.constantFrom(
    ...['00', 'ff', '0000', 'ffff', '7fff', '00000000', 'ffffffff', '7fffffff', '80000000', '00000080', '01000000'],
  );

  test('any field set to an extreme: no exception, no hang, and damage is named', () => {
    const at = fc.nat(file.length - 4);
    fc.assert(
      fc.property(fc.array(fc.tuple(at, extreme), { minLength: 1, maxLength: 4 }), (fields) => {
        const bytes = Buffer.from(file);
        for (const [place, hex] of fields) Buffer.from(hex, 'hex').copy(bytes, place);
        const { packets, end } = read(bytes);
        expect(packets).toBeLessThanOrEqual(bytes.length / 16);
        if (end !== 'complete') expect(end.why).toMatch(/\S/);
      }),
      { numRuns: LONG ? 4000 : 100 },
    );
  });

  test('the same packets and end, in whatever chunks it comes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.nat(file.length), (chunk, at) => {
        const part = file.subarray(0, at);
        expect(read(part, chunk)).toEqual(read(part));
      }),
      { numRuns: LONG ? 100 : 15 },
    );
  });
});

test('bytes that mean nothing are refused at the first', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const { packets, end } = read(Buffer.from(bytes));
      expect(end === 'complete' ? packets : end.why).not.toBe('');
    }),
    { numRuns: LONG ? 2000 : 30 },
  );
});

test('work grows with the size and not faster: every packet is visited once, in however small pieces it comes', () => {
  const steps = (times: number): number => {
    let visited = 0;
    const scanner = createPcapScanner((_, { count }) => {
      visited += count;
    });
    const records = classic.subarray(24);
    for (const part of [classic.subarray(0, 24), ...Array.from({ length: times }, () => records)]) {
      for (let at = 0; at < part.length; at += 7) scanner.push(part.subarray(at, at + 7));
    }
    return visited;
  };
  expect(steps(10)).toBe(10 * steps(1));
});
