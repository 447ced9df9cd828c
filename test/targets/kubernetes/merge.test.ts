import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Nanos } from '../../../src/model.ts';
import { decode } from '../../../src/pcap/decode.ts';
import { type CapturedPacket, createPcapReader } from '../../../src/pcap/reader.ts';
import { type Merged, type Merger, merger, type Vantage, type World } from '../../../src/targets/kubernetes/merge.ts';
import { fileHeader, ipOf, LINKTYPE_RAW, packetHeader } from '../../../src/targets/kubernetes/raw-ip.ts';
import { fromMs } from '../../../src/time.ts';

const [WEB, SHOP, BANK, SERVICE, USER, SCRAPER] = [
  ...['198.18.1.1', '198.18.1.2', '198.18.1.3', '198.18.128.9', '203.0.113.5', '198.18.7.7'],
] as [string, string, string, string, string, string];
const SYN = 2;
const SYN_ACK = 18;
const ACK = 16;

const world: World = {
  pods: new Map([
    [WEB, 8080],
    [SHOP, 8080],
    [BANK, 9000],
  ]),
  services: new Set([SERVICE]),
  quiet: new Set([SCRAPER]),
};

type End = readonly [ip: string, port: number];
const end = ([ip, port]: End): string => `${ip}:${port}`;
const ms = (n: number): Nanos => 1_000_000_000_000n + fromMs(n);

/** A TCP packet on Ethernet. `seq` tells packets apart. */
const packet = (at: Nanos, [from, sport]: End, [to, dport]: End, flags: number, seq: number): CapturedPacket => {
  const bytes = Buffer.alloc(54);
  bytes.writeUInt16BE(0x0800, 12);
  bytes[14] = 0x45;
  bytes.writeUInt16BE(40, 16);
  bytes[23] = 6;
  Buffer.from(from.split('.').map(Number)).copy(bytes, 26);
  Buffer.from(to.split('.').map(Number)).copy(bytes, 30);
  bytes.writeUInt16BE(sport, 34);
  bytes.writeUInt16BE(dport, 36);
  bytes.writeUInt32BE(seq, 38);
  bytes[46] = 0x50;
  bytes[47] = flags;
  return { at, linkType: 1, captured: bytes, length: 54 };
};

const told = ({ bytes }: Merged): string => {
  const { source, sourcePort, destination, destinationPort, seq } = decode(LINKTYPE_RAW, bytes)!;
  return `${source}:${sourcePort}>${destination}:${destinationPort} ${seq}`;
};

const capture = (...ips: readonly string[]) => {
  const out: Merged[] = [];
  const merge = merger(world, (one) => out.push(one));
  const at = new Map(ips.map((ip) => [ip, merge.open(ip, ms(0))]));
  return { merge, at: (ip: string): Vantage => at.get(ip)!, out, said: () => out.map(told) };
};

/** A connection by way of the Service: `seen` is a packet at the client's pod, then at the server's. */
const between = (client: End, server: End, virtual: End = server) => {
  const seen = (t: number, reply: boolean, flags: number, seq: number) => ({
    client: reply ? packet(ms(t), virtual, client, flags, seq) : packet(ms(t), client, virtual, flags, seq),
    server: reply ? packet(ms(t), server, client, flags, seq) : packet(ms(t), client, server, flags, seq),
  });
  return { seen, way: `${end(client)}>${end(virtual)}`, back: `${end(virtual)}>${end(client)}` };
};

