// From the bytes of one packet to what its IP and TCP or UDP headers say.
import type { Nanos } from '../model.ts';
import { v4, v6 } from './address.ts';
import { bigEndian, littleEndian } from './bytes.ts';

const { u16, u32 } = bigEndian;

export type Flags = {
  readonly syn: boolean;
  readonly ack: boolean;
  readonly fin: boolean;
  readonly rst: boolean;
  readonly psh: boolean;
};

/** Which way a packet went, seen from the machine that captured it (Linux cooked captures say so). */
export type Cooked = 'in' | 'broadcast' | 'multicast' | 'other' | 'out';

/**
 * What a packet's headers say. `payload` is a view of the captured bytes and may be shorter than `payloadLength`, the true
 * length by the IP header, when the capture was cut short. Ports, `seq` and `ack` are 0 where the protocol has none.
 */
export type Packet = {
  /** Addresses as text: dotted quads, or IPv6 in RFC 5952 form. */
  readonly source: string;
  readonly destination: string;
  readonly protocol: 'TCP' | 'UDP' | 'ICMP' | 'OTHER';
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly flags: Flags;
  readonly seq: number;
  readonly ack: number;
  readonly payload: Buffer;
  readonly payloadLength: number;
  /** IPv4's identification; 0 where there is none. The same packet seen on two interfaces keeps it. */
  readonly ipId: number;
  /** The log prefix of the netfilter rule that logged this packet (NFLOG), or null. */
  readonly prefix: string | null;
  readonly cooked: Cooked | null;
  /** When the packet reached the kernel, where the capture says so besides its own time (NFLOG), or null. */
  readonly received: Nanos | null;
};

/** A packet in the making: what the link layer adds is filled in after IP has been read. */
type Draft = { -readonly [K in keyof Packet]: Packet[K] };

type Link = (bytes: Buffer) => Packet | null;

/**
 * Decodes one captured packet. Link types: Ethernet with VLAN tags (1), raw IP (12, 101, 228, 229), Linux cooked v1 (113)
 * and v2 (276), NFLOG (239). Null when the link type is another one, when there is no IP in it, when the capture was cut
 * inside the headers, and for every fragment but the first.
 */
export const decode = (linkType: number, bytes: Buffer): Packet | null => LINKS.get(linkType)?.(bytes) ?? null;

// ---- Link layers ---------------------------------------------------------------------------------------------

const isVlan = (type: number): boolean => type === 0x8100 || type === 0x88a8 || type === 0x9100;

const ethernet: Link = (bytes) => {
  let at = 12;
  while (at + 6 <= bytes.length && isVlan(u16(bytes, at))) at += 4;
  return at + 2 <= bytes.length ? network(u16(bytes, at), bytes, at + 2) : null;
};

const network = (type: number, bytes: Buffer, at: number): Draft | null =>
  type === 0x0800 || type === 0x86dd ? ip(bytes, at) : null;

const COOKED: readonly Cooked[] = ['in', 'broadcast', 'multicast', 'other', 'out'];

const cooked =
  (headerLength: number, protocolAt: number, kind: (bytes: Buffer) => number): Link =>
  (bytes) => {
    if (bytes.length < headerLength) return null;
    let at = headerLength;
    let type = u16(bytes, protocolAt);
    for (; at + 4 <= bytes.length && isVlan(type); at += 4) type = u16(bytes, at + 2);
    const packet = network(type, bytes, at);
    if (packet) packet.cooked = COOKED[kind(bytes)] ?? null;
    return packet;
  };

/** Attributes of a logged packet (linux/netfilter/nfnetlink_log.h). */
const NFULA_TIMESTAMP = 3;
const NFULA_PAYLOAD = 9;
const NFULA_PREFIX = 10;
const NFULA_LARGEST = 255;

/** NFLOG's attributes are in the byte order of the machine that captured; a type beyond any known gives the wrong one away. */
const nflog: Link = (bytes) => {
  if (bytes.length < 8 || bytes[1] !== 0) return null;
  const { u16: host } = littleEndian.u16(bytes, 6) <= NFULA_LARGEST ? littleEndian : bigEndian;
  let packet: Draft | null = null;
  let prefix: string | null = null;
  let received: Nanos | null = null;
  for (let at = 4; at + 4 <= bytes.length; ) {
    const length = host(bytes, at);
    const type = host(bytes, at + 2) & 0x7fff;
    const end = Math.min(at + length, bytes.length);
    if (length < 4) break;
    if (type === NFULA_PAYLOAD) packet = ip(bytes.subarray(0, end), at + 4);
    else if (type === NFULA_PREFIX) prefix = text(bytes, at + 4, end);
    else if (type === NFULA_TIMESTAMP && end - at >= 20) received = instant(bytes, at + 4);
    at += (length + 3) & ~3;
  }
  return packet && Object.assign(packet, { prefix, received });
};

const text = (bytes: Buffer, from: number, to: number): string => {
  const zero = bytes.indexOf(0, from);
  return bytes.toString('utf8', from, zero >= 0 && zero < to ? zero : to);
};

const instant = (bytes: Buffer, at: number): Nanos =>
  bytes.readBigUInt64BE(at) * 1_000_000_000n + bytes.readBigUInt64BE(at + 8) * 1000n;

