// The kernel's own account of what it forwarded and what it turned away: nftables' packet log, read through tcpdump.
import { Unreachable } from '../../errors.ts';
import type { FlowItem } from '../../model.ts';
import { decode, type Packet } from '../../pcap/decode.ts';
import { type CapturedPacket, createPcapReader } from '../../pcap/reader.ts';
import { until } from '../../poll.ts';
import { type Running, start } from '../../process.ts';
import { createHttpReader, type HttpReader } from './flow-observer-http.ts';
import type { ObservedFlow } from './flow-observer-wire.ts';

export type LogOptions = {
  /** How to run tcpdump; it must be allowed to open the log group of its network namespace. */
  readonly tcpdump: { readonly path: string; readonly env?: Readonly<Record<string, string>> };
  /** The log group that the nftables rules write to. */
  readonly group: number;
  /** Further arguments of tcpdump; default: none. */
  readonly flags?: readonly string[];
  /** Told, when the log ends, how many packets the kernel could not hand over. */
  readonly onLost: (count: number) => void;
};
export type NflogOptions = LogOptions & { readonly onFlow: (flow: ObservedFlow) => void };

export type Nflog = AsyncDisposable & {
  /** Resolves when tcpdump has ended, with its exit code or signal. */
  readonly ended: Promise<number | string>;
  /** Resolves with how often the kernel could not hand packets over so far; rejects with Unreachable once the log has ended. */
  lost(): Promise<number>;
};

/**
 * Follows an NFLOG group whose rules prefix each packet with `firedrill/<verdict>/<direction>`: FORWARDED, DROPPED (a silent
 * policy drop: POLICY_DENIED) or REJECTED (a policy that answers with a reset: POLICY_DENY), and `original` or `reply` by
 * the kernel's connection tracking. Resolves once the log is being read; rejects with Unreachable when it can't be.
 */
export const startNflog = ({ onFlow, ...options }: NflogOptions): Promise<Nflog> =>
  readNflog({ ...options, onPacket: createFlowReader(onFlow) });

/** Follows an NFLOG group packet by packet, in the order in which the kernel logged them; else as `startNflog`. */
export const readNflog = async (
  options: LogOptions & { readonly onPacket: (packet: CapturedPacket) => void },
): Promise<Nflog> => {
  const { tcpdump, group, onPacket, onLost } = options;
  const flags = [
    ...(options.flags ?? []),
    '-U',
    '-n',
    '-s',
    String(BATCH),
    '-B',
    '4096',
    '--immediate-mode',
    '-w',
    '-',
  ];
  const running = await start({
    name: 'tcpdump (flows)',
    argv: [tcpdump.path, '-i', `nflog:${group}`, ...flags],
    ...(tcpdump.env ? { env: tcpdump.env } : {}),
  });
  const reader = createPcapReader(onPacket);
  running.child.stdout!.on('data', (chunk: Buffer) => reader.push(chunk));
  const ended = running.ended.then((how) => {
    const lost = droppedByKernel(running.complaint());
    if (lost > 0) onLost(lost);
    return how;
  });
  await listening(running);
  return {
    ended,
    lost: () => askLost(running),
    [Symbol.asyncDispose]: async () => {
      await running.stop('SIGINT');
      await ended;
    },
  };
};

/**
 * The kernel hands over logged packets in batches of up to a page or more, and libpcap reads a batch into a buffer sized by the
 * snapshot length: with a small one all packets of a batch but the first are damaged or lost. How much of each packet is
 * copied is limited by the rule's own `snaplen`.
 */
const BATCH = 65_535;

