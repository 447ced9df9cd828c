// The lab's inner half: the first process of its own user, network, mount and process namespaces. It builds the network,
// starts the layers and the pods, and does what the outer half asks. When it ends, the kernel ends everything in here.
import { rm } from 'node:fs/promises';
import { basename } from 'node:path';
import { oneLine, Unreachable } from '../../errors.ts';
import type { Address } from '../../naming.ts';
import { type Running, run, start } from '../../process.ts';
import { program } from '../../programs.ts';
import { systemClock } from '../../time.ts';
import { YOUNG } from '../../traffic/young.ts';
import type { BlockAct, DelayAct, Probe } from '../target.ts';
import { type Acts, acts, probeFrom } from './acts.ts';
import { startAlertmanager } from './alertmanager.ts';
import { type CaptureCounts, type LabCapture, startCapture } from './capture.ts';
import type { InsideEndpoints, LabConfig, Receiver } from './config.ts';
import { type Discovery, startDiscovery } from './discovery.ts';
import { type FlowObserver, startFlowObserver } from './flow-observer.ts';
import { entrance, exit } from './forward.ts';
import { type LogStore, startLogStore } from './log-store.ts';
import type { LogLine } from './loki-push.ts';
import { balance, CLIENT_IP, ENTRY_IP, FLOW_GROUP, member, type Network, NODE_IP, network } from './network.ts';
import { startNflog } from './nflog.ts';
import { createPods, type LabPod, type Listener, type Pods } from './pods.ts';
import { startPrometheus, writeTargets } from './prometheus.ts';
import { answer } from './rpc.ts';
import { standardRules } from './rules.ts';
import { startTraceStore } from './trace-store.ts';
import { startWebhook } from './webhook.ts';

const PRIVATE = '/run/firedrill';
const TARGETS = `${PRIVATE}/targets.json`;
const NAMESPACE = 'lab';
const CLIENT = 'client';
const PORTS = {
  otlp: 4318,
  loki: 3100,
  prometheus: 9090,
  alertmanager: 9093,
  webhook: 9094,
  hubble: 4245,
  out: 4319,
} as const;
const MAX_SPANS = 400_000;
const MAX_LOG_BYTES = 128 * 1024 * 1024;
const MAX_FLOWS = 65_535;
const MAX_DELIVERIES = 1000;
const PROBE_TIMEOUT_MS = 2000;

type State = { readonly config: LabConfig; readonly net: Network; readonly pods: Pods; readonly acts: Acts };
type Stores = { readonly flows: FlowObserver; readonly logs: LogStore; readonly discovery: Discovery };

let state: State | null = null;
const captures = new Map<string, LabCapture>();
const workers = new Map<number, Running>();

const here = (): State => {
  if (!state) throw new Unreachable('the lab is not up yet');
  return state;
};

const up = async (config: LabConfig): Promise<InsideEndpoints> => {
  process.once('disconnect', () => void leave(config.sockets));
  const { platform } = config;
  await run({ name: 'mount', argv: ['mount', '-t', 'tmpfs', '-o', 'mode=0700', 'firedrill', '/run'] });
  const net = await network(config.tools, Object.keys(platform.components));
  await net.attach(CLIENT, CLIENT_IP);
  const discovery = await startDiscovery(NODE_IP, Object.keys(platform.components));
  const logs = await startLogStore({ host: NODE_IP, port: PORTS.loki, maxBytes: MAX_LOG_BYTES });
  const flows = await startFlowObserver({
    host: NODE_IP,
    port: PORTS.hubble,
    capacity: MAX_FLOWS,
    node: 'lab',
    namespace: NAMESPACE,
    cluster: 'firedrill',
    describe: (ip) => describe(pods.addresses().find((one) => one.ip === ip)),
  });
  const standing = acts(net, () => pods.list());
  const pods: Pods = createPods({
    platform,
    network: net,
    timing: config.timing,
    seed: config.seed,
    folder: `${PRIVATE}/pods`,
    compileCache: config.compileCache,
    discovery: `http://${NODE_IP}:${discovery.port}`,
    otlp: config.receivers.otlp ? beyond('otlp') : `http://${NODE_IP}:${PORTS.otlp}`,
    listener: listener(config, net, { flows, logs, discovery }, standing, () => pods),
  });
  await exit(`${config.sockets}/in.sock`, (to) => (to === 'entry' ? entryOf(config, pods) : to));
  await entrance(NODE_IP, PORTS.out, `${config.sockets}/out.sock`, null);
  const [rest] = await Promise.all([startLayers(config, flows), pods.start()]);
  state = { config, net, pods, acts: standing };
  return { ...rest, loki: hostOf(logs.url), hubble: flows.address, entry: 'entry' };
};

/** Where the lab reaches a real backend: the gateway at the other end of the way out knows which one is meant. */
const beyond = (name: Receiver): string => `http://${NODE_IP}:${PORTS.out}/${name}`;

const describe = (found: Address | undefined) =>
  found
    ? {
        service: found.service,
        pod: found.pod,
        labels: { app: found.service, 'io.kubernetes.pod.namespace': NAMESPACE },
      }
    : null;

const entryOf = ({ platform }: LabConfig, pods: Pods): string => {
  const one = pods.list().find((pod) => pod.service === platform.entry && pod.ready);
  return one ? `${one.ip}:${one.port}` : `${ENTRY_IP}:1`;
};

