import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createFollower } from '../../../src/layers/packets/tcp.ts';
import { decode } from '../../../src/pcap/decode.ts';
import { tcp4 } from '../../pcap/build.ts';
import { A, B, down, follow, type Sent, start, told, up } from './follow.ts';

const GET = 'GET / HTTP/1.1\r\n\r\n';
const OK = 'HTTP/1.1 200 OK\r\n\r\n';
const opened = [up(0, 'S', { seq: 99 }), down(2, 'SA', { seq: 499, ack: 100 }), up(2.1, 'A', { seq: 100, ack: 500 })];
const asked = (ms: number, seq = 100): Sent => up(ms, 'PA', { seq, ack: 500, payload: GET });
const answered = (ms: number, seq = 500): Sent => down(ms, 'PA', { seq, ack: 118, payload: OK });
const shook = ['handshake', 2, 2, 'server'];

describe('handshakes', () => {
  test('SYN to SYN+ACK is timed, and the client is who sent the SYN', () => {
    const items = follow(opened);
    expect(told(items)).toEqual([shook]);
    expect(items[0]).toMatchObject({ client: { ip: A, port: 40_000 }, server: { ip: B, port: 8080 } });
  });

  test('a SYN that a reset answers is refused', () => {
    expect(told(follow([up(0, 'S'), down(1, 'RA')]))).toEqual([['refused', 1, null, 'server']]);
  });

  test('a SYN without an answer is told once, after a second, however often it is sent again', () => {
    const sent = [up(0, 'S', { seq: 9 }), up(1000, 'S', { seq: 9 }), up(3000, 'S', { seq: 9 })];
    expect(told(follow(sent))).toEqual([['unanswered', 0, null, 'client']]);
    expect(told(follow(sent.slice(0, 1), 999))).toEqual([]);
    expect(told(follow(sent.slice(0, 1), 1000))).toEqual([['unanswered', 0, null, 'client']]);
  });

  test('an answer to the second SYN is a handshake that took as long as the first waited', () => {
    const sent = [up(0, 'S', { seq: 9 }), up(1000, 'S', { seq: 9 }), down(1002, 'SA')];
    expect(told(follow(sent))).toEqual([
      ['unanswered', 0, null, 'client'],
      ['handshake', 1002, 1002, 'server'],
    ]);
  });

  test('a port used again is another connection', () => {
    const again = [up(5000, 'S', { seq: 7777 }), down(5001, 'RA')];
    expect(told(follow([...opened, ...again]))).toEqual([shook, ['refused', 5001, null, 'server']]);
  });
});

