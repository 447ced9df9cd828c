// Hubble, or anything that speaks its API, as the flows layer: one stream that is followed from the first look on.
import { oneLine, Unreachable } from '../../errors.ts';
import type { FlowItem, Gap, LayerAdapter, Nanos, Query, Window } from '../../model.ts';
import type { Naming } from '../../naming.ts';
import { until } from '../../poll.ts';
import { type Clock, fromMs, iso, systemClock } from '../../time.ts';
import { createAccount, reconcile, type Trouble, tell } from './adapter-account.ts';
import { createInbox, type Inbox, receive, takeAll } from './adapter-inbox.ts';
import { uncovered } from './adapter-rings.ts';
import { explained, type FlowStream, type HubbleClient, hubbleClient, type Tls } from './client.ts';
import type { WireResponse } from './wire.ts';

export type HubbleOptions = {
  /** `host:port` of a Hubble relay, an agent or the lab's observer. */
  readonly address: string;
  readonly naming: Naming;
  /** Without it the connection is in clear. */
  readonly tls?: Tls;
  /** How many flows are kept between two looks, and how many are remembered so that none is told twice; 200 000 unless told. */
  readonly capacity?: number;
  readonly clock?: Clock;
};

/** One connection, and the stream that is followed on it. */
type Session = {
  readonly client: HubbleClient;
  readonly stream: FlowStream;
  readonly query: Query;
  greeted: boolean;
  /** How the stream ended, once it has. */
  ended: string | null;
};

const CAPACITY = 200_000;
/** A relay holds flows back for up to a second to sort them, and the kernel's packet log for up to another. */
const LAG_MS = 2000;
const ARMED_MS = 3000;
const POLL_MS = 25;

/**
 * Follows `GetFlows` from the first look on, beginning with the history that the first window asks for, and gives at each
 * look the flows that came since the last one, once each. A stream that was cut is followed again, at once or at the next
 * look, from before it stopped. Told as gaps: events that Hubble lost, nodes that send nothing, history that a ring no longer
 * holds, flows dropped here because nobody looked, nodes whose clock is off or whose flows come late, flows without a
 * time, and the time from where a stream stopped until it could be followed again.
 */
export const hubble = (options: HubbleOptions): LayerAdapter<FlowItem> => {
  const clock = options.clock ?? systemClock;
  const account = createAccount();
  const inbox = createInbox(options.naming, options.capacity ?? CAPACITY, account, clock);
  let session: Session | null = null;
  /** Up to when all has come that there was; null before the first stream. */
  let complete: Nanos | null = null;

  const close = (): void => {
    session?.stream.cancel();
    session?.client[Symbol.dispose]();
    session = null;
  };
  /** Follows from the window's beginning, or again from where the flows of the node that is furthest behind stopped. */
  const connect = async (window: Window, signal: AbortSignal): Promise<Trouble[]> => {
    const heard = new Map(account.heard);
    const stopped = complete ?? window.from;
    const since = complete === null ? stopped : earliest(stopped, heard.values()) - fromMs(LAG_MS);
    session = open(options, since, inbox);
    await armed(session, clock, signal);
    if (session.ended !== null) return [];
    if (session.greeted) complete = stopped;
    return uncovered(session.client, (node) => latest(stopped, heard.get(node)), clock, signal);
  };
  /** What the relay knows of its nodes; it answers on the stream's own connection, so that is alive too. */
  const check = async (one: Session, window: Window, signal: AbortSignal): Promise<Trouble[]> => {
    const status = await one.client.status(signal);
    const silent = !one.greeted && (status.num_connected_nodes?.value ?? 0) > 0;
    if (!silent) complete = latest(clock.now() - fromMs(LAG_MS), complete);
    return [
      ...(silent ? [{ why: 'the relay has not begun to send flows', from: complete, until: null }] : []),
      ...reconcile(account, status, window.from, clock.now()),
    ];
  };
  const attempt = async (window: Window, signal: AbortSignal, troubles: Trouble[]): Promise<void> => {
    if (session?.ended) close();
    if (!session) troubles.push(...(await connect(window, signal)));
    const one = session as unknown as Session;
    await settled(one, inbox, window.until, clock, signal);
    if (one.ended === null) troubles.push(...(await check(one, window, signal)));
    if (one.ended !== null) throw new Unreachable(one.ended);
  };
  /** A stream that is cut is followed again at once, so that nothing is missing where nothing needs to be. */
  const catchUp = async (window: Window, signal: AbortSignal, troubles: Trouble[]): Promise<void> => {
    try {
      await attempt(window, signal, troubles);
    } catch (error) {
      if (!session?.greeted || signal.aborted) throw error;
      close();
      await attempt(window, signal, troubles);
    }
  };
  const failed = (error: unknown, signal: AbortSignal): Trouble => {
    // What is only slow may still come.
    if (!signal.aborted) close();
    return {
      why: `${complete === null ? '' : 'the flow stream was cut: '}${oneLine(error)}`,
      from: complete,
      until: null,
    };
  };

  return {
    layer: 'flows',
    look: async (window, signal) => {
      const troubles: Trouble[] = [];
      await catchUp(window, signal, troubles).catch((error: unknown) => troubles.push(failed(error, signal)));
      const query = session?.query ?? queryOf(options.address, complete ?? window.from);
      const taken = takeAll(inbox);
      const gaps = [...troubles, ...taken.troubles, ...tell(account)].map((one) => toGap(one, query, window));
      return { items: taken.flows, queries: [query], gaps };
    },
    [Symbol.asyncDispose]: async () => close(),
  };
};

