// The programs that firedrill runs but doesn't ship: their names on disk, who packages them, how they tell their version.

export type Program = {
  /** File names, the upstream one first. */
  readonly binaries: readonly string[];
  /** Debian's package. */
  readonly debian: string;
  /** Arguments that make it print its version and end with 0. */
  readonly version: readonly string[];
  /** The upstream release that holds it, when there is one to fetch. */
  readonly release: 'prometheus' | 'alertmanager' | null;
};

const DOUBLE_DASH = ['--version'] as const;

export const CATALOG = {
  prometheus: { binaries: ['prometheus'], debian: 'prometheus', version: DOUBLE_DASH, release: 'prometheus' },
  promtool: { binaries: ['promtool'], debian: 'prometheus', version: DOUBLE_DASH, release: 'prometheus' },
  alertmanager: {
    binaries: ['alertmanager', 'prometheus-alertmanager'],
    debian: 'prometheus-alertmanager',
    version: DOUBLE_DASH,
    release: 'alertmanager',
  },
  amtool: { binaries: ['amtool'], debian: 'prometheus-alertmanager', version: DOUBLE_DASH, release: 'alertmanager' },
  tcpdump: { binaries: ['tcpdump'], debian: 'tcpdump', version: DOUBLE_DASH, release: null },
  nft: { binaries: ['nft'], debian: 'nftables', version: DOUBLE_DASH, release: null },
  ip: { binaries: ['ip'], debian: 'iproute2', version: ['-V'], release: null },
  conntrack: { binaries: ['conntrack'], debian: 'conntrack', version: DOUBLE_DASH, release: null },
} as const satisfies Record<string, Program>;

export type ToolName = keyof typeof CATALOG;

export const program = (name: ToolName): Program => CATALOG[name];
