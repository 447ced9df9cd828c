import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Connections } from '../../src/pcap/connections.ts';
import { emptyHeaders, FLAG, type Headers, IANA, readHeaders } from '../../src/pcap/headers.ts';
import { emptyPlain, FOUND, IN_PLAIN } from '../../src/pcap/plain.ts';
import { createPcapScanner } from '../../src/pcap/reader.ts';
import { takeSegment } from '../../src/pcap/sequence.ts';
import type { SurveyOptions } from '../../src/pcap/survey.ts';
import { createTracker } from '../../src/pcap/tracker.ts';
import {
  classicFile,
  cooked1,
  cooked2,
  enhancedBlock,
  ethernet,
  interfaceBlock,
  ipv4Packet,
  ipv6Packet,
  type Segment,
  type Stamped,
  sectionBlock,
  simpleBlock,
  tcp4,
  tcpSegment,
  udpDatagram,
} from './build.ts';
import { OK, request, surveyOf } from './tell.ts';

const { TCP } = IANA;

/** What is read of a packet; null when it is not plain. */
const plainOf = (linkType: number, data: Buffer) => {
  const plain = emptyPlain();
  createPcapScanner((bytes, block) => plain.read(bytes, block)).push(
    classicFile([{ seconds: 1, fraction: 0, data }], { linkType }),
  );
  const { words } = plain;
  if (words[IN_PLAIN.SIDE] === FOUND.NOT_PLAIN) return null;
  const word = (name: Exclude<keyof typeof IN_PLAIN, 'WORDS'>): number => words[IN_PLAIN[name]]!;
  return {
    ...{ source: word('SOURCE'), destination: word('DESTINATION'), ports: word('BOTH_PORTS'), seq: word('SEQ') },
    ...{ ack: word('ACKED'), window: word('WINDOW'), payloadLength: word('PAYLOAD'), ipId: word('IP_ID') },
  };
};

const headersOf = (linkType: number, data: Buffer): Headers | null => {
  const headers = emptyHeaders();
  return readHeaders(linkType, data, 0, data.length, headers) ? headers : null;
};

const request4 = tcp4({ seq: -7, ack: 9, flags: 'PA', window: 65_535, payload: 'GET /', ipId: 513 });
const flagged = (flags: string): Buffer => tcp4({ flags });
const v6 = ipv6Packet(6, tcpSegment({}), { from: Buffer.alloc(16, 1), to: Buffer.alloc(16, 2) });
const patched = (bytes: Buffer, at: number, value: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy[at] = value;
  return copy;
};

