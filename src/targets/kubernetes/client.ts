// The way to a cluster: one connection, proven before it is handed out.
import {
  ApisApi,
  AppsV1Api,
  AuthorizationV1Api,
  BatchV1Api,
  CoordinationV1Api,
  CoreV1Api,
  CustomObjectsApi,
  NetworkingV1Api,
  PolicyV1Api,
  VersionApi,
} from '@kubernetes/client-node';
import { Unreachable } from '../../errors.ts';
import { systemClock } from '../../time.ts';
import { configuration } from './api.ts';
import { type Cluster, Refused, type Touch } from './cluster.ts';
import { execute } from './exec.ts';
import { followLog } from './follow.ts';
import { openForward } from './forward.ts';
import { chooseContext } from './kubeconfig.ts';
import { openServiceProxy } from './service-proxy.ts';
import { openWire, PATIENCE, type Patience } from './wire.ts';

export type Opening = {
  /** A kubeconfig's path; default: as kubectl finds it. */
  readonly kubeconfig?: string;
  /** Default: the kubeconfig's current one. */
  readonly context?: string;
  /** Told of every request that changed something or opened a way into a pod, once it was answered. */
  readonly audit: (touch: Touch) => void;
  readonly patience?: Patience;
};

const FOLLOW_MS = 30_000;

/**
 * Connects to the cluster of a kubeconfig's context and asks its version. Throws Usage when the kubeconfig is at fault,
 * Refused (401, 403) when the server does not take its credentials, Unreachable when no API server answers.
 */
export const openCluster = async ({ kubeconfig, context, audit, patience = PATIENCE }: Opening): Promise<Cluster> => {
  const wanted = { ...(kubeconfig ? { kubeconfig } : {}), ...(context ? { context } : {}) };
  const chosen = chooseContext(wanted, process.env, systemClock.now());
  const wire = openWire(chosen, audit, patience);
  const clients = configuration(wire);
  const core = new CoreV1Api(clients);
  const version = new VersionApi(clients);
  await proven(version, wire.server).catch(async (error: unknown) => {
    await wire[Symbol.asyncDispose]();
    throw error;
  });
  return {
    server: chosen.server,
    context: chosen.context,
    source: chosen.source,
    core,
    version,
    apps: new AppsV1Api(clients),
    batch: new BatchV1Api(clients),
    networking: new NetworkingV1Api(clients),
    policy: new PolicyV1Api(clients),
    coordination: new CoordinationV1Api(clients),
    authorization: new AuthorizationV1Api(clients),
    custom: new CustomObjectsApi(clients),
    apis: new ApisApi(clients),
    skewMs: wire.skewMs,
    exec: (at, argv, options) => execute(wire, at, argv, options),
    forward: (pod) => openForward(wire, pod),
    serviceProxy: (service) => openServiceProxy(wire, service),
    follow: (at, onLine, signal, patienceMs = FOLLOW_MS) => followLog(wire, core, at, onLine, signal, patienceMs),
    [Symbol.asyncDispose]: wire[Symbol.asyncDispose],
  };
};

const proven = async (version: VersionApi, server: string): Promise<void> => {
  const told = await version.getCode().catch((error: unknown) => {
    if (!(error instanceof Refused) || error.status === 401 || error.status === 403) throw error;
    throw new Unreachable(`kubernetes: ${server} is no API server: it answers /version with HTTP ${error.status}`);
  });
  if (!told?.gitVersion) throw new Unreachable(`kubernetes: ${server} is no API server: its /version names none`);
};
