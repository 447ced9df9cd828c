// From the bytes of one packet to the numbers in its IP and TCP or UDP headers, into one object that is used again.
import { bigEndian, littleEndian, viewOf } from './bytes.ts';

/** IANA's numbers of protocols. */
export const IANA = { TCP: 6, UDP: 17 } as const;

/** Bits of TCP's flags (RFC 9293, 3.1). */
export const FLAG = { FIN: 1, SYN: 2, RST: 4, ACK: 16 } as const;

// Numbers of other modules, and those that a module exports, are written as its own constants where packets go through: V8 looks
// them up and checks them each time else, for a fifth of a packet's time.
const { TCP, UDP } = IANA;

/**
 * What a packet's headers say. Addresses are four 32-bit words, IPv4 as ::ffff:a.b.c.d; words, `seq` and `ack` are signed.
 * Ports and numbers are 0 where the protocol has none. `payloadAt` and `payloadEnd` bound the captured part of the
 * payload, whose true length by the IP header is `payloadLength`.
 */
export type Headers = {
  s0: number;
  s1: number;
  s2: number;
  s3: number;
  d0: number;
  d1: number;
  d2: number;
  d3: number;
  /** IANA's number: 6 is TCP. */
  protocol: number;
  sourcePort: number;
  destinationPort: number;
  /** The lower bits of TCP's flags: FIN 1, SYN 2, RST 4, PSH 8, ACK 16. */
  flags: number;
  seq: number;
  ack: number;
  window: number;
  /** IPv4's identification; 0 where there is none. */
  ipId: number;
  payloadAt: number;
  payloadEnd: number;
  payloadLength: number;
  /** When the packet was captured, in nanoseconds after the capture's first one (NaN without a time): set by who reads the capture. */
  at: number;
};

export const emptyHeaders = (): Headers => ({
  ...{ s0: 0, s1: 0, s2: 0, s3: 0, d0: 0, d1: 0, d2: 0, d3: 0 },
  ...{ protocol: 0, sourcePort: 0, destinationPort: 0, flags: 0, seq: 0, ack: 0, window: 0, ipId: 0 },
  ...{ payloadAt: 0, payloadEnd: 0, payloadLength: 0, at: Number.NaN },
});

/**
 * Reads the headers of the packet that lies from `from` to `to`. Link types: Ethernet with VLAN tags (1), raw IP (12, 101,
 * 228, 229), Linux cooked v1 (113) and v2 (276), NFLOG (239). False when the link type is another one, when there is no
 * IP in it, when the capture was cut inside the headers, and for every fragment but the first.
 */
export const readHeaders = (linkType: number, bytes: Buffer, from: number, to: number, into: Headers): boolean => {
  switch (linkType) {
    case 1:
      return ethernet(viewOf(bytes), from, to, into);
    case 12:
    case 101:
    case 228:
    case 229:
      return ip(viewOf(bytes), from, to, into);
    case 113:
      return to - from >= 16 && tagged(viewOf(bytes), from + 14, from + 16, to, into);
    case 276:
      return to - from >= 20 && tagged(viewOf(bytes), from, from + 20, to, into);
    case 239:
      return logged(bytes, from, to, into);
    default:
      return false;
  }
};

// ---- Link layers ---------------------------------------------------------------------------------------------

const isVlan = (type: number): boolean => type === 0x8100 || type === 0x88a8 || type === 0x9100;

const ethernet = (view: DataView, from: number, to: number, into: Headers): boolean => {
  let at = from + 12;
  while (at + 6 <= to && isVlan(view.getUint16(at))) at += 4;
  return at + 2 <= to && network(view.getUint16(at), view, at + 2, to, into);
};

/** Linux cooked: the type stands apart from the VLAN tags that follow the header. */
const tagged = (view: DataView, typeAt: number, bodyAt: number, to: number, into: Headers): boolean => {
  let at = bodyAt;
  let type = view.getUint16(typeAt);
  for (; at + 4 <= to && isVlan(type); at += 4) type = view.getUint16(at + 2);
  return network(type, view, at, to, into);
};

const network = (type: number, view: DataView, at: number, to: number, into: Headers): boolean =>
  (type === 0x0800 || type === 0x86dd) && ip(view, at, to, into);

/** The attribute of a logged packet that has its bytes (linux/netfilter/nfnetlink_log.h). */
const NFULA_PAYLOAD = 9;

const logged = (bytes: Buffer, from: number, to: number, into: Headers): boolean => {
  let found = false;
  eachAttribute(bytes, from, to, (type, at, end) => {
    if (type === NFULA_PAYLOAD) found = ip(viewOf(bytes), at, end, into);
  });
  return found;
};

const NFULA_LARGEST = 255;

/**
 * Calls back for each attribute of an NFLOG packet with its type and where its value lies. Attributes are in the byte order
 * of the machine that captured; a type beyond any known gives the wrong one away.
 */
