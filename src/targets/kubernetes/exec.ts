// A program run in a container, over the remote command protocol: each message is one byte of channel and then its bytes.
import { Unreachable } from '../../errors.ts';
import type { Status } from './asked.ts';
import { type Channel, mustSpeak, openChannel } from './channel.ts';
import { type At, type Exec, type Executed, Refused } from './cluster.ts';
import { mustBeLabel, mustBeSubdomain } from './names.ts';
import type { Wire } from './wire.ts';

/** kubernetes.io/docs/reference/using-api/api-concepts; KEP-4006: v5 is v4 with a message that closes a channel. */
const V5 = 'v5.channel.k8s.io';
const V4 = 'v4.channel.k8s.io';
const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const STATUS = 3;
const CLOSE = 255;

const MOST_OUT = 16 * 1024 * 1024;
const MOST_ERR = 64 * 1024;
const INPUT_PIECE = 64 * 1024;

/** See Cluster.exec. */
export const execute = async (
  wire: Wire,
  at: At,
  argv: readonly [string, ...string[]],
  { onOutput, input, signal }: Exec = {},
): Promise<Executed> => {
  mustBeLabel('namespace', at.namespace);
  mustBeSubdomain('pod', at.pod);
  mustBeLabel('container', at.container);
  const query = new URLSearchParams({ container: at.container, stdout: 'true', stderr: 'true' });
  if (input !== undefined) query.set('stdin', 'true');
  for (const word of argv) query.append('command', word);
  const into = { verb: 'exec', namespace: at.namespace, pod: at.pod, query, protocols: [V5, V4] } as const;
  const channel = await openChannel(wire, into, signal);
  if (input !== undefined) mustSpeak(channel, V5, 'standard input could not be ended');
  const says = `${argv[0]} in ${at.namespace}/${at.pod}/${at.container}`;
  return conversation(channel, says, onOutput, input).catch((error: unknown) => {
    signal?.throwIfAborted();
    throw error;
  });
};

const conversation = async (
  channel: Channel,
  says: string,
  onOutput: Exec['onOutput'],
  input: string | undefined,
): Promise<Executed> => {
  const { socket, lost } = channel;
  const collected = onOutput ? null : whole(says);
  const out = inOrder(channel, onOutput ?? collected!.add);
  const errors = lastWords();
  const ended = new Promise<Status>((resolve, reject) => {
    socket.on('message', (message: Buffer) => {
      const bytes = message.subarray(1);
      if (message[0] === STDOUT && bytes.length > 0) out.take(bytes);
      if (message[0] === STDERR) errors.add(bytes);
      if (message[0] === STATUS) resolve(parsed(bytes.toString()));
    });
    socket.once('close', () =>
      reject(new Unreachable(`${says}: the connection was lost before its exit status was known (${lost()})`)),
    );
  });
  socket.resume();
  if (input !== undefined) send(channel, input);
  try {
    const status = await Promise.race([ended, out.failed]);
    await out.taken();
    return { code: exitCode(status, says), out: collected?.text() ?? '', err: errors.text() };
  } finally {
    socket.terminate();
  }
};

/** Chunks one after the other; while one is being taken, no more are asked for. */
const inOrder = ({ socket }: Channel, take: NonNullable<Exec['onOutput']>) => {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  let last: Promise<void> = Promise.resolve();
  let waiting = 0;
  return {
    failed,
    taken: () => last,
    take: (chunk: Buffer): void => {
      waiting++;
      socket.pause();
      last = last.then(() => take(chunk));
      last.then(() => {
        if (--waiting === 0) socket.resume();
      }, reject);
    },
  };
};

const whole = (says: string) => {
  const chunks: Buffer[] = [];
  let size = 0;
  return {
    add: (chunk: Buffer): void => {
      size += chunk.length;
      if (size > MOST_OUT) throw new Unreachable(`${says}: wrote more than ${MOST_OUT} bytes, which nobody took`);
      chunks.push(chunk);
    },
    text: () => Buffer.concat(chunks).toString(),
  };
};

const lastWords = () => {
  let kept = Buffer.alloc(0);
  let dropped = 0;
  return {
    add: (bytes: Buffer): void => {
      const all = Buffer.concat([kept, bytes]);
      kept = all.subarray(Math.max(0, all.length - MOST_ERR));
      dropped += all.length - kept.length;
    },
    text: () => (dropped > 0 ? `(${dropped} bytes before this were dropped) ` : '') + kept.toString(),
  };
};

const send = ({ socket }: Channel, input: string): void => {
  const bytes = Buffer.from(input);
  for (let from = 0; from < bytes.length; from += INPUT_PIECE)
    socket.send(Buffer.concat([Buffer.of(STDIN), bytes.subarray(from, from + INPUT_PIECE)]));
  socket.send(Buffer.of(CLOSE, STDIN));
};

/** The status channel's object says its `status` but not its `kind`. */
const parsed = (text: string): Status => {
  try {
    return JSON.parse(text) as Status;
  } catch {
    return { message: `its exit status is no JSON: ${text.slice(0, 100)}` };
  }
};

const exitCode = ({ status, reason, details, message, code }: Status, says: string): number => {
  if (status === 'Success') return 0;
  const cause = details?.causes?.find((one) => one.reason === 'ExitCode')?.message;
  if (reason === 'NonZeroExitCode' && cause) return Number(cause);
  throw new Refused(`${says}: can't be run: ${(message ?? 'no reason given').replace(/\s+/g, ' ')}`, code ?? 500);
};
