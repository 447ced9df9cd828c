// The port: what a target (the lab, a Kubernetes cluster) can do for a drill. It knows nothing of scenarios or verdicts.
import type { Duration, Edge, Nanos, Topology } from '../model.ts';
import type { Address } from '../naming.ts';
import type { LedgerRecord } from '../traffic/ledger.ts';
import type { TrafficPlan } from '../traffic/plan.ts';

/** A pod is one identity: a restarted one has another `uid`, another name and another address. */
export type Pod = {
  readonly name: string;
  readonly uid: string;
  readonly service: string;
  readonly ip: string;
  readonly port: number;
  readonly ready: boolean;
};

/** Where the layers are answered, as URLs that this process reaches (`host:port` for Hubble). Null: not there. */
export type Endpoints = {
  readonly jaeger: string | null;
  readonly prometheus: string | null;
  readonly alertmanager: string | null;
  readonly loki: string | null;
  readonly hubble: string | null;
  /** Where the platform's users come in. */
  readonly entry: string;
};

/** The live configuration's delays, in milliseconds, from which deadlines are computed. */
export type Timing = {
  readonly scrape: number;
  readonly evaluation: number;
  /** The longest `for` of any alert. */
  readonly pending: number;
  readonly groupWait: number;
  readonly spanExport: number;
  readonly logShipping: number;
  readonly flowExport: number;
};

export type Facts = {
  readonly target: string;
  readonly platform: string;
  readonly topology: Topology;
  readonly pods: readonly Pod[];
  readonly timing: Timing;
  /** What this target can't do: freeze a pod (SIGSTOP), turn packets away with an answer (a policy that rejects). */
  readonly lacks: readonly ('freeze' | 'reject')[];
};

/** Who is hurt: a whole component, or only what goes along one edge into it. */
export type Place = { readonly service: string } | Edge;

/** Which traffic a delay hits: everything, or only requests that carry this drill's tag. */
export type Hit = 'all' | 'tagged';

export type DelayAct = {
  readonly place: Place;
  readonly add: Duration;
  readonly jitter: Duration;
  readonly hit: Hit;
  readonly runId: string;
};
export type BlockAct = { readonly place: Place; readonly how: 'drop' | 'reject'; readonly runId: string };

/** One try to reach a component's port from inside another component's pod. */
export type Probe = {
  readonly outcome: 'answered' | 'refused' | 'timeout';
  readonly ms: number;
  readonly from: string;
  readonly to: string;
};

/** Something done to the platform that can be undone, once or many times. */
export type Act = {
  readonly id: string;
  undo(): Promise<void>;
  /** What is to be thought of the target when the act shows no effect. */
  readonly ifUnseen?: string;
};

/** Traffic that is ready to go. Disposing of it ends what is still under way. */
export type Traffic = AsyncDisposable & {
  /** How far ahead its start must lie, in milliseconds, so that everybody is told of it in time. */
  readonly leadMs: number;
  /** Sends it, once; records come as requests end, in no order. */
  run(startAt: Nanos, signal: AbortSignal): AsyncIterable<LedgerRecord>;
};

export interface Target extends AsyncDisposable {
  readonly endpoints: Endpoints;
  /** Base URL of the entry component as the traffic client, wherever it runs, reaches it. */
  readonly clientUrl: string;
  facts(): Promise<Facts>;
  pods(): Promise<readonly Pod[]>;
  /** Every address ever seen and whose it was. */
  addresses(): ReadonlyMap<string, Address>;
  /**
   * Sends the signal to the pod with exactly this uid; throws Unreachable when that pod is no more. In a cluster SIGKILL deletes
   * the pod with no grace, SIGTERM with its own.
   */
  signal(uid: string, signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): Promise<void>;
  /** Throws Unreachable when these pods must not go all at once, as a disruption budget may say. */
  mayKill(uids: readonly string[]): Promise<void>;
  delay(act: DelayAct): Promise<Act>;
  block(act: BlockAct): Promise<Act>;
  /** From a pod of `from` (or, with null, from where users are) to the pods of `to`; `tagged` carries the drill's tag. */
  probe(from: string | null, to: string, tagged: string | null): Promise<Probe>;
  /** Makes ready whoever will send the plan's traffic from where users are. */
  traffic(plan: TrafficPlan, signal: AbortSignal): Promise<Traffic>;
  /** Captures packets into `file` (pcap) until stopped; resolves once the capture is running. Null: it is not to be had. */
  capture(file: string): Promise<Capture | null>;
}

export type Capture = {
  readonly file: string;
  /** Ends the capture; the counts are tcpdump's own. */
  stop(): Promise<{ readonly captured: number; readonly droppedByKernel: number }>;
};
