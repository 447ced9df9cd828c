// Classic pcap: a file header of 24 bytes, then a header of 16 bytes and the bytes kept for every packet.
import { bigEndian, LONGEST_PACKET, LONGEST_RECORD, littleEndian, viewOf } from './bytes.ts';
import type { Stepper, Visit } from './records.ts';

const FILE_HEADER = 24;
const PACKET_HEADER = 16;

/** Steps through a classic pcap file, its file header first. */
export const classic = (visit: Visit): Stepper => {
  let packets: Stepper | null = null;
  return (bytes, at, end) => {
    if (packets) return packets(bytes, at, end);
    if (end - at < FILE_HEADER) return -FILE_HEADER;
    const magic = bigEndian.u32(bytes, at);
    const numbers = magic === 0xa1b2c3d4 || magic === 0xa1b23c4d ? bigEndian : littleEndian;
    const nanoseconds = magic === 0xa1b23c4d || magic === 0x4d3cb2a1;
    const major = numbers.u16(bytes, at + 4);
    if (major !== 2) return `pcap version ${major}.${numbers.u16(bytes, at + 6)} is not 2.4`;
    const longest = Math.min(Math.max(numbers.u32(bytes, at + 16), LONGEST_PACKET), LONGEST_RECORD);
    // The upper half may carry the length of the frame check sequence.
    const linkType = numbers.u32(bytes, at + 20) & 0xffff;
    packets = packetSteps({ u32: numbers.u32, nanoseconds, longest, linkType }, visit);
    return FILE_HEADER;
  };
};

type Header = {
  readonly u32: (bytes: Buffer, at: number) => number;
  readonly nanoseconds: boolean;
  readonly longest: number;
  readonly linkType: number;
};

/** Steps over as many whole packets as there are: a call for each of them would cost more than reading its header. */
const packetSteps = ({ u32, nanoseconds, longest, linkType }: Header, visit: Visit): Stepper => {
  const little = u32 === littleEndian.u32;
  const fractions = nanoseconds ? 1_000_000_000 : 1_000_000;
  const nanos = nanoseconds ? 1 : 1000;

  /** Why no whole packet begins here. */
  const stopped: Stepper = (bytes, at, end) => {
    if (end - at < PACKET_HEADER) return -PACKET_HEADER;
    const fraction = u32(bytes, at + 4);
    const kept = u32(bytes, at + 8);
    const length = u32(bytes, at + 12);
    if (fraction >= fractions) return `a packet's time has ${fraction} ${nanoseconds ? 'ns' : 'µs'} in a second`;
    if (kept > longest) return `a packet claims ${kept} bytes, more than ${longest}`;
    if (kept > length) return `a packet claims ${kept} bytes of only ${length}`;
    return -(PACKET_HEADER + kept);
  };

  return (bytes, start, end) => {
    const view = viewOf(bytes);
    let at = start;
    while (end - at >= PACKET_HEADER) {
      const fraction = view.getUint32(at + 4, little);
      const kept = view.getUint32(at + 8, little);
      const length = view.getUint32(at + 12, little);
      const next = at + PACKET_HEADER + kept;
      if (fraction >= fractions || kept > longest || kept > length || next > end) break;
      visit(bytes, at + PACKET_HEADER, next, length, linkType, view.getUint32(at, little), fraction * nanos);
      at = next;
    }
    return at > start ? at - start : stopped(bytes, start, end);
  };
};
