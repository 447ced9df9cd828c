// Classic pcap: a file header of 24 bytes, then a header of 16 bytes and the bytes kept for every packet.
import { LONGEST_PACKET, LONGEST_RECORD, viewOf } from './bytes.ts';
import type { Stepper, Visit } from './records.ts';

const FILE_HEADER = 24;
const PACKET_HEADER = 16;

/** Steps through a classic pcap file, its file header first. */
export const classic = (visit: Visit): Stepper => {
  let packets: Stepper | null = null;
  return (bytes, at, end) => {
    if (packets) return packets(bytes, at, end);
    if (end - at < FILE_HEADER) return -FILE_HEADER;
    const view = viewOf(bytes);
    const magic = view.getUint32(at);
    const little = magic !== 0xa1b2c3d4 && magic !== 0xa1b23c4d;
    const nanoseconds = magic === 0xa1b23c4d || magic === 0x4d3cb2a1;
    const major = view.getUint16(at + 4, little);
    if (major !== 2) return `pcap version ${major}.${view.getUint16(at + 6, little)} is not 2.4`;
    const longest = Math.min(Math.max(view.getUint32(at + 16, little), LONGEST_PACKET), LONGEST_RECORD);
    // The upper half may carry the length of the frame check sequence.
    const linkType = view.getUint32(at + 20, little) & 0xffff;
    packets = packetSteps({ little, nanoseconds, longest, linkType }, visit);
    return FILE_HEADER;
  };
};

type Header = {
  readonly little: boolean;
  readonly nanoseconds: boolean;
  readonly longest: number;
  readonly linkType: number;
};

/** Steps over as many whole packets as there are: a call for each of them would cost more than reading its header. */
const packetSteps = ({ little, nanoseconds, longest, linkType }: Header, visit: Visit): Stepper => {
  const fractions = nanoseconds ? 1_000_000_000 : 1_000_000;
  const nanos = nanoseconds ? 1 : 1000;

  /** Why no whole packet begins here. */
  const stopped: Stepper = (bytes, at, end) => {
    if (end - at < PACKET_HEADER) return -PACKET_HEADER;
    const view = viewOf(bytes);
    const fraction = view.getUint32(at + 4, little);
    const kept = view.getUint32(at + 8, little);
    const length = view.getUint32(at + 12, little);
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
