// The kernel tells when a packet came, but not when the node itself sent one: that is the reader's time, a little late. So that
// no answer seems to come before its question, packets of such a connection are never told earlier than the one before.
import type { Nanos } from '../../../model.ts';
import type { Packet } from '../../../pcap/decode.ts';

const CONNECTIONS = 4096;

/** Gives a packet's time: the kernel's, or `read`, when it was read. Call it in the order of the log. */
export const packetTimes = (): ((packet: Packet, read: Nanos) => Nanos) => {
  const untimed = new Map<string, Nanos>();
  return (packet, read) => {
    const { received } = packet;
    const key = connectionOf(packet);
    const before = untimed.get(key);
    if (received !== null && before === undefined) return received;
    const at = latest(received ?? read, before ?? 0n);
    untimed.delete(key);
    untimed.set(key, at);
    if (untimed.size > CONNECTIONS) untimed.delete(untimed.keys().next().value!);
    return at;
  };
};

const latest = (a: Nanos, b: Nanos): Nanos => (a > b ? a : b);

const connectionOf = ({ source, sourcePort, destination, destinationPort }: Packet): string =>
  [`${source} ${sourcePort}`, `${destination} ${destinationPort}`].sort().join(' ');
