// From what the kernel's log showed to a flow as Hubble words it.
import { randomUUID } from 'node:crypto';
import { isIPv6 } from 'node:net';
import {
  EVENT,
  toWireTime,
  type WireEndpoint,
  type WireFlow,
  type WireL4,
  type WireL7,
  type WireService,
} from '../../layers/flows/wire.ts';
import type { FlowEnd, FlowItem, Nanos } from '../../model.ts';

/** One packet, or one HTTP message head, as the kernel let it pass or turned it away. */
export type ObservedFlow = {
  readonly at: Nanos;
  readonly verdict: 'FORWARDED' | 'DROPPED';
  /** Why it was dropped; null when it was forwarded. */
  readonly dropReason: keyof typeof DROP_REASONS | null;
  readonly source: Pick<FlowEnd, 'ip' | 'port'>;
  readonly destination: Pick<FlowEnd, 'ip' | 'port'>;
  readonly protocol: 'TCP' | 'UDP';
  readonly flags: FlowItem['flags'];
  readonly reply: boolean;
  readonly http: ObservedHttp | null;
};

export type ObservedHttp = {
  readonly type: 'REQUEST' | 'RESPONSE';
  readonly method: string;
  readonly url: string;
  /** 0 for a request. */
  readonly code: number;
  readonly protocol: string;
  readonly headers: readonly { readonly key: string; readonly value: string }[];
  /** Nanoseconds from the request to this response; 0 for a request. */
  readonly latency: Nanos;
};

/** Numbers of flow.DropReason. */
export const DROP_REASONS = { POLICY_DENIED: 133, SERVICE_BACKEND_NOT_FOUND: 158, POLICY_DENY: 181 } as const;

/** Who is behind an address, or null: the world outside. */
export type Describe = (ip: string) => Identity | null;
export type Identity = {
  /** A Service's name, or the component's where every component is its own service; null when no Service is known. */
  readonly service: string | null;
  /** Null: a Service's virtual address, which is nobody's pod. */
  readonly pod: string | null;
  readonly labels: Readonly<Record<string, string>>;
  /** Default: the place's. */
  readonly namespace?: string;
  /** Who made the pod; default: a Deployment named as the service. */
  readonly workload?: { readonly name: string; readonly kind: string } | null;
};

export type Place = {
  readonly node: string;
  readonly namespace: string;
  readonly cluster: string;
  readonly describe: Describe;
};

/** TO_ENDPOINT, the point at which Cilium traces a packet that is about to reach a pod. */
const TO_ENDPOINT = 101;
const WORLD = 2;

/** The flow as `observer.Observer` sends it. A packet is seen once, on its way to the pod that receives it. */
export const toWire = (flow: ObservedFlow, place: Place): WireFlow => {
  const from = place.describe(flow.source.ip);
  const to = place.describe(flow.destination.ip);
  return {
    time: toWireTime(flow.at),
    uuid: randomUUID(),
    verdict: flow.verdict,
    ...dropped(flow),
    IP: {
      source: flow.source.ip,
      destination: flow.destination.ip,
      ipVersion: isIPv6(flow.source.ip) ? 'IPv6' : 'IPv4',
    },
    l4: layer4(flow),
    source: endpoint(from, place),
    destination: endpoint(to, place),
    Type: flow.http ? 'L7' : 'L3_L4',
    node_name: `${place.cluster}/${place.node}`,
    ...(flow.http ? { l7: layer7(flow.http) } : {}),
    reply: flow.reply,
    is_reply: { value: flow.reply },
    ...event(flow),
    ...service('source_service', from, place),
    ...service('destination_service', to, place),
    traffic_direction: flow.reply ? 'EGRESS' : 'INGRESS',
    Summary: summary(flow),
  };
};

const dropped = ({ dropReason }: ObservedFlow): Partial<WireFlow> =>
  dropReason ? { drop_reason: DROP_REASONS[dropReason], drop_reason_desc: dropReason } : {};

const event = (flow: ObservedFlow): Partial<WireFlow> => {
  if (flow.http) return { event_type: { type: EVENT.l7 } };
  if (flow.dropReason) return { event_type: { type: EVENT.drop, sub_type: DROP_REASONS[flow.dropReason] } };
  return { event_type: { type: EVENT.trace, sub_type: TO_ENDPOINT }, trace_observation_point: 'TO_ENDPOINT' };
};

const layer4 = ({ protocol, source, destination, flags }: ObservedFlow): WireL4 => {
  const ports = { source_port: source.port, destination_port: destination.port };
  if (protocol === 'UDP') return { UDP: ports };
  return { TCP: { ...ports, flags: Object.fromEntries(flags.map((flag) => [flag, true])) } };
};

const layer7 = ({ type, latency, code, method, url, protocol, headers }: ObservedHttp): WireL7 => ({
  type,
  latency_ns: String(latency),
  http: { code, method, url, protocol, headers },
});

/** Tens of thousands of flows are kept: those of one pod share its description. */
const described = new WeakMap<Place, WeakMap<Identity, WireEndpoint>>();
const world: WireEndpoint = { identity: WORLD, labels: ['reserved:world'] };

const endpoint = (who: Identity | null, place: Place): WireEndpoint => {
  if (!who?.pod) return world;
  const known = described.get(place) ?? new WeakMap<Identity, WireEndpoint>();
  described.set(place, known);
  const one = known.get(who) ?? describePod(who, place);
  known.set(who, one);
  return one;
};

const describePod = (who: Identity, { namespace, cluster }: Place): WireEndpoint => {
  const workload = who.workload === undefined ? who.service && { name: who.service, kind: 'Deployment' } : who.workload;
  return {
    cluster_name: cluster,
    namespace: who.namespace ?? namespace,
    labels: Object.entries(who.labels).map(([key, value]) => `k8s:${key}=${value}`),
    pod_name: who.pod ?? '',
    ...(workload ? { workloads: [workload] } : {}),
  };
};

const service = (
  field: 'source_service' | 'destination_service',
  who: Identity | null,
  { namespace }: Place,
): Partial<Record<typeof field, WireService>> =>
  who?.service ? { [field]: { name: who.service, namespace: who.namespace ?? namespace } } : {};

const summary = ({ http, protocol, flags }: ObservedFlow): string => {
  if (!http) return protocol === 'TCP' ? `TCP Flags: ${flags.join(', ')}` : protocol;
  if (http.type === 'REQUEST') return `${http.protocol} ${http.method} ${http.url}`;
  return `${http.protocol} ${http.code} ${http.latency / 1_000_000n}ms (${http.method} ${http.url})`;
};
