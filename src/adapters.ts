// Every layer's adapter for the endpoints that a target has.
import { oneLine } from './errors.ts';
import { type Expectation, type Guard, meets } from './expect.ts';
import { instant } from './instant.ts';
import { alertmanager } from './layers/alerts/adapter.ts';
import { hubble } from './layers/flows/adapter.ts';
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

/** One adapter for each layer that is there. */
export const adapters = ({ endpoints, webhook, capture, naming, platform }: Sources): LayerAdapter[] => {
  const { telemetry } = platform;
  const services = Object.keys(platform.components);
  return [
    ...(endpoints.jaeger ? [jaeger({ url: endpoints.jaeger, naming, telemetry, services })] : []),
    ...(endpoints.prometheus ? [prometheus({ url: endpoints.prometheus, naming, telemetry })] : []),
    ...(endpoints.prometheus && endpoints.alertmanager
      ? [
          alertmanager({
            prometheusUrl: endpoints.prometheus,
            alertmanagerUrl: endpoints.alertmanager,
            webhookUrl: webhook,
            naming,
          }),
        ]
      : []),
    ...(endpoints.loki ? [loki({ url: endpoints.loki, naming, telemetry })] : []),
    ...(endpoints.hubble ? [hubble({ address: endpoints.hubble, naming })] : []),
    ...(capture ? [packets({ file: capture, naming })] : []),
  ];
};

/** A scenario's own PromQL and LogQL, to be asked at every look. */
export const questions = (also: readonly Expectation[], endpoints: Endpoints) =>
  also.flatMap((one, expectation) => {
    if (!('bound' in one)) return [];
    const ask = (at: Nanos): Promise<number | null> =>
      instant(one.kind, one.kind === 'promql' ? endpoints.prometheus : endpoints.loki, one.query, at);
    return [{ expectation, query: one.query, ask }];
  });

/** Why the hold must end: the scenario's guard holds, or can't be asked. Null while neither is so. */
export const guardOf = (guard: Guard, endpoints: Endpoints, clock: Clock) => async (): Promise<string | null> => {
  const base = guard.kind === 'promql' ? endpoints.prometheus : endpoints.loki;
  try {
    const value = await instant(guard.kind, base, guard.query, clock.now());
    return meets(guard.bound, value) ? `${guard.query} is ${value}` : null;
  } catch (error) {
    return `the abort condition could not be asked: ${oneLine(error)}`;
  }
};
