// Which cluster, and as whom: the kubeconfig, found and merged as kubectl does, checked before anything is asked.
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import {
  bufferFromFileOrString,
  type Cluster as ClusterEntry,
  type Context,
  KubeConfig,
  loadYaml,
  type User,
} from '@kubernetes/client-node';
import { oneLine, Usage } from '../../errors.ts';
import type { Nanos } from '../../model.ts';
import { iso, MILLISECOND } from '../../time.ts';

/** One context of a kubeconfig: `config` holds its cluster and its user and nothing else. `server` has no slash at its end. */
export type Chosen = {
  readonly config: KubeConfig;
  readonly server: string;
  readonly context: string;
  readonly source: string;
};

export type Wanted = { readonly kubeconfig?: string; readonly context?: string };

const IN_CLUSTER = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/**
 * The kubeconfig that was named, else those of $KUBECONFIG (the first to say something wins, missing ones are passed over;
 * kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig), else ~/.kube/config, else the pod's service
 * account. Throws Usage when there is none, it can't be read, its context is not there or its client certificate has expired.
 */
export const chooseContext = (wanted: Wanted, env: NodeJS.ProcessEnv, now: Nanos): Chosen => {
  const files = located(wanted.kubeconfig, env);
  const source = files.length > 0 ? files.join(delimiter) : 'the service account of this pod';
  const all = files.length > 0 ? merged(files.map(load)) : inCluster();
  const context = contextOf(all, wanted.context, source);
  const config = narrowed(all, context, source);
  mustBeCurrent(config, source, now);
  return { config, server: config.getCurrentCluster()!.server, context: context.name, source };
};

/** Empty: a pod's service account. */
const located = (named: string | undefined, env: NodeJS.ProcessEnv): string[] => {
  if (named !== undefined) return [resolve(named)];
  const listed = (env.KUBECONFIG ?? '').split(delimiter).filter(Boolean);
  const there = listed.filter((file) => existsSync(file));
  if (listed.length > 0) return there.length > 0 ? there : listed;
  const home = join(env.HOME || homedir(), '.kube', 'config');
  if (existsSync(home)) return [home];
  if (env.KUBERNETES_SERVICE_HOST && existsSync(IN_CLUSTER)) return [];
  throw new Usage(`no kubeconfig: $KUBECONFIG is not set, ${home} is not there; give --kubeconfig FILE`);
};

const load = (file: string): KubeConfig => {
  const text = contents(file, 'kubeconfig');
  const config = new KubeConfig();
  try {
    config.loadFromString(text);
    config.makePathsAbsolute(dirname(file));
  } catch (error) {
    throw new Usage(`kubeconfig ${file} is no kubeconfig: ${String(oneLine(error)).split(' | ')[0]}`);
  }
  if (config.contexts.length === 0) throw new Usage(`kubeconfig ${file} has no contexts: is it a kubeconfig?`);
  config.users = config.users.map((user) => withTokenFile(user, text, dirname(file)));
  return config;
};

const contents = (file: string, what: string): string => {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new Usage(
      missing
        ? `${what} ${file} is not there`
        : `${what} ${file} can't be read: ${(error as NodeJS.ErrnoException).code}`,
    );
  }
};

type Written = {
  readonly users?: readonly { readonly name: string; readonly user?: { readonly tokenFile?: string } }[];
};

/** `tokenFile` is the kubeconfig's own name of it, which client-node does not know; it is read again as it is renewed. */
const withTokenFile = (user: User, text: string, folder: string): User => {
  const file = loadYaml<Written>(text).users?.find(({ name }) => name === user.name)?.user?.tokenFile;
  if (!file) return user;
  const { token: _, ...rest } = user;
  return { ...rest, authProvider: { name: 'tokenFile', config: { tokenFile: resolve(folder, file) } } };
};

const merged = (configs: readonly KubeConfig[]): KubeConfig => {
  const one = new KubeConfig();
  one.loadFromOptions({
    clusters: firstOfEach(configs.flatMap(({ clusters }) => clusters)),
    users: firstOfEach(configs.flatMap(({ users }) => users)),
    contexts: firstOfEach(configs.flatMap(({ contexts }) => contexts)),
    currentContext: configs.map(({ currentContext }) => currentContext).find(Boolean),
  });
  return one;
};

const firstOfEach = <T extends { readonly name: string }>(all: readonly T[]): T[] =>
  all.filter(({ name }, at) => all.findIndex((other) => other.name === name) === at);

const inCluster = (): KubeConfig => {
  const config = new KubeConfig();
  config.loadFromCluster();
  return config;
};

const contextOf = (config: KubeConfig, wanted: string | undefined, source: string): Context => {
  const choice = `choose one with --context: ${config.contexts.map(({ name }) => name).join(', ')}`;
  const name = wanted ?? config.currentContext;
  if (!name) throw new Usage(`kubeconfig ${source} has no current context; ${choice}`);
  const context = config.contexts.find((one) => one.name === name);
  if (!context) throw new Usage(`kubeconfig ${source} has no context '${name}'; ${choice}`);
  return context;
};

const ANONYMOUS = 'anonymous';

const narrowed = (all: KubeConfig, context: Context, source: string): KubeConfig => {
  const cluster = all.clusters.find(({ name }) => name === context.cluster);
  const user = context.user ? all.users.find(({ name }) => name === context.user) : { name: ANONYMOUS };
  const says = `kubeconfig ${source}: context '${context.name}' names`;
  if (!cluster) throw new Usage(`${says} cluster '${context.cluster}', which is not in it`);
  if (!user) throw new Usage(`${says} user '${context.user}', which is not in it`);
  const one = new KubeConfig();
  one.loadFromOptions({
    clusters: [reachable(cluster, source)],
    users: [user],
    contexts: [{ ...context, user: user.name }],
    currentContext: context.name,
  });
  return one;
};

/** client-node takes plain HTTP, as `kubectl proxy` speaks it, only with TLS verification off: there is nothing to verify. */
const reachable = (cluster: ClusterEntry, source: string): ClusterEntry => {
  const url = URL.parse(cluster.server);
  if (!url || !/^https?:$/.test(url.protocol))
    throw new Usage(`kubeconfig ${source}: server '${cluster.server}' of cluster '${cluster.name}' is no http(s) URL`);
  const plain = url.protocol === 'http:';
  return { ...cluster, server: url.href.replace(/\/+$/, ''), skipTLSVerify: plain || cluster.skipTLSVerify };
};

const mustBeCurrent = (config: KubeConfig, source: string, now: Nanos): void => {
  const user = config.getCurrentUser()!;
  const whose = `client certificate of user '${user.name}' in ${source}`;
  const until = expiry(user, whose);
  if (until !== null && until <= now) throw new Usage(`${whose} expired on ${iso(until).slice(0, 19)}Z; get a new one`);
};

const expiry = (user: User, whose: string): Nanos | null => {
  if (user.certFile) contents(user.certFile, whose);
  const pem = bufferFromFileOrString(user.certFile, user.certData);
  if (!pem) return null;
  try {
    return BigInt(new X509Certificate(pem).validToDate.getTime()) * MILLISECOND;
  } catch {
    throw new Usage(`${whose} is no PEM certificate`);
  }
};
