// From a flow on the wire to the model's noun.
import { createHash } from 'node:crypto';
import type { FlowEnd, FlowItem } from '../../model.ts';
import type { Naming } from '../../naming.ts';
import { fromWireTime, type WireEndpoint, type WireEnum, type WireFlow, type WireL4 } from './wire.ts';
import { dropReasonName } from './wire-proto.ts';

const VERDICTS = ['UNKNOWN', 'FORWARDED', 'DROPPED', 'ERROR', 'AUDIT', 'REDIRECTED', 'TRACED', 'TRANSLATED'] as const;
const FLAGS = ['SYN', 'ACK', 'FIN', 'RST', 'PSH'] as const;
const APP_LABEL = /^(?:[\w-]+:)?(?:app|app\.kubernetes\.io\/name|k8s-app)=(.+)$/;

/**
 * What a flow shows, or null when it is about no addresses at all (a socket trace, an agent's own event). `id` is the flow's
 * uuid, or a hash of its content, so that the same flow read twice, in whatever way, is one item. Enum values newer than the
 * proto are kept as `UNKNOWN` (verdict) or by their number (drop reason). Takes flows of Cilium 1.14 to 1.19, and older
 * ones that have the drop's reason only as a number, `reply` without `is_reply`, or no workloads.
 */
export const toItem = (flow: WireFlow, naming: Naming): FlowItem | null => {
  const { source, destination } = flow.IP ?? {};
  if (!source || !destination) return null;
  const l4 = flow.l4 ?? {};
  const ports = l4.TCP ?? l4.UDP ?? l4.SCTP ?? {};
  const flags = l4.TCP?.flags ?? {};
  return {
    id: flow.uuid || digest(flow),
    at: fromWireTime(flow.time),
    verdict: verdict(flow.verdict),
    dropReason: dropReason(flow),
    source: end(
      source,
      ports.source_port,
      flow.source,
      [flow.source_service?.name, ...(flow.source_names ?? [])],
      naming,
    ),
    destination: end(
      destination,
      ports.destination_port,
      flow.destination,
      [flow.destination_service?.name, ...(flow.destination_names ?? [])],
      naming,
    ),
    protocol: protocol(l4),
    flags: FLAGS.filter((flag) => flags[flag]),
    reply: reply(flow),
    direction: direction(flow.traffic_direction),
    http: http(flow),
  };
};

const verdict = (wire: WireEnum | undefined): FlowItem['verdict'] => VERDICTS.find((one) => one === wire) ?? 'UNKNOWN';

/** The number is the enum's own (deprecated since there are names, and all that there was before). */
const dropReason = ({ drop_reason_desc: name, drop_reason: number }: WireFlow): string | null => {
  if (name !== undefined) return String(name);
  return number ? (dropReasonName(number) ?? String(number)) : null;
};

const protocol = (l4: WireL4): FlowItem['protocol'] => {
  if (l4.TCP) return 'TCP';
  if (l4.UDP) return 'UDP';
  return l4.ICMPv4 || l4.ICMPv6 ? 'ICMP' : 'OTHER';
};

/** An absent wrapper means that Hubble does not know; a wrapper without a value is one that says false. */
const reply = (flow: WireFlow): boolean | null => {
  if (flow.is_reply) return flow.is_reply.value ?? false;
  return flow.reply ?? null;
};

const direction = (wire: WireEnum | undefined): FlowItem['direction'] =>
  wire === 'INGRESS' || wire === 'EGRESS' ? wire : null;

/** A request has code 0 and no latency; a response has both. */
const http = ({ l7 }: WireFlow): FlowItem['http'] =>
  l7?.http
    ? {
        code: l7.http.code ?? 0,
        method: l7.http.method ?? '',
        url: l7.http.url ?? '',
        latencyMs: Number(l7.latency_ns ?? 0) / 1e6,
      }
    : null;

const end = (
  ip: string,
  port: number | undefined,
  endpoint: WireEndpoint | undefined,
  names: readonly (string | undefined)[],
  naming: Naming,
): FlowEnd => {
  const known = naming.address(ip);
  const candidates = [
    ...(endpoint?.workloads ?? []).map(({ name }) => name),
    endpoint?.pod_name,
    ...(endpoint?.labels ?? []).map((label) => APP_LABEL.exec(label)?.[1]),
    ...names,
  ];
  const component = candidates.map((name) => naming.component(name)).find((name) => name !== null);
  return {
    ip,
    port: port ?? 0,
    pod: endpoint?.pod_name || known?.pod || null,
    service: component ?? known?.service ?? null,
  };
};

const digest = (flow: WireFlow): string =>
  createHash('sha256').update(JSON.stringify(flow, sorted)).digest('hex').slice(0, 32);

/** Neither the order of fields nor a zero that was sent instead of left out says anything. */
const sorted = (_key: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(
        Object.entries(value)
          .filter(([, one]) => one !== 0 && one !== '' && one !== '0' && one !== false)
          .sort(([a], [b]) => (a < b ? -1 : 1)),
      )
    : value;
