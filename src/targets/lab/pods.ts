// The lab's kubelet and controllers in one: starts each component's pods, keeps their number, gives a successor a new name,
// uid and address, and tells whoever listens who is there.
import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { request } from 'undici';
import { Unreachable } from '../../errors.ts';
import type { Address } from '../../naming.ts';
import type { Platform } from '../../platform.ts';
import { until } from '../../poll.ts';
import { type Running, start } from '../../process.ts';
import { program } from '../../programs.ts';
import { fromMs, systemClock } from '../../time.ts';
import type { Pod } from '../target.ts';
import type { LabTiming } from './config.ts';
import { type Network, podAddress } from './network.ts';

/** A pod and the namespace that it lives in. */
export type LabPod = Pod & { readonly netns: string };

export type Listener = {
  /** Its network is there, its process is not yet. */
  born(pod: LabPod): Promise<void>;
  /** Discovery knows another set of pods for this component. */
  changed(service: string, ready: readonly LabPod[]): Promise<void>;
  /** Its process is gone; its network follows. */
  died(pod: LabPod): Promise<void>;
  line(pod: LabPod, text: string): void;
};

export type Pods = AsyncDisposable & {
  /** Starts every pod of the platform and resolves when all of them are ready. */
  start(): Promise<void>;
  list(): readonly LabPod[];
  addresses(): readonly Address[];
  signal(uid: string, signal: NodeJS.Signals): void;
};

type Setting = {
  readonly platform: Platform;
  readonly network: Network;
  readonly timing: LabTiming;
  readonly seed: number;
  readonly folder: string;
  readonly compileCache: string;
  readonly discovery: string;
  readonly otlp: string;
  readonly listener: Listener;
};

const LETTERS = 'bcdfghjklmnpqrstvwxz2456789';
const READY = { forMs: 60_000, everyMs: 20 };

/** Five characters that tell pods of one component apart, as ReplicaSets give them. */
const suffix = (uid: string): string =>
  [...uid.replaceAll('-', '').slice(0, 5)].map((c) => LETTERS[Number.parseInt(c, 16)]).join('');

export const createPods = (setting: Setting): Pods => {
  const { platform, network, timing, listener } = setting;
  const living = new Map<string, { pod: LabPod; running: Running }>();
  const addresses: Address[] = [];
  const ending = new AbortController();
  let born = 0;

  const known = (service: string): LabPod[] =>
    [...living.values()].map(({ pod }) => pod).filter((pod) => pod.service === service && pod.ready);
  const tell = (service: string): Promise<void> => listener.changed(service, known(service));
  const pause = (ms: number): Promise<void> => systemClock.sleepUntil(systemClock.now() + fromMs(ms), ending.signal);

  const create = async (service: string): Promise<void> => {
    const n = born++;
    const uid = randomUUID();
    const pod: LabPod = {
      name: `${service}-${suffix(uid)}`,
      uid,
      service,
      ip: podAddress(n),
      port: platform.components[service]!.port,
      ready: false,
      netns: `p${n}`,
    };
    addresses.push({ ip: pod.ip, service, pod: pod.name });
    await network.attach(pod.netns, pod.ip);
    await listener.born(pod);
    const running = await boot(setting, pod, n);
    living.set(uid, { pod, running });
    void running.ended.then(() => bury(uid)).catch(() => undefined);
    await until(`pod ${pod.name}`, () => answers(running, pod), { ...READY, signal: ending.signal });
    if (!living.has(uid)) return;
    living.set(uid, { pod: { ...pod, ready: true }, running });
    await tell(service);
  };

  const bury = async (uid: string): Promise<void> => {
    const dead = living.get(uid);
    if (!dead || ending.signal.aborted) return;
    living.delete(uid);
    await pause(timing.endpointLag);
    await tell(dead.pod.service);
    await network.detach(dead.pod.netns);
    await listener.died(dead.pod);
    await pause(timing.restart - timing.endpointLag);
    await create(dead.pod.service);
  };

  return {
    start: async () => {
      await mkdir(setting.folder, { recursive: true });
      const wanted = Object.entries(platform.components).flatMap(([service, { pods }]) =>
        Array.from({ length: pods }, () => service),
      );
      await Promise.all(wanted.map(create));
    },
    list: () => [...living.values()].map(({ pod }) => pod),
    addresses: () => addresses,
    signal: (uid, signal) => {
      const found = living.get(uid);
      if (!found) throw new Unreachable(`no pod has the uid ${uid} any more; it was replaced or killed meanwhile`);
      found.running.child.kill(signal);
    },
    [Symbol.asyncDispose]: async () => {
      ending.abort();
      await Promise.all([...living.values()].map(({ running }) => running.stop('SIGKILL')));
    },
  };
};

const boot = async (setting: Setting, pod: LabPod, n: number): Promise<Running> => {
  const file = `${setting.folder}/${pod.name}.json`;
  const config = {
    ...pod,
    pod: pod.name,
    seed: setting.seed + n,
    platform: setting.platform,
    discovery: setting.discovery,
    otlp: setting.otlp,
  };
  await writeFile(file, JSON.stringify(config));
  const running = await start({
    name: pod.name,
    argv: [...setting.network.within(pod.netns), ...program('./service', import.meta.url), file],
    env: { NODE_COMPILE_CACHE: setting.compileCache },
  });
  let rest = '';
  running.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) setting.listener.line(pod, line);
  });
  return running;
};

/** Ready as its own probe says; a pod that ended first says why. */
const answers = async (running: Running, pod: LabPod): Promise<true | null> => {
  if (running.child.exitCode !== null)
    throw new Unreachable(
      `pod ${pod.name} ended while starting: ${running.complaint() || `exit code ${running.child.exitCode}`}`,
    );
  const response = await request(`http://${pod.ip}:${pod.port}/health/ready`, {
    signal: AbortSignal.timeout(1000),
    reset: true,
  });
  await response.body.dump();
  return response.statusCode === 200 ? true : null;
};
