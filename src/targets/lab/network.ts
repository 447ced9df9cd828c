// The lab's network: one namespace a pod, each with a cable to the node, which routes between them. Nothing is bridged, so
// that every packet from pod to pod passes the kernel's forward hook, where policies act and flows are seen.
import { mkdir, writeFile } from 'node:fs/promises';
import { run } from '../../process.ts';
import type { ToolPath } from './config.ts';

export const NODE_IP = '198.18.0.1';
/** Where users are: the traffic client's own address, outside of every component. */
export const CLIENT_IP = '198.18.0.10';
/** What users connect to: the client's own kernel spreads its connections over the entry component's pods. */
export const ENTRY_IP = '198.18.0.2';
export const FLOW_GROUP = 5;
const TABLE = 'inet firedrill';

/** The address of the n-th pod that ever was, n from 0. Addresses are not used twice. */
export const podAddress = (n: number): string => `198.18.${1 + Math.floor(n / 250)}.${1 + (n % 250)}`;

/** The set of addresses that belong to a component, as nftables knows it. */
export const setName = (service: string): string => `c_${service.replaceAll('-', '_')}`;

export type Network = {
  /** A namespace with address `ip`, its cable up on both ends. `id` names it and must be short and unique. */
  attach(id: string, ip: string): Promise<void>;
  detach(id: string): Promise<void>;
  /** Runs nftables commands on the node, or in one pod's namespace; all of them or none. */
  nft(commands: string, id?: string): Promise<void>;
  /** The words to put before a command so that it runs in that namespace. */
  within(id: string): [string, ...string[]];
};

export const network = async (
  tools: { ip: ToolPath; nft: ToolPath },
  components: readonly string[],
): Promise<Network> => {
  const ip = (batch: string, ...options: string[]): Promise<string> =>
    run({ name: 'ip', argv: [tools.ip.path, ...options, '-batch', '-'], env: tools.ip.env }, batch);
  const within = (id: string): [string, ...string[]] => ['nsenter', `--net=/run/netns/${id}`, '--'];
  const nft = async (commands: string, id?: string): Promise<void> => {
    const argv: [string, ...string[]] = id ? [...within(id), tools.nft.path, '-f', '-'] : [tools.nft.path, '-f', '-'];
    await run({ name: 'nft', argv, env: tools.nft.env }, commands);
  };
  await mkdir('/run/netns', { recursive: true });
  await writeFile('/proc/sys/net/ipv4/ip_forward', '1');
  await ip(`link set lo up\naddr add ${NODE_IP}/32 dev lo\n`);
  await nft(nodeRules(components));
  return {
    within,
    nft,
    async attach(id, address) {
      await ip(
        `netns add ${id}\nlink add v-${id} type veth peer name eth0 netns ${id}\nlink set v-${id} up\nroute add ${address}/32 dev v-${id} src ${NODE_IP}\n`,
      );
      await ip(
        `link set lo up\naddr add ${address}/32 dev eth0\nlink set eth0 up\nroute add ${NODE_IP}/32 dev eth0 scope link\nroute add default via ${NODE_IP} dev eth0\n`,
        '-n',
        id,
      );
    },
    detach: async (id) => {
      await ip(`link del v-${id}\nnetns del ${id}\n`).catch(() => undefined);
    },
  };
};

/**
 * Forwarded TCP that opens, carries data, closes or resets goes to the flow observer with its verdict and direction as
 * the prefix. Rules of faults come first, in a chain of their own.
 */
const nodeRules = (components: readonly string[]): string => {
  const log = (what: string): string => `log prefix "firedrill/${what}" group ${FLOW_GROUP} snaplen 256`;
  const sets = components.map((one) => `  set ${setName(one)} { type ipv4_addr; }`).join('\n');
  return `table ${TABLE} {
${sets}
  chain faults { }
  chain forward {
    type filter hook forward priority filter; policy accept;
    jump faults
    tcp flags & (syn | fin | rst | psh) != 0 ct direction original ${log('FORWARDED/original')}
    tcp flags & (syn | fin | rst | psh) != 0 ct direction reply ${log('FORWARDED/reply')}
  }
}
`;
};

/** Adds an address to its component's set, or takes it out. */
export const member = (verb: 'add' | 'delete', service: string, ip: string): string =>
  `${verb} element ${TABLE} ${setName(service)} { ${ip} }\n`;

/** One rule that cuts what matches, in the direction in which connections are opened; standing connections are cut too. */
export const cut = (match: string, how: 'drop' | 'reject', comment: string): string => {
  const word = how === 'drop' ? 'DROPPED' : 'REJECTED';
  const action = how === 'drop' ? 'drop' : 'reject with tcp reset';
  return `add rule ${TABLE} faults ${match} meta l4proto tcp ct direction original log prefix "firedrill/${word}/original" group ${FLOW_GROUP} snaplen 256 ${action} comment "${comment}"\n`;
};

export const clearFaults = `flush chain ${TABLE} faults\n`;

/** Spreads the client's connections to ENTRY_IP over `ips`; the rules live in the client's own namespace. */
export const balance = (ips: readonly string[], port: number): string => {
  const map = ips.map((ip, i) => `${i} : ${ip}`).join(', ');
  const to = ips.length > 0 ? `dnat to numgen inc mod ${ips.length} map { ${map} }` : 'drop';
  return `add table ip firedrill_entry
delete table ip firedrill_entry
table ip firedrill_entry {
  chain output {
    type nat hook output priority -100;
    ip daddr ${ENTRY_IP} tcp dport ${port} ${to}
  }
}
`;
};