describe('a packet between two pods', () => {
  test('is kept as its client saw it, with the Service’s address, in both directions', () => {
    const { merge, at, said } = capture(WEB, SHOP);
    const { seen, way, back } = between([WEB, 40_000], [SHOP, 8080], [SERVICE, 80]);
    [seen(1, false, SYN, 1), seen(2, true, SYN_ACK, 2), seen(3, false, ACK, 3)].forEach((one, i) => {
      at(WEB).packet(one.client, ms(i));
      at(SHOP).packet(one.server, ms(i));
    });
    merge.flush();
    expect(said()).toEqual([`${way} 1`, `${back} 2`, `${way} 3`]);
  });

  test('that a policy drops on the way is kept: only its client has seen it', () => {
    const { merge, at, said } = capture(WEB, SHOP);
    const { seen, way } = between([WEB, 40_000], [SHOP, 8080], [SERVICE, 80]);
    at(WEB).packet(seen(1, false, SYN, 1).client, ms(1));
    merge.flush();
    expect(said()).toEqual([`${way} 1`]);
  });

  test('is kept as its server saw it when its client is not captured, or is a user', () => {
    const { merge, at, said } = capture(SHOP);
    at(SHOP).packet(between([WEB, 40_000], [SHOP, 8080]).seen(1, false, ACK, 1).server, ms(1));
    at(SHOP).packet(between([USER, 50_000], [SHOP, 8080]).seen(2, false, SYN, 2).server, ms(2));
    merge.flush();
    expect(said()).toEqual([`${WEB}:40000>${SHOP}:8080 1`, `${USER}:50000>${SHOP}:8080 2`]);
  });

  test('of those who observe, or of a call to somebody outside of the platform, is left out', () => {
    const { merge, at, out } = capture(SHOP);
    at(SHOP).packet(between([SCRAPER, 50_000], [SHOP, 8080]).seen(1, false, SYN, 1).server, ms(1));
    at(SHOP).packet(between([SHOP, 50_000], ['198.18.200.1', 4318]).seen(1, false, ACK, 1).client, ms(1));
    merge.flush();
    expect(out).toEqual([]);
  });
});

describe('the order', () => {
  test('is that of time, whichever stream comes first', () => {
    const { merge, at, said } = capture(WEB, SHOP, BANK);
    const one = between([WEB, 40_000], [SHOP, 8080]).seen(100, false, SYN, 1).client;
    const two = between([SHOP, 40_000], [BANK, 9000]).seen(50, false, SYN, 2).client;
    at(WEB).packet(one, ms(101));
    merge.release(ms(600));
    at(SHOP).packet(two, ms(600));
    merge.release(ms(1200));
    merge.release(ms(1300));
    expect(said().map((text) => text.at(-1))).toEqual(['2', '1']);
  });

  test('is never broken: what comes too late is left out and counted', () => {
    const { merge, at, said } = capture(WEB, SHOP);
    at(WEB).packet(between([WEB, 40_000], [SHOP, 8080]).seen(100, false, SYN, 1).client, ms(100));
    merge.release(ms(900));
    at(SHOP).packet(between([SHOP, 40_000], [BANK, 9000]).seen(50, false, SYN, 2).client, ms(900));
    merge.flush();
    expect(said()).toHaveLength(1);
    expect(merge.counts()).toEqual({ written: 1, late: 1 });
  });
});

describe('pods that come and go', () => {
  const through = between([WEB, 40_000], [SHOP, 8080], [SERVICE, 80]);
  const both = (one: ReturnType<typeof through.seen>, t: number, web: Vantage, shop: Vantage): void => {
    web.packet(one.client, ms(t));
    shop.packet(one.server, ms(t));
  };
  const changing = (): { merge: Merger; shop: Vantage; said: () => string[] } => {
    const { merge, at, said } = capture(SHOP);
    at(SHOP).packet(through.seen(0, false, ACK, 1).server, ms(0));
    merge.release(ms(1000));
    return { merge, shop: at(SHOP), said };
  };

  test('a conversation that is under way stays with the view that it was begun with', () => {
    const { merge, shop, said } = changing();
    const web = merge.open(WEB, ms(100));
    both(through.seen(500, true, ACK, 2), 500, web, shop);
    both(through.seen(900, false, ACK, 3), 900, web, shop);
    merge.flush();
    expect(said()).toEqual([
      `${WEB}:40000>${SHOP}:8080 1`,
      `${SHOP}:8080>${WEB}:40000 2`,
      `${WEB}:40000>${SHOP}:8080 3`,
    ]);
  });

  test('one that rests goes over to its client’s view, and so does a new one on the same port', () => {
    for (const [t, flags] of [
      [1100, ACK],
      [500, SYN],
    ] as const) {
      const { merge, shop, said } = changing();
      const web = merge.open(WEB, ms(100));
      both(through.seen(t, false, flags, 2), t, web, shop);
      merge.flush();
      expect(said().slice(1)).toEqual([`${through.way} 2`]);
    }
  });

  test('what a pod that is gone had sent is seen at its servers', () => {
    const { merge, at, said } = capture(WEB, SHOP);
    both(through.seen(1, false, ACK, 1), 1, at(WEB), at(SHOP));
    at(WEB).close(ms(2));
    at(SHOP).packet(through.seen(200, true, ACK, 2).server, ms(200));
    merge.flush();
    expect(said()).toEqual([`${through.way} 1`, `${SHOP}:8080>${WEB}:40000 2`]);
  });
});

