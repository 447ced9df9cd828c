// One client's connection relayed to one of our own: bytes both ways, with each request held back for its delay.
import type { Socket } from 'node:net';
import { type Clock, fromMs } from '../time.ts';
import { header, type Piece, REQUESTS, responses, splitter, status } from './http1.ts';

/** Requests passed on (a connection of another protocol counts as one), and how many of them were held back. */
export type Counts = { relayed: number; delayed: number };

export type Rule = {
  /** How long to hold back the next request, in milliseconds. */
  readonly delayMs: () => number;
  /** Only requests that carry this drill's tag are held back; null: all. */
  readonly tag: string | null;
};

export type Surroundings = {
  readonly rule: Rule;
  readonly counts: Counts;
  readonly clock: Clock;
  /** When it aborts, everything held back goes at once, and so does all that follows. */
  readonly hurry: AbortSignal;
};

export type Relay = {
  /** Ends the connection as soon as no request of it is held back or unanswered. */
  leave(): void;
  /** Cuts the connection on both sides. */
  cut(): void;
};

/** Bytes of one connection waiting for their time; beyond it the client is not read from. */
const HELD_MOST = 262_144;

/** Whether a request's head carries the drill's tag. */
export const isTagged = (head: string, tag: string): boolean =>
  header(head, 'x-firedrill-run') === tag || (header(head, 'x-correlation-id') ?? '').startsWith(`firedrill-${tag}-`);

/**
 * Relays between two sockets, both with `allowHalfOpen`. A reset on one side becomes a reset on the other, and so does
 * an upstream that refuses.
 */
export const relay = (client: Socket, upstream: Socket, around: Surroundings): Relay => {
  const talk = dialogue();
  let leaving = false;
  const settle = (): void => {
    if (!leaving || talk.busy()) return;
    client.end();
    upstream.end();
  };
  forward(client, upstream, (piece) => (talk.asked(piece) ? delay(piece, around) : 0), around);
  upstream.pipe(client);
  upstream.on('data', (chunk: Buffer) => {
    talk.answered(chunk);
    settle();
  });
  client.once('error', () => reset(upstream));
  upstream.once('error', () => reset(client));
  return {
    leave: () => {
      leaving = true;
      settle();
    },
    cut: () => {
      reset(client);
      reset(upstream);
    },
  };
};

/** Counts the beginning of a request, and draws how long it is to wait. */
const delay = (piece: Piece, { rule, counts, hurry }: Surroundings): number => {
  counts.relayed += 1;
  const hit = rule.tag === null || (piece.kind === 'head' && isTagged(piece.bytes.toString('latin1'), rule.tag));
  if (!hit || hurry.aborted) return 0;
  counts.delayed += 1;
  return rule.delayMs();
};

/** Passes the client's bytes on in order, each piece after its delay, to the end. */
const forward = (
  client: Socket,
  upstream: Socket,
  delayOf: (piece: Piece) => number,
  { clock, hurry }: Surroundings,
): void => {
  const requests = splitter(REQUESTS);
  const pass = outlet(client, upstream, clock, hurry);
  client.on('data', (chunk: Buffer) => {
    for (const piece of requests.push(chunk)) if (piece.bytes) void pass(piece.bytes, delayOf(piece));
  });
  client.once('end', () => void pass(requests.rest(), 0).then(() => upstream.end()));
};

const reset = (socket: Socket): void => {
  socket.on('error', () => {});
  if (socket.connecting) socket.destroy();
  else socket.resetAndDestroy();
};

/** Follows a connection's requests and answers: is one still without its whole answer? */
const dialogue = () => {
  const methods: string[] = [];
  const answers = splitter(responses(() => methods.shift() ?? ''));
  let open = 0;
  let other = false;
  let begun = false;
  let interim = false;
  const take = (piece: Piece): void => {
    if (piece.kind === 'raw') other = true;
    if (piece.kind === 'head') interim = status(piece.bytes.toString('latin1')) < 200;
    if (piece.kind === 'end' && !interim) open -= 1;
  };
  return {
    /** Notes a piece from the client; true when it is the beginning of a request, or of another protocol. */
    asked: (piece: Piece): boolean => {
      const first = !begun;
      begun ||= piece.kind !== 'body';
      if (piece.kind === 'raw') other = true;
      if (piece.kind !== 'head') return piece.kind === 'raw' && first;
      open += 1;
      methods.push(piece.bytes.toString('latin1').split(' ', 1)[0]!);
      return true;
    },
    answered: (chunk: Buffer): void => answers.push(chunk).forEach(take),
    /** Another protocol's state is not known: it counts as busy. */
    busy: (): boolean => other || open > 0,
  };
};

/** Writes to the upstream in order, each piece not before its delay is over; reads no faster than that goes. */
const outlet = (client: Socket, upstream: Socket, clock: Clock, hurry: AbortSignal) => {
  let waiting = 0;
  let tail = Promise.resolve();
  return (bytes: Buffer, ms: number): Promise<void> => {
    const due = clock.now() + fromMs(ms);
    waiting += bytes.length;
    if (waiting > HELD_MOST) client.pause();
    tail = tail.then(async () => {
      if (ms > 0) await clock.sleepUntil(due, hurry).catch(() => {});
      await written(upstream, bytes);
      waiting -= bytes.length;
      if (waiting <= HELD_MOST) client.resume();
    });
    return tail;
  };
};

const written = (socket: Socket, bytes: Buffer): Promise<void> =>
  new Promise((resolve) => {
    if (socket.destroyed || bytes.length === 0) resolve();
    else socket.write(bytes, () => resolve());
  });
