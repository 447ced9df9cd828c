// What a followed stream brought since it was last looked at: each flow once, no more than there is room for.
import type { FlowItem, Nanos } from '../../model.ts';
import type { Naming } from '../../naming.ts';
import { type Clock, fromMs, toMs } from '../../time.ts';
import { type Account, enter, type Trouble } from './adapter-account.ts';
import { toItem } from './item.ts';
import { flowOf, type WireResponse } from './wire.ts';

export type Inbox = {
  readonly naming: Naming;
  readonly capacity: number;
  readonly account: Account;
  readonly clock: Clock;
  flows: FlowItem[];
  /** Ids of the newest flows: what is followed again begins before where it stopped. */
  readonly known: Set<string>;
  /** The least time, by node, that a flow took to come here; negative: it is dated later than it came. */
  readonly lags: Map<string, Nanos>;
  dropped: { count: number; from: Nanos; until: Nanos } | null;
  /** When the newest flow was seen that isn't dated in the future. */
  reached: Nanos;
  /** Old flows are expected: the stream was opened, and none had come from it at the last look. */
  replaying: boolean;
};

export const createInbox = (naming: Naming, capacity: number, account: Account, clock: Clock): Inbox => ({
  naming,
  capacity,
  account,
  clock,
  flows: [],
  known: new Set(),
  lags: new Map(),
  dropped: null,
  reached: 0n,
  replaying: false,
});

/** A relay sorts for a second, and a kernel's log holds back for as long. */
const AHEAD = fromMs(2000);
/** More than that, and a pause of this very process. */
const LATE = fromMs(5000);

export const receive = (inbox: Inbox, response: WireResponse): void => {
  enter(inbox.account, response);
  const flow = flowOf(response);
  const item = flow?.time ? toItem(flow, inbox.naming) : null;
  if (!item || inbox.known.has(item.id)) return;
  const lag = inbox.clock.now() - item.at;
  const node = flow?.node_name ?? '';
  if (lag < (inbox.lags.get(node) ?? lag + 1n)) inbox.lags.set(node, lag);
  if (lag >= 0n && item.at > inbox.reached) inbox.reached = item.at;
  if (inbox.flows.length >= inbox.capacity) drop(inbox, item.at);
  else {
    inbox.flows.push(item);
    remember(inbox, item.id);
  }
};

const remember = ({ known, capacity }: Inbox, id: string): void => {
  known.add(id);
  const [oldest] = known.size > capacity ? known : [];
  if (oldest !== undefined) known.delete(oldest);
};

const drop = (inbox: Inbox, at: Nanos): void => {
  const { count, from, until } = inbox.dropped ?? { count: 0, from: at, until: at };
  inbox.dropped = { count: count + 1, from: at < from ? at : from, until: at >= until ? at + 1n : until };
};

/** Empties the inbox: flows by time, and what is wrong with them. */
export const takeAll = (
  inbox: Inbox,
): { readonly flows: readonly FlowItem[]; readonly troubles: readonly Trouble[] } => {
  const flows = inbox.flows.sort((a, b) => Number(a.at - b.at));
  const { dropped } = inbox;
  const troubles = [
    ...(dropped ? [{ ...dropped, why: `${dropped.count} flows were dropped here between two looks` }] : []),
    ...[...inbox.lags].flatMap(([node, lag]) => untimely(inbox, node, lag)),
  ];
  inbox.flows = [];
  inbox.dropped = null;
  inbox.lags.clear();
  inbox.replaying &&= flows.length === 0;
  return { flows, troubles };
};

const untimely = ({ account, replaying }: Inbox, node: string, lag: Nanos): Trouble[] => {
  const whose = node ? `node ${node}` : 'the observer';
  const seconds = Math.abs(toMs(lag) / 1000).toFixed(1);
  if (lag < -AHEAD)
    return [{ why: `the clock of ${whose} is ${seconds} s ahead of the clock here`, from: null, until: null }];
  if (lag < LATE || replaying) return [];
  const why = `flows of ${whose} come ${seconds} s late, or its clock is behind the clock here`;
  return [{ why, from: account.heard.get(node) ?? null, until: null }];
};
