// Writes packets into a new capture: pcapng, which takes any mix of link types, and times to the nanosecond.
import { closeSync, openSync, writeSync } from 'node:fs';

const HEADER = 28;
const TAIL = 4;
const NANOSECONDS = 9;

export type PcapWriter = {
  packet(
    bytes: Buffer,
    from: number,
    to: number,
    length: number,
    linkType: number,
    seconds: number,
    nanos: number,
  ): void;
  close(): void;
};

/** https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html; one interface for every link type. */
export const createPcapWriter = (file: string): PcapWriter => {
  const fd = openSync(file, 'w');
  const interfaces = new Map<number, number>();
  writeSync(fd, sectionHeader());
  const interfaceOf = (linkType: number): number => {
    const known = interfaces.get(linkType);
    if (known !== undefined) return known;
    writeSync(fd, interfaceDescription(linkType));
    interfaces.set(linkType, interfaces.size);
    return interfaces.size - 1;
  };
  return {
    packet(bytes, from, to, length, linkType, seconds, nanos) {
      const on = interfaceOf(linkType);
      writeSync(fd, enhancedPacket(bytes.subarray(from, to), on, length, seconds, nanos));
    },
    close: () => closeSync(fd),
  };
};

const sectionHeader = (): Buffer => {
  const block = sized(0x0a0d0d0a, 28);
  block.writeUInt32LE(0x1a2b3c4d, 8);
  block.writeUInt16LE(1, 12);
  block.writeBigInt64LE(-1n, 16);
  return block;
};

const interfaceDescription = (linkType: number): Buffer => {
  const block = sized(1, 32);
  block.writeUInt16LE(linkType, 8);
  // if_tsresol.
  block.writeUInt16LE(9, 16);
  block.writeUInt16LE(1, 18);
  block[20] = NANOSECONDS;
  return block;
};

const enhancedPacket = (data: Buffer, on: number, length: number, seconds: number, nanos: number): Buffer => {
  const block = sized(6, HEADER + ((data.length + 3) & ~3) + TAIL);
  const at = BigInt.asUintN(64, BigInt(seconds) * 1_000_000_000n + BigInt(nanos));
  block.writeUInt32LE(on, 8);
  block.writeUInt32LE(Number(at >> 32n), 12);
  block.writeUInt32LE(Number(at & 0xffff_ffffn), 16);
  block.writeUInt32LE(data.length, 20);
  block.writeUInt32LE(length, 24);
  data.copy(block, HEADER);
  return block;
};

/** A block says its length at both ends. */
const sized = (type: number, size: number): Buffer => {
  const block = Buffer.alloc(size);
  block.writeUInt32LE(type, 0);
  block.writeUInt32LE(size, 4);
  block.writeUInt32LE(size, size - TAIL);
  return block;
};
