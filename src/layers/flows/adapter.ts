// Hubble, or anything that speaks its API, as the flows layer: one stream that is followed from the first look on.
import { oneLine } from '../../errors.ts';
import type { FlowItem, Gap, LayerAdapter, Nanos, Query, Window } from '../../model.ts';
import type { Naming } from '../../naming.ts';
import { until } from '../../poll.ts';
import { type Clock, fromMs, iso, systemClock } from '../../time.ts';
import { type FlowStream, type HubbleClient, hubbleClient, type Tls } from './client.ts';
import { toItem } from './item.ts';
import { fromWireTime, type WireResponse, type WireStatus } from './wire.ts';

export type HubbleOptions = {
  /** `host:port` of a Hubble relay, an agent or the lab's observer. */
  readonly address: string;
  readonly naming: Naming;
  /** Without it the connection is in clear. */
  readonly tls?: Tls;
  /** How many flows are kept between two looks; 200 000 unless told. */
  readonly capacity?: number;
  readonly clock?: Clock;
};

/** What has come since the last look, from the stream that is being followed. */
type Inbox = {
  readonly stream: FlowStream;
  readonly query: Query;
  readonly flows: Map<string, FlowItem>;
  readonly troubles: Trouble[];
  dropped: number;
  greeted: boolean;
  /** How the stream ended, once it has. */
  ended: string | null;
  /** When the newest flow was seen; before the first, where the stream was asked to begin. */
  reached: Nanos;
};

type Session = { readonly client: HubbleClient; readonly inbox: Inbox };
type Taken = { readonly items: readonly FlowItem[]; readonly troubles: readonly Trouble[] };

/** What went wrong, and since when as far as Hubble says so. */
type Trouble = { readonly why: string; readonly from: Nanos | null };

const CAPACITY = 200_000;
/** A relay holds flows back for up to a second to sort them, and the kernel's packet log for up to another. */
const LAG_MS = 2000;
const ARMED_MS = 5000;
const POLL_MS = 25;

/**
 * Follows `GetFlows` from the first look on, beginning with the history that the first window asks for, and gives at each
 * look the flows that came since the last one. Told as gaps: events that Hubble lost, nodes that it can't reach, history
 * that its ring no longer holds, flows dropped here because nobody looked, and streams that ended (the next look opens
 * another one, from where the last one stopped).
 */
export const hubble = (options: HubbleOptions): LayerAdapter<FlowItem> => {
  const clock = options.clock ?? systemClock;
  let session: Session | null = null;
  let resumeAt: Nanos | null = null;

  const connect = async (from: Nanos, signal: AbortSignal): Promise<Session> => {
    const client = hubbleClient(options.address, options.tls);
    const one = { client, inbox: open(client, from, options) };
    await armed(one.inbox, clock, signal);
    if (!one.inbox.ended) one.inbox.troubles.push(...(await uncovered(client, from)));
    return one;
  };
  /** What the session has brought; one whose stream has ended is closed, and the next begins where it stopped. */
  const take = (): Taken => {
    if (!session) return { items: [], troubles: [] };
    const { client, inbox } = session;
    const taken = { items: [...inbox.flows.values()], troubles: drain(inbox) };
    inbox.flows.clear();
    if (inbox.ended) {
      resumeAt = inbox.reached;
      session = null;
      client[Symbol.dispose]();
    }
    return taken;
  };
  const catchUp = async (window: Window, signal: AbortSignal): Promise<Trouble[]> => {
    session ??= await connect(resumeAt ?? window.from, signal);
    const { client, inbox } = session;
    await settled(inbox, window.until, clock, signal);
    return inbox.ended ? [] : unreachableNodes(await client.status());
  };

  return {
    layer: 'flows',
    look: async (window, signal) => {
      const before: Taken = session?.inbox.ended ? take() : { items: [], troubles: [] };
      const failed = (error: unknown): Trouble[] => [{ why: oneLine(error), from: null }];
      const troubles = await catchUp(window, signal).catch(failed);
      const query = session?.inbox.query ?? queryOf(options.address, resumeAt ?? window.from);
      const now = take();
      const items = [...before.items, ...now.items].sort((a, b) => Number(a.at - b.at));
      const gaps = [...before.troubles, ...troubles, ...now.troubles].map((one) => toGap(one, query, window));
      return { items, queries: [query], gaps };
    },
    [Symbol.asyncDispose]: async () => {
      session?.inbox.stream.cancel();
      session?.client[Symbol.dispose]();
    },
  };
};

