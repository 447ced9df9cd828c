// The flow tap: the kernel's log of packets at two points of their way through this node, and what follows from it.
import { createSocket, type Socket } from 'node:dgram';
import type { Nanos } from '../../../model.ts';
import { decode } from '../../../pcap/decode.ts';
import type { CapturedPacket } from '../../../pcap/reader.ts';
import { during } from '../../../poll.ts';
import { run } from '../../../process.ts';
import { fromMs } from '../../../time.ts';
import { createHttpReader } from '../../lab/flow-observer-http.ts';
import type { ObservedFlow } from '../../lab/flow-observer-wire.ts';
import { flowsOf, type Nflog, readNflog } from '../../lab/nflog.ts';
import { createMatcher, type Matcher, type Told } from './match.ts';
import { removeTap, tapRules, watchRules } from './rules.ts';
import { packetTimes } from './times.ts';

type Program = { readonly path: string; readonly env?: Readonly<Record<string, string>> };

export type TapOptions = {
  readonly tcpdump: Program;
  readonly nft: Program;
  /** An NFLOG group (0 to 65535) that nobody else on this node uses. */
  readonly group: number;
  readonly onFlow: (flow: ObservedFlow) => void;
  /** Told of packets that were not seen, or of which nobody can tell what became: at least so many. */
  readonly onLost: (count: number) => void;
};

export type Tap = AsyncDisposable & {
  /** Watches the packets from and to these addresses, and of no others any more. */
  watch(addresses: readonly string[]): Promise<void>;
  /** Resolves when the log has ended, with tcpdump's exit code or signal. */
  readonly ended: Promise<number | string>;
};

/** A packet passes the node in microseconds; one that a program in user space decides about, in milliseconds. */
const SETTLE_MS = 100;
/** The kernel collects what it logs; each tick makes it hand over all that it has. */
const TICK_MS = 100;
const CAPACITY = 20_000;
const FOREVER_MS = 100 * 365 * 86_400_000;

/**
 * Taps this network namespace. A packet that passed the early point and, when everything logged up to 100 ms later has been
 * read, not the late one was dropped, by whichever table or program; if the kernel lost log records meanwhile, nobody can
 * tell, and it is counted as lost. Disposing takes the table away. Rejects with Unreachable when nft or tcpdump fail.
 *
 * Not seen: what is dropped before routing (ingress, prerouting), by XDP, tc or eBPF; packets that a bridge passes between
 * pods without IP filtering (net.bridge.bridge-nf-call-iptables is 0); pods on the node's own network.
 */
export const startTap = async (options: TapOptions): Promise<Tap> => {
  const nft = async (commands: string): Promise<void> => {
    const { path, env } = options.nft;
    await run({ name: 'nft', argv: [path, '-f', '-'], ...(env ? { env } : {}) }, commands);
  };
  const socket = await openTicks();
  await nft(tapRules({ group: options.group, tickPort: socket.address().port }));
  const matcher = matcherOf(options);
  const judge = createJudge(matcher, options.onLost);
  const onPacket = sightings(matcher, judge.tick);
  const log = await readNflog({ ...options, flags: asRoot(), onPacket, onLost: judge.lost }).catch(async (error) => {
    socket.close();
    await nft(removeTap(options.group));
    throw error;
  });
  judge.ask(log);
  const over = new AbortController();
  const ticking = during(() => tick(socket), { forMs: FOREVER_MS, everyMs: TICK_MS, signal: over.signal });
  return {
    watch: (addresses) => nft(watchRules(options.group, addresses)),
    ended: log.ended,
    [Symbol.asyncDispose]: async () => {
      over.abort();
      await ticking;
      await nft(removeTap(options.group));
      await log[Symbol.asyncDispose]();
      socket.close();
    },
  };
};

/** tcpdump would become a user of its own, whom an image need not have. */
const asRoot = (): readonly string[] => (process.getuid?.() === 0 ? ['-Z', 'root'] : []);

const matcherOf = ({ onFlow, onLost }: TapOptions): Matcher => {
  const http = createHttpReader();
  const onTold = ({ packet, at, reply, verdict }: Told): void => {
    const dropReason = verdict === 'DROPPED' ? 'POLICY_DENIED' : null;
    for (const flow of flowsOf(packet, { at, dropReason, reply }, http)) onFlow(flow);
  };
  return createMatcher({ capacity: CAPACITY, onTold, onUnknown: onLost });
};

const PREFIX = /^firedrill\/(?:(early|late)\/(original|reply)|tick)$/;

const sightings = (matcher: Matcher, tick: (at: Nanos) => void): ((captured: CapturedPacket) => void) => {
  const timeOf = packetTimes();
  return ({ at, linkType, captured }) => {
    const packet = decode(linkType, captured);
    const prefix = PREFIX.exec(packet?.prefix ?? '');
    if (!packet || !prefix) return;
    const [, point, way] = prefix;
    if (point === undefined) tick(packet.received ?? at);
    else if (point === 'late') matcher.late(packet, at, way === 'reply');
    else matcher.early(packet, timeOf(packet, at), way === 'reply');
  };
};

type Judge = { tick(at: Nanos): void; ask(log: Nflog): void; lost(total: number): void };

/**
 * The log is in order: at a tick, all that was logged before has been read, or was lost. A loss is counted before the tick
 * is read, so that asking for the count then leaves no doubt.
 */
const createJudge = (matcher: Matcher, onLost: (count: number) => void): Judge => {
  let log: Nflog | null = null;
  let lost = 0;
  let asking = false;
  const count = (total: number): void => {
    onLost(total - lost);
    lost = total;
  };
  const judge = async (until: Nanos, by: Nflog): Promise<void> => {
    const total = await by.lost();
    if (total === lost) return matcher.settle(until);
    count(total);
    matcher.doubt();
  };
  return {
    tick: (at) => {
      const until = at - fromMs(SETTLE_MS);
      if (!log || asking || !matcher.waiting(until)) return;
      asking = true;
      // It rejects when the log has ended, which `ended` tells.
      void judge(until, log)
        .catch(() => undefined)
        .finally(() => {
          asking = false;
        });
    },
    ask: (by) => {
      log = by;
    },
    lost: count,
  };
};

const openTicks = async (): Promise<Socket> => {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject);
    socket.bind(0, '127.0.0.1', resolve);
  });
  return socket.on('message', () => undefined);
};

const tick = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    const { port, address } = socket.address();
    // One that can't be sent now is followed by the next.
    socket.send('', port, address, () => resolve());
  });
