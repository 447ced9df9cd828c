// Real backends in place of the lab's own: what the command line names, and whether it can be used, before anything runs.
import type { Backends } from './drill.ts';
import { Unreachable, Usage } from './errors.ts';
import { alertmanager } from './layers/alerts/adapter.ts';
import { hubble } from './layers/flows/adapter.ts';
import { loki } from './layers/logs/adapter.ts';
import { prometheus } from './layers/metrics/adapter.ts';
import { jaeger } from './layers/traces/adapter.ts';
import type { LayerAdapter, LayerName } from './model.ts';
import { naming } from './naming.ts';
import type { Platform } from './platform.ts';
import { RECEIVERS, type Receivers } from './targets/lab/config.ts';
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

/** Throws Usage when an option is no URL (for Hubble: no `host:port`), or when spans would go where nobody reads them. */
export const swapped = (given: Given): Swapped => {
  const url = (name: Exclude<Name, 'hubble'>): string | null =>
    given[name] === undefined ? null : baseUrl(name, given[name]);
  const read = {
    jaeger: url('jaeger'),
    loki: url('loki'),
    prometheus: url('prometheus'),
    alertmanager: url('alertmanager'),
    hubble: hostAndPort(given.hubble),
  };
  if (given.otlp !== undefined && read.jaeger === null)
    throw new Usage(`--otlp ${given.otlp}: say with --jaeger where those spans can be read`);
  const { loki, prometheus, alertmanager } = read;
  const reads = Object.fromEntries(Object.entries(read).filter(([, at]) => at !== null)) as Backends;
  return { reads, receivers: { otlp: url('otlp') ?? otlpOf(read.jaeger), loki, prometheus, alertmanager } };
};

const baseUrl = (name: Name, text: string): string => {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol) || url.search || url.hash)
    throw new Usage(`--${name} ${text}: must be an http or https URL without a query, such as http://127.0.0.1:3100`);
  return url.href.replace(/\/+$/, '');
};

const hostAndPort = (text: string | undefined): string | null => {
  if (text !== undefined && !/^[^/\s]+:\d+$/.test(text))
    throw new Usage(`--hubble ${text}: must be host:port, such as 127.0.0.1:4245`);
  return text ?? null;
};

/** Jaeger takes OTLP over HTTP on a port of its own (jaegertracing.io/docs/latest/architecture/apis). */
const otlpOf = (jaegerUrl: string | null): string | null => {
  if (jaegerUrl === null) return null;
  const { protocol, hostname } = new URL(jaegerUrl);
  return `${protocol}//${hostname}:${OTLP_PORT}`;
};

/**
 * Looks once at each swapped layer, with the adapter that will read it, and makes an empty delivery to each that is sent to.
 * Throws Unreachable with one line that names each that can't be used: layer, option, URL and reason.
 */
export const mustAnswer = async ({ reads, receivers }: Swapped, platform: Platform): Promise<void> => {
  const names = Object.keys(LAYER) as Name[];
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const told = await Promise.all(
    names.map(async (name) => {
      const url = { ...receivers, ...reads }[name];
      // A cluster's own backends are only read.
      const sent = name !== 'jaeger' && name !== 'hubble' && receivers[name] !== null;
      const why = url
        ? ((await unread(name, url, platform, signal)) ?? (sent ? await untaken(name, url, signal) : null))
        : null;
      return why === null ? [] : [`${LAYER[name]}: --${name} ${url} ${why}`];
    }),
  );
  if (told.flat().length > 0) throw new Unreachable(told.flat().join('; '));
};

const unread = async (name: Name, url: string, platform: Platform, signal: AbortSignal): Promise<string | null> => {
  await using adapter = reader(name, url, platform);
  const until = systemClock.now();
  const looked = await adapter?.look({ from: until - MILLISECOND, until }, signal);
  return looked?.gaps[0] ? `can't be read: ${looked.gaps[0].why}` : null;
};

const untaken = async (name: Name, url: string, signal: AbortSignal): Promise<string | null> => {
  const receiver = RECEIVERS.find((one) => one === name);
  const why = receiver ? await refusal(receiver, url, signal) : null;
  return why && `can't be sent to: ${why}`;
};

const reader = (name: Name, url: string, { components, telemetry }: Platform): LayerAdapter | null => {
  const services = Object.keys(components);
  const names = naming(services, () => new Map());
  switch (name) {
    case 'jaeger':
      return jaeger({ url, naming: names, telemetry, services });
    case 'loki':
      return loki({ url, naming: names, telemetry });
    case 'prometheus':
      return prometheus({ url, naming: names, telemetry });
    case 'alertmanager':
      return alertmanager({ prometheusUrl: null, alertmanagerUrl: url, webhookUrl: null, naming: names });
    case 'hubble':
      return hubble({ address: url, naming: names });
    case 'otlp':
      return null;
  }
};
