// `firedrill doctor --target kubernetes`: whether these drills can run in this cluster, and what can't be judged there.
import { adapters } from '../adapters.ts';
import { type Given, named } from '../backends.ts';
import { oneLine } from '../errors.ts';
import type { LayerAdapter, LayerName } from '../model.ts';
import { naming } from '../naming.ts';
import { plan } from '../plan.ts';
import { type Platform, topology } from '../platform.ts';
import { type Said, said } from '../said.ts';
import type { Scenario } from '../scenario.ts';
import { findBackends, schemeOf } from '../targets/kubernetes/backends.ts';
import { agents, components, fault, groups, plugin, rights, version } from '../targets/kubernetes/check.ts';
import { clocks } from '../targets/kubernetes/check-clocks.ts';
import { openCluster } from '../targets/kubernetes/client.ts';
import type { Cluster } from '../targets/kubernetes/cluster.ts';
import { discover } from '../targets/kubernetes/discovery.ts';
import type { FoundPod } from '../targets/kubernetes/ground.ts';
import { BACKENDS, type BackendName, type Mapping, mapping } from '../targets/kubernetes/mapping.ts';
import { reachable } from '../targets/kubernetes/survey.ts';
import { timingOf } from '../targets/kubernetes/timing.ts';
import type { Endpoints, Facts } from '../targets/target.ts';
import { SECOND, systemClock, toMs } from '../time.ts';
import { type Drills, drillsOf, neededFor } from './rbac.ts';
import type { ClusterArguments } from './where.ts';
import { imagesOf } from './where-cluster.ts';

export type ClusterDoctorArguments = Given &
  Omit<ClusterArguments, 'allow' | 'overrideBudgets'> & {
    readonly scenario: readonly string[];
    readonly platform?: string | undefined;
  };

const LOOK_BACK = 60n * SECOND;
const PATIENCE_MS = 10_000;

/** Tells each thing as soon as it is known. Throws Usage for what is no scenario; Unreachable when there is no cluster. */
export const examine = async (argv: ClusterDoctorArguments, tell: (said: Said) => void): Promise<void> => {
  const drills = await drillsOf(argv.scenario, argv.platform);
  const { kubeconfig, context } = argv;
  await using cluster = await openCluster({
    audit: () => undefined,
    ...(kubeconfig ? { kubeconfig } : {}),
    ...(context ? { context } : {}),
  });
  tell(await version(cluster));
  const telling = clocks(cluster);
  for (const one of drills) await examineOne(cluster, one, argv, tell);
  for (const one of await telling) tell(one);
};

const examineOne = async (
  cluster: Cluster,
  drills: Drills,
  argv: ClusterDoctorArguments,
  tell: (said: Said) => void,
): Promise<void> => {
  const { platform, scenarios } = drills;
  const mapped = mapping(platform);
  const served = await groups(cluster).catch((): readonly string[] => []);
  const wanted = { ...argv, cilium: served.includes('cilium.io') };
  for (const one of await rights(cluster, neededFor(drills, wanted))) tell(one);
  const there = await present(cluster, mapped).catch((error: unknown) => oneLine(error));
  if (typeof there === 'string') return tell({ is: 'bad', name: 'platform', says: there });
  const { pods, services, addresses } = there;
  for (const one of components(mapped, pods, services, (name) => !platform.kubernetes.components[name]?.labels))
    tell(one);
  for (const one of await faults(cluster, mapped, pods, scenarios, argv)) tell(one);
  if (scenarios.some((one) => one.fault.kind === 'networkPolicy')) tell(plugin(served));
  await using layers = await reached(cluster, mapped, platform, argv);
  const names = naming(Object.keys(platform.components), () => addresses);
  const looked = adapters({ endpoints: layers.endpoints, webhook: null, capture: null, naming: names, platform });
  for (const one of await Promise.all(looked.map(fresh))) tell(one);
  for (const one of unjudged(layers.why, looked, scenarios)) tell(one);
  for (const one of await planned(layers.endpoints, platform, pods, scenarios)) tell(one);
};

const present = async (cluster: Cluster, mapped: Mapping) => {
  const { pods, addresses } = await discover(cluster, mapped);
  const lists = mapped.namespaces.map(async (namespace) =>
    (await cluster.core.listNamespacedService({ namespace })).items.map(
      ({ metadata }) => `${namespace}/${metadata?.name}`,
    ),
  );
  return { pods: await pods(), services: new Set((await Promise.all(lists)).flat()), addresses };
};

const faults = async (
  cluster: Cluster,
  mapped: Mapping,
  pods: readonly FoundPod[],
  scenarios: readonly Scenario[],
  argv: ClusterDoctorArguments,
): Promise<Said[]> => {
  const kinds = scenarios.map((one) => one.fault.kind);
  const delay = kinds.includes('latency');
  const probed = delay || argv.capture || kinds.includes('networkPolicy');
  const own = pods.filter((pod) => mapped.namespaces.includes(pod.namespace));
  const dry = probed ? agents(cluster, own, imagesOf(argv), { capture: argv.capture, delay }) : [];
  const each = await Promise.all(scenarios.map((one) => fault(cluster, mapped, pods, one.fault)));
  return [...(await dry), ...each.filter((one) => one !== null)];
};

