// Real backends in place of a target's own: what the command line and the profile name, and whether it can be used, before
// anything runs.
import { constants, existsSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { HTTP_BACKENDS, isAddress, shownUrl, trimmedUrl, urlProblem } from './access.ts';
import { flows } from './adapters.ts';
import { accessTo, mustBeReadable } from './credentials.ts';
import type { Backends } from './drill.ts';
import { oneLine, Unreachable, Usage } from './errors.ts';
import { throughGrafana } from './grafana.ts';
import { alertmanager } from './layers/alerts/adapter.ts';
import { loki } from './layers/logs/adapter.ts';
import { prometheus } from './layers/metrics/adapter.ts';
import { jaeger } from './layers/traces/adapter.ts';
import type { LayerAdapter, LayerName } from './model.ts';
import { naming } from './naming.ts';
import type { Platform } from './platform.ts';
import { RECEIVERS, type Receivers } from './targets/lab/config.ts';
import { accessesOf } from './targets/lab/gateway.ts';
import { refusal } from './targets/lab/receivers.ts';
import { MILLISECOND, systemClock } from './time.ts';

const LAYER = {
  jaeger: 'traces',
  otlp: 'traces',
  loki: 'logs',
  prometheus: 'metrics',
  alertmanager: 'alerts',
  hubble: 'flows',
} as const satisfies Record<string, LayerName>;
type Name = keyof typeof LAYER;

/** Options of the command line, as they were typed. */
export type Given = { readonly [K in Name]?: string | undefined };

/** Where layers are read in place of the lab's own, and where the lab sends what is read there. */
export type Swapped = { readonly reads: Backends; readonly receivers: Receivers };

const OTLP_PORT = 4318;
const PATIENCE_MS = 10_000;

/** Throws Usage when an option is no URL (for Hubble: neither `host:port` nor a file), or when spans would go where nobody reads them. */
export const swapped = (given: Given): Swapped => {
  const url = (name: Exclude<Name, 'hubble'>): string | null =>
    given[name] === undefined ? null : baseUrl(name, given[name]);
  const read = {
    jaeger: url('jaeger'),
    loki: url('loki'),
    prometheus: url('prometheus'),
    alertmanager: url('alertmanager'),
    hubble: flowsFrom(given.hubble),
  };
  if (given.otlp !== undefined && read.jaeger === null)
    throw new Usage(`--otlp ${shownUrl(given.otlp)}: say with --jaeger where those spans can be read`);
  const { loki, prometheus, alertmanager } = read;
  const reads = Object.fromEntries(Object.entries(read).filter(([, at]) => at !== null)) as Backends;
  return { reads, receivers: { otlp: url('otlp') ?? otlpOf(read.jaeger), loki, prometheus, alertmanager } };
};

/**
 * Where a cluster's layers are read: where the command line says, else the profile's `backends`, else through its Grafana. What the
 * profile's `kubernetes` section places is not looked for in Grafana. Throws Usage as `swapped` does, Unreachable when Grafana can't be asked.
 */
export const named = async (given: Given, { backends, kubernetes }: Platform): Promise<Backends> => {
  const { reads } = swapped(given);
  const own = HTTP_BACKENDS.flatMap((name) => (backends[name]?.url ? [[name, backends[name].url] as const] : []));
  const hubble = backends.hubble?.address;
  const known = { ...Object.fromEntries(own), ...(hubble ? { hubble } : {}), ...reads };
  const unplaced = HTTP_BACKENDS.filter((name) => !known[name] && !kubernetes.backends[name]);
  return { ...(await throughGrafana(backends, unplaced)), ...known };
};

const baseUrl = (name: Name, text: string): string => {
  const problem = urlProblem(text);
  if (problem) throw new Usage(`--${name} ${shownUrl(text)}: ${problem}`);
  return trimmedUrl(text);
};

const RECORDED = /\.(json|jsonl|ndjson)(\.gz)?$/;

const flowsFrom = (text: string | undefined): string | null => {
  if (text === undefined || isAddress(text)) return text ?? null;
  if (RECORDED.test(text) || existsSync(text)) return text;
  throw new Usage(
    `--hubble ${text}: must be host:port, such as 127.0.0.1:4245, or a file of recorded flows, such as flows.ndjson`,
  );
};

/** Jaeger takes OTLP over HTTP on a port of its own (jaegertracing.io/docs/latest/architecture/apis). */
const otlpOf = (jaegerUrl: string | null): string | null => {
  if (jaegerUrl === null) return null;
  const { protocol, hostname } = new URL(jaegerUrl);
  return `${protocol}//${hostname}:${OTLP_PORT}`;
};

/**
 * Looks once at each swapped layer, with the adapter that will read it, and makes an empty delivery to each that is sent to.
 * Throws Usage when a secret of the profile can't be read, Unreachable with one line that names each that can't be used: layer, option, URL and reason.
 */
export const mustAnswer = async ({ reads, receivers }: Swapped, platform: Platform): Promise<void> => {
  await mustBeReadable(platform.backends);
  const names = Object.keys(LAYER) as Name[];
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const told = await Promise.all(
    names.map(async (name) => {
      const url = { ...receivers, ...reads }[name];
      // A cluster's own backends are only read.
      const sent = name !== 'jaeger' && name !== 'hubble' && receivers[name] !== null;
      const why = url
        ? ((await unread(name, url, platform, signal)) ??
          (sent ? await untaken(name, receivers, platform, signal) : null))
        : null;
      return why === null ? [] : [`${LAYER[name]}: ${origin(name, platform, url!)} ${why}`];
    }),
  );
  if (told.flat().length > 0) throw new Unreachable(told.flat().join('; '));
};

/** Who named it. */
const origin = (name: Name, { backends }: Platform, at: string): string => {
  if (backends.grafana && at.startsWith(`${backends.grafana.url}/`)) return `backends.grafana, ${name} at ${at}`;
  const own = name === 'otlp' ? null : name === 'hubble' ? backends.hubble?.address : backends[name]?.url;
  return own === at ? `backends.${name} ${at}` : `--${name} ${at}`;
};

const unread = async (name: Name, url: string, platform: Platform, signal: AbortSignal): Promise<string | null> => {
  // What is still being recorded never reaches this very moment, so it is not looked at.
  if (name === 'hubble' && !isAddress(url)) return access(url, constants.R_OK).then(() => null, unreadable);
  await using adapter = reader(name, url, platform);
  const until = systemClock.now();
  const looked = await adapter?.look({ from: until - MILLISECOND, until }, signal);
  return looked?.gaps[0] ? `can't be read: ${looked.gaps[0].why}` : null;
};

const unreadable = (error: unknown): string => `can't be read: ${oneLine(error)}`;

const untaken = async (
  name: Name,
  receivers: Receivers,
  { backends }: Platform,
  signal: AbortSignal,
): Promise<string | null> => {
  const receiver = RECEIVERS.find((one) => one === name);
  const url = receiver && receivers[receiver];
  const why = url ? await refusal(receiver, url, signal, accessesOf(backends, receivers)[receiver]) : null;
  return why && `can't be sent to: ${why}`;
};

const reader = (name: Name, url: string, platform: Platform): LayerAdapter | null => {
  const { components, telemetry, backends } = platform;
  const services = Object.keys(components);
  const names = naming(services, () => new Map());
  if (name === 'otlp') return null;
  if (name === 'hubble') return flows(url, names, platform);
  const letIn = accessTo(backends, name, url);
  switch (name) {
    case 'jaeger':
      return jaeger({ url, access: letIn, naming: names, telemetry, services });
    case 'loki':
      return loki({ url, access: letIn, naming: names, telemetry });
    case 'prometheus':
      return prometheus({ url, access: letIn, naming: names, telemetry });
    case 'alertmanager':
      return alertmanager({
        prometheusUrl: null,
        alertmanagerUrl: url,
        webhookUrl: null,
        access: { prometheus: letIn, alertmanager: letIn },
        naming: names,
      });
  }
};
