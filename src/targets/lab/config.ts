// What the lab's two halves, outside and inside of the namespace, tell each other.
import type { Platform } from '../../platform.ts';

export type ToolPath = { readonly path: string; readonly env: Readonly<Record<string, string>> };
export const LAB_TOOLS = ['ip', 'nft', 'tcpdump', 'prometheus', 'alertmanager'] as const;
export type LabTools = Readonly<Record<(typeof LAB_TOOLS)[number], ToolPath>>;

export type LabConfig = {
  readonly platform: Platform;
  readonly seed: number;
  readonly tools: LabTools;
  /** Folder, seen from both sides, with the two sockets of the forwarder. */
  readonly sockets: string;
  /** Folder where compiled code of the pods' program is kept from run to run: they start in half the time. */
  readonly compileCache: string;
  /** Real backends on the host, `host:port`, that the pods send to in place of the lab's own. */
  readonly otlp: string | null;
  readonly lokiPush: string | null;
  readonly timing: LabTiming;
};

/** The lab's clockwork, in milliseconds. */
export type LabTiming = {
  readonly scrape: number;
  readonly evaluation: number;
  readonly groupWait: number;
  readonly spanExport: number;
  /** From a pod's death until discovery and Prometheus know: what an EndpointSlice takes to travel. */
  readonly endpointLag: number;
  /** From a pod's death until its successor's process starts: scheduling, image and sandbox. */
  readonly restart: number;
};

export const TIMING: LabTiming = {
  scrape: 1000,
  evaluation: 1000,
  groupWait: 500,
  spanExport: 500,
  endpointLag: 700,
  restart: 4000,
};

/** Addresses of the layers inside of the namespace, `host:port`. */
export type InsideEndpoints = {
  readonly jaeger: string;
  readonly prometheus: string;
  readonly alertmanager: string;
  readonly webhook: string;
  readonly loki: string;
  readonly hubble: string;
  readonly entry: string;
};
