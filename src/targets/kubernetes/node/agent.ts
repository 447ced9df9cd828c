// The node agent: flows of this node over Hubble's API, and its containers' logs to a Loki.
import type { V1Pod, V1Service } from '@kubernetes/client-node';
import { oneLine, Unreachable } from '../../../errors.ts';
import { systemClock } from '../../../time.ts';
import { tools } from '../../../tools.ts';
import { type FlowObserver, startFlowObserver } from '../../lab/flow-observer.ts';
import type { ObservedFlow } from '../../lab/flow-observer-wire.ts';
import { lokiPush } from '../../lab/loki-push.ts';
import { tally } from '../../lab/tally.ts';
import { chooseContext } from '../kubeconfig.ts';
import { openWire, PATIENCE } from '../wire.ts';
import type { NodeConfig } from './config.ts';
import { createDirectory, type Directory } from './directory.ts';
import { startHealth } from './health.ts';
import { type Container, followLogs } from './logs.ts';
import { startTap, type Tap } from './tap.ts';
import { watchKind } from './watch.ts';

type Say = (line: string) => void;
type Counts = { forwarded: number; dropped: number; http: number; lost: number; lines: number };
type Part = { readonly config: NodeConfig; readonly directory: Directory; readonly counts: Counts; readonly say: Say };

const MAX_FLOWS = 65_535;

/**
 * Runs until `ending` aborts, then takes away what it made. Throws Unreachable when the kernel's log can't be had, or ends,
 * and when a port is taken. `say` is told, a line each, what a person should know.
 */
export const runAgent = async (config: NodeConfig, ending: AbortSignal, say: Say): Promise<void> => {
  const counts: Counts = { forwarded: 0, dropped: 0, http: 0, lost: 0, lines: 0 };
  const part: Part = { config, directory: createDirectory(), counts, say };
  const over = new AbortController();
  const signal = AbortSignal.any([ending, over.signal]);
  await using observer = await observe(part);
  await using tap = await tapInto(observer, part);
  await using _health = await startHealth(config.LISTEN, config.HEALTH_PORT, () => ({
    node: config.NODE_NAME,
    ...counts,
  }));
  say(
    `flows of pods in ${config.NAMESPACES.join(', ')} on ${observer.address}; logs to ${config.LOKI_URL ?? 'nobody'}`,
  );
  const work = [watchAll(part, tap, signal), shipLogs(part, signal)];
  const how = await Promise.race([tap.ended, ...work]).finally(() => over.abort());
  await Promise.all(work);
  if (how !== undefined && !ending.aborted) throw new Unreachable(`flows: tcpdump ended with ${how}`);
};

// ---- Flows -------------------------------------------------------------------------------------------------------

const observe = ({ config, directory }: Part): Promise<FlowObserver> =>
  startFlowObserver({
    host: config.LISTEN,
    port: config.HUBBLE_PORT,
    capacity: MAX_FLOWS,
    node: config.NODE_NAME,
    cluster: config.CLUSTER_NAME,
    namespace: config.NAMESPACES[0]!,
    namespaces: config.NAMESPACES,
    describe: directory.describe,
  });

const tapInto = async (observer: FlowObserver, { config, directory, counts, say }: Part): Promise<Tap> => {
  const { tcpdump, nft } = await tools(['tcpdump', 'nft'], { onProgress: say });
  const lost = tally((n) => say(`flows: what became of ${n} packets is not known`));
  return startTap({
    tcpdump,
    nft,
    group: config.NFLOG_GROUP,
    onFlow: (flow) => {
      counts[flow.http ? 'http' : flow.verdict === 'DROPPED' ? 'dropped' : 'forwarded'] += 1;
      observer.observe({ ...flow, dropReason: reasonOf(flow, directory) });
    },
    onLost: (n) => {
      if (n === 0) return;
      counts.lost += n;
      lost.add(n, '');
      observer.lost(n);
    },
  });
};

/** What still goes to a Service's own address after all translation had no pod to go to. */
const reasonOf = ({ dropReason, destination }: ObservedFlow, { describe }: Directory): ObservedFlow['dropReason'] =>
  dropReason && describe(destination.ip)?.pod === null ? 'SERVICE_BACKEND_NOT_FOUND' : dropReason;

// ---- Names -------------------------------------------------------------------------------------------------------

const watchAll = async ({ config, directory, say }: Part, tap: Tap, signal: AbortSignal): Promise<void> => {
  await using wire = openWire(chooseContext({}, process.env, systemClock.now()), () => undefined, PATIENCE);
  const update = oneAtATime(() => tap.watch(directory.addresses()).catch((error: unknown) => say(oneLine(error))));
  const trouble = tally((n, why) => say(`${why} (${n} times so far)`));
  const onPod = (pod: object): void => {
    if (directory.pod(pod as V1Pod)) update();
  };
  const onService = (service: object): void => directory.service(service as V1Service);
  const watching = config.NAMESPACES.flatMap((namespace) => {
    const common = { wire, namespace, signal, onTrouble: (why: string) => trouble.add(1, why) };
    return [
      watchKind({ ...common, kind: 'pods', onObject: onPod }),
      watchKind({ ...common, kind: 'services', onObject: onService }),
    ];
  });
  await Promise.all(watching);
};

/** Acts again after having acted, once, when it was asked meanwhile. */
const oneAtATime = (act: () => Promise<void>): (() => void) => {
  let acting = false;
  let again = false;
  const go = (): void => {
    again = acting;
    if (acting) return;
    acting = true;
    void act().then(() => {
      acting = false;
      if (again) go();
    });
  };
  return go;
};

// ---- Logs --------------------------------------------------------------------------------------------------------

const shipLogs = async ({ config, directory, counts, say }: Part, signal: AbortSignal): Promise<void> => {
  if (config.LOKI_URL === undefined) return untilAborted(signal);
  await using loki = lokiPush(config.LOKI_URL, say);
  const trouble = tally((n, why) => say(`${why} (${n} times so far)`));
  await followLogs({
    folder: config.LOGS_FOLDER,
    namespaces: config.NAMESPACES,
    known: ({ uid }) => directory.byUid(uid) !== null,
    onLine: (from, at, line) => {
      counts.lines += 1;
      loki.push({ stream: streamOf(from, directory), at: String(at), line });
    },
    onTrouble: (why) => trouble.add(1, why),
    signal,
  });
};

const streamOf = ({ namespace, pod, uid, container }: Container, directory: Directory): Record<string, string> => ({
  namespace,
  pod,
  container,
  service: directory.byUid(uid)?.service ?? pod,
});

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
