// A capture as far as it has been read: its packets decoded, followed and kept as items.
import type { FlowEnd, Nanos, PacketItem } from '../../model.ts';
import type { Naming } from '../../naming.ts';
import { decode } from '../../pcap/decode.ts';
import { createPcapReader, type PcapEnd } from '../../pcap/reader.ts';
import { createFollower } from './tcp.ts';

/** What a capture has shown so far. Times are null before the first packet that has one. */
export type CaptureState = {
  readonly end: PcapEnd;
  /** Oldest first to be known; at most MOST_ITEMS, the newest. */
  readonly items: readonly PacketItem[];
  readonly first: Nanos | null;
  readonly last: Nanos | null;
  /** Packets without a time, which say nothing of order or speed. */
  readonly untimed: number;
  /** Link types that nothing could be decoded from, and the number of such packets; other than IP is normal on some. */
  readonly undecoded: ReadonlyMap<number, number>;
  readonly decoded: number;
  /** Items let go because there were too many, and connections because they were idle or too many. */
  readonly droppedItems: number;
  readonly evicted: number;
};

export type CaptureReading = {
  push(chunk: Buffer): void;
  settle(until: Nanos): void;
  state(): CaptureState;
};

/** A busy hour: some 100 events a second. */
export const MOST_ITEMS = 400_000;

/** Reads a capture from its first byte on, in chunks of any size. */
export const createCapture = (naming: Naming): CaptureReading => {
  let items: PacketItem[] = [];
  let droppedItems = 0;
  let first: Nanos | null = null;
  let last: Nanos | null = null;
  let untimed = 0;
  let decoded = 0;
  const undecoded = new Map<number, number>();

  const keep = (item: PacketItem): void => {
    if (items.length >= MOST_ITEMS) {
      droppedItems += MOST_ITEMS / 2;
      items = items.slice(MOST_ITEMS / 2);
    }
    items.push(item);
  };
  const follower = createFollower(keep, endOf(naming));
  const reader = createPcapReader(({ at, linkType, captured }) => {
    const packet = decode(linkType, captured);
    if (at === 0n) untimed += 1;
    if (packet === null) undecoded.set(linkType, (undecoded.get(linkType) ?? 0) + 1);
    if (packet === null || at === 0n) return;
    decoded += 1;
    first ??= at;
    last = at;
    follower.packet(at, packet);
  });
  return {
    push: reader.push,
    settle: follower.settle,
    state: () => {
      const { evicted } = follower.counts();
      return { end: reader.end(), items, first, last, untimed, undecoded, decoded, droppedItems, evicted };
    },
  };
};

const endOf =
  (naming: Naming) =>
  (ip: string, port: number): FlowEnd => {
    const address = naming.address(ip);
    return { ip, port, pod: address?.pod ?? null, service: address?.service ?? null };
  };
