// pcapng: blocks that say their type and length, in sections that each have a byte order and interfaces of their own.
import { bigEndian, LONGEST_PACKET, LONGEST_RECORD, littleEndian, type Numbers } from './bytes.ts';
import type { Stepper, Visit } from './records.ts';
import { type Stamps, stamps } from './stamps.ts';

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE = 1;
const OBSOLETE_PACKET = 2;
const SIMPLE_PACKET = 3;
const ENHANCED_PACKET = 6;

type Interface = { readonly linkType: number; readonly snapLength: number; readonly stamps: Stamps };

type Section = { readonly numbers: Numbers; readonly interfaces: Interface[] };

/** A block's body: the bytes between its two lengths. */
type Body = { readonly bytes: Buffer; readonly from: number; readonly to: number };

/** Reads one block's body; text says why it is damaged. */
type Read = (section: Section, body: Body, visit: Visit) => string | null;

/** Steps through a pcapng file, block by block. Blocks that carry no packets are passed over. */
export const pcapng = (visit: Visit): Stepper => {
  let section: Section = { numbers: littleEndian, interfaces: [] };
  return (bytes, at, end) => {
    if (end - at < 12) return -12;
    const isSection = bigEndian.u32(bytes, at) === SECTION_HEADER;
    const numbers = isSection ? orderOf(bytes, at + 8) : section.numbers;
    if (numbers === null) return 'a section has no byte-order magic';
    const size = numbers.u32(bytes, at + 4);
    const type = numbers.u32(bytes, at);
    if (size % 4 !== 0 || size < (isSection ? 28 : 12)) return `a block claims a length of ${size}`;
    if (size > LONGEST_RECORD) return `a block claims ${size} bytes, more than ${LONGEST_RECORD}`;
    if (end - at < size) return -size;
    const again = numbers.u32(bytes, at + size - 4);
    if (again !== size) return `a block of ${size} bytes says ${again} at its end`;
    if (isSection) section = { numbers, interfaces: [] };
    const body = { bytes, from: at + 8, to: at + size - 4 };
    return (READERS.get(type)?.(section, body, visit) ?? null) || size;
  };
};

const orderOf = (bytes: Buffer, at: number): Numbers | null => {
  if (bigEndian.u32(bytes, at) === 0x1a2b3c4d) return bigEndian;
  return littleEndian.u32(bytes, at) === 0x1a2b3c4d ? littleEndian : null;
};

const readSection: Read = ({ numbers }, { bytes, from }) => {
  const major = numbers.u16(bytes, from + 4);
  return major === 1 ? null : `pcapng version ${major}.${numbers.u16(bytes, from + 6)} is not 1.0`;
};

const readInterface: Read = ({ numbers, interfaces }, { bytes, from, to }) => {
  if (to - from < 8) return 'an interface description is too short';
  const options = optionsOf(numbers, { bytes, from: from + 8, to });
  if (options === null) return "an interface's options run over its block";
  interfaces.push({
    linkType: numbers.u16(bytes, from),
    snapLength: numbers.u32(bytes, from + 4),
    stamps: stamps(options.resolution, options.offset),
  });
  return null;
};

type InterfaceOptions = { readonly resolution: number; readonly offset: bigint };

/** if_tsresol (9, default 6: microseconds) and if_tsoffset (14, seconds); null when the options are damaged. */
const optionsOf = (numbers: Numbers, { bytes, from, to }: Body): InterfaceOptions | null => {
  let resolution = 6;
  let offset = 0n;
  for (let at = from; at + 4 <= to; ) {
    const code = numbers.u16(bytes, at);
    const length = numbers.u16(bytes, at + 2);
    if (code === 0) break;
    if (at + 4 + length > to) return null;
    if (code === 9 && length === 1) resolution = bytes[at + 4]!;
    if (code === 14 && length === 8) offset = BigInt.asIntN(64, u64(numbers, bytes, at + 4));
    at += 4 + padded(length);
  }
  return { resolution, offset };
};

const u64 = ({ u32 }: Numbers, bytes: Buffer, at: number): bigint =>
  u32 === bigEndian.u32
    ? (BigInt(u32(bytes, at)) << 32n) | BigInt(u32(bytes, at + 4))
    : (BigInt(u32(bytes, at + 4)) << 32n) | BigInt(u32(bytes, at));

const padded = (length: number): number => (length + 3) & ~3;

const readEnhanced: Read = ({ numbers, interfaces }, body, visit) =>
  body.to - body.from < 20
    ? 'a packet block is too short'
    : emit(interfaces, numbers.u32(body.bytes, body.from), numbers, body, visit);

/** The obsolete packet block differs in its first four bytes only: a shorter interface number, and a count of drops. */
const readObsolete: Read = ({ numbers, interfaces }, body, visit) =>
  body.to - body.from < 20
    ? 'a packet block is too short'
    : emit(interfaces, numbers.u16(body.bytes, body.from), numbers, body, visit);

const emit = (
  interfaces: readonly Interface[],
  index: number,
  { u32 }: Numbers,
  { bytes, from, to }: Body,
  visit: Visit,
): string | null => {
  const on = interfaces[index];
  const kept = u32(bytes, from + 12);
  const length = u32(bytes, from + 16);
  if (!on) return `a packet names interface ${index} of ${interfaces.length}`;
  if (kept > to - from - 20) return `a packet claims ${kept} bytes in a block of ${to - from + 12}`;
  if (kept > length) return `a packet claims ${kept} bytes of only ${length}`;
  const { stamps } = on;
  stamps.read(u32(bytes, from + 4), u32(bytes, from + 8));
  visit(bytes, from + 20, from + 20 + kept, length, on.linkType, stamps.seconds, stamps.nanos);
  return null;
};

/** A simple packet block has neither a time nor a length of what it kept: that follows from the interface's limit. */
const readSimple: Read = ({ numbers, interfaces }, { bytes, from, to }, visit) => {
  const on = interfaces[0];
  if (!on) return 'a simple packet comes before any interface';
  if (to - from < 4) return 'a packet block is too short';
  const length = numbers.u32(bytes, from);
  const kept = Math.min(length, on.snapLength || LONGEST_PACKET);
  if (kept > to - from - 4) return `a packet claims ${kept} bytes in a block of ${to - from + 12}`;
  visit(bytes, from + 4, from + 4 + kept, length, on.linkType, 0, 0);
  return null;
};

const READERS: ReadonlyMap<number, Read> = new Map([
  [SECTION_HEADER, readSection],
  [INTERFACE, readInterface],
  [OBSOLETE_PACKET, readObsolete],
  [SIMPLE_PACKET, readSimple],
  [ENHANCED_PACKET, readEnhanced],
]);
