// The kernel's part of a delay: nftables rules, in the pod's own network namespace, that lead connections to the proxy.
import { run } from '../process.ts';

/** Whose connections are delayed: only those from these addresses, or all but those. */
export type Who = { readonly only: readonly string[] } | { readonly except: readonly string[] };

export type Redirect = {
  /** The pod's address says which family of addresses is meant. */
  readonly ip: string;
  /** Connections to this port go to the other. */
  readonly port: number;
  readonly to: number;
};

export const TABLE = 'firedrill_delay';
/** Rules hold for this long after the last `beat`: if the proxy dies without a word, they are void soon after it. */
export const HELD_SECONDS = 10;

const isV6 = (ip: string): boolean => ip.includes(':');
const familyOf = (ip: string): 'ip' | 'ip6' => (isV6(ip) ? 'ip6' : 'ip');

/**
 * Replaces whatever table is there. New connections are redirected before any other rule could rewrite them. A connection
 * that stood before keeps its way, since the kernel rewrites only new ones: it is reset, and its client comes again.
 */
export const rules = ({ ip, port, to }: Redirect, who: Who): string => {
  const family = familyOf(ip);
  const match = `iif != lo ${family} saddr ${'only' in who ? '' : '!= '}@who tcp dport @port`;
  return `${absent(ip)}table ${family} ${TABLE} {
  set who { type ipv${isV6(ip) ? 6 : 4}_addr; }
  set port { type inet_service; flags timeout; }
  chain prerouting {
    type nat hook prerouting priority dstnat - 10;
    ${match} redirect to :${to}
  }
  chain input {
    type filter hook input priority filter;
    ${match} reject with tcp reset
  }
}
${members(ip, who)}${beat(ip, port)}`;
};

/** Whose connections are meant from now on; must be of the same kind as before. */
export const members = (ip: string, who: Who): string => {
  const all = [...new Set('only' in who ? who.only : who.except)].filter((one) => isV6(one) === isV6(ip));
  const set = `${familyOf(ip)} ${TABLE} who`;
  return `flush set ${set}\n${all.length > 0 ? `add element ${set} { ${all.join(', ')} }\n` : ''}`;
};

/** The rules hold for another HELD_SECONDS. An element's time can't be prolonged: it is replaced, in one transaction. */
export const beat = (ip: string, port: number): string => {
  const set = `${familyOf(ip)} ${TABLE} port`;
  return `flush set ${set}\nadd element ${set} { ${port} timeout ${HELD_SECONDS}s }\n`;
};

/** New connections go straight again; those that were redirected stay so for as long as the table is there. */
export const loosened = (ip: string): string => {
  const chains = ['prerouting', 'input'].map((chain) => `flush chain ${familyOf(ip)} ${TABLE} ${chain}\n`);
  return chains.join('');
};

/** No table of ours, whether or not there was one. */
export const absent = (ip: string): string =>
  `add table ${familyOf(ip)} ${TABLE}\ndelete table ${familyOf(ip)} ${TABLE}\n`;

/** Runs nftables commands: all of them or none. Throws Unreachable with nft's words. */
export const nft = async (commands: string): Promise<void> => {
  await run({ name: 'nft', argv: ['nft', '-f', '-'] }, commands);
};
