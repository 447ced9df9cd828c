// Spans, by OpenTelemetry's SDK and over OTLP/HTTP, named by the stable HTTP semantic conventions
// (https://opentelemetry.io/docs/specs/semconv/http/http-spans/).
import {
  type Attributes,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base';
import type { Telemetry } from '../../../platform.ts';
import type { Carried } from './carried.ts';
import type { PodConfig } from './config.ts';

/** A request to another component: `route` is the endpoint's pattern, `path` what is asked for. */
export type Target = {
  readonly method: string;
  readonly route: string;
  readonly path: string;
  readonly to: string;
  readonly port: number;
};

export type Tracing = {
  /** A request being served: child of whoever sent it. */
  serving(asked: { method: string; route: string; path: string }, by: Carried): Span;
  /** Work that nobody asked for. */
  ticking(request: string, by: Carried): Span;
  /** A request being made to another component, on behalf of `within`. */
  calling(target: Target, within: Span): Span;
  /** Sends what is left. Never rejects; takes at most the exporter's timeout. */
  flush(): Promise<void>;
};

/** With the time to finish requests, less than the three seconds that whoever stops a pod gives it. */
const EXPORT_MS = 1500;

export const startTracing = (config: PodConfig): Tracing => {
  const exporter = new OTLPTraceExporter({ url: `${config.otlp}/v1/traces`, timeoutMillis: EXPORT_MS });
  const processor = new BatchSpanProcessor(exporter, {
    scheduledDelayMillis: 500,
    // The SDK's own 2048 silently loses spans when requests pile up, which is just when they matter.
    maxQueueSize: 16_384,
    exportTimeoutMillis: EXPORT_MS,
  });
  const provider = new BasicTracerProvider({ resource: resource(config), spanProcessors: [processor] });
  return {
    ...spans(provider.getTracer('firedrill-lab'), config.platform.telemetry.traces, config.port),
    flush: () => provider.shutdown().catch(() => {}),
  };
};

const resource = ({ service, pod, uid, platform }: PodConfig) =>
  resourceFromAttributes({
    'service.name': service,
    'service.namespace': platform.name,
    'service.instance.id': pod,
    'k8s.pod.name': pod,
    'k8s.pod.uid': uid,
  });

const spans = (tracer: Tracer, names: Telemetry['traces'], port: number): Omit<Tracing, 'flush'> => ({
  serving: ({ method, route, path }, by) =>
    tracer.startSpan(
      `${method} ${route}`,
      {
        kind: SpanKind.SERVER,
        attributes: { ...http(method), 'url.path': path, 'http.route': route, 'server.port': port, ...who(names, by) },
      },
      by.parent,
    ),
  ticking: (request, by) => tracer.startSpan(`tick ${request}`, { attributes: who(names, by) }, by.parent),
  calling: ({ method, route, path, to, port }, within) =>
    tracer.startSpan(
      `${method} ${route}`,
      {
        kind: SpanKind.CLIENT,
        attributes: {
          ...http(method),
          'url.full': `http://${to}:${port}${path}`,
          'url.template': route,
          'server.address': to,
          'server.port': port,
        },
      },
      trace.setSpan(ROOT_CONTEXT, within),
    ),
});

const http = (method: string): Attributes => ({ 'http.request.method': method, 'url.scheme': 'http' });

const who = (names: Telemetry['traces'], by: Carried): Attributes => ({
  'http.request.header.x-request-id': [by.requestId],
  ...(by.user ? { [names.user]: by.user } : {}),
  ...(by.session ? { [names.session]: by.session } : {}),
});

/** Ends a span with the answer's status, or with what kept the answer away. */
export const endSpan = (span: Span, status: number | null, error: string | null, errorType = String(status)): void => {
  if (status !== null) span.setAttribute('http.response.status_code', status);
  if (error !== null)
    span.setAttribute('error.type', errorType).setStatus({ code: SpanStatusCode.ERROR, message: error });
  span.end();
};
