import { Readable } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import pcapParser from 'pcap-parser';
import { type CapturedPacket, createPcapReader, type PcapEnd } from '../../src/pcap/reader.ts';
import {
  block,
  classicFile,
  classicHeader,
  classicRecord,
  enhancedBlock,
  interfaceBlock,
  type Order,
  option,
  type Stamped,
  sectionBlock,
  simpleBlock,
} from './build.ts';

type Read = { packets: CapturedPacket[]; end: PcapEnd };

const read = (...chunks: readonly Buffer[]): Read => {
  const packets: CapturedPacket[] = [];
  const reader = createPcapReader((packet) => packets.push({ ...packet, captured: Buffer.from(packet.captured) }));
  for (const chunk of chunks) reader.push(chunk);
  return { packets, end: reader.end() };
};

const split = (bytes: Buffer, sizes: readonly number[]): Buffer[] => {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const size of sizes) {
    chunks.push(bytes.subarray(at, at + size));
    at += size;
  }
  return [...chunks, bytes.subarray(at)];
};

const stamped: fc.Arbitrary<Stamped> = fc
  .record({
    seconds: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    fraction: fc.integer({ min: 0, max: 999_999 }),
    data: fc.uint8Array({ maxLength: 80 }).map((data) => Buffer.from(data)),
    cut: fc.nat(1000),
  })
  .map(({ cut, ...packet }) => ({ ...packet, length: packet.data.length + cut }));

const order = fc.constantFrom<Order>('big', 'little');
const classic = fc
  .record({ packets: fc.array(stamped, { maxLength: 12 }), order, nanoseconds: fc.boolean() })
  .map(({ packets, ...options }) => classicFile(packets, options));
const pcapng = fc
  .record({ packets: fc.array(stamped, { maxLength: 12 }), order })
  .map(({ packets, order }) =>
    Buffer.concat([
      sectionBlock(order),
      interfaceBlock(1, { order }),
      ...packets.map((one) => enhancedBlock(0, BigInt(one.seconds) * 1_000_000n, one.data, order, one.length)),
    ]),
  );
const capture = fc.oneof(classic, pcapng);

const payload = Buffer.from('a packet');

describe('classic pcap', () => {
  test.each([
    ['big', false, 1_700_000_000_000_007_000n],
    ['little', false, 1_700_000_000_000_007_000n],
    ['big', true, 1_700_000_000_000_000_007n],
    ['little', true, 1_700_000_000_000_000_007n],
  ] as const)('%s endian, nanoseconds %s: packets keep their time, bytes and length', (order, nanoseconds, at) => {
    const file = classicFile([{ seconds: 1_700_000_000, fraction: 7, data: payload, length: 99 }], {
      order,
      nanoseconds,
      linkType: 113,
    });
    expect(read(file)).toEqual({
      packets: [{ at, linkType: 113, captured: payload, length: 99 }],
      end: { format: 'pcap', packets: 1, end: 'complete' },
    });
  });

  test('a file that has only its header is complete, and empty', () => {
    expect(read(classicHeader()).end).toEqual({ format: 'pcap', packets: 0, end: 'complete' });
  });

  test('the same packets as pcap-parser on valid files', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(stamped, { maxLength: 8 }), order, async (packets, order) => {
        const file = classicFile(packets, { order });
        const ours = read(file).packets.map(({ at, captured, length }) => ({ at, captured, length }));
        expect(ours).toEqual(await oracle(file));
      }),
      { numRuns: 60 },
    );
  });

  const good = classicRecord({ seconds: 1, fraction: 2, data: payload });
  test.each([
    [
      'a captured length beyond reason',
      { seconds: 1, fraction: 0, length: 0xffff_ffff },
      0x7fff_ffff,
      /claims 2147483647 bytes/,
    ],
    ['more kept than there was', { seconds: 1, fraction: 0, length: 3 }, 8, /8 bytes of only 3/],
    ['too many microseconds in a second', { seconds: 1, fraction: 1_000_000, length: 8 }, 8, /1000000 µs/],
  ])('%s is damage, at its byte', (_, packet, kept, why) => {
    const bad = classicRecord({ ...packet, data: payload });
    bad.writeUInt32LE(kept, 8);
    const { packets, end } = read(classicHeader(), good, bad, good);
    expect(packets).toHaveLength(1);
    expect(end.end).toEqual({ corrupt: 24 + good.length, why: expect.stringMatching(why) });
  });

  test('another major version is damage', () => {
    const header = classicHeader();
    header.writeUInt16LE(9, 4);
    expect(read(header).end.end).toEqual({ corrupt: 0, why: 'pcap version 9.4 is not 2.4' });
  });
});