describe('a plain packet', () => {
  test.each([
    ['Ethernet', 1, ethernet(request4)],
    ['raw IP', 101, request4],
    ['raw IP, old number', 12, request4],
    ['IPv4', 228, request4],
    ['Linux cooked v1', 113, cooked1(0, request4)],
    ['Linux cooked v2', 276, cooked2(4, request4)],
    ['cut inside its payload', 101, request4.subarray(0, 42)],
  ])('%s: its numbers', (_, linkType, bytes) => {
    expect(plainOf(linkType, bytes)).toEqual({
      ...{ source: 0x0a000001, destination: 0x0a000002, ports: (40_000 << 16) | 8080, seq: -7 },
      ...{ ack: 9, window: 65_535, payloadLength: 5, ipId: 513 },
    });
  });

  test.each([
    ['a SYN', 101, flagged('SA')],
    ['a FIN', 101, flagged('FA')],
    ['a reset', 101, flagged('RA')],
    ['one that acknowledges nothing', 101, flagged('P')],
    ['UDP', 101, ipv4Packet(17, udpDatagram(1, 2, Buffer.alloc(40)))],
    ['IPv6', 101, v6],
    ['a later fragment', 101, patched(request4, 7, 3)],
    ['IPv4 with options', 101, patched(request4, 0, 0x46)],
    ['a TCP header longer than the packet', 101, patched(request4, 32, 0xf0)],
    ['a TCP header that is too short', 101, patched(request4, 32, 0x40)],
    ['a packet without a length', 101, patched(request4, 3, 0)],
    ['one cut inside its headers', 101, request4.subarray(0, 39)],
    ['one with a VLAN tag', 1, ethernet(request4, 0x0800, [0x8100])],
    ['one shorter than its link layer', 1, Buffer.alloc(13)],
    ['a link layer that is not known', 9, request4],
  ])('is not: %s', (_, linkType, bytes) => {
    expect(plainOf(linkType, bytes)).toBeNull();
  });

  const links = [
    { linkType: 1, wrap: (ip: Buffer) => ethernet(ip) },
    { linkType: 101, wrap: (ip: Buffer) => ip },
    { linkType: 113, wrap: (ip: Buffer) => cooked1(0, ip) },
    { linkType: 276, wrap: (ip: Buffer) => cooked2(0, ip) },
  ];

  test('whatever its bytes, says what its headers say', () => {
    const damage = fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 4 });
    let plains = 0;
    fc.assert(
      fc.property(fc.constantFrom(...links), damage, fc.nat(80), ({ linkType, wrap }, bytes, length) => {
        const packet = bytes.reduce(
          (all, [at, value]) => (at < all.length ? patched(all, at, value) : all),
          wrap(request4),
        );
        const cut = packet.subarray(0, Math.max(1, length + packet.length - 60));
        const plain = plainOf(linkType, cut);
        if (plain === null) return;
        plains += 1;
        const headers = headersOf(linkType, cut)!;
        expect(headers).toMatchObject({
          ...{ s0: 0, s1: 0, s2: 0xffff, s3: plain.source, d0: 0, d1: 0, d2: 0xffff, d3: plain.destination },
          ...{ protocol: 6, sourcePort: plain.ports >>> 16, destinationPort: plain.ports & 0xffff, seq: plain.seq },
          ...{ ack: plain.ack, window: plain.window, payloadLength: plain.payloadLength, ipId: plain.ipId },
        });
        expect(headers.flags & ~8).toBe(FLAG.ACK);
      }),
      { numRuns: 500 },
    );
    expect(plains).toBeGreaterThan(20);
  });
});

// ---- The quick way and the general one -----------------------------------------------------------------------

/** A packet of one of a few connections; `jump` is how far its numbers are from those that come next. */
type Move = {
  readonly port: number;
  readonly back: boolean;
  readonly server: string;
  readonly flags: string;
  readonly jump: number;
  readonly ackJump: number;
  readonly window: number;
  readonly payload: string;
  readonly ipId: number;
  readonly micros: number;
  readonly link: number;
};

/** Mostly the first, sometimes one of the others. */
const mostly = <T>(usual: T, ...others: T[]): fc.Arbitrary<T> =>
  fc.oneof({ weight: 8, arbitrary: fc.constant(usual) }, { weight: 2, arbitrary: fc.constantFrom(...others) });

const move: fc.Arbitrary<Move> = fc.record({
  port: mostly(40_000, 40_001),
  back: fc.boolean(),
  server: mostly('10.0.0.2', '10.0.0.3'),
  flags: mostly('A', 'PA', 'PA', 'PA', 'P', 'S', 'SA', 'FA', 'R'),
  jump: mostly(0, -1, -100, 1, 100),
  ackJump: mostly(0, 1, -100),
  window: mostly(500, 600, 0),
  payload: fc.constantFrom('', '', 'x', 'y'.repeat(100), request('/a', { 'x-user-id': 'u' }), OK),
  ipId: fc.nat(4),
  micros: fc.constantFrom(1, 10, 4000, 30_000),
  link: mostly(0, 1, 2, 3, 4),
});

