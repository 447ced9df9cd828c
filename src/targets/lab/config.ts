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
  readonly receivers: Receivers;
  readonly timing: LabTiming;
};

export const RECEIVERS = ['otlp', 'loki', 'prometheus', 'alertmanager'] as const;
export type Receiver = (typeof RECEIVERS)[number];
/**
 * Real backends that the lab sends to, as base URLs that the host reaches; null: the lab's own alone. Spans and log lines go
 * there in place of the lab's stores; samples and alerts go there besides, as the lab's Prometheus is who makes them.
 */
export type Receivers = { readonly [K in Receiver]: string | null };
export const NO_RECEIVERS: Receivers = { otlp: null, loki: null, prometheus: null, alertmanager: null };

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
