// Captures of many pods as one: every packet once, in the order of time. Pure: time is given.
//
// A packet between two captured pods is seen at both ends. The client's view is kept: it has what a policy drops on the
// way, and, as the destination, the Service's address that the client used, in both directions. The server's view is kept
// when its client is not captured (users, other namespaces).
import type { Nanos } from '../../model.ts';
import { decode, type Packet } from '../../pcap/decode.ts';
import type { CapturedPacket } from '../../pcap/reader.ts';
import { fromMs, SECOND } from '../../time.ts';
import { ipOf } from './raw-ip.ts';

/** Whose packets are whose. All may grow while captures run. */
export type World = {
  /** Every pod of the platform that ever was: its address and the port that it serves. */
  readonly pods: ReadonlyMap<string, number>;
  /** Addresses of the platform's Services. */
  readonly services: ReadonlySet<string>;
  /** Those who only observe; their packets are left out. */
  readonly quiet: ReadonlySet<string>;
};

export type Vantage = {
  /** `now` is when it came here. The packet's bytes are copied. */
  packet(packet: CapturedPacket, now: Nanos): void;
  /** No more packets come from here: what its clients sent is from now on seen at their servers. */
  close(now: Nanos): void;
};

export type Merger = {
  /** A pod's capture, by the pod's address. */
  open(ip: string, now: Nanos): Vantage;
  /** Writes what has waited long enough. */
  release(now: Nanos): void;
  /** Writes all that waits. */
  flush(): void;
  /** `late`: packets that came after later ones had been written, and were left out. */
  counts(): { readonly written: number; readonly late: number };
};

/** One packet as raw IP (LINKTYPE_RAW, which all links have in common). `length` is its length on the wire, from IP on. */
export type Merged = { readonly at: Nanos; readonly bytes: Buffer; readonly length: number };

type Event = {
  readonly at: Nanos;
  readonly came: Nanos;
  readonly ip: string;
  readonly what: 'open' | 'close' | { readonly packet: Packet; readonly merged: Merged };
};

/** Streams come by way of the API server: one may be this much behind another. */
const REORDER = fromMs(700);
/** Some 50 MB. When more waits, the oldest goes at once. */
const MOST_WAITING = 100_000;

export const merger = (world: World, write: (packet: Merged) => void): Merger => {
  const waiting: Event[] = [];
  const choice = chooser(world);
  let last = 0n;
  let newest = 0n;
  let written = 0;
  let late = 0;

  const put = (event: Event): void => {
    let i = waiting.length;
    while (i > 0 && waiting[i - 1]!.at > event.at) i -= 1;
    waiting.splice(i, 0, event);
  };
  const emit = ({ ip, what }: Event): void => {
    if (what === 'open' || what === 'close') {
      choice.captured(ip, what === 'open');
      return;
    }
    if (!choice.keeps(ip, what.packet, what.merged.at)) return;
    if (what.merged.at < last) {
      late += 1;
      return;
    }
    last = what.merged.at;
    written += 1;
    write(what.merged);
  };
  const release = (due: (event: Event, i: number) => boolean): void => {
    let n = 0;
    while (n < waiting.length && due(waiting[n]!, n)) n += 1;
    for (const event of waiting.splice(0, n)) emit(event);
  };

  return {
    open: (ip, now) => {
      put({ at: newest, came: now, ip, what: 'open' });
      return {
        packet: ({ at, linkType, captured, length }, came) => {
          const packet = decode(linkType, captured);
          const from = ipOf(linkType, captured);
          if (packet?.protocol !== 'TCP' || from === null) return;
          if (at > newest) newest = at;
          const bytes = Buffer.from(captured.subarray(from));
          put({ at, came, ip, what: { packet, merged: { at, bytes, length: length - from } } });
        },
        close: (came) => put({ at: newest, came, ip, what: 'close' }),
      };
    },
    release: (now) => {
      const excess = waiting.length - MOST_WAITING;
      release(({ came }, i) => i < excess || came + REORDER <= now);
    },
    flush: () => release(() => true),
    counts: () => ({ written, late }),
  };
};

/** A connection is handed from the server's view to the client's only when nothing has moved on it for so long. */
const QUIET = SECOND;
const MOST_STAYING = 50_000;

const chooser = (world: World) => {
  const views = new Map<string, number>();
  /** Connections seen at the server because their client was not captured, by the client's end: when they last moved. */
  const staying = new Map<string, Nanos>();

  const stay = (client: string, at: Nanos): void => {
    staying.delete(client);
    if (staying.size >= MOST_STAYING) staying.delete(staying.keys().next().value!);
    staying.set(client, at);
  };
  const atServer = (client: End, key: string, { flags }: Packet, at: Nanos): boolean => {
    if (!world.pods.has(client.ip)) return true;
    const captured = (views.get(client.ip) ?? 0) > 0;
    const opens = flags.syn && !flags.ack;
    if (captured && (opens || !staying.has(key))) return false;
    stay(key, at);
    return true;
  };
  const atClient = (server: End, key: string, { flags }: Packet, at: Nanos): boolean => {
    const moved = staying.get(key);
    const opens = flags.syn && !flags.ack;
    if (moved !== undefined && !opens && at - moved < QUIET) return false;
    staying.delete(key);
    return world.pods.has(server.ip) || world.services.has(server.ip);
  };

  return {
    captured: (ip: string, begins: boolean): void => void views.set(ip, (views.get(ip) ?? 0) + (begins ? 1 : -1)),
    /** Whether the view of the pod at `ip` is the one that keeps this packet. */
    keeps: (ip: string, packet: Packet, at: Nanos): boolean => {
      const [local, remote] = endsOf(packet, ip);
      if (world.quiet.has(remote.ip) || local.ip === remote.ip) return false;
      const isServer = serves(local, remote, packet, world, packet.source === ip);
      const client = isServer ? remote : local;
      const key = `${client.ip}:${client.port}`;
      return isServer ? atServer(client, key, packet, at) : atClient(remote, key, packet, at);
    },
  };
};

type End = { readonly ip: string; readonly port: number };

const endsOf = (packet: Packet, local: string): readonly [End, End] => {
  const source = { ip: packet.source, port: packet.sourcePort };
  const destination = { ip: packet.destination, port: packet.destinationPort };
  return source.ip === local ? [source, destination] : [destination, source];
};

/** Whether the local end is the server. Both ends of a connection come to the same answer. */
const serves = (local: End, remote: End, { flags }: Packet, world: World, sent: boolean): boolean => {
  if (flags.syn) return sent === flags.ack;
  const surer = likeness(local, world) - likeness(remote, world);
  if (surer !== 0) return surer > 0;
  // Ports that clients are given are higher than those that servers choose.
  if (local.port !== remote.port) return local.port < remote.port;
  return local.ip < remote.ip;
};

/** How surely an end is a server: nobody calls from a Service's address. */
const likeness = ({ ip, port }: End, { pods, services }: World): number => {
  if (services.has(ip)) return 2;
  return pods.get(ip) === port ? 1 : 0;
};