describe('pcapng', () => {
  test('every section has its own byte order and interfaces, every interface its own link type and clock', () => {
    const nanos = option(9, Buffer.from([9]));
    const binary = option(9, Buffer.from([0x80 | 10]), 'big');
    const offset = Buffer.alloc(8);
    offset.writeBigInt64BE(-5n);
    const { packets, end } = read(
      sectionBlock(),
      interfaceBlock(1, { options: [option(2, Buffer.from('eth0')), nanos, option(0, Buffer.alloc(0))] }),
      interfaceBlock(276),
      enhancedBlock(1, 1_700_000_000_000_001n, payload),
      enhancedBlock(0, 1_700_000_000_000_000_123n, payload, 'little', 1500),
      sectionBlock('big'),
      interfaceBlock(101, { order: 'big', options: [binary, option(14, offset, 'big')] }),
      enhancedBlock(0, 10n * 1024n + 512n, payload, 'big'),
    );
    expect(end).toEqual({ format: 'pcapng', packets: 3, end: 'complete' });
    expect(packets.map(({ at, linkType, length }) => ({ at, linkType, length }))).toEqual([
      { at: 1_700_000_000_000_001_000n, linkType: 276, length: 8 },
      { at: 1_700_000_000_000_000_123n, linkType: 1, length: 1500 },
      { at: 5_500_000_000n, linkType: 101, length: 8 },
    ]);
    expect(packets.map(({ captured }) => captured)).toEqual([payload, payload, payload]);
  });

  test('a simple packet is cut at the interface limit and has no time', () => {
    const { packets } = read(
      sectionBlock(),
      interfaceBlock(1, { snapLength: 4 }),
      simpleBlock(8, payload.subarray(0, 4)),
    );
    expect(packets).toEqual([{ at: 0n, linkType: 1, captured: payload.subarray(0, 4), length: 8 }]);
  });

  test('blocks that carry no packets are passed over', () => {
    const statistics = block(5, Buffer.alloc(24));
    const { packets } = read(sectionBlock(), interfaceBlock(1), statistics, enhancedBlock(0, 1n, payload), statistics);
    expect(packets).toHaveLength(1);
  });

  const start = Buffer.concat([sectionBlock(), interfaceBlock(1)]);
  const wrongEnd = enhancedBlock(0, 1n, payload);
  wrongEnd.writeUInt32LE(44, wrongEnd.length - 4);
  const odd = enhancedBlock(0, 1n, payload);
  odd.writeUInt32LE(41, 4);
  const huge = enhancedBlock(0, 1n, payload);
  huge.writeUInt32LE(0x7fff_fff0, 4);
  const overfull = enhancedBlock(0, 1n, payload);
  overfull.writeUInt32LE(500, 8 + 12);
  test.each([
    ['two lengths that differ', wrongEnd, /40 bytes says 44/],
    ['a length that is no multiple of four', odd, /length of 41/],
    ['a length beyond reason', huge, /2147483632 bytes/],
    ['a packet longer than its block', overfull, /500 bytes in a block of 40/],
    ['an interface that is not there', enhancedBlock(3, 1n, payload), /interface 3 of 1/],
  ])('%s is damage, at its byte', (_, bad, why) => {
    const { packets, end } = read(start, enhancedBlock(0, 1n, payload), bad, enhancedBlock(0, 1n, payload));
    expect(packets).toHaveLength(1);
    expect(end.end).toEqual({ corrupt: start.length + 40, why: expect.stringMatching(why) });
  });
});

