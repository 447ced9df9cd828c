// `firedrill rbac`: the least Roles that some scenarios need in a cluster, as YAML on standard output; nothing is asked of one.
import { Usage } from '../errors.ts';
import type { FaultSpec } from '../faults/fault.ts';
import { loadPlatform, loadScenarios } from '../load.ts';
import type { Platform } from '../platform.ts';
import { mapping } from '../targets/kubernetes/mapping.ts';
import { type Permission, permissions, type Wanted } from '../targets/kubernetes/rbac.ts';
import { type Account, manifest } from '../targets/kubernetes/roles.ts';
import type { Via } from '../targets/kubernetes/survey.ts';

export type RbacArguments = {
  readonly scenario: readonly string[];
  readonly platform?: string | undefined;
  readonly workers: number;
  /** Packets are captured unless `--no-capture`. */
  readonly capture: boolean;
  readonly cilium: boolean;
  readonly via: Via;
  /** `namespace/name`. */
  readonly account: string;
};

export const rbacCommand = async (argv: RbacArguments): Promise<number> => {
  const account = accountOf(argv.account);
  const drills = await drillsOf(argv.scenario, argv.platform);
  const needed = drills.flatMap(({ platform, faults }) => neededFor(platform, faults, argv));
  process.stdout.write(`${header(argv, account)}${manifest(unique(needed), account)}`);
  return 0;
};

export type Drills = { readonly platform: Platform; readonly faults: readonly FaultSpec[] };

/** The scenarios' faults, platform by platform. */
export const drillsOf = async (words: readonly string[], platform: string | undefined): Promise<readonly Drills[]> => {
  const faults = new Map<string, FaultSpec[]>();
  for (const { scenario } of await loadScenarios(words)) {
    const name = platform ?? scenario.platform;
    faults.set(name, [...(faults.get(name) ?? []), scenario.fault]);
  }
  return Promise.all([...faults].map(async ([name, found]) => ({ platform: await loadPlatform(name), faults: found })));
};

export const neededFor = (platform: Platform, faults: readonly FaultSpec[], wanted: Wanted): readonly Permission[] =>
  permissions(faults, mapping(platform), wanted);

/** Two platforms may share a namespace. */
const unique = (all: readonly Permission[]): readonly Permission[] => [
  ...new Map(all.map((one) => [JSON.stringify(one), one])).values(),
];

const accountOf = (text: string): Account => {
  const [, namespace, name] = /^([a-z0-9-]+)\/([a-z0-9-]+)$/.exec(text) ?? [];
  if (!namespace || !name) throw new Usage(`--account ${text}: must be NAMESPACE/NAME, such as firedrill/firedrill`);
  return { namespace, name };
};

const header = (
  { scenario, platform, workers, capture, cilium, via }: RbacArguments,
  { namespace }: Account,
): string => {
  const words = [
    ...scenario,
    ...(platform ? ['--platform', platform] : []),
    ...(workers > 0 ? ['--workers', String(workers)] : []),
    ...(capture ? [] : ['--no-capture']),
    ...(cilium ? ['--cilium'] : []),
    ...(via === 'port-forward' ? [] : ['--via', via]),
  ];
  return [
    `# What these drills may do in the cluster, and why: ${['firedrill rbac', ...words].join(' ')}`,
    `# Namespace ${namespace} must be there. A namespace of observers that the cluster lacks may be left out.`,
    '',
  ].join('\n');
};
