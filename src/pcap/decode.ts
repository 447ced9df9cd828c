// From the bytes of one packet to what its headers say, in a form to keep and to compare.
import type { Nanos } from '../model.ts';
import { addressText } from './address.ts';
import { bigEndian } from './bytes.ts';
import { eachAttribute, emptyHeaders, type Headers, readHeaders } from './headers.ts';

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

/**
 * Decodes one captured packet. Link types: Ethernet with VLAN tags (1), raw IP (12, 101, 228, 229), Linux cooked v1 (113)
 * and v2 (276), NFLOG (239). Null when the link type is another one, when there is no IP in it, when the capture was cut
 * inside the headers, and for every fragment but the first.
 */
export const decode = (linkType: number, bytes: Buffer): Packet | null => {
  if (!readHeaders(linkType, bytes, 0, bytes.length, headers)) return null;
  const { s0, s1, s2, s3, d0, d1, d2, d3, payloadAt, payloadEnd, seq, ack } = headers;
  const log = linkType === NFLOG ? loggedWith(bytes) : NOT_LOGGED;
  return {
    source: addressText(s0, s1, s2, s3),
    destination: addressText(d0, d1, d2, d3),
    protocol: PROTOCOLS[headers.protocol] ?? 'OTHER',
    sourcePort: headers.sourcePort,
    destinationPort: headers.destinationPort,
    flags: FLAGS[headers.flags]!,
    seq: seq >>> 0,
    ack: ack >>> 0,
    payload: payloadEnd > payloadAt ? bytes.subarray(payloadAt, payloadEnd) : NOTHING,
    payloadLength: headers.payloadLength,
    ipId: headers.ipId,
    prefix: log.prefix,
    cooked: cooked(linkType, bytes),
    received: log.received,
  };
};

/** Read anew for every packet. */
const headers: Headers = emptyHeaders();
const NOTHING = Buffer.alloc(0);
const PROTOCOLS: Readonly<Record<number, Packet['protocol']>> = { 6: 'TCP', 17: 'UDP', 1: 'ICMP', 58: 'ICMP' };

const COOKED: readonly Cooked[] = ['in', 'broadcast', 'multicast', 'other', 'out'];

const cooked = (linkType: number, bytes: Buffer): Cooked | null => {
  if (linkType === 113) return COOKED[bigEndian.u16(bytes, 0)] ?? null;
  return linkType === 276 ? (COOKED[bytes[10]!] ?? null) : null;
};

const NFLOG = 239;
/** Attributes of a logged packet (linux/netfilter/nfnetlink_log.h). */
const NFULA_TIMESTAMP = 3;
const NFULA_PREFIX = 10;

type Logged = { readonly prefix: string | null; readonly received: Nanos | null };

const NOT_LOGGED: Logged = { prefix: null, received: null };

const loggedWith = (bytes: Buffer): Logged => {
  let prefix: string | null = null;
  let received: Nanos | null = null;
  eachAttribute(bytes, 0, bytes.length, (type, at, end) => {
    if (type === NFULA_PREFIX) prefix = text(bytes, at, end);
    else if (type === NFULA_TIMESTAMP && end - at >= 16) received = instant(bytes, at);
  });
  return { prefix, received };
};

const text = (bytes: Buffer, from: number, to: number): string => {
  const zero = bytes.indexOf(0, from);
  return bytes.toString('utf8', from, zero >= 0 && zero < to ? zero : to);
};

const instant = (bytes: Buffer, at: number): Nanos =>
  bytes.readBigUInt64BE(at) * 1_000_000_000n + bytes.readBigUInt64BE(at + 8) * 1000n;

/** Every combination of the five flags, made once: the lower five bits are FIN, SYN, RST, PSH, ACK. */
const FLAGS: readonly Flags[] = Array.from({ length: 32 }, (_, bits) => ({
  fin: (bits & 1) !== 0,
  syn: (bits & 2) !== 0,
  rst: (bits & 4) !== 0,
  psh: (bits & 8) !== 0,
  ack: (bits & 16) !== 0,
}));
