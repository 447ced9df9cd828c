// What every act in a cluster stands on: the connection, who the platform's pods are, what may be touched, whose run it is.
import type { Act, Pod } from '../target.ts';
import type { Cluster } from './cluster.ts';
import type { Mapping, ServiceAt } from './mapping.ts';
import type { Owner } from './own.ts';

/** A pod of one of the platform's components, as it was last listed. */
export type FoundPod = Pod & {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly node: string;
  /** `ReplicaSet/order-service-6d4f`, or null: nobody replaces it. */
  readonly owner: string | null;
  readonly hostNetwork: boolean;
  /** Restarts of all of its containers. */
  readonly restarts: number;
};

/** Somebody that an isolated component may still talk with, and who may talk with it: the pods behind a Service. */
export type Spared = { readonly namespace: string; readonly labels: Readonly<Record<string, string>> | 'all' };

export type Images = {
  /** Traffic workers. */
  readonly firedrill: string;
  /** The ephemeral containers: delays, captures, probes. */
  readonly agent: string;
};

export type Ground = {
  readonly cluster: Cluster;
  readonly mapping: Mapping;
  readonly owner: Owner;
  /** Namespaces in which things may be made and undone. */
  readonly allowed: readonly string[];
  readonly images: Images;
  readonly spared: readonly Spared[];
  /** Pods whose end was not asked for yet, listed anew. */
  pods(): Promise<readonly FoundPod[]>;
  /** The pods behind a Service that are ready. Throws Unreachable when there are none. */
  behind(
    service: ServiceAt,
  ): Promise<readonly { readonly namespace: string; readonly pod: string; readonly port: number }[]>;
};

/** How to undo something that a run of firedrill left in the cluster, found by its labels. */
export type Leftover = { readonly says: string; readonly runId: string; undo(): Promise<void> };

export type { Act };
