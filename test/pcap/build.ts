// Builds capture files and packets byte by byte, after the formats' specifications and without the code under test.

export type Order = 'big' | 'little';
export type Stamped = {
  readonly seconds: number;
  readonly fraction: number;
  readonly data: Buffer;
  readonly length?: number;
};

const u16 = (value: number, order: Order): Buffer => {
  const bytes = Buffer.alloc(2);
  if (order === 'big') bytes.writeUInt16BE(value);
  else bytes.writeUInt16LE(value);
  return bytes;
};

const u32 = (value: number, order: Order): Buffer => {
  const bytes = Buffer.alloc(4);
  if (order === 'big') bytes.writeUInt32BE(value);
  else bytes.writeUInt32LE(value);
  return bytes;
};

const padded = (data: Buffer): Buffer => Buffer.concat([data, Buffer.alloc((4 - (data.length % 4)) % 4)]);

export type ClassicOptions = {
  readonly order?: Order;
  readonly nanoseconds?: boolean;
  readonly linkType?: number;
  readonly snapLength?: number;
};

export const classicHeader = (options: ClassicOptions = {}): Buffer => {
  const { order = 'little', nanoseconds = false, linkType = 1, snapLength = 262_144 } = options;
  const numbers = [snapLength, linkType].map((value) => u32(value, order));
  const magic = u32(nanoseconds ? 0xa1b23c4d : 0xa1b2c3d4, order);
  return Buffer.concat([magic, u16(2, order), u16(4, order), Buffer.alloc(8), ...numbers]);
};

export const classicRecord = (packet: Stamped, order: Order = 'little'): Buffer => {
  const { seconds, fraction, data, length = data.length } = packet;
  return Buffer.concat([...[seconds, fraction, data.length, length].map((value) => u32(value, order)), data]);
};

export const classicFile = (packets: readonly Stamped[], options: ClassicOptions = {}): Buffer =>
  Buffer.concat([classicHeader(options), ...packets.map((packet) => classicRecord(packet, options.order))]);

export const block = (type: number, body: Buffer, order: Order = 'little'): Buffer => {
  const size = u32(12 + padded(body).length, order);
  return Buffer.concat([u32(type, order), size, padded(body), size]);
};

export const sectionBlock = (order: Order = 'little'): Buffer =>
  block(
    0x0a0d0d0a,
    Buffer.concat([u32(0x1a2b3c4d, order), u16(1, order), u16(0, order), Buffer.alloc(8, 0xff)]),
    order,
  );

export const option = (code: number, value: Buffer, order: Order = 'little'): Buffer =>
  Buffer.concat([u16(code, order), u16(value.length, order), padded(value)]);

export const interfaceBlock = (
  linkType: number,
  { order = 'little', snapLength = 0, options = [] }: { order?: Order; snapLength?: number; options?: Buffer[] } = {},
): Buffer => block(1, Buffer.concat([u16(linkType, order), u16(0, order), u32(snapLength, order), ...options]), order);

export const enhancedBlock = (
  on: number,
  units: bigint,
  data: Buffer,
  order: Order = 'little',
  length = data.length,
): Buffer => {
  const high = Number(units >> 32n);
  const low = Number(units & 0xffff_ffffn);
  const numbers = [on, high, low, data.length, length].map((value) => u32(value, order));
  return block(6, Buffer.concat([...numbers, data]), order);
};

export const simpleBlock = (length: number, data: Buffer, order: Order = 'little'): Buffer =>
  block(3, Buffer.concat([u32(length, order), data]), order);

// ---- Packets -------------------------------------------------------------------------------------------------

export type Segment = {
  readonly from?: string;
  readonly to?: string;
  readonly sourcePort?: number;
  readonly destinationPort?: number;
  readonly seq?: number;
  readonly ack?: number;
  readonly flags?: string;
  readonly window?: number;
  readonly payload?: string | Buffer;
  readonly ipId?: number;
};

const dotted = (address: string): Buffer => Buffer.from(address.split('.').map(Number));

const bit = { F: 1, S: 2, R: 4, P: 8, A: 16 } as const;

const flagBits = (flags: string): number => [...flags].reduce((all, one) => all | bit[one as keyof typeof bit], 0);

export const tcpSegment = (segment: Segment): Buffer => {
  const {
    sourcePort = 40_000,
    destinationPort = 8080,
    seq = 0,
    ack = 0,
    flags = 'A',
    window = 0,
    payload = '',
  } = segment;
  const header = Buffer.alloc(20);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(destinationPort, 2);
  header.writeUInt32BE(seq >>> 0, 4);
  header.writeUInt32BE(ack >>> 0, 8);
  header[12] = 5 << 4;
  header[13] = flagBits(flags);
  header.writeUInt16BE(window, 14);
  return Buffer.concat([header, Buffer.from(payload)]);
};

export const udpDatagram = (sourcePort: number, destinationPort: number, payload: Buffer): Buffer =>
  Buffer.concat([...[sourcePort, destinationPort, 8 + payload.length, 0].map((value) => u16(value, 'big')), payload]);

export const ipv4Packet = (
  protocol: number,
  body: Buffer,
  { from = '10.0.0.1', to = '10.0.0.2', ipId = 1 }: { from?: string; to?: string; ipId?: number } = {},
): Buffer => {
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(20 + body.length, 2);
  header.writeUInt16BE(ipId, 4);
  header[8] = 64;
  header[9] = protocol;
  return Buffer.concat([header.subarray(0, 12), dotted(from), dotted(to), body]);
};

export const tcp4 = (segment: Segment): Buffer => ipv4Packet(6, tcpSegment(segment), segment);

/** `extensions` are whole extension headers but for their first byte, each with its own type. */
export const ipv6Packet = (
  protocol: number,
  body: Buffer,
  { from, to, extensions = [] }: { from: Buffer; to: Buffer; extensions?: { type: number; rest: Buffer }[] },
): Buffer => {
  const types = [...extensions.map(({ type }) => type), protocol];
  const chain = extensions.map(({ rest }, i) => Buffer.concat([Buffer.from([types[i + 1]!]), rest]));
  const payload = Buffer.concat([...chain, body]);
  const fixed = Buffer.concat([Buffer.from([0x60, 0, 0, 0]), u16(payload.length, 'big'), Buffer.from([types[0]!, 64])]);
  return Buffer.concat([fixed, from, to, payload]);
};

/** `tags` are VLAN tag types, the outer one first. */
export const ethernet = (ip: Buffer, type = 0x0800, tags: readonly number[] = []): Buffer =>
  Buffer.concat([
    Buffer.alloc(12, 2),
    ...tags.flatMap((tag) => [u16(tag, 'big'), u16(7, 'big')]),
    u16(type, 'big'),
    ip,
  ]);

/** Linux cooked captures, v1 and v2; `kind` says which way the packet went. */
export const cooked1 = (kind: number, ip: Buffer): Buffer =>
  Buffer.concat([Buffer.from([0, kind, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 0x08, 0x00]), ip]);

export const cooked2 = (kind: number, ip: Buffer): Buffer =>
  Buffer.concat([Buffer.from([0x08, 0x00, 0, 0, 0, 0, 0, 3, 0, 1, kind, 6, 1, 2, 3, 4, 5, 6, 0, 0]), ip]);

export const attribute = (type: number, value: Buffer, order: Order = 'little'): Buffer =>
  Buffer.concat([u16(4 + value.length, order), u16(type, order), padded(value)]);

export const nflog = (attributes: readonly Buffer[]): Buffer =>
  Buffer.concat([Buffer.from([2, 0, 0, 5]), ...attributes]);