test('in any interleaving of any conversations each packet is there once, in order, from its client’s view', () => {
  const ends = fc.constantFrom<readonly [string, End, End]>(
    [WEB, [SHOP, 8080], [SERVICE, 80]],
    [SHOP, [BANK, 9000], [BANK, 9000]],
    [BANK, [WEB, 8080], [WEB, 8080]],
    // A port that the profile does not name, on a pod that is also a client.
    [WEB, [SHOP, 5432], [SHOP, 5432]],
  );
  const step = fc.record({
    of: fc.nat(9),
    gap: fc.nat(40),
    lag: fc.nat(300),
    otherLag: fc.nat(300),
    reply: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(ends, { minLength: 1, maxLength: 10 }), fc.array(step, { maxLength: 60 }), (pairs, steps) => {
      const { merge, at, out, said } = capture(WEB, SHOP, BANK);
      const talks = pairs.map(([client, server, virtual], i) => ({
        client,
        server,
        it: between([client, 40_000 + i], server, virtual),
      }));
      const arrivals: { at: number; from: string; packet: CapturedPacket }[] = [];
      const expected: string[] = [];
      let t = 0;
      steps.forEach(({ of, gap, lag, otherLag, reply }, seq) => {
        const { client, server, it } = talks[of % talks.length]!;
        t += gap + 1;
        const seen = it.seen(t, reply, ACK, seq);
        arrivals.push(
          { at: t + lag, from: client, packet: seen.client },
          { at: t + otherLag, from: server[0], packet: seen.server },
        );
        expected.push(`${reply ? it.back : it.way} ${seq}`);
      });
      for (const one of arrivals.sort((a, b) => a.at - b.at)) {
        at(one.from).packet(one.packet, ms(one.at));
        merge.release(ms(one.at));
      }
      merge.flush();
      expect(said()).toEqual(expected);
      expect(out.map((one) => one.length)).toEqual(expected.map(() => 40));
      expect(merge.counts()).toEqual({ written: expected.length, late: 0 });
    }),
  );
});

describe('the file', () => {
  test('is one that a reader of captures reads, to the nanosecond', () => {
    const bytes = packet(1_234_567_891_000_000_007n, [WEB, 40_000], [SHOP, 8080], SYN, 1).captured.subarray(14);
    const read: CapturedPacket[] = [];
    const reader = createPcapReader((one) => read.push({ ...one, captured: Buffer.from(one.captured) }));
    reader.push(Buffer.concat([fileHeader(), packetHeader(1_234_567_891_000_000_007n, bytes.length, 1500), bytes]));
    expect(reader.end()).toEqual({ format: 'pcap', packets: 1, end: 'complete' });
    expect(read).toEqual([{ at: 1_234_567_891_000_000_007n, linkType: LINKTYPE_RAW, captured: bytes, length: 1500 }]);
  });

  test('has all packets from IP on, whatever link they came by', () => {
    const ethernet = Buffer.concat([Buffer.alloc(12), Buffer.from('0800', 'hex'), Buffer.from([0x45])]);
    const tagged = Buffer.concat([Buffer.alloc(12), Buffer.from('8100000a0800', 'hex'), Buffer.from([0x45])]);
    expect([ipOf(1, ethernet), ipOf(1, tagged), ipOf(113, Buffer.alloc(20)), ipOf(276, Buffer.alloc(24))]).toEqual([
      14, 18, 16, 20,
    ]);
    expect([ipOf(101, ethernet), ipOf(105, ethernet), ipOf(1, Buffer.alloc(13))]).toEqual([0, null, null]);
  });
});
