// How a program in a pod is told things by others in the same pod: questions and answers, a line of JSON each, over an
// abstract Unix socket. Such a socket belongs to the network namespace (unix(7)), which the containers of a pod share, and
// goes with its process: its name is a lock that nobody has to clear away.
import { connect, createServer, type Socket } from 'node:net';
import { oneLine, Unreachable } from '../errors.ts';

export type Answering = (question: unknown) => Promise<unknown>;
export type Control = AsyncDisposable;

type Reply = { readonly answer?: unknown; readonly error?: string };

const LONGEST = 1_048_576;
const pathOf = (name: string): string => `\0${name}`;

/** Answers under this name; what `answer` throws is told to the asker. Rejects with EADDRINUSE while somebody else does. */
export const control = async (name: string, answer: Answering): Promise<Control> => {
  const server = createServer({ allowHalfOpen: true }, (socket) => void reply(socket, answer));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen({ path: pathOf(name) }, resolve);
  });
  return {
    [Symbol.asyncDispose]: () => new Promise((resolve) => void server.close(() => resolve())),
  };
};

const reply = async (socket: Socket, answer: Answering): Promise<void> => {
  socket.on('error', () => undefined);
  const said: Reply = await read(socket)
    .then((text) => answer(JSON.parse(text)))
    .then(
      (it) => ({ answer: it ?? null }),
      (error: unknown) => ({ error: oneLine(error) }),
    );
  socket.end(JSON.stringify(said));
};

/** Asks whoever answers under this name in this network namespace; null when nobody does. Throws Unreachable with its error. */
export const ask = async (name: string, question: unknown): Promise<{ readonly answer: unknown } | null> => {
  const socket = connect({ path: pathOf(name), allowHalfOpen: true });
  const there = await new Promise<boolean>((resolve) => {
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  });
  if (!there) return null;
  socket.end(JSON.stringify(question));
  const { answer, error } = JSON.parse((await read(socket)) || '{"error":"it ended before it answered"}') as Reply;
  if (error !== undefined) throw new Unreachable(error);
  return { answer };
};

const read = async (socket: Socket): Promise<string> => {
  let text = '';
  for await (const part of socket.setEncoding('utf8')) {
    text += part;
    if (text.length > LONGEST) throw new Unreachable('a message is too long');
  }
  return text;
};
