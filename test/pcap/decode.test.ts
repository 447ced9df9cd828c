import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decode, type Packet } from '../../src/pcap/decode.ts';
import {
  attribute,
  cooked1,
  cooked2,
  ethernet,
  ipv4Packet,
  ipv6Packet,
  nflog,
  tcp4,
  tcpSegment,
  udpDatagram,
} from './build.ts';

const LINK_TYPES = [1, 12, 101, 113, 228, 229, 239, 276];

const request = tcp4({ seq: 7, ack: 9, flags: 'PA', payload: 'GET /', ipId: 513 });

const expected: Packet = {
  source: '10.0.0.1',
  destination: '10.0.0.2',
  protocol: 'TCP',
  sourcePort: 40_000,
  destinationPort: 8080,
  flags: { syn: false, ack: true, fin: false, rst: false, psh: true },
  seq: 7,
  ack: 9,
  payload: Buffer.from('GET /'),
  payloadLength: 5,
  ipId: 513,
  prefix: null,
  cooked: null,
  received: null,
};

describe('link layers', () => {
  test.each([
    ['Ethernet', 1, ethernet(request)],
    ['Ethernet with padding', 1, Buffer.concat([ethernet(request), Buffer.alloc(9, 0xee)])],
    ['Ethernet with a VLAN tag', 1, ethernet(request, 0x0800, [0x8100])],
    ['Ethernet with two VLAN tags', 1, ethernet(request, 0x0800, [0x88a8, 0x8100])],
    ['raw IP', 101, request],
    ['raw IP, old number', 12, request],
    ['IPv4', 228, request],
  ])('%s: all that the headers say', (_, linkType, bytes) => {
    expect(decode(linkType, bytes)).toEqual(expected);
  });

  test.each([
    ['v1, to us', 113, cooked1(0, request), 'in'],
    ['v1, from us', 113, cooked1(4, request), 'out'],
    ['v2, to us', 276, cooked2(0, request), 'in'],
    ['v2, to another', 276, cooked2(3, request), 'other'],
  ] as const)('Linux cooked %s: which way it went', (_, linkType, bytes, cooked) => {
    expect(decode(linkType, bytes)).toEqual({ ...expected, cooked });
  });

  const time = Buffer.alloc(16);
  time.writeBigUInt64BE(1_700_000_000n, 0);
  time.writeBigUInt64BE(42n, 8);
  test.each(['little', 'big'] as const)('NFLOG, %s endian: the rule that logged it and the time', (order) => {
    const bytes = nflog([
      attribute(1, Buffer.from([8, 0, 2, 0]), order),
      attribute(10, Buffer.from('denied\0'), order),
      attribute(3, time, order),
      attribute(9, request, order),
    ]);
    const received = 1_700_000_000_000_042_000n;
    expect(decode(239, bytes)).toEqual({ ...expected, prefix: 'denied', received });
  });

  test('NFLOG without a packet, an unknown link type, and no IP at all are null', () => {
    expect(decode(239, nflog([attribute(10, Buffer.from('x\0'))]))).toBeNull();
    expect(decode(147, request)).toBeNull();
    expect(decode(1, ethernet(Buffer.alloc(28), 0x0806))).toBeNull();
  });
});

