// Ports of pods on this machine's loopback: each connection here is a WebSocket of its own, and a connection in the pod.
import { createServer, type Socket } from 'node:net';
import { oneLine } from '../../errors.ts';
import { after } from '../../time.ts';
import { type Channel, openChannel } from './channel.ts';
import type { Cluster, Forward } from './cluster.ts';
import { closed, HOST, listening } from './loopback.ts';
import { mustBeLabel, mustBeSubdomain } from './names.ts';
import type { Wire } from './wire.ts';

/** The port-forward protocol of one port: channel 0 carries bytes, channel 1 an error; each begins with the port in two bytes. */
const V4 = 'v4.channel.k8s.io';
const DATA = 0;
const ERROR = 1;
const PORT_BYTES = 2;
const HIGH_WATER = 1024 * 1024;

type OnBroken = (why: unknown) => void;
type Where = Parameters<Cluster['forward']>[0];

/** See Cluster.forward. A connection that the pod refuses or breaks, or that has no pod, is reset here too. */
export const openForward = async (wire: Wire, where: Where): Promise<Forward> => {
  const carried = new Set<Socket>();
  let broken: string | null = null;
  const onBroken = (error: unknown): void => {
    broken = oneLine(error);
  };
  const server = createServer({ noDelay: true, pauseOnConnect: true, allowHalfOpen: true }, (local) => {
    carried.add(local);
    local.once('close', () => carried.delete(local));
    void carry(wire, where, local, onBroken);
  });
  const port = await listening(server);
  const end = async (): Promise<void> => {
    wire.closed.removeEventListener('abort', end);
    const ended = closed(server);
    for (const local of carried) local.destroy();
    await ended;
  };
  wire.closed.addEventListener('abort', end, { once: true });
  return { host: HOST, port, broken: () => broken, [Symbol.asyncDispose]: end };
};

const carry = async (wire: Wire, where: Where, local: Socket, onBroken: OnBroken): Promise<void> => {
  const gone = new AbortController();
  local.on('error', () => {}).once('close', () => gone.abort());
  try {
    const { namespace, pod, port } = await where();
    mustBeLabel('namespace', namespace);
    mustBeSubdomain('pod', pod);
    const query = new URLSearchParams({ ports: String(port) });
    const into = { verb: 'portforward', namespace, pod, query, protocols: [V4] } as const;
    join(local, await openChannel(wire, into, gone.signal), wire.patience.lingerMs, onBroken);
  } catch (error) {
    // A client that gave up first has broken nothing.
    if (!gone.signal.aborted) onBroken(error);
    local.resetAndDestroy();
  }
};

const join = (local: Socket, channel: Channel, lingerMs: number, onBroken: OnBroken): void => {
  const { socket } = channel;
  const ending = lingering(channel, lingerMs);
  fromPod(local, channel, ending.heard, onBroken);
  local.on('data', (chunk) => {
    ending.asked();
    socket.send(Buffer.concat([Buffer.of(DATA), chunk]), () => {
      if (socket.bufferedAmount < HIGH_WATER) local.resume();
    });
    if (socket.bufferedAmount >= HIGH_WATER) local.pause();
  });
  local.on('drain', () => socket.resume());
  local.once('end', ending.ended);
  local.once('close', () => socket.terminate());
  // A client that was gone already closes nothing any more.
  if (local.destroyed) socket.terminate();
  socket.resume();
  local.resume();
};

const fromPod = (local: Socket, { socket }: Channel, heard: () => void, onBroken: OnBroken): void => {
  const begun = new Set<number>();
  socket.on('message', (message: Buffer) => {
    const channel = message[0]!;
    const bytes = message.subarray(begun.has(channel) ? 1 : 1 + PORT_BYTES);
    begun.add(channel);
    if (bytes.length === 0) return;
    heard();
    if (channel === ERROR) {
      onBroken(bytes.toString());
      local.resetAndDestroy();
    } else if (channel === DATA && !local.write(bytes)) socket.pause();
  });
  // 1006: there was no closing handshake, the connection broke.
  socket.once('close', (code) => (code === 1006 ? local.resetAndDestroy() : local.destroySoon()));
};

/**
 * What to do when the client ends its side, which the protocol has no word for. Who has got an answer to its last word is
 * done, as HTTP clients are; who has not may still want one.
 */
const lingering = ({ socket }: Channel, lingerMs: number) => {
  let answered = true;
  let over = false;
  let cancel = (): void => {};
  const wait = (): void => {
    cancel();
    if (over && socket.readyState === socket.OPEN) cancel = after(lingerMs, () => socket.close());
  };
  socket.once('close', () => cancel());
  return {
    asked: () => {
      answered = false;
    },
    heard: () => {
      answered = true;
      wait();
    },
    ended: () => {
      over = true;
      if (answered) socket.close();
      else wait();
    },
  };
};
