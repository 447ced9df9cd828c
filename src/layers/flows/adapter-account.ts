// What a stream of Hubble's messages says about itself: which node was heard when, what was lost, which nodes were away.
import { oneLine } from '../../errors.ts';
import type { Nanos } from '../../model.ts';
import { fromWireTime, type WireEnum, type WireLost, type WireResponse, type WireStatus } from './wire.ts';

/** Something that was not shown, and when; null: from the beginning, or to the end, of what was asked about. */
export type Trouble = { readonly why: string; readonly from: Nanos | null; readonly until: Nanos | null };

/** A node that sends nothing: how that is called, and since when. */
type Away = { readonly why: string; readonly since: Nanos | null };
type Loss = { count: bigint; readonly cpus: Set<number>; readonly source: WireEnum; readonly node: string } & {
  from: Nanos | null;
  until: Nanos | null;
};

export type Account = {
  /** When the newest flow of each node was seen, by that node's clock. */
  readonly heard: Map<string, Nanos>;
  readonly away: Map<string, Away>;
  readonly losses: Loss[];
  /** Nodes that were away and came back. */
  readonly returned: (Trouble & { readonly node: string })[];
  undated: number;
};

export const createAccount = (): Account => ({
  heard: new Map(),
  away: new Map(),
  losses: [],
  returned: [],
  undated: 0,
});

/** More than this many of a kind are told as one. */
const KEPT = 1000;
const AWAY: readonly WireEnum[] = ['NODE_UNAVAILABLE', 'NODE_GONE', 'NODE_ERROR'];

/** Enters one message. A node's state that is newer than the proto says nothing about what was shown, so it is let be. */
export const enter = (account: Account, response: WireResponse): void => {
  const at = response.time ? fromWireTime(response.time) : null;
  const node = response.node_name || response.flow?.node_name || '';
  if (response.flow) heardFrom(account, node, response.flow.time ? fromWireTime(response.flow.time) : at);
  if (response.lost_events) lost(account, response.lost_events, node, at);
  const { state_change: state = '', node_names: names = [''], message } = response.node_status ?? {};
  for (const name of names) {
    if (state === 'NODE_CONNECTED') back(account, name, at);
    if (AWAY.includes(state) && !account.away.has(name))
      account.away.set(name, { why: message ? `${state} (${oneLine(message)})` : String(state), since: at });
  }
};

const heardFrom = (account: Account, node: string, at: Nanos | null): void => {
  if (at === null) {
    account.undated += 1;
    return;
  }
  const { since } = account.away.get(node) ?? {};
  // A node that comes back tells first what it still has from before it went.
  if (since === null || (since !== undefined && at > since)) back(account, node, at);
  if (at > (account.heard.get(node) ?? -1n)) account.heard.set(node, at);
};

const back = ({ away, returned }: Account, node: string, at: Nanos | null): void => {
  const one = away.get(node);
  if (!one) return;
  away.delete(node);
  const last = returned.length < KEPT ? undefined : returned.pop();
  returned.push({ why: one.why, node, from: last ? last.from : one.since, until: at });
};

/** Where Hubble doesn't say since when (before 1.19), events were lost after the last one that came from that node. */
const lost = ({ losses, heard }: Account, wire: WireLost, node: string, at: Nanos | null): void => {
  const until = wire.last ? fromWireTime(wire.last) + 1n : at;
  const one: Loss = {
    count: BigInt(wire.num_events_lost ?? 0),
    cpus: new Set(wire.cpu ? [wire.cpu.value ?? 0] : []),
    source: wire.source ?? 'unknown source',
    node,
    from: wire.first ? fromWireTime(wire.first) : (heard.get(node) ?? null),
    until,
  };
  const before = losses.findLast((other) => other.source === one.source && other.node === node);
  if (before && (losses.length >= KEPT || touches(before, one))) join(before, one);
  else losses.push(one);
};

const touches = (before: Loss, one: Loss): boolean =>
  one.from === null || before.until === null || one.from <= before.until;

const join = (into: Loss, one: Loss): void => {
  into.count += one.count;
  for (const cpu of one.cpus) into.cpus.add(cpu);
  into.from = into.from === null || one.from === null ? null : earlier(into.from, one.from);
  into.until = into.until === null || one.until === null ? null : later(into.until, one.until);
};

const earlier = (a: Nanos, b: Nanos): Nanos => (a < b ? a : b);
const later = (a: Nanos, b: Nanos): Nanos => (a > b ? a : b);

/**
 * Compares with what a relay says of its nodes at `now`: a node that it doesn't miss (any more) is there, one that it misses is
 * away since `since`. The relay names at most ten, and counts all.
 */
export const reconcile = (account: Account, wire: WireStatus, since: Nanos, now: Nanos): Trouble[] => {
  const { num_unavailable_nodes: count, unavailable_nodes: names = [] } = wire;
  if (!count) return [];
  const unnamed = (count.value ?? 0) - names.length;
  for (const name of [...account.away.keys()]) if (unnamed <= 0 && !names.includes(name)) back(account, name, now);
  for (const name of names) if (!account.away.has(name)) account.away.set(name, { why: 'NODE_UNAVAILABLE', since });
  return unnamed > 0 ? [{ why: `${unnamed} more nodes are unavailable`, from: since, until: null }] : [];
};

/** All that was entered, in words; what is over is then forgotten, a node that is still away is told again the next time. */
export const tell = (account: Account): Trouble[] => {
  const { away, losses, returned, undated } = account;
  account.undated = 0;
  const gone = [...away].map(([node, { why, since }]) => ({ why, node, from: since, until: null }));
  return [
    ...losses.splice(0).map(inWords),
    ...together([...returned.splice(0), ...gone]),
    ...(undated > 0 ? [{ why: `${undated} flows have no time`, from: null, until: null }] : []),
  ];
};

const inWords = ({ count, cpus, source, node, from, until }: Loss): Trouble => {
  const who = [source, ...(node ? [`node ${node}`] : []), ...(cpus.size > 0 ? [`CPU ${[...cpus].join(', ')}`] : [])];
  return { why: `${count > 0n ? count : 'some'} events were lost (${who.join(', ')})`, from, until };
};

/** Nodes that went for one reason at one time are told as one. */
const together = (troubles: readonly (Trouble & { readonly node: string })[]): Trouble[] => {
  const alike = Object.groupBy(troubles, ({ why, from, until }) => `${from} ${until} ${why}`);
  return Object.values(alike).map((some) => {
    const { why, from, until } = some![0]!;
    const [state, ...message] = why.split(' ');
    const names = some!.map(({ node }) => node || 'a node').join(', ');
    return { why: [`${state}: ${names}`, ...message].join(' '), from, until };
  });
};