/** What follows from a pod's coming and going: policies, discovery, scrape targets, the users' way in, log lines. */
const listener = (
  { platform, receivers }: LabConfig,
  net: Network,
  stores: Stores,
  standing: Acts,
  pods: () => Pods,
): Listener => {
  const labels = platform.telemetry.logs;
  return {
    born: async (pod) => {
      await net.nft(member('add', pod.service, pod.ip));
      await Promise.all([standing.reach(pod), standing.members()]);
    },
    died: (pod) => net.nft(member('delete', pod.service, pod.ip)),
    changed: async (service, ready) => {
      stores.discovery.set(
        service,
        ready.map(({ ip, port }) => ({ ip, port })),
      );
      await writeTargets(
        TARGETS,
        pods()
          .list()
          .filter((pod) => pod.ready),
        platform.telemetry.metrics.labels,
      );
      if (service === platform.entry)
        await net.nft(
          balance(
            ready.map((pod) => pod.ip),
            platform.components[service]!.port,
          ),
          CLIENT,
        );
    },
    line: (pod, line) => {
      const stream = { [labels.service]: pod.service, [labels.pod]: pod.name, namespace: NAMESPACE };
      const at = systemClock.now();
      if (receivers.loki) tell('line', { stream, at: String(at), line } satisfies LogLine);
      else stores.logs.push(stream, at, line);
    },
  };
};

const startLayers = async ({ tools, timing, platform, receivers, sockets }: LabConfig, flows: FlowObserver) => {
  const webhook = await startWebhook({ host: NODE_IP, port: PORTS.webhook, max: MAX_DELIVERIES });
  const alertmanager = `${NODE_IP}:${PORTS.alertmanager}`;
  const [traces, prometheus] = await Promise.all([
    startTraceStore({ host: NODE_IP, port: PORTS.otlp, maxSpans: MAX_SPANS }),
    startPrometheus({
      tool: tools.prometheus,
      dir: `${PRIVATE}/prometheus`,
      host: NODE_IP,
      port: PORTS.prometheus,
      scrapeMs: timing.scrape,
      evaluationMs: timing.evaluation,
      targetsFile: TARGETS,
      rules: standardRules(platform),
      alertmanagers: [`http://${alertmanager}`, ...(receivers.alertmanager ? [beyond('alertmanager')] : [])],
      remoteWrite: receivers.prometheus ? beyond('prometheus') : null,
      // A real Alertmanager remembers alerts of labs that are gone: each lab's are told apart.
      externalLabels: { cluster: 'firedrill', lab: basename(sockets) },
    }),
    startAlertmanager({
      tool: tools.alertmanager,
      dir: `${PRIVATE}/alertmanager`,
      host: NODE_IP,
      port: PORTS.alertmanager,
      groupWaitMs: timing.groupWait,
      groupIntervalMs: 1000,
      webhookUrl: webhook.url,
    }),
    startNflog({ tcpdump: tools.tcpdump, group: FLOW_GROUP, onFlow: flows.observe, onLost: flows.lost }),
  ]);
  return { jaeger: hostOf(traces.url), prometheus: hostOf(prometheus.url), alertmanager, webhook: hostOf(webhook.url) };
};

const hostOf = (url: string): string => new URL(url).host;

const probe = async (from: string | null, to: string, tag: string | null): Promise<Probe> => {
  const { pods, net } = here();
  const ready = pods.list().filter((pod) => pod.ready);
  const source = from === null ? null : ready.find((pod) => pod.service === from);
  const destination = ready.find((pod) => pod.service === to || pod.name === to);
  const nobody = { outcome: 'refused', ms: 0, from: from ?? 'users', to } as const;
  if (!destination || source === undefined) return nobody;
  const url = `http://${destination.ip}:${destination.port}/health`;
  const { outcome, ms } = await probeFrom(net, source?.netns ?? CLIENT, url, tag, PROBE_TIMEOUT_MS);
  return { outcome, ms, from: source?.name ?? 'users', to: destination.name };
};

const traffic = async (id: number, plan: object, startAt: string): Promise<void> => {
  const { net } = here();
  const worker = await start({
    name: 'traffic',
    argv: [...net.within(CLIENT), ...program('../../traffic/worker', import.meta.url, YOUNG)],
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  workers.set(id, worker);
  let rest = '';
  worker.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    if (lines.length > 0) tell('traffic', { id, lines });
  });
  worker.child.stdin?.on('error', () => undefined);
  worker.child.stdin?.write(`${JSON.stringify({ plan, startAt })}\n`);
  void worker.ended.then((how) => tell('traffic-end', { id, how, complaint: worker.complaint() }));
};

const methods = {
  up,
  pods: (): readonly LabPod[] => here().pods.list(),
  addresses: (): readonly Address[] => here().pods.addresses(),
  signal: (uid: string, signal: NodeJS.Signals): void => here().pods.signal(uid, signal),
  delay: (act: DelayAct): Promise<string> => here().acts.delay(act),
  block: (act: BlockAct): Promise<string> => here().acts.block(act),
  undo: (id: string): Promise<void> => here().acts.undo(id),
  probe,
  traffic,
  stopTraffic: async (id: number): Promise<void> => workers.get(id)?.stop(),
  capture: async (file: string): Promise<string> => {
    const id = `capture-${captures.size}`;
    captures.set(id, await startCapture(here().config.tools.tcpdump, file));
    return id;
  },
  stopCapture: async (id: string): Promise<CaptureCounts> =>
    (await captures.get(id)?.stop()) ?? { captured: 0, droppedByKernel: 0 },
};

export type Inside = typeof methods;

/** The outer half is gone, by its own will or killed: nothing of the lab may outlive it. */
const leave = async (sockets: string): Promise<never> => {
  await rm(sockets, { recursive: true, force: true });
  process.exit(0);
};

process.on('SIGINT', () => undefined);
process.once('disconnect', () => {
  if (!state) process.exit(0);
});
process.on('unhandledRejection', (error) => console.error(oneLine(error)));

const tell = answer(methods);
