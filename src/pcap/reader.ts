// Reads capture files as they come: classic pcap and pcapng, told apart by their first four bytes.
import type { Nanos } from '../model.ts';
import { gather, oneByOne, type Take } from './block.ts';
import { classic } from './classic.ts';
import { pcapng } from './pcapng.ts';
import { createRecords, type Stepper } from './records.ts';

/**
 * One packet of a capture. `at` is when it was captured; 0n where the file does not say (pcapng's simple packet blocks).
 * `linkType` is one of the LINKTYPE_ numbers of https://www.tcpdump.org/linktypes.html. `captured` holds the bytes kept and
 * is only valid during the callback, unless copied; `length` is how many there were on the wire.
 */
export type CapturedPacket = {
  readonly at: Nanos;
  readonly linkType: number;
  readonly captured: Buffer;
  readonly length: number;
};

export type OnPacket = (packet: CapturedPacket) => void;

/** The formats read; `null` when the file is neither, or too short to tell. */
export type PcapFormat = 'pcap' | 'pcapng' | null;

/** How a capture ends. `truncated` and `corrupt` are the offset of the first byte that could not be used. */
export type PcapEnd = {
  readonly format: PcapFormat;
  readonly packets: number;
  readonly end:
    | 'complete'
    | { readonly truncated: number; readonly why: string }
    | { readonly corrupt: number; readonly why: string };
};

export type PcapReader = {
  /** Takes the next bytes, of any number; calls back once for every whole packet. Ignored after damage. */
  push(chunk: Buffer): void;
  /** How the capture stands if no more bytes come. May be asked at any time, as often as wanted. */
  end(): PcapEnd;
};

/**
 * A reader for classic pcap (micro- and nanoseconds, both byte orders) and pcapng (any number of sections and interfaces).
 * It never throws on bad input and never hangs on to more than one record (at most 16 MiB).
 *
 * Formats: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html and
 * https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-03.html
 */
export const createPcapReader = (onPacket: OnPacket): PcapReader => {
  const instant = instants();
  return createPcapScanner(
    oneByOne((bytes, from, to, length, linkType, seconds, nanos) =>
      onPacket({ at: instant(seconds, nanos), linkType, captured: bytes.subarray(from, to), length }),
    ),
  );
};

/** The same reader without an object for every packet: `take` gets blocks of numbers. For captures of many millions. */
export const createPcapScanner = (take: Take): PcapReader & { readonly packets: () => number } => {
  let format: PcapFormat = null;
  let packets = 0;
  let body: Stepper | null = null;
  const { visit, flush } = gather((bytes, block) => {
    packets += block.count;
    take(bytes, block);
  });
  const begin: Stepper = (bytes, at, end) => {
    if (end - at < 4) return -4;
    format = formatOf(bytes, at);
    if (format === null) return `neither pcap nor pcapng: it begins with ${bytes.toString('hex', at, at + 4)}`;
    body = format === 'pcap' ? classic(visit) : pcapng(visit);
    return body(bytes, at, end);
  };
  const records = createRecords((bytes, at, end) => (body ?? begin)(bytes, at, end), flush);
  return {
    push: records.push,
    packets: () => packets,
    end: () => {
      const { offset, waiting, corrupt } = records.state();
      if (corrupt !== null) return { format, packets, end: { corrupt: offset, why: corrupt } };
      if (offset === 0) return { format, packets, end: { truncated: 0, why: `no file header in ${waiting} bytes` } };
      if (waiting > 0)
        return { format, packets, end: { truncated: offset, why: `a record stops after ${waiting} bytes` } };
      return { format, packets, end: 'complete' };
    },
  };
};

/** Seconds and nanoseconds as an instant; a second's big integer is made once, not for every packet in it. */
const instants = (): ((seconds: number, nanos: number) => Nanos) => {
  let second = 0;
  let start = 0n;
  return (seconds, nanos) => {
    if (seconds !== second) {
      second = seconds;
      start = BigInt(seconds) * 1_000_000_000n;
    }
    return start + BigInt(nanos);
  };
};

const CLASSIC = new Set([0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1]);

const formatOf = (bytes: Buffer, at: number): PcapFormat => {
  const magic = bytes.readUInt32BE(at);
  if (magic === 0x0a0d0d0a) return 'pcapng';
  return CLASSIC.has(magic) ? 'pcap' : null;
};
