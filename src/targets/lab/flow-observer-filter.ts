// Hubble's FlowFilter as a predicate: OR between filters and inside of a list, AND between the fields of one filter.
import { BlockList, isIP, isIPv6 } from 'node:net';
import { Usage } from '../../errors.ts';
import {
  EVENT,
  type WireEndpoint,
  type WireFilter,
  type WireFlow,
  type WireHeader,
  type WireService,
} from '../../layers/flows/wire.ts';
import { labelSelector } from './flow-observer-labels.ts';

type Matches = (flow: WireFlow) => boolean;
type Field = (values: readonly never[]) => Matches;

/**
 * Whitelist minus blacklist; an empty whitelist lets everything through. Throws Usage, naming the field, for a filter field
 * that this observer does not support and for a value that it can't read: a filter that is ignored shows wrong flows.
 */
export const flowFilter = (whitelist: readonly WireFilter[], blacklist: readonly WireFilter[]): Matches => {
  const wanted = whitelist.map(compile);
  const unwanted = blacklist.map(compile);
  return (flow) =>
    (wanted.length === 0 || wanted.some((matches) => matches(flow))) && !unwanted.some((matches) => matches(flow));
};

const compile = (filter: WireFilter): Matches => {
  const fields = Object.entries(filter).filter(([, values]) => !Array.isArray(values) || values.length > 0);
  checkHttp(filter);
  const all = fields.map(([name, values]) => {
    const field = FIELDS[name];
    if (!field) throw new Usage(`filter field ${name} is not supported by this observer`);
    try {
      return field(values as readonly never[]);
    } catch (error) {
      throw new Usage(`filter field ${name}: ${(error as Error).message}`);
    }
  });
  return (flow) => all.every((matches) => matches(flow));
};

/** HTTP facts are only on L7 flows: asking for them among other events alone is a contradiction. */
const checkHttp = (filter: WireFilter): void => {
  const types = (filter.event_type ?? []) as readonly { readonly type?: number }[];
  const http = Object.keys(filter).find((name) => name.startsWith('http_') && filter[name]!.length > 0);
  if (http && types.length > 0 && !types.some(({ type }) => type === EVENT.l7))
    throw new Usage(`filter field ${http} needs event_type ${EVENT.l7} (L7) among the event types`);
};

type Side = 'source' | 'destination';

const anyOf =
  <T>(make: (value: T) => Matches) =>
  (values: readonly T[]): Matches => {
    const each = values.map(make);
    return (flow) => each.some((matches) => matches(flow));
  };

const oneOf =
  (read: (flow: WireFlow) => unknown) =>
  (values: readonly unknown[]): Matches =>
  (flow) =>
    values.includes(read(flow));

const address =
  (side: Side) =>
  (values: readonly string[]): Matches => {
    const list = new BlockList();
    for (const value of values) {
      const [ip = '', bits] = value.split('/');
      const family = isIPv6(ip) ? 'ipv6' : 'ipv4';
      if (isIP(ip) === 0 || (bits !== undefined && !/^\d+$/.test(bits)))
        throw new Usage(`'${value}' is no address or CIDR`);
      if (bits === undefined) list.addAddress(ip, family);
      else list.addSubnet(ip, Number(bits), family);
    }
    return (flow) => {
      const ip = flow.IP?.[side] ?? '';
      return isIP(ip) !== 0 && list.check(ip, isIPv6(ip) ? 'ipv6' : 'ipv4');
    };
  };

/** `namespace/prefix`, `namespace/`, `/prefix` in any namespace, or a prefix in the namespace `default`. */
const namespaced = (
  read: (flow: WireFlow) => { readonly namespace?: string | undefined; readonly name?: string | undefined } | undefined,
) =>
  anyOf((pattern: string) => {
    const [namespace, prefix] = pattern.includes('/') ? pattern.split('/', 2) : ['default', pattern];
    return (flow) => {
      const { namespace: ns = '', name = '' } = read(flow) ?? {};
      return name !== '' && (!namespace || ns === namespace) && name.startsWith(prefix ?? '');
    };
  });

const podOf = (endpoint: WireEndpoint | undefined) => ({ namespace: endpoint?.namespace, name: endpoint?.pod_name });
const serviceOf = (flow: WireFlow, side: Side): WireService | undefined => flow[`${side}_service`];

const workload = (side: Side) =>
  anyOf(
    ({ name, kind }: { readonly name?: string; readonly kind?: string }): Matches =>
      (flow) =>
        (flow[side]?.workloads ?? []).some((one) => (!name || one.name === name) && (!kind || one.kind === kind)),
  );

const label = (side: Side) =>
  anyOf((text: string) => {
    const selects = labelSelector(text);
    return (flow) => selects(flow[side]?.labels ?? []);
  });

const port = (side: Side) =>
  anyOf((text: string) => {
    const wanted = Number(text);
    if (!/^\d{1,5}$/.test(text) || wanted > 65535) throw new Usage(`'${text}' is no port`);
    return ({ l4 }) => (l4?.TCP ?? l4?.UDP ?? l4?.SCTP)?.[`${side}_port`] === wanted;
  });

