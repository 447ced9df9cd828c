// What the lab can do to its own network: delay and block. An act lasts until it is undone and holds for pods that come
// up meanwhile, as a cluster's policies would.
import { type Running, run, start } from '../../process.ts';
import { program } from '../../programs.ts';
import { milliseconds } from '../../time.ts';
import type { BlockAct, DelayAct, Place, Probe } from '../target.ts';
import { clearFaults, cut, type Network, NODE_IP, setName } from './network.ts';
import type { LabPod } from './pods.ts';

type Standing = {
  readonly id: string;
  readonly reach: (pod: LabPod) => Promise<void>;
  readonly lift: () => Promise<void>;
  readonly members: () => Promise<void>;
};

export type Acts = {
  delay(act: DelayAct): Promise<string>;
  block(act: BlockAct): Promise<string>;
  /** Undoes the act; an id that is not known any more is already undone. */
  undo(id: string): Promise<void>;
  /** A pod came up: acts that hold for its component now hold for it too. */
  reach(pod: LabPod): Promise<void>;
  /** A component's addresses have changed. */
  members(): Promise<void>;
};

const PROXY_PORT = 15_001;
/** The proxy ends by itself even if nobody heals: no drill holds longer. */
const PROXY_DEADLINE_MS = 15 * 60_000;

export const acts = (network: Network, pods: () => readonly LabPod[]): Acts => {
  const standing = new Map<string, Standing>();
  const blocks = new Map<string, BlockAct>();
  let last = 0;
  const next = (word: string): string => `${word}-${++last}`;

  const applyBlocks = (): Promise<void> =>
    network.nft(clearFaults + [...blocks].map(([id, act]) => blockRules(act, id)).join(''));

  /** What the kernel did not take is as if it had never been asked for: neither done later nor forgotten. */
  const changeBlocks = async (change: () => void, back: () => void): Promise<void> => {
    change();
    await applyBlocks().catch((error: unknown) => {
      back();
      throw error;
    });
  };
  const undo = async (id: string): Promise<void> => {
    const act = blocks.get(id);
    if (act)
      await changeBlocks(
        () => blocks.delete(id),
        () => blocks.set(id, act),
      );
    await standing.get(id)?.lift();
    standing.delete(id);
  };

  return {
    async delay(act) {
      const id = next('delay');
      const one = delayOf(network, pods, act, id);
      standing.set(id, one);
      const reached = await Promise.allSettled(pods().map((pod) => one.reach(pod)));
      const failed = reached.find(({ status }) => status === 'rejected');
      if (failed?.status !== 'rejected') return id;
      await undo(id);
      throw failed.reason;
    },
    async block(act) {
      const id = next('block');
      await changeBlocks(
        () => blocks.set(id, act),
        () => blocks.delete(id),
      );
      return id;
    },
    undo,
    reach: async (pod) => {
      await Promise.all([...standing.values()].map((one) => one.reach(pod)));
    },
    members: async () => {
      await Promise.all([...standing.values()].map((one) => one.members()));
    },
  };
};

const blockRules = ({ place, how }: BlockAct, id: string): string =>
  'service' in place
    ? cut(`ip daddr @${setName(place.service)}`, how, id) + cut(`ip saddr @${setName(place.service)}`, how, id)
    : cut(`ip saddr @${setName(place.from)} ip daddr @${setName(place.to)}`, how, id);

/** The component whose pods' ports are delayed, and, for an edge, the one whose calls are. */
const callee = (place: Place): string => ('service' in place ? place.service : place.to);
const caller = (place: Place): string | null => ('service' in place ? null : place.from);

/**
 * The kernel redirects the pod's port to a proxy beside it. New rules also catch standing connections: the kernel begins to
 * track them, redirects their next packet to the proxy, which does not know them and resets them.
 */
const delayOf = (network: Network, pods: () => readonly LabPod[], act: DelayAct, id: string): Standing => {
  const proxies = new Map<string, { pod: LabPod; proxy: Running }>();
  const callers = (): string[] =>
    pods()
      .filter((pod) => pod.service === caller(act.place))
      .map((pod) => pod.ip);
  const reach = async (pod: LabPod): Promise<void> => {
    if (pod.service !== callee(act.place) || proxies.has(pod.uid)) return;
    proxies.set(pod.uid, { pod, proxy: await startProxy(network, pod, act) });
    await network.nft(redirect(pod.port, caller(act.place) ? callers() : null), pod.netns);
  };
  const lift = async (): Promise<void> => {
    const alive = new Set(pods().map((pod) => pod.uid));
    await Promise.all(
      [...proxies.values()].map(async ({ pod, proxy }) => {
        if (alive.has(pod.uid))
          await network.nft(`add table ip firedrill_delay\ndelete table ip firedrill_delay\n`, pod.netns);
        await proxy.stop();
      }),
    );
    proxies.clear();
  };
  const members = async (): Promise<void> => {
    if (!caller(act.place)) return;
    for (const { pod } of proxies.values())
      await network.nft(redirect(pod.port, callers()), pod.netns).catch(() => undefined);
  };
  return { id, reach, lift, members };
};

/** Traffic from the node itself, where scrapes and probes come from, is never delayed: only telemetry would suffer. */
const redirect = (port: number, callers: readonly string[] | null): string => {
  const who = callers ? `ip saddr { ${[...callers, '0.0.0.0'].join(', ')} }` : `ip saddr != ${NODE_IP}`;
  return `add table ip firedrill_delay
delete table ip firedrill_delay
table ip firedrill_delay {
  chain prerouting {
    type nat hook prerouting priority dstnat;
    ${who} tcp dport ${port} redirect to :${PROXY_PORT}
  }
}
`;
};

const startProxy = async (network: Network, pod: LabPod, act: DelayAct): Promise<Running> => {
  const settings = {
    listen: { host: '0.0.0.0', port: PROXY_PORT },
    to: { host: pod.ip, port: pod.port },
    addMs: milliseconds(act.add),
    jitterMs: milliseconds(act.jitter),
    tag: act.hit === 'tagged' ? act.runId : null,
    seed: pod.port,
    forMs: PROXY_DEADLINE_MS,
  };
  const proxy = await start({
    name: `delay proxy of ${pod.name}`,
    argv: [
      ...network.within(pod.netns),
      ...program('../../agent/delay-proxy', import.meta.url),
      JSON.stringify(settings),
    ],
  });
  await firstLine(proxy);
  return proxy;
};

/** Resolves with the first line that a process prints; rejects when it ends before. */
export const firstLine = (running: Running): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = '';
    running.child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')));
    });
    void running.ended.then((how) =>
      reject(new Error(`${running.name} ended with ${how}: ${running.complaint() || 'no message'}`)),
    );
  });

/** One try to reach `url` from the namespace `id`: what the probe program prints. */
export const probeFrom = async (
  network: Network,
  id: string,
  url: string,
  tag: string | null,
  timeoutMs: number,
): Promise<Pick<Probe, 'outcome' | 'ms'>> =>
  JSON.parse(
    await run({
      name: 'probe',
      argv: [
        ...network.within(id),
        ...program('../../agent/probe', import.meta.url),
        JSON.stringify({ url, tag, timeoutMs }),
      ],
    }),
  );
