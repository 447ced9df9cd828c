// What the agent asks of the node's kernel: a table of its own that only looks. It logs the packets of the pods that are
// watched at two points of their way, whoever decides in between.

/** The table is named after its log group: two agents with different ones don't get into each other's way. */
const tableOf = (group: number): string => `inet firedrill_node_${group}`;
/** Bytes of a packet that are copied: early, enough for an HTTP message's head; late, the headers. */
const SNAPLEN = { early: 256, late: 80 } as const;
const FIRST = -2_147_483_648;

/**
 * The points. Forwarded packets: before everybody else's forward chain, and in postrouting just before the source is
 * translated (100), after whoever filters there. The node's own: after the destination has been translated (-100) and
 * before any filter. To the node: the first and the last before translation. A destination is thus the same at both.
 * What the node itself sends has no time from the kernel and is handed over at once, so that the reader's clock serves.
 */
const CHAINS = [
  { name: 'forward_early', hook: 'forward', priority: FIRST, other: 'iifname', into: 'early' },
  { name: 'output_early', hook: 'output', priority: -99, other: 'oifname', into: 'early_now' },
  { name: 'input_early', hook: 'input', priority: FIRST, other: 'iifname', into: 'early' },
  { name: 'postrouting_late', hook: 'postrouting', priority: 99, other: 'oifname', into: 'late' },
  { name: 'input_late', hook: 'input', priority: 99, other: 'iifname', into: 'late' },
] as const;
const LOGS = [
  { name: 'early', point: 'early', how: '' },
  { name: 'early_now', point: 'early', how: ' queue-threshold 1' },
  { name: 'late', point: 'late', how: '' },
] as const;

export type TapRules = {
  /** The log group that the rules write to. */
  readonly group: number;
  /** UDP port, on loopback, from and to which the agent sends itself what marks the log's progress. */
  readonly tickPort: number;
};

/**
 * The table, in place of one that a killed agent left. Logged are TCP packets that open, carry data, close or reset, with
 * the prefix `firedrill/<early|late>/<original|reply>`. Packets that connection tracking calls invalid belong to no
 * direction and are not logged: nodes drop them as a matter of course.
 */
export const tapRules = (rules: TapRules): string => `${removeTap(rules.group)}table ${tableOf(rules.group)} {
  set watched4 { type ipv4_addr; }
  set watched6 { type ipv6_addr; }
${LOGS.map((one) => logs(one, rules)).join('\n')}
${CHAINS.map((chain) => hooked(chain, rules)).join('\n')}
}
`;

export const removeTap = (group: number): string => `table ${tableOf(group)}\ndelete table ${tableOf(group)}\n`;

/** Watches these addresses, and no others any more; one transaction. */
export const watchRules = (group: number, addresses: readonly string[]): string => {
  const table = tableOf(group);
  const of = (version: 4 | 6): readonly string[] =>
    addresses.filter((one) => one.includes(':') === (version === 6)).sort();
  const fill = (version: 4 | 6): string =>
    of(version).length > 0 ? `add element ${table} watched${version} { ${of(version).join(', ')} }\n` : '';
  return `flush set ${table} watched4\nflush set ${table} watched6\n${fill(4)}${fill(6)}`;
};

const logs = ({ name, point, how }: (typeof LOGS)[number], { group }: TapRules): string => {
  const log = (way: string): string =>
    `    ct direction ${way} log prefix "firedrill/${point}/${way}" group ${group} snaplen ${SNAPLEN[point]}${how}`;
  const watched = ['ip saddr @watched4', 'ip daddr @watched4', 'ip6 saddr @watched6', 'ip6 daddr @watched6'];
  const enter = watched.map((match) => `    ${match} goto log_${name}`).join('\n');
  return `  chain log_${name} {\n${log('original')}\n${log('reply')}\n  }\n  chain ${name} {\n${enter}\n  }`;
};

const hooked = (
  { name, hook, priority, other, into }: (typeof CHAINS)[number],
  { group, tickPort }: TapRules,
): string => {
  const tick =
    name === 'input_early'
      ? `\n    iifname "lo" udp sport ${tickPort} udp dport ${tickPort} log prefix "firedrill/tick" group ${group} snaplen 64 queue-threshold 1`
      : '';
  return `  chain ${name} {
    type filter hook ${hook} priority ${priority}; policy accept;${tick}
    ${other} != "lo" tcp flags & (syn | fin | rst | psh) != 0 jump ${into}
  }`;
};