export const eachAttribute = (
  bytes: Buffer,
  from: number,
  to: number,
  take: (type: number, at: number, end: number) => void,
): void => {
  if (to - from < 8 || bytes[from + 1] !== 0) return;
  const { u16: host } = littleEndian.u16(bytes, from + 6) <= NFULA_LARGEST ? littleEndian : bigEndian;
  for (let at = from + 4; at + 4 <= to; ) {
    const length = host(bytes, at);
    if (length < 4) return;
    take(host(bytes, at + 2) & 0x7fff, at + 4, Math.min(at + length, to));
    at += (length + 3) & ~3;
  }
};

// ---- Internet protocols --------------------------------------------------------------------------------------

const ip = (view: DataView, at: number, to: number, into: Headers): boolean => {
  if (at >= to) return false;
  const version = view.getUint8(at) >> 4;
  if (version === 4) return ipv4(view, at, to, into);
  return version === 6 && ipv6(view, at, to, into);
};

const ipv4 = (view: DataView, at: number, to: number, into: Headers): boolean => {
  if (at + 20 > to) return false;
  const headerLength = (view.getUint8(at) & 15) * 4;
  // Segments merged by the network card's offload can be too long for the field, which is then 0.
  const total = view.getUint16(at + 2) || to - at;
  const laterFragment = (view.getUint16(at + 6) & 0x1fff) !== 0;
  if (headerLength < 20 || total < headerLength || laterFragment) return false;
  into.s0 = into.s1 = into.d0 = into.d1 = 0;
  into.s2 = into.d2 = 0xffff;
  into.s3 = view.getInt32(at + 12);
  into.d3 = view.getInt32(at + 16);
  into.ipId = view.getUint16(at + 4);
  return transport(view.getUint8(at + 9), view, at + headerLength, at + total, to, into);
};

const ipv6 = (view: DataView, at: number, to: number, into: Headers): boolean => {
  if (at + 40 > to) return false;
  const end = view.getUint16(at + 4) === 0 ? to : at + 40 + view.getUint16(at + 4);
  let next = view.getUint8(at + 6);
  let body = at + 40;
  for (let length = extension(next, view, body, to); length !== 0; length = extension(next, view, body, to)) {
    if (next === 44 && (view.getUint16(body + 2) & 0xfff8) !== 0) return false;
    next = view.getUint8(body);
    body += length;
  }
  v6Addresses(view, at + 8, into);
  into.ipId = 0;
  return transport(next, view, body, end, to, into);
};

const v6Addresses = (view: DataView, at: number, into: Headers): void => {
  into.s0 = view.getInt32(at);
  into.s1 = view.getInt32(at + 4);
  into.s2 = view.getInt32(at + 8);
  into.s3 = view.getInt32(at + 12);
  into.d0 = view.getInt32(at + 16);
  into.d1 = view.getInt32(at + 20);
  into.d2 = view.getInt32(at + 24);
  into.d3 = view.getInt32(at + 28);
};

/** Length of the IPv6 extension header of type `next` at `at`; 0 when it is none, or not all there. */
const extension = (next: number, view: DataView, at: number, to: number): number => {
  if (at + 8 > to) return 0;
  switch (next) {
    case 44:
      return 8;
    case 51:
      return (view.getUint8(at + 1) + 2) * 4;
    case 0:
    case 43:
    case 60:
    case 135:
      return (view.getUint8(at + 1) + 1) * 8;
    default:
      return 0;
  }
};

const transport = (protocol: number, view: DataView, at: number, end: number, to: number, into: Headers): boolean => {
  into.protocol = protocol;
  if (protocol === TCP) return tcp(view, at, end, to, into);
  into.flags = into.seq = into.ack = into.window = 0;
  if (protocol === UDP) return udp(view, at, end, to, into);
  into.sourcePort = into.destinationPort = 0;
  payload(at, end, to, into);
  return true;
};

const tcp = (view: DataView, at: number, end: number, to: number, into: Headers): boolean => {
  if (at + 20 > to) return false;
  const headerLength = (view.getUint8(at + 12) >> 4) * 4;
  if (headerLength < 20 || at + headerLength > end) return false;
  into.sourcePort = view.getUint16(at);
  into.destinationPort = view.getUint16(at + 2);
  into.seq = view.getInt32(at + 4);
  into.ack = view.getInt32(at + 8);
  into.flags = view.getUint8(at + 13) & 31;
  into.window = view.getUint16(at + 14);
  payload(at + headerLength, end, to, into);
  return true;
};

const udp = (view: DataView, at: number, end: number, to: number, into: Headers): boolean => {
  if (at + 8 > to || at + 8 > end) return false;
  into.sourcePort = view.getUint16(at);
  into.destinationPort = view.getUint16(at + 2);
  payload(at + 8, end, to, into);
  return true;
};

const payload = (at: number, end: number, to: number, into: Headers): void => {
  const kept = Math.min(end, to);
  into.payloadAt = at;
  into.payloadEnd = Math.max(kept, at);
  into.payloadLength = Math.max(end - at, 0);
};
