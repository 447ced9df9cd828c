// A few packets, written as one line each, and what the follower makes of them.
import { createFollower } from '../../../src/layers/packets/tcp.ts';
import type { Nanos, PacketItem } from '../../../src/model.ts';
import { decode } from '../../../src/pcap/decode.ts';
import { fromMs } from '../../../src/time.ts';
import { type Segment, tcp4 } from '../../pcap/build.ts';

export type Sent = Segment & { readonly ms: number };

export const A = '10.0.0.1';
export const B = '10.0.0.2';

let nextId = 1;
/** From the client on A:40000 to the server on B:8080; every packet gets an IP identification of its own. */
export const up = (ms: number, flags: string, more: Segment = {}): Sent => ({
  ms,
  flags,
  ipId: nextId++,
  ...more,
});

/** From the server back to the client. */
export const down = (ms: number, flags: string, more: Segment = {}): Sent => ({
  ms,
  flags,
  from: B,
  to: A,
  sourcePort: 8080,
  destinationPort: 40_000,
  ipId: nextId++,
  ...more,
});

export const start: Nanos = 1_700_000_000_000_000_000n;

export const follow = (sent: readonly Sent[], settleMs?: number): PacketItem[] => {
  const items: PacketItem[] = [];
  const follower = createFollower(
    (item) => items.push(item),
    (ip, port) => ({ ip, port, pod: null, service: null }),
  );
  for (const { ms, ...segment } of sent) {
    const packet = decode(101, tcp4(segment));
    if (packet) follower.packet(start + fromMs(ms), packet);
  }
  if (settleMs !== undefined) follower.settle(start + fromMs(settleMs));
  return items;
};

/** What happened, without names: the event, when it was known, how long it took and who showed it. */
export const told = (items: readonly PacketItem[]): unknown[] =>
  items.map(({ event, at, ms, by }) => [event, Number(at - start) / 1e6, ms, by]);
