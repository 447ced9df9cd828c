// What a platform is, as data: its components, what they call, how its users behave and what its telemetry is named.
// The lab plays it; the adapters read their names from it.
import { z } from 'zod';
import { backendsSection, urlProblem } from './access.ts';
import { shown, Usage } from './errors.ts';
import type { Duration, Edge, Topology } from './model.ts';

const name = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, 'must be a DNS label: lower case letters, digits and dashes');
const duration = z.custom<Duration>(
  (value) => typeof value === 'string' && /^\d+(\.\d+)?(ms|s|m|h)$/.test(value),
  'must be a duration such as 250ms or 2s',
);
const share = z.number().min(0).max(1);
/** `GET /orders/:id`: a method and a path; parts that begin with a colon match anything. */
const request = z
  .string()
  .regex(/^(GET|POST|PUT|PATCH|DELETE) \/\S*$/, "must be a method and a path, such as 'POST /orders'");

const call = z.strictObject({
  to: name,
  request,
  /** The caller gives up after this long; default 1s. */
  deadline: duration.default('1s'),
  /** Further attempts after one that failed without an answer; default 0. */
  retries: z.int().min(0).max(5).default(0),
  /** The share of requests that make this call at all; default 1. */
  share: share.default(1),
  /** A failure of this call does not fail the request that made it; default false. */
  optional: z.boolean().default(false),
});

const endpoint = z.strictObject({
  /** Time of its own work: the median; the spread is log-normal. */
  work: duration,
  /** The 99th percentile of that work; default three times the median. */
  p99: duration.optional(),
  /** Calls that it makes, one after the other. */
  calls: z.array(call).default([]),
  /** The share of requests that fail without any fault, with a 500; default 0. */
  errors: share.default(0),
  /** Extra fields of the answer's JSON body. */
  answers: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])).default({}),
});

const component = z.strictObject({
  pods: z.int().min(1).max(9).default(1),
  port: z.int().min(1).max(65535).default(8080),
  endpoints: z.record(request, endpoint),
  /** Work that it does by itself, without being asked: an endpoint of its own, run every so often. */
  ticks: z.array(z.strictObject({ every: duration, request })).default([]),
});

const step = z.strictObject({
  request,
  /** Time after the journey's start at which this step is due. */
  at: duration,
  /** JSON body; `{user}`, `{session}`, `{order}` and `{n}` are filled in. */
  body: z.record(z.string(), z.union([z.string(), z.number()])).optional(),
});

const telemetry = z.strictObject({
  metrics: z
    .strictObject({
      /** Counter of requests served. */
      requests: z.string().default('http_requests_total'),
      /** Histogram of serving time, without its _bucket, _sum and _count. */
      duration: z.string().default('http_request_duration_seconds'),
      /** Counter and histogram of requests made to others; null when the platform has none. */
      clientRequests: z.string().nullable().default('http_client_requests_total'),
      clientDuration: z.string().nullable().default('http_client_request_duration_seconds'),
      unit: z.enum(['seconds', 'milliseconds']).default('seconds'),
      labels: z
        .strictObject({
          service: z.string().default('service'),
          pod: z.string().default('pod'),
          peer: z.string().default('peer'),
          method: z.string().default('method'),
          path: z.string().default('path'),
          status: z.string().default('status'),
        })
        .prefault({}),
    })
    .prefault({}),
  logs: z
    .strictObject({
      /** Stream labels. */
      service: z.string().default('service'),
      pod: z.string().default('pod'),
      /** `json` lines or `logfmt` lines. */
      format: z.enum(['json', 'logfmt']).default('json'),
      /** Names of the fields inside of a line. */
      fields: z
        .strictObject({
          timestamp: z.string().default('timestamp'),
          level: z.string().default('level'),
          service: z.string().default('service'),
          requestId: z.string().default('request_id'),
          username: z.string().default('username'),
          message: z.string().default('message'),
          context: z.string().default('context'),
        })
        .prefault({}),
      /** From a line's being written to its being found, outside of the lab; default: what the usual shippers take. */
      shippingDelay: duration.optional(),
    })
    .prefault({}),
  traces: z
    .strictObject({
      /** From a span's end to its being found, outside of the lab; default: OpenTelemetry's own batch delay. */
      exportDelay: duration.optional(),
      user: z.string().default('user.id'),
      session: z.string().default('session.id'),
      /** Attributes of a client span that may name whom it called, the best first. */
      peer: z.array(z.string()).default(['peer.service', 'server.address', 'net.peer.name', 'http.host']),
    })
    .prefault({}),
});

const alert = z.strictObject({
  name: z.string(),
  /** PromQL. */
  expr: z.string(),
  for: duration.default('0s'),
  severity: z.enum(['critical', 'warning', 'info']).default('warning'),
  labels: z.record(z.string(), z.string()).default({}),
  summary: z.string().default(''),
});

const labels = z.record(z.string().min(1), z.string().min(1));
/** `http://jaeger.example:16686`, or `jaeger.observability:16686`: a Service, its namespace and its port. */
const place = z
  .string()
  .regex(/^(https?:\/\/\S+|[a-z0-9-]+\.[a-z0-9-]+:\d+)$/, 'must be a URL or service.namespace:port')
  .superRefine((text, context) => {
    const problem = text.includes('://') ? urlProblem(text) : null;
    if (problem) context.addIssue(problem);
  });

