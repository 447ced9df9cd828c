// What NetworkPolicies let through, as Kubernetes defines it. Pure: no cluster is asked.
import { BlockList, isIP, isIPv6 } from 'node:net';
import type {
  V1NetworkPolicy,
  V1NetworkPolicyEgressRule,
  V1NetworkPolicyIngressRule,
  V1NetworkPolicyPeer,
  V1NetworkPolicyPort,
} from '@kubernetes/client-node';
import { type Labels, matches } from './selector.ts';

/** A pod as policies see it. `ports` are the named ports of its containers. */
export type PodEnd = {
  readonly namespace: string;
  readonly namespaceLabels: Labels;
  readonly labels: Labels;
  readonly ip: string;
  readonly ports?: readonly { readonly name: string; readonly port: Port }[];
};
/** One end of a connection: a pod, or an address that is no pod's. */
export type End = PodEnd | { readonly ip: string };
export type Port = { readonly number: number; readonly protocol: 'TCP' | 'UDP' | 'SCTP' };
export type Direction = 'Ingress' | 'Egress';

/**
 * Whether a connection from one end to the other is let through: by the egress policies of the pod that opens it and by
 * the ingress policies of the pod that takes it. A pod that no policy selects for a direction is open in that direction;
 * one that any selects lets through what at least one of them allows. A pod always reaches itself; ends are told apart by
 * their addresses. An `ipBlock` is compared with pods' addresses too, as most enforcers do. The exemption of a pod's own
 * node is not in here: an end that is no pod may be that node. Source: the API's NetworkPolicy, networking.k8s.io/v1.
 */
export const allows = (policies: readonly V1NetworkPolicy[], from: End, to: End, port: Port): boolean =>
  from.ip === to.ip || (open('Egress', policies, from, to, to, port) && open('Ingress', policies, to, from, to, port));

/** The policies that isolate this pod in this direction. */
export const selecting = (
  policies: readonly V1NetworkPolicy[],
  direction: Direction,
  { namespace, labels }: Pick<PodEnd, 'namespace' | 'labels'>,
): V1NetworkPolicy[] =>
  policies.filter(
    (one) =>
      one.metadata?.namespace === namespace &&
      directions(one).includes(direction) &&
      matches(one.spec?.podSelector ?? {}, labels),
  );

/** A policy that does not say its types is for ingress, and for egress too when it has egress rules. */
const directions = ({ spec }: V1NetworkPolicy): readonly string[] =>
  spec?.policyTypes ?? (spec?.egress?.length ? ['Ingress', 'Egress'] : ['Ingress']);

const open = (
  direction: Direction,
  policies: readonly V1NetworkPolicy[],
  isolated: End,
  other: End,
  receiver: End,
  port: Port,
): boolean => {
  if (!('namespace' in isolated)) return true;
  const all = selecting(policies, direction, isolated);
  if (all.length === 0) return true;
  return all.flatMap((one) => rules(direction, one)).some((rule) => letsThrough(rule, isolated, other, receiver, port));
};

type Rule = { readonly peers: readonly V1NetworkPolicyPeer[]; readonly ports: readonly V1NetworkPolicyPort[] };

const rules = (direction: Direction, { spec }: V1NetworkPolicy): Rule[] =>
  direction === 'Ingress'
    ? (spec?.ingress ?? []).map(({ _from, ports }: V1NetworkPolicyIngressRule) => ruleOf(_from, ports))
    : (spec?.egress ?? []).map(({ to, ports }: V1NetworkPolicyEgressRule) => ruleOf(to, ports));

const ruleOf = (peers: V1NetworkPolicyPeer[] | undefined, ports: V1NetworkPolicyPort[] | undefined): Rule => ({
  peers: peers ?? [],
  ports: ports ?? [],
});

/** A rule without peers is for everybody, one without ports for every port. */
const letsThrough = ({ peers, ports }: Rule, isolated: PodEnd, other: End, receiver: End, port: Port): boolean =>
  (peers.length === 0 || peers.some((peer) => isPeer(peer, isolated.namespace, other))) &&
  (ports.length === 0 || ports.some((one) => isPort(one, receiver, port)));

const isPeer = ({ ipBlock, namespaceSelector, podSelector }: V1NetworkPolicyPeer, home: string, end: End): boolean => {
  if (ipBlock) return within(ipBlock.cidr, end.ip) && !(ipBlock.except ?? []).some((cidr) => within(cidr, end.ip));
  if (!('namespace' in end)) return false;
  const inNamespace = namespaceSelector ? matches(namespaceSelector, end.namespaceLabels) : end.namespace === home;
  return inNamespace && matches(podSelector ?? {}, end.labels);
};

const isPort = ({ protocol, port, endPort }: V1NetworkPolicyPort, receiver: End, asked: Port): boolean => {
  if ((protocol ?? 'TCP') !== asked.protocol) return false;
  if (port === undefined) return true;
  if (typeof port === 'number') return asked.number >= port && asked.number <= (endPort ?? port);
  const named = ('namespace' in receiver && receiver.ports) || [];
  return named.some(
    (one) => one.name === port && one.port.number === asked.number && one.port.protocol === asked.protocol,
  );
};

/** Whether an address lies in a block in CIDR notation; one of the other family, and what is no address, never does. */
export const within = (cidr: string, ip: string): boolean => {
  const [network, length] = cidr.split('/') as [string, string];
  const family = (address: string): 'ipv4' | 'ipv6' => (isIPv6(address) ? 'ipv6' : 'ipv4');
  if (isIP(ip) === 0 || family(network) !== family(ip)) return false;
  const block = new BlockList();
  block.addSubnet(network, Number(length), family(network));
  return block.check(ip, family(ip));
};