const open = (client: HubbleClient, since: Nanos, { address, naming, capacity = CAPACITY }: HubbleOptions): Inbox => {
  const inbox: Inbox = {
    stream: client.follow(since),
    query: queryOf(address, since),
    flows: new Map(),
    troubles: [],
    dropped: 0,
    greeted: false,
    ended: null,
    reached: since,
  };
  inbox.stream.on('data', (response: WireResponse) => receive(inbox, response, naming, capacity));
  inbox.stream.on('error', (error) => {
    inbox.ended ??= oneLine(error);
  });
  inbox.stream.on('end', () => {
    inbox.ended ??= 'it ended';
  });
  return inbox;
};

const receive = (inbox: Inbox, response: WireResponse, naming: Naming, capacity: number): void => {
  inbox.greeted = true;
  inbox.troubles.push(...troublesOf(response));
  const item = response.flow ? toItem(response.flow, naming) : null;
  if (!item) return;
  if (item.at > inbox.reached) inbox.reached = item.at;
  if (inbox.flows.size < capacity) inbox.flows.set(item.id, item);
  else inbox.dropped += 1;
};

const troublesOf = ({ lost_events: lost, node_status: node }: WireResponse): Trouble[] => {
  if (lost) {
    const from = lost.first ? fromWireTime(lost.first) : null;
    return [{ why: `${lost.num_events_lost ?? 'some'} events were lost (${lost.source ?? 'unknown source'})`, from }];
  }
  if (!node || node.state_change === 'NODE_CONNECTED' || node.state_change === undefined) return [];
  const names = (node.node_names ?? []).join(', ') || 'a node';
  return [{ why: `${node.state_change}: ${names}${node.message ? ` (${oneLine(node.message)})` : ''}`, from: null }];
};

/** Empties what the inbox knows of trouble; a stream that ended is one. */
const drain = (inbox: Inbox): Trouble[] => {
  const troubles = inbox.troubles.splice(0);
  if (inbox.dropped > 0)
    troubles.push({ why: `${inbox.dropped} flows were dropped here between two looks`, from: null });
  inbox.dropped = 0;
  if (inbox.ended) troubles.push({ why: `the flow stream was cut: ${inbox.ended}`, from: inbox.reached });
  return troubles;
};

/** A relay greets with its nodes: from then on nothing is missed. Other servers may be silent until the first flow. */
const armed = async (inbox: Inbox, clock: Clock, signal: AbortSignal): Promise<void> => {
  const waiting = { forMs: ARMED_MS, everyMs: POLL_MS, signal, clock };
  await until('first answer', () => inbox.greeted || inbox.ended || null, waiting).catch(() => signal.throwIfAborted());
};

/** Waits until the stream has come to the window's end, or would have, had there been any flow. */
const settled = async (inbox: Inbox, end: Nanos, clock: Clock, signal: AbortSignal): Promise<void> => {
  const there = (): true | null =>
    inbox.ended || inbox.reached >= end || clock.now() >= end + fromMs(LAG_MS) ? true : null;
  await until('flows', there, { forMs: LAG_MS, everyMs: POLL_MS, signal, clock }).catch(() => signal.throwIfAborted());
};

/** A ring that has been overwritten since `since` does not say so by itself: its oldest flow does. */
const uncovered = async (client: HubbleClient, since: Nanos): Promise<Trouble[]> => {
  const { num_flows: kept = '0', seen_flows: seen = '0' } = await client.status();
  if (BigInt(seen) <= BigInt(kept)) return [];
  const oldest = await client.oldest();
  if (!oldest || fromWireTime(oldest) <= since) return [];
  return [{ why: `Hubble's ring reaches back only to ${iso(fromWireTime(oldest))}`, from: since }];
};

const unreachableNodes = ({ num_unavailable_nodes: count, unavailable_nodes: names = [] }: WireStatus): Trouble[] =>
  count?.value
    ? [{ why: `${count.value} nodes are unavailable: ${names.join(', ') || 'names unknown'}`, from: null }]
    : [];

const toGap = ({ why, from }: Trouble, query: Query, window: Window): Gap => {
  const begins = from !== null && from < window.until ? from : window.from;
  return { layer: 'flows', query: query.text, window: { from: begins, until: window.until }, why };
};

const queryOf = (address: string, since: Nanos): Query => ({
  id: `flows-${since}`,
  text: `hubble observe --server ${address} --since ${iso(since)} --follow --output jsonpb`,
  url: `grpc://${address}/observer.Observer/GetFlows`,
});
