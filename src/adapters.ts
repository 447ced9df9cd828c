// Every layer's adapter for the endpoints that a target has, each with the credentials that the profile names for it.
import { type HttpBackend, isAddress } from './access.ts';
import { type Access, accessTo, pemOf } from './credentials.ts';
import { oneLine } from './errors.ts';
import { type Expectation, type Guard, meets } from './expect.ts';
import { instant } from './instant.ts';
import { alertmanager } from './layers/alerts/adapter.ts';
import { hubble } from './layers/flows/adapter.ts';
import { recordedFlows } from './layers/flows/recorded.ts';
import { loki } from './layers/logs/adapter.ts';
import { prometheus } from './layers/metrics/adapter.ts';
import { packets } from './layers/packets/adapter.ts';
import { jaeger } from './layers/traces/adapter.ts';
import type { LayerAdapter, Nanos } from './model.ts';
import type { Naming } from './naming.ts';
import type { Platform } from './platform.ts';
import type { Endpoints } from './targets/target.ts';
import type { Clock } from './time.ts';

export type Sources = {
  readonly endpoints: Endpoints;
  /** Where Alertmanager's webhook deliveries are kept; null: nobody keeps them. */
  readonly webhook: string | null;
  readonly capture: string | null;
  readonly naming: Naming;
  readonly platform: Platform;
};

/** One adapter for each layer that is there. Throws Usage when a certificate or key of the profile can't be used. */
export const adapters = ({ endpoints, webhook, capture, naming, platform }: Sources): LayerAdapter[] => {
  const { telemetry } = platform;
  const services = Object.keys(platform.components);
  const at = (name: HttpBackend): Source | null =>
    endpoints[name] === null
      ? null
      : { url: endpoints[name], access: accessTo(platform.backends, name, endpoints[name]) };
  const [traces, metrics, alerts, logs] = [at('jaeger'), at('prometheus'), at('alertmanager'), at('loki')];
  return [
    ...(traces ? [jaeger({ ...traces, naming, telemetry, services })] : []),
    ...(metrics ? [prometheus({ ...metrics, naming, telemetry })] : []),
    ...(metrics && alerts
      ? [
          alertmanager({
            prometheusUrl: metrics.url,
            alertmanagerUrl: alerts.url,
            webhookUrl: webhook,
            access: { prometheus: metrics.access, alertmanager: alerts.access },
            naming,
          }),
        ]
      : []),
    ...(logs ? [loki({ ...logs, naming, telemetry })] : []),
    ...(endpoints.hubble ? [flows(endpoints.hubble, naming, platform)] : []),
    ...(capture ? [packets({ file: capture, naming })] : []),
  ];
};

type Source = { readonly url: string; readonly access: Access };

/** Flows of a Hubble at `host:port`, or out of a file in which they were recorded. */
export const flows = (from: string, naming: Naming, { backends }: Platform): LayerAdapter => {
  if (!isAddress(from)) return recordedFlows({ file: from, naming });
  const section = backends.hubble?.tls;
  if (!section) return hubble({ address: from, naming });
  const { ca = '', ...pem } = pemOf('backends.hubble.tls', section);
  return hubble({ address: from, naming, tls: { ca, ...pem } });
};

/** A scenario's own PromQL and LogQL, to be asked at every look. */
export const questions = (also: readonly Expectation[], endpoints: Endpoints, platform: Platform) =>
  also.flatMap((one, expectation) => {
    if (!('bound' in one)) return [];
    const asked = asker(one.kind, endpoints, platform);
    return [{ expectation, query: one.query, ask: (at: Nanos) => asked(one.query, at) }];
  });

/** Why the hold must end: the scenario's guard holds, or can't be asked. Null while neither is so. */
export const guardOf = (guard: Guard, endpoints: Endpoints, platform: Platform, clock: Clock) => {
  const asked = asker(guard.kind, endpoints, platform);
  return async (): Promise<string | null> => {
    try {
      const value = await asked(guard.query, clock.now());
      return meets(guard.bound, value) ? `${guard.query} is ${value}` : null;
    } catch (error) {
      return `the abort condition could not be asked: ${oneLine(error)}`;
    }
  };
};

const asker = (kind: Guard['kind'], endpoints: Endpoints, { backends }: Platform) => {
  const name = kind === 'promql' ? 'prometheus' : 'loki';
  const base = endpoints[name];
  const access = base === null ? undefined : accessTo(backends, name, base);
  return (query: string, at: Nanos): Promise<number | null> => instant(kind, base, query, at, access);
};
