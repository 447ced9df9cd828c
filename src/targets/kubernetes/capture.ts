// Packet captures: a tcpdump in every pod of the platform, streamed here by exec and merged into one file.
import { createWriteStream } from 'node:fs';
import { during, until } from '../../poll.ts';
import { systemClock, toMs } from '../../time.ts';
import type { Capture } from '../target.ts';
import type { Agents } from './agents.ts';
import type { FoundPod, Ground } from './ground.ts';
import { type Merged, type Merger, merger, type World } from './merge.ts';
import { fileHeader, packetHeader } from './raw-ip.ts';
import { sparedAddresses } from './spared.ts';
import { type Stream, stream } from './stream.ts';

const FOLLOW_MS = 1000;
const RELEASE_MS = 100;
/** How long tcpdumps may take to tell their last words. */
const STOP = { forMs: 10_000, everyMs: 20 };

/** What the captures of one drill share. `over`: no new ones; `cut`: those that are left are given up. */
type Session = {
  readonly ground: Ground;
  readonly agents: Agents;
  readonly merge: Merger;
  readonly look: () => Promise<readonly FoundPod[]>;
  readonly streams: Map<string, Stream>;
  readonly over: AbortController;
  readonly cut: AbortController;
  dropped: number;
};

/**
 * Captures TCP at every pod of the platform, also at those that come up meanwhile, into `file`: pcap with nanoseconds, raw IP,
 * each packet once and in order. Resolves once every pod of now is captured. It ends by itself with its agents, at the
 * run's expiry. Pods on their node's network are left out: their packets can't be told from the node's. `captured` counts
 * the packets in the file; `droppedByKernel` what tcpdump says was lost, what came too late to be put in order, and one for
 * each stream that broke while its pod lived. Throws Unreachable when a pod can't be captured.
 */
export const startCapture = async (ground: Ground, agents: Agents, file: string): Promise<Capture> => {
  const { world, look } = await survey(ground);
  const out = await writer(file);
  const merge = merger(world, (packet) => out.write(packet));
  const session: Session = {
    ...{ ground, agents, merge, look, streams: new Map(), dropped: 0 },
    ...{ over: new AbortController(), cut: new AbortController() },
  };
  try {
    await Promise.all((await look()).map((pod) => begin(session, pod).listens));
  } catch (error) {
    await end(session);
    await out.close();
    throw error;
  }
  const working = Promise.all([follow(session), release(session, out)]);
  let stopped: ReturnType<Capture['stop']> | null = null;
  const stop = async (): ReturnType<Capture['stop']> => {
    await end(session);
    await working;
    merge.flush();
    await out.close();
    const { written, late } = merge.counts();
    return { captured: written, droppedByKernel: session.dropped + late };
  };
  return {
    file,
    stop: () => {
      stopped ??= stop();
      return stopped;
    },
  };
};

/** Who is who, as far as it is known, and a look that learns more of it and finds the pods to capture. */
const survey = async (ground: Ground): Promise<{ world: World; look: Session['look'] }> => {
  const world = { pods: new Map<string, number>(), services: new Set<string>(), quiet: new Set<string>() };
  for (const namespace of ground.mapping.namespaces) {
    const { items } = await ground.cluster.core.listNamespacedService({ namespace });
    for (const ip of items.flatMap(({ spec }) => spec?.clusterIPs ?? [])) if (ip !== 'None') world.services.add(ip);
  }
  const look = async (): Promise<readonly FoundPod[]> => {
    const [found, spared] = await Promise.all([ground.pods(), sparedAddresses(ground)]);
    for (const { ip, port } of found) if (ip !== '') world.pods.set(ip, port);
    for (const ip of spared) world.quiet.add(ip);
    return found.filter(({ ip, hostNetwork }) => ip !== '' && !hostNetwork);
  };
  return { world, look };
};

/** A pod whose stream has ended is begun with anew by the next look that finds it. */
const begin = (session: Session, pod: FoundPod): Stream => {
  const { ground, agents, merge, streams, cut } = session;
  const one = stream(ground, agents, pod, merge, cut.signal);
  streams.set(pod.uid, one);
  void one.ended.then(({ dropped, broken }) => {
    session.dropped += dropped + (broken ? 1 : 0);
    streams.delete(pod.uid);
  });
  return one;
};

const follow = (session: Session): Promise<void> =>
  during(
    async () => {
      const pods = await session.look().catch(() => []);
      const fresh = session.over.signal.aborted ? [] : pods.filter(({ uid }) => !session.streams.has(uid));
      for (const pod of fresh) begin(session, pod);
    },
    { forMs: left(session), everyMs: FOLLOW_MS, signal: session.over.signal },
  );

const release = (session: Session, out: Writer): Promise<void> =>
  during(
    async () => {
      session.merge.release(systemClock.now());
      await out.drained();
    },
    { forMs: left(session), everyMs: RELEASE_MS, signal: session.over.signal },
  );

const left = ({ ground }: Session): number => Math.max(0, toMs(ground.owner.expires - systemClock.now()));

/** Asks every tcpdump to end, so that it tells its counts; cuts what has not ended after a while. */
const end = async ({ agents, streams, over, cut }: Session): Promise<void> => {
  over.abort();
  const all = [...streams.values()];
  for (const { listens } of all) void listens.then((at) => agents.tell(at, 'end-captures', {})).catch(() => undefined);
  await until('the end of all captures', () => (streams.size === 0 ? true : null), STOP).catch(() => cut.abort());
};

type Writer = { write(packet: Merged): void; drained(): Promise<void>; close(): Promise<void> };

/** Writes in order. A failure, as of a disk that is full, is thrown by `close`; one to open the file at once. */
const writer = async (file: string): Promise<Writer> => {
  const out = createWriteStream(file);
  const closed = new Promise<void>((resolve, reject) => void out.once('close', resolve).once('error', reject));
  closed.catch(() => undefined);
  await Promise.race([new Promise((resolve) => void out.once('open', resolve)), closed]);
  out.write(fileHeader());
  return {
    write: ({ at, bytes, length }) => {
      out.write(packetHeader(at, bytes.length, length));
      out.write(bytes);
    },
    drained: async () => {
      if (!out.writableNeedDrain) return;
      await Promise.race([
        new Promise<void>((resolve) => void out.once('drain', resolve)),
        closed.catch(() => undefined),
      ]);
    },
    close: () => {
      out.end();
      return closed;
    },
  };
};