// ---- Layers ---------------------------------------------------------------------------------------------------

type Why = Partial<Record<BackendName, string>>;
type Reached = AsyncDisposable & { readonly endpoints: Endpoints; readonly why: Why };

/** Every backend that can be reached, and for the others why not. */
const reached = async (
  cluster: Cluster,
  mapped: Mapping,
  platform: Platform,
  argv: ClusterDoctorArguments,
): Promise<Reached> => {
  const opened: AsyncDisposable[] = [];
  const why: Why = {};
  const found = await findBackends(cluster, mapped, (await named(argv, platform)) as Given, () => undefined);
  const at = async (name: BackendName): Promise<string | null> => {
    const place = found[name];
    if (place === null)
      why[name] = `none found in ${mapped.observability.join(', ')}: name it with --${name} or in the profile`;
    if (place === null || typeof place === 'string') return place;
    try {
      const way = await reachable(cluster, place, argv.via);
      opened.push(way);
      return `${schemeOf(platform, name)}${way.host}:${way.port}`;
    } catch (error) {
      why[name] = oneLine(error);
      return null;
    }
  };
  const places = await Promise.all(BACKENDS.map(async (name) => [name, await at(name)] as const));
  return {
    endpoints: { ...(Object.fromEntries(places) as Record<BackendName, string | null>), entry: '' },
    why,
    [Symbol.asyncDispose]: async () => {
      for (const one of opened) await one[Symbol.asyncDispose]();
    },
  };
};

/** What a layer has of the last minute, and how old the newest of it is: its lag is not more than that. */
const fresh = async (adapter: LayerAdapter): Promise<Said> => {
  const until = systemClock.now();
  const window = { from: until - LOOK_BACK, until };
  const { items, gaps } = await adapter.look(window, AbortSignal.timeout(PATIENCE_MS));
  await adapter[Symbol.asyncDispose]();
  const name = adapter.layer;
  if (gaps[0]) return { is: 'bad', name, says: `can't be read: ${gaps[0].why} (${gaps[0].query})` };
  if (name === 'alerts') return { is: 'ok', name, says: `answers; ${items.length} alerts now` };
  let newest = 0n;
  for (const { at } of items) if (at > newest) newest = at;
  if (newest === 0n)
    return {
      is: 'unknown',
      name,
      says: 'answers, with nothing of the platform in the last minute: is there no traffic?',
    };
  return {
    is: 'ok',
    name,
    says: `answers; the newest of the platform is ${(toMs(until - newest) / 1000).toFixed(1)} s old`,
  };
};

const NEEDS: Readonly<Partial<Record<LayerName, readonly BackendName[]>>> = {
  traces: ['jaeger'],
  metrics: ['prometheus'],
  alerts: ['prometheus', 'alertmanager'],
  logs: ['loki'],
  flows: ['hubble'],
};

/** Layers that nobody can be asked about: bad where a scenario demands something of them. */
const unjudged = (why: Why, looked: readonly LayerAdapter[], scenarios: readonly Scenario[]): Said[] =>
  Object.entries(NEEDS).flatMap(([layer, needs]): Said[] => {
    if (looked.some((adapter) => adapter.layer === layer)) return [];
    const demanded = scenarios.some(({ demands }) => demands[layer as LayerName]);
    const reasons = needs.flatMap((name) => (why[name] ? [`${name}: ${why[name]}`] : []));
    return [{ is: demanded ? 'bad' : 'unknown', name: layer, says: `can't be judged: ${reasons.join('; ')}` }];
  });

/** Each scenario's plan with the cluster's own delays. */
const planned = async (
  endpoints: Endpoints,
  platform: Platform,
  pods: readonly FoundPod[],
  scenarios: readonly Scenario[],
): Promise<Said[]> => {
  const timing = await timingOf(endpoints, platform).catch((error: unknown) => oneLine(error));
  if (typeof timing === 'string') return [{ is: 'bad', name: 'timing', says: timing }];
  const facts: Facts = {
    target: 'kubernetes',
    platform: platform.name,
    topology: topology(platform),
    pods,
    timing,
    lacks: ['freeze', 'reject'],
  };
  const { scrape, evaluation, pending, groupWait } = timing;
  const says = `scrape ${scrape / 1000} s, evaluation ${evaluation / 1000} s, alerts pending up to ${pending / 1000} s, group wait ${groupWait / 1000} s`;
  const each = scenarios.map(async (scenario): Promise<Said> => {
    const looked = await said('drill', async () => {
      const { warnings } = plan(scenario, platform, facts, 1, 'dry-run');
      return [scenario.name, ...warnings].join('; ');
    });
    if (looked.is === 'bad') return { ...looked, says: `${scenario.name}: ${looked.says}` };
    return looked.says === scenario.name ? looked : { ...looked, is: 'unknown' };
  });
  return [{ is: 'ok', name: 'timing', says }, ...(await Promise.all(each))];
};