describe('any capture', () => {
  test('gives the same packets however it is split into chunks', () => {
    fc.assert(
      fc.property(capture, fc.array(fc.nat(60), { maxLength: 40 }), (file, sizes) => {
        expect(read(...split(file, sizes))).toEqual(read(file));
      }),
    );
  });

  test('gives the same packets byte by byte', () => {
    fc.assert(
      fc.property(capture, (file) => {
        expect(read(...split(file, Array(file.length).fill(1)))).toEqual(read(file));
      }),
      { numRuns: 30 },
    );
  });

  test('cut anywhere but between records, is said to be truncated, at the last whole record', () => {
    fc.assert(
      fc.property(capture, fc.double({ min: 0, max: 1, noNaN: true }), (file, share) => {
        const cut = Math.floor(share * file.length);
        const { packets, end } = read(file.subarray(0, cut));
        expect(packets).toEqual(read(file).packets.slice(0, packets.length));
        const used = end.end === 'complete' ? cut : 'truncated' in end.end ? end.end.truncated : -1;
        expect(used).toBeGreaterThanOrEqual(0);
        expect(read(file.subarray(0, used)).packets).toEqual(packets);
        expect(end.end === 'complete').toBe(used === cut && cut > 0);
      }),
    );
  });

  test('that is empty is truncated', () => {
    expect(read().end).toEqual({ format: null, packets: 0, end: { truncated: 0, why: 'no file header in 0 bytes' } });
  });

  test('continues where it stopped: what was truncated is complete once the rest has come', () => {
    const file = classicFile([{ seconds: 1, fraction: 1, data: payload }]);
    const reader = createPcapReader(() => {});
    reader.push(file.subarray(0, 45));
    expect(reader.end().end).toEqual({ truncated: 24, why: 'a record stops after 21 bytes' });
    reader.push(file.subarray(45));
    expect(reader.end()).toEqual({ format: 'pcap', packets: 1, end: 'complete' });
  });
});

describe('bytes that are no capture', () => {
  test('never throw, whatever they are and however they come', () => {
    const noise = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
    const begun = fc.tuple(fc.constantFrom(classicHeader(), sectionBlock(), sectionBlock('big')), noise);
    fc.assert(
      fc.property(
        fc.oneof(
          noise,
          begun.map((parts) => Buffer.concat(parts)),
        ),
        fc.array(fc.nat(20)),
        (bytes, sizes) => {
          const { end } = read(...split(bytes, sizes));
          expect(end).toEqual(read(bytes).end);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('say how they begin', () => {
    expect(read(Buffer.from('<html>')).end).toEqual({
      format: null,
      packets: 0,
      end: { corrupt: 0, why: 'neither pcap nor pcapng: it begins with 3c68746d' },
    });
  });
});

/** What pcap-parser makes of a file; it keeps seconds and microseconds apart. */
const oracle = (file: Buffer): Promise<{ at: bigint; captured: Buffer; length: number }[]> =>
  new Promise((resolve, reject) => {
    const packets: { at: bigint; captured: Buffer; length: number }[] = [];
    const parser = pcapParser.parse(Readable.from([file]));
    parser.on('packet', ({ header, data }) => {
      const at = BigInt(header.timestampSeconds) * 1_000_000_000n + BigInt(header.timestampMicroseconds) * 1000n;
      packets.push({ at, captured: Buffer.from(data), length: header.originalLength });
    });
    parser.on('end', () => resolve(packets));
    parser.on('error', reject);
  });
