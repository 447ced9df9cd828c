// Whether the cluster's clocks agree with ours: the API server's by its answers, the nodes' by the leases that they renew.
import { oneLine } from '../../errors.ts';
import { until } from '../../poll.ts';
import type { Said } from '../../said.ts';
import { MILLISECOND, systemClock, toMs } from '../../time.ts';
import type { Cluster } from './cluster.ts';

const NODES = 'kube-node-lease';
/** A plan leaves each layer 1.5 s beyond its delays; a clock that is off by more than a second eats that up. */
const MOST_MS = 1000;
/** The Date header has whole seconds. */
const HALF_SECOND = 500;
const LOOK_MS = 500;
/** Kubelets renew their leases every ten seconds, unless told otherwise. */
const RENEWED_WITHIN = { forMs: 12_000, everyMs: LOOK_MS };

export const clocks = async (cluster: Cluster): Promise<Said[]> => {
  const nodes = await nodeSkews(cluster).catch((error: unknown) => oneLine(error));
  const server = cluster.skewMs();
  return [
    server === null
      ? { is: 'unknown', name: 'clocks', says: 'the API server does not tell its time' }
      : verdict('the API server', server, HALF_SECOND),
    ...(typeof nodes === 'string'
      ? [{ is: 'unknown' as const, name: 'clocks', says: `those of the nodes are not known: ${nodes}` }]
      : nodes),
  ];
};

const verdict = (whose: string, skew: number, give: number): Said => {
  const says = `${whose} is ${Math.abs(skew / 1000).toFixed(1)} s ${skew < 0 ? 'behind' : 'ahead of'} this machine, give or take ${give / 1000} s`;
  return { is: Math.abs(skew) - give > MOST_MS ? 'bad' : 'ok', name: 'clocks', says };
};

/** A node's clock is in its lease's renewTime; when that was written is known once it is seen to change. */
const nodeSkews = async (cluster: Cluster): Promise<Said[]> => {
  const renewals = async (): Promise<Map<string, number>> => {
    const { items } = await cluster.coordination.listNamespacedLease({ namespace: NODES });
    return new Map(items.map(({ metadata, spec }) => [metadata?.name ?? '', new Date(spec?.renewTime ?? 0).getTime()]));
  };
  const first = await renewals();
  const skews = new Map<string, number>();
  const look = async (): Promise<true | null> => {
    const before = systemClock.now();
    for (const [node, renewed] of await renewals())
      if (renewed !== first.get(node) && !skews.has(node))
        skews.set(node, renewed - toMs(before - (BigInt(LOOK_MS) * MILLISECOND) / 2n));
    return skews.size >= first.size ? true : null;
  };
  // A node that has not renewed in time is told as such; it may have stopped.
  await until('every node’s lease renewed', look, RENEWED_WITHIN).catch(() => undefined);
  return [...first.keys()].map((node) => {
    const skew = skews.get(node);
    if (skew === undefined)
      return {
        is: 'bad' as const,
        name: 'clocks',
        says: `node ${node} has not renewed its lease for ${RENEWED_WITHIN.forMs / 1000} s`,
      };
    return verdict(`node ${node}`, skew, LOOK_MS);
  });
};
