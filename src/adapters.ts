// Every layer's adapter for the endpoints that a target has.
import type { Expectation } from './expect.ts';
import { alertmanager } from './layers/alerts/adapter.ts';
import { hubble } from './layers/flows/adapter.ts';
import { loki } from './layers/logs/adapter.ts';
import { prometheus } from './layers/metrics/adapter.ts';
import { packets } from './layers/packets/adapter.ts';
import { jaeger } from './layers/traces/adapter.ts';
import { instant } from './instant.ts';
import type { LayerAdapter, Nanos } from './model.ts';
import type { Naming } from './naming.ts';
import type { Platform } from './platform.ts';
import type { Endpoints } from './targets/target.ts';

export type Sources = {
  readonly endpoints: Endpoints;
  /** Where Alertmanager's webhook deliveries are kept; null: nobody keeps them. */
  readonly webhook: string | null;
  readonly capture: string | null;
  readonly naming: Naming;
  readonly platform: Platform;
};

/** One adapter for each layer that is there. */
export const adapters = ({ endpoints, webhook, capture, naming, platform }: Sources): LayerAdapter[] => {
  const { telemetry } = platform;
  const services = Object.keys(platform.components);
  return [
    ...(endpoints.jaeger ? [jaeger({ url: endpoints.jaeger, naming, telemetry, services })] : []),
    ...(endpoints.prometheus ? [prometheus({ url: endpoints.prometheus, naming, telemetry })] : []),
    ...(endpoints.prometheus && endpoints.alertmanager ? [alertmanager({ prometheusUrl: endpoints.prometheus, alertmanagerUrl: endpoints.alertmanager, webhookUrl: webhook, naming })] : []),
    ...(endpoints.loki ? [loki({ url: endpoints.loki, naming, telemetry })] : []),
    ...(endpoints.hubble ? [hubble({ address: endpoints.hubble, naming })] : []),
    ...(capture ? [packets({ file: capture, naming })] : []),
  ];
};

/** A scenario's own PromQL and LogQL, to be asked at every look. */
export const questions = (also: readonly Expectation[], endpoints: Endpoints) =>
  also.flatMap((one, expectation) => {
    if (!('bound' in one)) return [];
    const ask = (at: Nanos): Promise<number | null> => instant(one.kind, one.kind === 'promql' ? endpoints.prometheus : endpoints.loki, one.query, at);
    return [{ expectation, query: one.query, ask }];
  });