/** Where the platform is found in a cluster. What is not said is guessed by the ecosystem's conventions. */
const kubernetes = z.strictObject({
  /** Where its pods are; default: the platform's name. */
  namespace: name.optional(),
  /** The pods' label whose value is the component's name. */
  label: z.string().default('app.kubernetes.io/name'),
  /** Components that are found in another way. */
  components: z
    .record(
      name,
      z.strictObject({
        namespace: name.optional(),
        /** Labels that all of its pods have, and no other pods. */
        labels: labels.optional(),
        /** The Service that leads to it; default: the component's name. */
        service: name.optional(),
        /** The port that its pods listen on; default: the component's. */
        port: z.int().min(1).max(65535).optional(),
      }),
    )
    .default({}),
  /** Layers' backends; one that is not named is looked for in `observability` by its usual name and port. */
  backends: z
    .strictObject({
      jaeger: place.optional(),
      prometheus: place.optional(),
      alertmanager: place.optional(),
      loki: place.optional(),
      hubble: place.optional(),
    })
    .prefault({}),
  /** Namespaces of whoever observes the platform: an isolated component may still talk with them, and they with it. */
  observability: z.array(name).default(['observability', 'monitoring']),
  /** URL where users come in (an ingress); default: a port-forward to the entry component. */
  entry: z.url().optional(),
});

const schema = z.strictObject({
  name,
  /** The component where users come in. */
  entry: name,
  components: z.record(name, component),
  journeys: z.record(z.string(), z.array(step).min(1)),
  telemetry: telemetry.prefault({}),
  kubernetes: kubernetes.prefault({}),
  /** Backends of one's own, and who may ask them; the lab has its own unless the command line names others. */
  backends: backendsSection.prefault({}),
  /** Recording rules and alerts that the lab's Prometheus evaluates. */
  recording: z.array(z.strictObject({ record: z.string(), expr: z.string() })).default([]),
  alerts: z.array(alert).default([]),
});

export type Platform = z.output<typeof schema>;
export type PlatformProfile = z.input<typeof schema>;
export type ComponentProfile = Platform['components'][string];
export type EndpointProfile = ComponentProfile['endpoints'][string];
export type CallProfile = EndpointProfile['calls'][number];
export type Telemetry = Platform['telemetry'];

/**
 * Checks a profile and fills in its defaults. Throws Usage with every problem, each with its place, among them calls to a
 * component or an endpoint that isn't there.
 */
export const platform = (profile: PlatformProfile): Platform => {
  const parsed = schema.safeParse(profile);
  if (!parsed.success)
    throw new Usage(`platform ${shown((profile as { name?: unknown })?.name ?? '?')}: ${problems(parsed.error)}`);
  const loose = danglingCalls(parsed.data);
  if (loose.length > 0) throw new Usage(`platform ${shown(parsed.data.name)}: ${loose.join('; ')}`);
  return parsed.data;
};

/** All of zod's issues on one line, each with its path; `whole` names what has no path. */
export const problems = (error: z.ZodError, whole = 'profile'): string =>
  error.issues.map((issue) => `${issue.path.join('.') || whole}: ${issue.message}`).join('; ');

const namedTwice = ({ kubernetes, backends }: Platform): string[] =>
  Object.keys(kubernetes.backends).flatMap((name) => {
    const { url, address } = (backends[name as keyof typeof backends] ?? {}) as { url?: string; address?: string };
    if (url === undefined && address === undefined) return [];
    return [`backends.${name} and kubernetes.backends.${name} both say where it is: keep one of them`];
  });

const danglingCalls = (it: Platform): string[] => {
  const loose: string[] = namedTwice(it);
  for (const one of Object.keys(it.kubernetes.components))
    if (!it.components[one]) loose.push(`kubernetes.components names '${one}', which is not one of its components`);
  if (!it.components[it.entry]) loose.push(`entry '${it.entry}' is not one of its components`);
  for (const [from, one] of Object.entries(it.components)) {
    for (const { request: wanted } of one.ticks)
      if (!one.endpoints[wanted]) loose.push(`${from} ticks '${wanted}', which it does not have`);
    for (const [at, { calls }] of Object.entries(one.endpoints)) {
      for (const { to, request: wanted } of calls) {
        const callee = it.components[to];
        if (!callee) loose.push(`${from} ${at} calls '${to}', which is not one of its components`);
        else if (!callee.endpoints[wanted]) loose.push(`${from} ${at} calls '${wanted}', which ${to} does not have`);
      }
    }
  }
  return loose;
};

/** Names and edges of a platform, as the analyzers see it. */
export const topology = (it: Platform): Topology => {
  const edges = new Map<string, Edge>();
  for (const [from, one] of Object.entries(it.components)) {
    for (const { calls } of Object.values(one.endpoints)) {
      for (const { to } of calls) edges.set(`${from}->${to}`, { from, to });
    }
  }
  return { entry: it.entry, components: Object.keys(it.components), edges: [...edges.values()] };
};
