// One pod's packets: tcpdump in an ephemeral container, its output streamed here.
import { oneLine, Unreachable } from '../../errors.ts';
import { createPcapReader } from '../../pcap/reader.ts';
import { until } from '../../poll.ts';
import { systemClock } from '../../time.ts';
import { type Agents, read } from './agents.ts';
import type { At, Executed } from './cluster.ts';
import type { FoundPod, Ground } from './ground.ts';
import type { Merger } from './merge.ts';

export type Stream = {
  /** Resolves when packets are captured; rejects with Unreachable when they can't be. */
  readonly listens: Promise<At>;
  /** Resolves, never rejects, when it has ended. */
  readonly ended: Promise<Ended>;
};

/** `dropped`: tcpdump's own count. `broken`: it did not come to tell it, though its pod lives. */
export type Ended = { readonly dropped: number; readonly broken: boolean };

/** tcpdump writes its header as soon as it listens. */
const LISTENS = { forMs: 20_000, everyMs: 20 };
/** Enough for headers of every packet and the head of a request. */
const SNAPLEN = '256';

/** Captures a pod's TCP into `merge` until its tcpdump ends or `signal` aborts. */
export const stream = (ground: Ground, agents: Agents, pod: FoundPod, merge: Merger, signal: AbortSignal): Stream => {
  const listens = Promise.withResolvers<At>();
  listens.promise.catch(() => undefined);
  const ended = captured(ground, agents, pod, merge, signal, listens.resolve).catch((error: unknown): Ended => {
    listens.reject(new Unreachable(`capture in pod ${pod.namespace}/${pod.name}: ${oneLine(error)}`));
    return { dropped: 0, broken: false };
  });
  return { listens: listens.promise, ended };
};

const captured = async (
  ground: Ground,
  agents: Agents,
  pod: FoundPod,
  merge: Merger,
  signal: AbortSignal,
  listens: (at: At) => void,
): Promise<Ended> => {
  const at = await agents.look(pod);
  const node = JSON.parse(await agents.tell(at, 'node', {})) as string[];
  const vantage = merge.open(pod.ip, systemClock.now());
  try {
    const reader = createPcapReader((packet) => vantage.packet(packet, systemClock.now()));
    const running = exec(ground, at, node, (chunk) => reader.push(chunk), signal);
    await until('tcpdump', () => (reader.end().format !== null || running.over() ? true : null), LISTENS);
    if (reader.end().format !== null) listens(at);
    const { err } = await running.end;
    if (reader.end().format === null)
      throw new Unreachable(err.trim().split('\n').at(-1) || 'tcpdump ended without a word');
    const dropped = droppedIn(err);
    return { dropped: dropped ?? 0, broken: dropped === null && (await lives(ground, pod)) };
  } finally {
    vantage.close(systemClock.now());
  }
};

/** A connection that is lost is an end without last words. */
const exec = (
  ground: Ground,
  at: At,
  node: readonly string[],
  onOutput: (chunk: Buffer) => void,
  signal: AbortSignal,
) => {
  let over = false;
  const end: Promise<Executed> = ground.cluster
    .exec(at, tcpdump(node), { onOutput, signal })
    .catch((error: unknown) => ({ code: -1, out: '', err: oneLine(error) }))
    .finally(() => {
      over = true;
    });
  return { end, over: () => over };
};

/**
 * Immediate mode: otherwise the kernel hands packets over by the block, up to a second late. The node's own packets (health
 * checks) are left out. `-Z root`: Debian's tcpdump would else become a user that the image does not have.
 */
const tcpdump = (node: readonly string[]): readonly [string, ...string[]] => [
  'tcpdump',
  ...['-i', 'eth0', '-Z', 'root', '--immediate-mode', '-U', '-n', '-s', SNAPLEN, '-w', '-'],
  ['tcp', ...node.map((ip) => `not host ${ip}`)].join(' and '),
];

/** From tcpdump's closing words; null when it did not come to say them. */
export const droppedIn = (words: string): number | null => {
  const dropped = /(\d+) packets? dropped by kernel/.exec(words)?.[1];
  return dropped === undefined ? null : Number(dropped);
};

/** When that can't be told, it counts as living: what broke then is not kept quiet. */
const lives = async ({ cluster }: Ground, pod: FoundPod): Promise<boolean> =>
  (await read(cluster, pod).catch(() => 'unknown')) !== null;
