// Where IP begins in a captured packet, and files of packets that begin there.
import type { Nanos } from '../../model.ts';
import { SECOND } from '../../time.ts';

/** https://www.tcpdump.org/linktypes.html: the packet begins with the IP header; its version says which. */
export const LINKTYPE_RAW = 101;
const LONGEST = 262_144;

/** The offset of the IP header; null for links that pods' interfaces don't have, and for what is cut before it. */
export const ipOf = (linkType: number, bytes: Buffer): number | null => {
  if (RAW.has(linkType)) return 0;
  if (linkType === 1) return afterTags(bytes, 12);
  return linkType === 113 ? afterTags(bytes, 14) : linkType === 276 ? 20 : null;
};

const RAW = new Set([12, LINKTYPE_RAW, 228, 229]);
const TAGS = new Set([0x8100, 0x88a8, 0x9100]);

/** The end of the protocol field at `at`, beyond all VLAN tags. */
const afterTags = (bytes: Buffer, at: number): number | null => {
  let field = at;
  while (field + 2 <= bytes.length && TAGS.has(bytes.readUInt16BE(field))) field += 4;
  return field + 2 <= bytes.length ? field + 2 : null;
};

/** Header of a classic pcap file with nanoseconds (draft-ietf-opsawg-pcap-04). */
export const fileHeader = (): Buffer => {
  const bytes = Buffer.alloc(24);
  bytes.writeUInt32LE(0xa1b23c4d, 0);
  bytes.writeUInt16LE(2, 4);
  bytes.writeUInt16LE(4, 6);
  bytes.writeUInt32LE(LONGEST, 16);
  bytes.writeUInt32LE(LINKTYPE_RAW, 20);
  return bytes;
};

/** A packet's header: when it was captured, the bytes kept, and how many there were. */
export const packetHeader = (at: Nanos, kept: number, length: number): Buffer => {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32LE(Number(at / SECOND), 0);
  bytes.writeUInt32LE(Number(at % SECOND), 4);
  bytes.writeUInt32LE(kept, 8);
  bytes.writeUInt32LE(length, 12);
  return bytes;
};
