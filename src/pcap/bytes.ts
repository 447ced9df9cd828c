// Unsigned integers in a byte order that is known only once the file is open. Callers have checked the bounds.

export type Numbers = {
  u16(bytes: Buffer, at: number): number;
  u32(bytes: Buffer, at: number): number;
};

export const bigEndian: Numbers = {
  u16: (bytes, at) => (bytes[at]! << 8) | bytes[at + 1]!,
  u32: (bytes, at) => ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0,
};

export const littleEndian: Numbers = {
  u16: (bytes, at) => (bytes[at + 1]! << 8) | bytes[at]!,
  u32: (bytes, at) => ((bytes[at + 3]! << 24) | (bytes[at + 2]! << 16) | (bytes[at + 1]! << 8) | bytes[at]!) >>> 0,
};

/** No sane packet is longer than this, whatever a file claims: libpcap's MAXIMUM_SNAPLEN. */
export const LONGEST_PACKET = 262_144;

/** No record may make us wait for more than this. */
export const LONGEST_RECORD = 16 * 1024 * 1024;

let latest: Buffer | null = null;
let view = new DataView<ArrayBufferLike>(new ArrayBuffer(0));

/** The same bytes, to read numbers of several bytes at once; kept from call to call, since a chunk has many packets. */
export const viewOf = (bytes: Buffer): DataView => {
  if (bytes !== latest) {
    latest = bytes;
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }
  return view;
};
