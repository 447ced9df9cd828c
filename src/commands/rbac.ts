// `firedrill rbac`: the least Roles that some scenarios need in a cluster, as YAML on standard output; nothing is asked of one.
import { Usage } from '../errors.ts';
import { loadPlatform, loadScenarios } from '../load.ts';
import type { Platform } from '../platform.ts';
import type { Scenario } from '../scenario.ts';
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
  const needed = drills.flatMap((one) => neededFor(one, argv));
  process.stdout.write(`${header(argv, account)}${manifest(unique(needed), account)}`);
  return 0;
};

export type Drills = { readonly platform: Platform; readonly scenarios: readonly Scenario[] };

/** The scenarios that the words mean, platform by platform. */
export const drillsOf = async (words: readonly string[], platform: string | undefined): Promise<readonly Drills[]> => {
  const drills = new Map<string, Scenario[]>();
  for (const { scenario } of await loadScenarios(words)) {
    const name = platform ?? scenario.platform;
    drills.set(name, [...(drills.get(name) ?? []), scenario]);
  }
  return Promise.all([...drills].map(async ([name, scenarios]) => ({ platform: await loadPlatform(name), scenarios })));
};

export const neededFor = ({ platform, scenarios }: Drills, wanted: Wanted): readonly Permission[] =>
  permissions(
    scenarios.map(({ fault }) => fault),
    mapping(platform),
    wanted,
  );

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