const PROTOCOLS: Readonly<Record<string, Matches>> = {
  tcp: ({ l4 }) => l4?.TCP !== undefined,
  udp: ({ l4 }) => l4?.UDP !== undefined,
  sctp: ({ l4 }) => l4?.SCTP !== undefined,
  icmp: ({ l4 }) => l4?.ICMPv4 !== undefined || l4?.ICMPv6 !== undefined,
  icmpv4: ({ l4 }) => l4?.ICMPv4 !== undefined,
  icmpv6: ({ l4 }) => l4?.ICMPv6 !== undefined,
  http: ({ l7 }) => l7?.http !== undefined,
};

const protocol = anyOf((name: string) => {
  const matches = PROTOCOLS[name.toLowerCase()];
  if (!matches) throw new Usage(`'${name}' is not one of ${Object.keys(PROTOCOLS).join(', ')}`);
  return matches;
});

/** Dropped flows of unknown direction count as not a reply; others of unknown direction match neither. */
const reply = (values: readonly boolean[]): Matches => {
  return (flow) => {
    const known = flow.is_reply ? (flow.is_reply.value ?? false) : null;
    return values.includes((known ?? (flow.verdict === 'DROPPED' ? false : null)) as boolean);
  };
};

const tcpFlags = anyOf(
  (wanted: Readonly<Record<string, boolean>>): Matches =>
    ({ l4 }) =>
      l4?.TCP !== undefined &&
      Object.entries(wanted).every(
        ([flag, set]) => !set || (l4.TCP?.flags as Record<string, boolean>)?.[flag] === true,
      ),
);

type EventType = { readonly type?: number; readonly match_sub_type?: boolean; readonly sub_type?: number };

const eventType = anyOf(
  ({ type = 0, match_sub_type: withSubType, sub_type: subType = 0 }: EventType): Matches =>
    (flow) =>
      (flow.event_type?.type ?? 0) === type && (!withSubType || (flow.event_type?.sub_type ?? 0) === subType),
);

/** `404` exactly, or `4+` and `50+`: all that begin so. */
const statusCode = anyOf((text: string): Matches => {
  const match = /^([1-5]\d{0,2})(\+?)$/.exec(text);
  if (!match || (!match[2] && match[1]!.length < 3))
    throw new Usage(`'${text}' is no status code such as 404, 4+ or 50+`);
  return ({ l7 }) => {
    const code = String(l7?.http?.code || '');
    return match[2] ? code.startsWith(match[1]!) : code === match[1];
  };
});

const matching = (read: (flow: WireFlow) => string | undefined) =>
  anyOf((pattern: string): Matches => {
    const regex = new RegExp(pattern);
    return (flow) => {
      const value = read(flow);
      return value !== undefined && regex.test(value);
    };
  });

const path = ({ l7 }: WireFlow): string | undefined =>
  l7?.http?.url?.replace(/^[a-z]+:\/\/[^/]*/, '').replace(/[?#].*$/, '');

const header = anyOf(
  ({ key, value }: WireHeader): Matches =>
    ({ l7 }) =>
      (l7?.http?.headers ?? []).some((one) => one.key?.toLowerCase() === key?.toLowerCase() && one.value === value),
);

const method = anyOf(
  (name: string): Matches =>
    ({ l7 }) =>
      l7?.http?.method?.toLowerCase() === name.toLowerCase(),
);

/** Node names are `cluster/node`; a pattern without a cluster means any, and `*` stands for any part of a name. */
const nodeName = anyOf((pattern: string): Matches => {
  const text = pattern.includes('/') ? pattern : `*/${pattern}`;
  const regex = new RegExp(`^${text.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '[^/]*')}$`);
  return (flow) => regex.test(flow.node_name ?? '');
});

const FIELDS: Readonly<Record<string, Field>> = {
  uuid: oneOf((flow) => flow.uuid),
  source_ip: address('source'),
  destination_ip: address('destination'),
  source_pod: namespaced((flow) => podOf(flow.source)),
  destination_pod: namespaced((flow) => podOf(flow.destination)),
  source_label: label('source'),
  destination_label: label('destination'),
  source_service: namespaced((flow) => serviceOf(flow, 'source')),
  destination_service: namespaced((flow) => serviceOf(flow, 'destination')),
  source_workload: workload('source'),
  destination_workload: workload('destination'),
  source_port: port('source'),
  destination_port: port('destination'),
  traffic_direction: oneOf((flow) => flow.traffic_direction),
  verdict: oneOf((flow) => flow.verdict),
  drop_reason_desc: oneOf((flow) => flow.drop_reason_desc),
  event_type: eventType,
  protocol,
  reply,
  tcp_flags: tcpFlags,
  node_name: nodeName,
  http_status_code: statusCode,
  http_method: method,
  http_path: matching(path),
  http_url: matching(({ l7 }) => l7?.http?.url),
  http_header: header,
};