const segments = (
  moves: readonly Move[],
): { readonly segment: Segment; readonly micros: number; readonly link: number }[] => {
  const next = new Map<string, number>();
  let clock = 0;
  return moves.map(({ port, back, server, flags, jump, ackJump, window, payload, ipId, micros, link }) => {
    const [me, other] = [`${port} ${server} ${back}`, `${port} ${server} ${!back}`];
    const expected = next.get(me) ?? 2 ** 32 - 150;
    const seq = expected + jump;
    next.set(me, Math.max(expected, seq + payload.length + (/[SF]/.test(flags) ? 1 : 0)));
    clock += micros;
    const ends = back
      ? { from: server, to: '10.0.0.1', sourcePort: 8080, destinationPort: port }
      : { to: server, sourcePort: port, destinationPort: 8080 };
    const ack = (next.get(other) ?? 77) + ackJump;
    return { segment: { ...ends, flags, seq, ack, window, payload, ipId }, micros: clock, link };
  });
};

const classicOf = (moves: readonly Move[]): Buffer =>
  classicFile(
    segments(moves).map(
      ({ segment, micros }): Stamped => ({
        seconds: 1_700_000_000 + Math.floor(micros / 1e6),
        fraction: micros % 1e6,
        data: ethernet(tcp4(segment)),
      }),
    ),
  );

const LINKS = [101, 1, 113, 276];

/** Every packet on an interface with a link layer of its own; some have no time. */
const pcapngOf = (moves: readonly Move[]): Buffer =>
  Buffer.concat([
    sectionBlock(),
    ...LINKS.map((linkType) => interfaceBlock(linkType)),
    ...segments(moves).map(({ segment, micros, link }) => {
      const ip = tcp4(segment);
      const data = [ip, ethernet(ip), cooked1(0, ip), cooked2(0, ip)][link];
      return data ? enhancedBlock(link, 1_700_000_000_000_000n + BigInt(micros), data) : simpleBlock(ip.length, ip);
    }),
  ]);

/** Everything that is known after a capture that comes in pieces, and of each conversation that was given up or over. */
const knownAfter = (file: Buffer, piece: number, connections: number, quick: boolean) => {
  const over: unknown[] = [];
  let asked = 0;
  const follow = (it: Connections) => (side: number, h: Headers) => {
    asked += 1;
    if (h.protocol === TCP) takeSegment(it, side, h);
  };
  const retire = ({ slots, sides, rareSides }: Connections, slot: number, at: number): void => {
    const [of, both] = [slots.subarray(16 * slot, 16 * slot + 16), [32 * slot, 32 * slot + 32]];
    over.push([at, of.join(), sides.subarray(...both).join(), rareSides.subarray(...both).join()]);
  };
  const tracker = createTracker(() => true, follow, retire, connections, quick);
  const scanner = createPcapScanner(tracker.take);
  for (let at = 0; at < file.length; at += piece) scanner.push(file.subarray(at, at + piece));
  tracker.finish();
  return { asked, known: { passed: tracker.passed, over, table: tracker.table.state } };
};

/** Lets everything through, and asks of each packet, so that none is taken quickly. */
const ASKED: Partial<SurveyOptions> = { filter: { ends: [{ words: null, port: null }], protocol: null } };

describe('packets that come next in conversations', () => {
  const connections = fc.constantFrom(1, 2, 4, 16);
  const file = fc
    .array(move, { minLength: 50, maxLength: 150 })
    .chain((moves) => fc.constantFrom(classicOf(moves), pcapngOf(moves)));
  /** A block ends with the bytes that are there: only in the next one a new conversation is known. */
  const pieces = fc.integer({ min: 80, max: 3000 });

  test('leave the same behind taken quickly, and taken as all others are', () => {
    let taken = 0;
    fc.assert(
      fc.property(file, pieces, connections, (bytes, piece, most) => {
        const [quick, general] = [knownAfter(bytes, piece, most, true), knownAfter(bytes, piece, most, false)];
        expect(quick.known).toEqual(general.known);
        taken += general.asked - quick.asked;
      }),
      { numRuns: 200 },
    );
    expect(taken).toBeGreaterThan(3000);
  });

  test('show the same of conversations, and where they carry HTTP', () => {
    const bytes = classicOf(fc.sample(move, { numRuns: 10_000, seed: 1 }));
    for (const http of [false, true]) expect(surveyOf(bytes, { http })).toEqual(surveyOf(bytes, { http, ...ASKED }));
  });
});