const raw: Link = (bytes) => ip(bytes, 0);

const LINKS: ReadonlyMap<number, Link> = new Map([
  [1, ethernet],
  [12, raw],
  [101, raw],
  [113, cooked(16, 14, (bytes) => u16(bytes, 0))],
  [228, raw],
  [229, raw],
  [239, nflog],
  [276, cooked(20, 0, (bytes) => bytes[10]!)],
]);

// ---- Internet protocols --------------------------------------------------------------------------------------

const ip = (bytes: Buffer, at: number): Draft | null => {
  if (at >= bytes.length) return null;
  const version = bytes[at]! >> 4;
  if (version === 4) return ipv4(bytes, at);
  return version === 6 ? ipv6(bytes, at) : null;
};

const ipv4 = (bytes: Buffer, at: number): Draft | null => {
  if (at + 20 > bytes.length) return null;
  const headerLength = (bytes[at]! & 15) * 4;
  // Segments merged by the network card's offload can be too long for the field, which is then 0.
  const total = u16(bytes, at + 2) || bytes.length - at;
  const laterFragment = (u16(bytes, at + 6) & 0x1fff) !== 0;
  if (headerLength < 20 || total < headerLength || laterFragment) return null;
  const packet = transport(bytes[at + 9]!, bytes, at + headerLength, at + total);
  if (packet === null) return null;
  packet.source = v4(bytes, at + 12);
  packet.destination = v4(bytes, at + 16);
  packet.ipId = u16(bytes, at + 4);
  return packet;
};

const ipv6 = (bytes: Buffer, at: number): Draft | null => {
  if (at + 40 > bytes.length) return null;
  const end = u16(bytes, at + 4) === 0 ? bytes.length : at + 40 + u16(bytes, at + 4);
  let next = bytes[at + 6]!;
  let body = at + 40;
  for (let length = extension(next, bytes, body); length !== 0; length = extension(next, bytes, body)) {
    if (next === 44 && (u16(bytes, body + 2) & 0xfff8) !== 0) return null;
    next = bytes[body]!;
    body += length;
  }
  const packet = transport(next, bytes, body, end);
  if (packet === null) return null;
  packet.source = v6(bytes, at + 8);
  packet.destination = v6(bytes, at + 24);
  return packet;
};

/** Length of the IPv6 extension header of type `next` at `at`; 0 when it is none, or not all there. */
const extension = (next: number, bytes: Buffer, at: number): number => {
  if (at + 8 > bytes.length) return 0;
  switch (next) {
    case 44:
      return 8;
    case 51:
      return (bytes[at + 1]! + 2) * 4;
    case 0:
    case 43:
    case 60:
    case 135:
      return (bytes[at + 1]! + 1) * 8;
    default:
      return 0;
  }
};

const transport = (protocol: number, bytes: Buffer, at: number, end: number): Draft | null => {
  switch (protocol) {
    case 6:
      return tcp(bytes, at, end);
    case 17:
      return udp(bytes, at, end);
    case 1:
    case 58:
      return draft('ICMP', bytes, at, end);
    default:
      return draft('OTHER', bytes, at, end);
  }
};

const tcp = (bytes: Buffer, at: number, end: number): Draft | null => {
  if (at + 20 > bytes.length) return null;
  const headerLength = (bytes[at + 12]! >> 4) * 4;
  if (headerLength < 20 || at + headerLength > end) return null;
  const packet = draft('TCP', bytes, at + headerLength, end);
  packet.sourcePort = u16(bytes, at);
  packet.destinationPort = u16(bytes, at + 2);
  packet.seq = u32(bytes, at + 4);
  packet.ack = u32(bytes, at + 8);
  packet.flags = FLAGS[bytes[at + 13]! & 31]!;
  return packet;
};

const udp = (bytes: Buffer, at: number, end: number): Draft | null => {
  if (at + 8 > bytes.length || at + 8 > end) return null;
  const packet = draft('UDP', bytes, at + 8, end);
  packet.sourcePort = u16(bytes, at);
  packet.destinationPort = u16(bytes, at + 2);
  return packet;
};

const NOTHING = Buffer.alloc(0);

const draft = (protocol: Packet['protocol'], bytes: Buffer, from: number, end: number): Draft => {
  const kept = Math.min(end, bytes.length);
  return {
    source: '',
    destination: '',
    protocol,
    sourcePort: 0,
    destinationPort: 0,
    flags: FLAGS[0]!,
    seq: 0,
    ack: 0,
    payload: kept > from ? bytes.subarray(from, kept) : NOTHING,
    payloadLength: Math.max(0, end - from),
    ipId: 0,
    prefix: null,
    cooked: null,
    received: null,
  };
};

/** Every combination of the five flags, made once: the lower five bits are FIN, SYN, RST, PSH, ACK. */
const FLAGS: readonly Flags[] = Array.from({ length: 32 }, (_, bits) => ({
  fin: (bits & 1) !== 0,
  syn: (bits & 2) !== 0,
  rst: (bits & 4) !== 0,
  psh: (bits & 8) !== 0,
  ack: (bits & 16) !== 0,
}));
