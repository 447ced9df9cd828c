// Who of two ends is the server, when the capture began after the handshake.
import type { Packet } from '../../pcap/decode.ts';

export type Roles = {
  /** A handshake has shown that this end listens. */
  listens(end: string): void;
  /** Another connection has this end. */
  met(end: string): void;
  /** Whether the sender of this packet is the server. `sure` is false for a guess that later packets may better. */
  senderIsServer(sender: string, receiver: string, packet: Packet): { readonly yes: boolean; readonly sure: boolean };
};

/** More ends than this are forgotten all at once; handshakes to come name the servers again. */
const LIMIT = 100_000;

/**
 * A listening end is known by a handshake; else by what HTTP/1 says; else it is the one that more connections have
 * (a client's port serves one); else the lower port, since clients get theirs from the top.
 */
export const createRoles = (): Roles => {
  const listening = new Set<string>();
  const connections = new Map<string, number>();
  return {
    listens(end) {
      if (listening.size >= LIMIT) listening.clear();
      listening.add(end);
    },
    met(end) {
      if (connections.size >= LIMIT) connections.clear();
      connections.set(end, (connections.get(end) ?? 0) + 1);
    },
    senderIsServer(sender, receiver, packet) {
      if (listening.has(sender) !== listening.has(receiver)) return { yes: listening.has(sender), sure: true };
      const http = httpSide(packet.payload);
      if (http !== null) return { yes: http === 'server', sure: true };
      const more = (connections.get(sender) ?? 0) - (connections.get(receiver) ?? 0);
      return { yes: more !== 0 ? more > 0 : packet.sourcePort < packet.destinationPort, sure: false };
    },
  };
};

const httpSide = (payload: Buffer): 'client' | 'server' | null => {
  const start = payload.toString('latin1', 0, 10);
  if (start.startsWith('HTTP/1.')) return 'server';
  return /^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|PRI) [/*]/.test(start) ? 'client' : null;
};
