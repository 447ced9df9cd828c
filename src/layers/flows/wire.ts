// Hubble's wire format as values: the service's definition, and the parts of its messages that firedrill reads or writes.
import { logVerbosity, type ServiceDefinition, setLogVerbosity } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { Nanos } from '../../model.ts';
import { SECOND } from '../../time.ts';
import { PROTO } from './wire-proto.ts';

// grpc-js writes lines of its own to standard error; all that it says there reaches us as an error too.
setLogVerbosity(logVerbosity.NONE);

/**
 * `observer.Observer` of Cilium's Hubble API (names and numbers as of Cilium 1.19.4). Fields keep the names of the wire;
 * fields that were not sent or that the proto doesn't have are not there; 64-bit numbers are text; enums are text, or a
 * number when newer than the proto.
 */
export const observerService = (): ServiceDefinition => {
  const options = { keepCase: true, longs: String, enums: String, includeDirs: [PROTO] };
  return loadSync('observer/observer.proto', options)['observer.Observer'] as ServiceDefinition;
};

/** A name of an enum, or the number of one that this proto does not know yet. */
export type WireEnum = string | number;

export type WireTime = { readonly seconds?: string; readonly nanos?: number };

export type WireEndpoint = {
  readonly identity?: number;
  readonly cluster_name?: string;
  readonly namespace?: string;
  readonly labels?: readonly string[];
  readonly pod_name?: string;
  readonly workloads?: readonly { readonly name?: string; readonly kind?: string }[];
};

export type WireTcpFlags = {
  readonly FIN?: boolean;
  readonly SYN?: boolean;
  readonly RST?: boolean;
  readonly PSH?: boolean;
  readonly ACK?: boolean;
};

export type WirePorts = { readonly source_port?: number; readonly destination_port?: number };

export type WireL4 = {
  readonly TCP?: WirePorts & { readonly flags?: WireTcpFlags };
  readonly UDP?: WirePorts;
  readonly SCTP?: WirePorts;
  readonly ICMPv4?: object;
  readonly ICMPv6?: object;
};

export type WireHeader = { readonly key?: string; readonly value?: string };

export type WireL7 = {
  readonly type?: WireEnum;
  readonly latency_ns?: string;
  readonly http?: {
    readonly code?: number;
    readonly method?: string;
    readonly url?: string;
    readonly protocol?: string;
    readonly headers?: readonly WireHeader[];
  };
};

export type WireService = { readonly name?: string; readonly namespace?: string };

export type WireFlow = {
  readonly time?: WireTime;
  readonly uuid?: string;
  readonly verdict?: WireEnum;
  readonly drop_reason?: number;
  readonly drop_reason_desc?: WireEnum;
  readonly IP?: { readonly source?: string; readonly destination?: string; readonly ipVersion?: WireEnum };
  readonly l4?: WireL4;
  readonly source?: WireEndpoint;
  readonly destination?: WireEndpoint;
  readonly Type?: WireEnum;
  readonly node_name?: string;
  readonly l7?: WireL7;
  readonly reply?: boolean;
  readonly is_reply?: { readonly value?: boolean };
  readonly event_type?: { readonly type?: number; readonly sub_type?: number };
  readonly source_service?: WireService;
  readonly destination_service?: WireService;
  /** DNS names that the observer knows for the address. */
  readonly source_names?: readonly string[];
  readonly destination_names?: readonly string[];
  readonly traffic_direction?: WireEnum;
  readonly trace_observation_point?: WireEnum;
  readonly Summary?: string;
};

export type WireLost = {
  readonly source?: WireEnum;
  readonly num_events_lost?: string;
  readonly cpu?: { readonly value?: number };
  readonly first?: WireTime;
  readonly last?: WireTime;
};

export type WireNodeStatus = {
  readonly state_change?: WireEnum;
  readonly node_names?: readonly string[];
  readonly message?: string;
};

/** One message of the stream: a flow, a change of a node's state, or the confession that flows were lost. */
export type WireResponse = {
  readonly flow?: WireFlow;
  readonly node_status?: WireNodeStatus;
  readonly lost_events?: WireLost;
  readonly node_name?: string;
  readonly time?: WireTime;
};

export type WireRequest = {
  readonly number?: string;
  readonly first?: boolean;
  readonly follow?: boolean;
  readonly whitelist?: readonly WireFilter[];
  readonly blacklist?: readonly WireFilter[];
  readonly since?: WireTime;
  readonly until?: WireTime;
  readonly field_mask?: { readonly paths?: readonly string[] };
};

/** A FlowFilter: every field is a list. Which ones are supported is the observer's business. */
export type WireFilter = Readonly<Record<string, readonly unknown[]>>;

/** How full an observer's ring is, and for how long it has run. */
export type WireRing = {
  readonly num_flows?: string;
  readonly max_flows?: string;
  readonly seen_flows?: string;
  readonly uptime_ns?: string;
};

export type WireNode = WireRing & { readonly name?: string; readonly state?: WireEnum };

export type WireStatus = WireRing & {
  readonly num_connected_nodes?: { readonly value?: number };
  readonly num_unavailable_nodes?: { readonly value?: number };
  readonly unavailable_nodes?: readonly string[];
  readonly version?: string;
};

/** The message's flow, with the time and the node that the message itself may have in its place. */
export const flowOf = ({ flow, time, node_name }: WireResponse): WireFlow | null =>
  flow ? { ...flow, ...(!flow.time && time && { time }), ...(!flow.node_name && node_name && { node_name }) } : null;

export const fromWireTime = (time: WireTime | undefined): Nanos =>
  BigInt(time?.seconds ?? 0) * SECOND + BigInt(time?.nanos ?? 0);

export const toWireTime = (at: Nanos): WireTime => ({ seconds: String(at / SECOND), nanos: Number(at % SECOND) });

/** event_type.type: which of Cilium's event streams a flow came from. */
export const EVENT = { drop: 1, trace: 4, policyVerdict: 5, l7: 129 } as const;