describe('exchanges', () => {
  test('every request of a keep-alive connection, from its last byte to the first of the answer', () => {
    const sent = [
      ...opened,
      asked(10),
      up(12, 'PA', { seq: 118, payload: 'body' }),
      answered(20),
      down(21, 'PA', { seq: 519, payload: 'more' }),
      asked(500, 122),
      answered(530, 523),
    ];
    expect(told(follow(sent))).toEqual([shook, ['exchange', 20, 8, 'server'], ['exchange', 530, 30, 'server']]);
  });

  test('bare acknowledgements and keep-alive probes are neither requests nor answers', () => {
    const sent = [
      ...opened,
      asked(10),
      answered(20),
      up(30, 'A', { seq: 118 }),
      up(900, 'A', { seq: 117, payload: '\0' }),
      down(901, 'A', { seq: 519 }),
    ];
    expect(told(follow(sent, 9000))).toEqual([shook, ['exchange', 20, 10, 'server']]);
  });

  test('HTTP/2 pings and window updates are neither requests nor answers', () => {
    const ping = Buffer.concat([Buffer.from([0, 0, 8, 6, 0, 0, 0, 0, 0]), Buffer.alloc(8)]);
    const window = Buffer.concat([Buffer.from([0, 0, 4, 8, 0, 0, 0, 0, 0]), Buffer.alloc(4)]);
    const payload = Buffer.concat([window, ping]);
    expect(told(follow([...opened, up(10, 'PA', { seq: 100, payload })], 9000))).toEqual([shook]);
  });

  test('a request that nothing answers is silent, told at every power of two seconds', () => {
    expect(told(follow([...opened, asked(10)], 5000))).toEqual([
      shook,
      ['silent', 1010, 1000, 'client'],
      ['silent', 2010, 2000, 'client'],
      ['silent', 4010, 4000, 'client'],
    ]);
  });

  test('a late answer is both a silence and an exchange, whenever it was asked for', () => {
    const sent = [...opened, asked(10), answered(1510)];
    const expected = [shook, ['silent', 1010, 1000, 'client'], ['exchange', 1510, 1500, 'server']];
    expect(told(follow(sent))).toEqual(expected);
    expect(told(follow(sent, 20_000))).toEqual(expected);
  });

  test('a client that gives up leaves its request unanswered', () => {
    expect(told(follow([...opened, asked(10), up(300, 'FA', { seq: 118 })], 1500))).toEqual([
      shook,
      ['silent', 1010, 1000, 'client'],
    ]);
  });

  test('a good-bye right before closing asks for nothing', () => {
    const alert = up(40, 'PA', { seq: 118, payload: '\x15\x03\x03..' });
    const sent = [
      ...opened,
      asked(10),
      answered(20),
      alert,
      up(40.1, 'FA', { seq: 123 }),
      down(41, 'FA', { seq: 519 }),
    ];
    expect(told(follow(sent, 9000))).toEqual([shook, ['exchange', 20, 10, 'server']]);
  });
});

describe('resets', () => {
  test('a reset while a request waits says how long it had waited, and by whom', () => {
    expect(told(follow([...opened, asked(10), down(250, 'R')], 9000))).toEqual([shook, ['reset', 250, 240, 'server']]);
  });

  test('a server that closes instead of answering has reset', () => {
    const sent = [...opened, asked(10), down(30, 'FA', { seq: 500 }), up(31, 'FA', { seq: 118 })];
    expect(told(follow(sent, 9000))).toEqual([shook, ['reset', 30, 20, 'server']]);
  });

  test('a reset of an idle connection had nothing waiting', () => {
    const sent = [...opened, asked(10), answered(20), down(900, 'R')];
    expect(told(follow(sent)).at(-1)).toEqual(['reset', 900, null, 'server']);
  });

  test('a reset after a good-bye is only how a connection ends', () => {
    const sent = [...opened, asked(10), answered(20), up(30, 'FA', { seq: 118 }), down(31, 'R')];
    expect(told(follow(sent))).toEqual([shook, ['exchange', 20, 10, 'server']]);
  });
});

describe('good-byes', () => {
  test('a server that closes an idle connection first is told, since a dying process does so to all of them', () => {
    const sent = [...opened, asked(10), answered(20), down(900, 'FA', { seq: 519 }), up(901, 'FA', { seq: 118 })];
    expect(told(follow(sent)).at(-1)).toEqual(['closed', 900, null, 'server']);
  });

  test('a server that follows its client in closing is not', () => {
    const sent = [...opened, asked(10), answered(20), up(900, 'FA', { seq: 118 }), down(901, 'FA', { seq: 519 })];
    expect(told(follow(sent)).at(-1)).toEqual(['exchange', 20, 10, 'server']);
  });
});