const listening = async (running: Running): Promise<void> => {
  const { child, complaint } = running;
  const state = (): 'armed' | 'ended' | null => {
    if (complaint().includes('listening on')) return 'armed';
    return child.exitCode !== null || child.signalCode !== null ? 'ended' : null;
  };
  const reached = await until('flows: tcpdump', state, { forMs: 5000, everyMs: 20 }).catch(async (error: unknown) => {
    await running.stop('SIGKILL');
    throw error;
  });
  if (reached === 'armed') return;
  const how = await running.ended;
  const words = complaint().replace(/\s*\n\s*/g, '; ') || 'no message';
  throw new Unreachable(`flows: tcpdump ended with ${how}: ${words}`);
};

/** tcpdump answers SIGUSR1 with its counts so far, in one line. */
const askLost = ({ child }: Running): Promise<number> =>
  new Promise((resolve, reject) => {
    let said = '';
    const listen = (text: string): void => {
      said += text;
      if (said.search(SAID) >= 0) over(() => resolve(droppedByKernel(said)));
    };
    const gone = (): void => over(() => reject(new Unreachable('flows: tcpdump has ended')));
    const over = (then: () => void): void => {
      child.stderr?.off('data', listen);
      child.off('exit', gone);
      then();
    };
    child.stderr?.on('data', listen);
    child.once('exit', gone);
    if (!child.kill('SIGUSR1')) gone();
  });

const SAID = /(\d+) packets? dropped by kernel/g;

/** The last count in tcpdump's words, `3 packets dropped by kernel`; 0 when it said none. */
export const droppedByKernel = (words: string): number => Number([...words.matchAll(SAID)].at(-1)?.[1] ?? 0);

/** Turns logged packets, in the order of capture, into flows: a TCP segment that only acknowledges is none. */
export const createFlowReader = (onFlow: (flow: ObservedFlow) => void): ((packet: CapturedPacket) => void) => {
  const http = createHttpReader();
  return ({ at, linkType, captured }) => {
    const packet = decode(linkType, captured);
    const prefix = PREFIX.exec(packet?.prefix ?? '');
    if (!packet || !prefix) return;
    const dropReason = REASONS[prefix[1] as keyof typeof REASONS];
    const seen = { at: packet.received ?? at, dropReason, reply: prefix[2] === 'reply' };
    for (const flow of flowsOf(packet, seen, http)) onFlow(flow);
  };
};

const PREFIX = /^firedrill\/(FORWARDED|DROPPED|REJECTED)\/(original|reply)$/;
const REASONS = { FORWARDED: null, DROPPED: 'POLICY_DENIED', REJECTED: 'POLICY_DENY' } as const;
const FLAGS = ['SYN', 'ACK', 'FIN', 'RST', 'PSH'] as const;

/** What the kernel's log tells of a packet besides the packet itself; it was forwarded when there is no reason for a drop. */
export type Seen = Pick<ObservedFlow, 'at' | 'dropReason' | 'reply'>;

/** The flows that one packet makes: none, one, or two when it begins with an HTTP message head. */
export const flowsOf = (packet: Packet, { at, dropReason, reply }: Seen, http: HttpReader): ObservedFlow[] => {
  const { protocol } = packet;
  if ((protocol !== 'TCP' && protocol !== 'UDP') || isOnlyAck(packet)) return [];
  const flow: ObservedFlow = {
    at,
    verdict: dropReason ? 'DROPPED' : 'FORWARDED',
    dropReason,
    source: { ip: packet.source, port: packet.sourcePort },
    destination: { ip: packet.destination, port: packet.destinationPort },
    protocol,
    flags: flagsOf(packet),
    reply,
    http: null,
  };
  const head = protocol === 'TCP' && !dropReason ? http(packet, at, reply) : null;
  return head ? [flow, { ...flow, flags: [], http: head }] : [flow];
};

const isOnlyAck = ({ protocol, flags, payloadLength }: Packet): boolean =>
  protocol === 'TCP' && payloadLength === 0 && !flags.syn && !flags.fin && !flags.rst;

const flagsOf = ({ flags }: Packet): FlowItem['flags'] =>
  FLAGS.filter((flag) => flags[flag.toLowerCase() as keyof typeof flags]);
