// How far back the nodes' rings reach: what has been overwritten does not say so by itself.
import { oneLine } from '../../errors.ts';
import type { Nanos } from '../../model.ts';
import { type Clock, iso } from '../../time.ts';
import type { Trouble } from './adapter-account.ts';
import type { HubbleClient } from './client.ts';
import type { WireNode, WireRing } from './wire.ts';

/** What each node's flows from `begin` on lack at their beginning; a server that won't say is one trouble for all of it. */
export const uncovered = async (
  client: HubbleClient,
  begin: (node: string) => Nanos,
  clock: Clock,
  signal: AbortSignal,
): Promise<Trouble[]> => {
  try {
    const asked = clock.now();
    const [rings, oldest] = await Promise.all([ringsOf(client, signal), client.oldest(signal)]);
    return rings.flatMap((ring) => missing(ring, oldest, begin, asked));
  } catch (error) {
    signal.throwIfAborted();
    const why = `how far back Hubble's rings reach is not known: ${oneLine(error)}`;
    return [{ why, from: begin(''), until: null }];
  }
};

/** An agent has one ring and no name for it here. */
const ringsOf = async (client: HubbleClient, signal: AbortSignal): Promise<readonly WireNode[]> =>
  (await client.nodes(signal)) ?? [await client.status(signal)];

const missing = (
  ring: WireNode,
  oldest: ReadonlyMap<string, Nanos>,
  begin: (node: string) => Nanos,
  asked: Nanos,
): Trouble[] => {
  const [node, first] =
    ring.name === undefined ? ([...oldest][0] ?? ['', undefined]) : [ring.name, oldest.get(ring.name)];
  const from = begin(node);
  const started = ring.uptime_ns === undefined ? from : asked - BigInt(ring.uptime_ns);
  const whose = node ? ` of node ${node}` : '';
  if (first !== undefined && first > from && isFull(ring))
    return [{ why: `Hubble's ring${whose} reaches back only to ${iso(first)}`, from, until: first }];
  if (started <= from || (first !== undefined && first <= from)) return [];
  return [{ why: `Hubble${whose} has run only since ${iso(started)}`, from, until: started }];
};

/** Every flow seen is either still there or was overwritten; other events take room as well. */
const isFull = ({ num_flows: kept = '0', max_flows: room = '0', seen_flows: seen = '0' }: WireRing): boolean =>
  BigInt(seen) > BigInt(kept) || (BigInt(kept) > 0n && BigInt(kept) >= BigInt(room));