describe('retransmissions', () => {
  test('the same bytes again are a retransmission, by whom they were sent', () => {
    const sent = [...opened, asked(10), asked(220), asked(640), answered(700), answered(910)];
    expect(told(follow(sent))).toEqual([
      shook,
      ['retransmission', 220, null, 'client'],
      ['retransmission', 640, null, 'client'],
      ['exchange', 700, 690, 'server'],
      ['retransmission', 910, null, 'server'],
    ]);
  });

  test('a packet seen on two interfaces is one packet, even when a queue lies between them', () => {
    const sent = [...opened, asked(10), answered(30)];
    const twice = sent.flatMap((one) => [one, { ...one, ms: one.ms + 0.05 }]);
    const late = sent.map((one) => ({ ...one, ms: one.ms + 500 }));
    expect(told(follow(twice))).toEqual(told(follow(sent)));
    expect(told(follow([...sent, ...late]))).toEqual(told(follow(sent)));
  });

  test('packets that overtake each other are no retransmissions', () => {
    const sent = [
      ...opened,
      up(20, 'A', { seq: 110, payload: '01234567' }),
      up(40, 'A', { seq: 100, payload: 'x'.repeat(10) }),
    ];
    expect(told(follow(sent))).toEqual([shook]);
  });

  test('sequence numbers wrap', () => {
    const sent = [
      up(0, 'S', { seq: 0xffff_fff0 }),
      down(2, 'SA'),
      up(3, 'PA', { seq: 0xffff_fff1, payload: 'x'.repeat(40) }),
      up(4, 'PA', { seq: 25, payload: 'y' }),
      up(300, 'PA', { seq: 0xffff_fff1, payload: 'x'.repeat(40) }),
    ];
    expect(told(follow(sent))).toEqual([shook, ['retransmission', 300, null, 'client']]);
  });
});

describe('connections older than the capture', () => {
  test('HTTP/1 tells who the server is', () => {
    const items = follow([asked(10), answered(20)]);
    expect(told(items)).toEqual([['exchange', 20, 10, 'server']]);
    expect(items[0]?.server.ip).toBe(B);
  });

  test('without words that we know, the port that more than one peer talks to is the server', () => {
    const ask = (ms: number, destinationPort: number, sourcePort: number, seq: number): Sent =>
      up(ms, 'PA', { sourcePort, destinationPort, seq, payload: 'ask' });
    const reply = (ms: number, sourcePort: number, destinationPort: number, seq: number): Sent =>
      down(ms, 'PA', { sourcePort, destinationPort, seq, payload: 'reply' });
    const sent = [
      ask(10, 50_051, 33_000, 1),
      reply(12, 50_051, 33_000, 1),
      ask(20, 50_051, 33_001, 1),
      reply(22, 50_051, 33_001, 1),
      ask(30, 50_051, 33_000, 4),
      reply(35, 50_051, 33_000, 6),
    ];
    const servers = follow(sent)
      .filter(({ at }) => Number(at - start) > 15e6)
      .map(({ server, ms }) => [server.port, ms]);
    expect(servers).toEqual([
      [50_051, 2],
      [50_051, 5],
    ]);
  });

  test('an answer before any request is only an answer', () => {
    expect(told(follow([answered(10)], 5000))).toEqual([]);
  });
});

describe('many connections', () => {
  test('idle ones are given up, and counted', () => {
    const follower = createFollower(
      () => {},
      (ip, port) => ({ ip, port, pod: null, service: null }),
    );
    const at = (seconds: number, sourcePort: number): void =>
      follower.packet(start + BigInt(seconds) * 1_000_000_000n, decode(101, tcp4({ flags: 'SA', sourcePort }))!);
    at(0, 1);
    at(200, 2);
    at(400, 3);
    expect(follower.counts()).toEqual({ followed: 2, evicted: 1 });
  });

  test('no packets whatsoever make it throw, tell a thing twice or tell a negative time', () => {
    const flags = fc.constantFrom('S', 'SA', 'A', 'PA', 'FA', 'R', 'RA');
    const seq = fc.oneof(fc.nat(40), fc.integer({ min: 0xffff_fff0, max: 0xffff_ffff }));
    const step = fc.record({
      gap: fc.integer({ min: 1, max: 900 }),
      flags,
      seq,
      size: fc.nat(12),
      reply: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let ms = 0;
        const sent = steps.map(({ gap, flags, seq, size, reply }) => {
          ms += gap;
          return (reply ? down : up)(ms, flags, { seq, payload: 'x'.repeat(size) });
        });
        const items = follow(sent, ms + 5000);
        expect(new Set(items.map(({ id }) => id)).size).toBe(items.length);
        expect(items.every((item) => item.ms === null || item.ms >= 0)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