describe('IP', () => {
  test('a capture cut short keeps the true length of the payload', () => {
    const bytes = tcp4({ payload: 'x'.repeat(500) }).subarray(0, 100);
    const packet = decode(101, bytes);
    expect(packet?.payloadLength).toBe(500);
    expect(packet?.payload).toEqual(Buffer.from('x'.repeat(60)));
  });

  test('a segment merged by offload, with no total length, goes to the end of what was captured', () => {
    const bytes = tcp4({ payload: 'merged' });
    bytes.writeUInt16BE(0, 2);
    expect(decode(101, bytes)?.payload).toEqual(Buffer.from('merged'));
  });

  test('later fragments are null: they have no ports', () => {
    const bytes = tcp4({});
    bytes.writeUInt16BE(185, 6);
    expect(decode(101, bytes)).toBeNull();
  });

  const from = Buffer.from('20010db8000000000000000000000001', 'hex');
  const to = Buffer.from('fe80000000000001000000000000abcd', 'hex');
  const destinationOptions = { type: 60, rest: Buffer.alloc(7) };
  const routing = { type: 43, rest: Buffer.concat([Buffer.from([1]), Buffer.alloc(14)]) };
  const fragment = { type: 44, rest: Buffer.from([0, 0, 1, 0, 0, 0, 9]) };
  test.each([
    ['none', []],
    ['destination options', [destinationOptions]],
    ['hop-by-hop, routing and a first fragment', [{ ...destinationOptions, type: 0 }, routing, fragment]],
  ])('IPv6, extension headers: %s', (_, extensions) => {
    const bytes = ipv6Packet(6, tcpSegment({ seq: 3, flags: 'S' }), { from, to, extensions });
    expect(decode(229, bytes)).toMatchObject({
      source: '2001:db8::1',
      destination: 'fe80:0:0:1::abcd',
      destinationPort: 8080,
      seq: 3,
      payloadLength: 0,
      flags: { syn: true, ack: false },
    });
  });

  test.each([
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['1::', '00010000000000000000000000000000'],
    ['1:0:2:3:4:5:6:7', '00010000000200030004000500060007'],
    ['198.18.0.9', '00000000000000000000ffffc6120009'],
  ])('IPv6 address %s', (text, hex) => {
    const bytes = ipv6Packet(17, udpDatagram(1, 2, Buffer.alloc(0)), { from: Buffer.from(hex, 'hex'), to });
    expect(decode(101, bytes)?.source).toBe(text);
  });

  test('UDP has ports and a payload; ICMP has neither ports nor flags', () => {
    expect(decode(101, ipv4Packet(17, udpDatagram(53, 5353, Buffer.from('dns'))))).toMatchObject({
      protocol: 'UDP',
      sourcePort: 53,
      destinationPort: 5353,
      payloadLength: 3,
    });
    expect(decode(101, ipv4Packet(1, Buffer.alloc(8)))).toMatchObject({ protocol: 'ICMP', sourcePort: 0, seq: 0 });
  });
});

describe('damaged packets', () => {
  const whole = [
    [1, ethernet(request, 0x0800, [0x8100])],
    [113, cooked1(0, request)],
    [276, cooked2(0, request)],
    [239, nflog([attribute(10, Buffer.from('p\0')), attribute(9, request)])],
    [101, request],
  ] as const;

  test('cut anywhere, decode to the same headers or to null', () => {
    for (const [linkType, bytes] of whole) {
      for (let end = 0; end < bytes.length; end += 1) {
        const packet = decode(linkType, bytes.subarray(0, end));
        if (packet) expect(packet).toMatchObject({ seq: 7, destination: '10.0.0.2', payloadLength: 5 });
      }
    }
  });

  test('random bytes never throw or hang', () => {
    const bytes = fc.uint8Array({ maxLength: 120 }).map((data) => Buffer.from(data));
    fc.assert(
      fc.property(fc.constantFrom(...LINK_TYPES), bytes, (linkType, data) => {
        const packet = decode(linkType, data);
        if (packet) expect(packet.payload.length).toBeLessThanOrEqual(data.length);
      }),
      { numRuns: 2000 },
    );
  });

  test('bit flips never throw or hang', () => {
    const flips = fc.array(fc.tuple(fc.nat(), fc.nat(7)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.constantFrom(...whole), flips, ([linkType, bytes], positions) => {
        const copy = Buffer.from(bytes);
        for (const [at, bit] of positions) copy[at % copy.length]! ^= 1 << bit;
        expect(() => decode(linkType, copy)).not.toThrow();
      }),
      { numRuns: 1000 },
    );
  });
});