const open = ({ address, tls }: HubbleOptions, since: Nanos, inbox: Inbox): Session => {
  const client = hubbleClient(address, tls);
  const stream = client.follow(since);
  const session: Session = { client, stream, query: queryOf(address, since), greeted: false, ended: null };
  inbox.replaying = true;
  stream.on('data', (response: WireResponse) => {
    session.greeted = true;
    receive(inbox, response);
  });
  stream.on('error', (error) => {
    session.ended ??= explained(error);
  });
  stream.on('end', () => {
    session.ended ??= 'the server ended it';
  });
  return session;
};

/** A relay greets with its nodes: from then on nothing is missed. Other servers may be silent until the first flow. */
const armed = async (session: Session, clock: Clock, signal: AbortSignal): Promise<void> => {
  const waiting = { forMs: ARMED_MS, everyMs: POLL_MS, signal, clock };
  const there = (): true | null => session.greeted || session.ended !== null || null;
  await until('first answer', there, waiting).catch(() => signal.throwIfAborted());
};

/** Waits until the stream has come to the window's end, or would have, had there been any flow; a history until it pauses. */
const settled = async (
  session: Session,
  inbox: Inbox,
  end: Nanos,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> => {
  let before = 0;
  const there = (): true | null => {
    const paused = inbox.flows.length === before;
    before = inbox.flows.length;
    const reached = inbox.reached >= end || clock.now() >= end + fromMs(LAG_MS);
    return session.ended !== null || (reached && (paused || !inbox.replaying)) ? true : null;
  };
  await until('flows', there, { forMs: LAG_MS, everyMs: POLL_MS, signal, clock }).catch(() => signal.throwIfAborted());
};

const earliest = (first: Nanos, others: Iterable<Nanos>): Nanos => {
  let least = first;
  for (const one of others) if (one < least) least = one;
  return least;
};

const latest = (one: Nanos, other: Nanos | null | undefined): Nanos =>
  other !== null && other !== undefined && other > one ? other : one;

const toGap = ({ why, from, until: end }: Trouble, query: Query, window: Window): Gap => {
  const begins = from ?? earliest(window.from, end === null ? [] : [end - 1n]);
  return {
    layer: 'flows',
    query: query.text,
    window: { from: begins, until: end ?? latest(window.until, begins + 1n) },
    why,
  };
};

const queryOf = (address: string, since: Nanos): Query => ({
  id: `flows-${since}`,
  text: `hubble observe --server ${address} --since ${iso(since)} --follow --output jsonpb`,
  url: `grpc://${address}/observer.Observer/GetFlows`,
});
