// The section of a platform's profile that says where its layers' backends are and who may ask them, as data. Secrets are named
// there by a file or an environment variable; their values are never written in it.
import { z } from 'zod';

const URL_WANTED = 'must be an http or https URL without a query, such as http://127.0.0.1:3100';

/** What keeps a text from being the base URL of a backend, or null. A user or password in it would show in every query's URL. */
export const urlProblem = (text: string): string | null => {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol) || url.search || url.hash) return URL_WANTED;
  if (url.username || url.password)
    return 'must not carry a user or password: say them in basicAuth of the profile’s backends section';
  return null;
};

/** The text without what may be a secret in it: a user, a password, a query. */
export const shownUrl = (text: string): string => text.replace(/\/\/[^/?#]*@/, '//…@').replace(/[?#].*$/s, '?…');

/** `http://jaeger.example/base/` becomes `http://jaeger.example/base`. */
export const trimmedUrl = (text: string): string => new URL(text).href.replace(/\/+$/, '');

/** `host:port` of a Hubble; anything else is the path of a file with recorded flows. */
export const isAddress = (text: string): boolean => /^[^/\s]+:\d+$/.test(text);

const url = z
  .string()
  .superRefine((text, context) => {
    const problem = urlProblem(text);
    if (problem) context.addIssue(problem);
  })
  .overwrite((text) => (URL.canParse(text) ? trimmedUrl(text) : text));
const file = z.string().min(1);
const variable = z.string().regex(/^[A-Za-z_]\w*$/, 'must be the name of an environment variable');
/** Visible ASCII: what every server and proxy takes in a header. */
const headerText = z.string().regex(/^[\x20-\x7e]+$/, 'must be of visible ASCII characters');

const secret = z.union([z.strictObject({ file }), z.strictObject({ env: variable })], {
  error: 'must be { file: … } or { env: … }',
});
const header = z.union([headerText, secret], { error: 'must be a text, { file: … } or { env: … }' });
const SECRET_HEADER = /auth|cookie|token|secret|passw|api-?key/i;

const headerProblem = (name: string, value: unknown): string | null => {
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) return 'is not the name of a header';
  return typeof value === 'string' && SECRET_HEADER.test(name)
    ? 'a secret is not written in a profile: { file: … } or { env: … } says where it is'
    : null;
};

const headers = z
  .record(z.string(), header)
  .superRefine((all, context) => {
    for (const [name, value] of Object.entries(all)) {
      const message = headerProblem(name, value);
      if (message) context.addIssue({ code: 'custom', path: [name], message });
    }
  })
  .default({});

type Unfit = z.core.$ZodRawIssue<z.core.$ZodIssueUnrecognizedKeys | z.core.$ZodIssueInvalidType>;

/** Keys that are not known; one that looks as if it held a secret is told where secrets are. */
const unwritten = (issue: Unfit): string | undefined => {
  if (issue.code !== 'unrecognized_keys') return undefined;
  const hint = issue.keys.some((key) => /token|password|secret|credential/i.test(key))
    ? '; secrets are named by a file or an environment variable, as in bearerTokenFile or passwordEnv'
    : '';
  return `has no ${issue.keys.join(', ')}${hint}`;
};

const basicAuth = z
  .strictObject(
    { user: z.string().min(1), passwordFile: file.optional(), passwordEnv: variable.optional() },
    { error: unwritten },
  )
  .refine(
    (it) => (it.passwordFile === undefined) !== (it.passwordEnv === undefined),
    'needs one of passwordFile and passwordEnv',
  );

/** PEM files. */
const tls = {
  /** Certificates of the authorities that sign the server's; default: those that Node trusts. */
  caFile: file.optional(),
  /** The client's own certificate and its key, for a server that demands one. */
  certFile: file.optional(),
  keyFile: file.optional(),
  /** The name in the server's certificate, when its URL has another one. */
  serverName: z.string().min(1).optional(),
};

const client = {
  headers,
  bearerTokenFile: file.optional(),
  bearerTokenEnv: variable.optional(),
  basicAuth: basicAuth.optional(),
  ...tls,
};

type Given = { readonly [key: string]: unknown };

const consistent = (it: Given, context: z.RefinementCtx): void => {
  const ways = ['bearerTokenFile', 'bearerTokenEnv', 'basicAuth'].filter((one) => it[one] !== undefined);
  if (ways.length > 1) context.addIssue(`has ${ways.join(' and ')}: keep one of them`);
  if ((it.certFile === undefined) !== (it.keyFile === undefined)) context.addIssue('certFile and keyFile go together');
};

const backend = z
  .strictObject(
    {
      /** Base URL, with its path prefix if it has one; what the command line says goes before it. */
      url: url.optional(),
      /** Of its datasource in Grafana; default: the only one of its type. */
      uid: z
        .string()
        .regex(/^[\w-]+$/, 'must be the uid of a datasource')
        .optional(),
      /** Sent as `x-tenant` to Jaeger, as `X-Scope-OrgID` to the others. */
      tenant: headerText.optional(),
      ...client,
    },
    { error: unwritten },
  )
  .superRefine(consistent);

const grafana = z.strictObject({ url, ...client }, { error: unwritten }).superRefine(consistent);

const hubble = z.strictObject(
  {
    address: z.string().refine(isAddress, 'must be host:port, such as hubble-relay.example:443').optional(),
    tls: z
      .strictObject({ ...tls, caFile: file }, { error: unwritten })
      .superRefine(consistent)
      .optional(),
  },
  { error: unwritten },
);

/**
 * Where the layers' backends are and how they are asked. `grafana`: one that has no `url` is asked through Grafana's datasource
 * proxy, with Grafana's credential. Names follow Prometheus's http_client_config
 * (prometheus.io/docs/prometheus/latest/configuration/configuration).
 */
export const backendsSection = z.strictObject({
  jaeger: backend.optional(),
  prometheus: backend.optional(),
  alertmanager: backend.optional(),
  loki: backend.optional(),
  hubble: hubble.optional(),
  grafana: grafana.optional(),
});

export type BackendsSection = z.output<typeof backendsSection>;
/** Backends that are asked over HTTP. */
export const HTTP_BACKENDS = ['jaeger', 'prometheus', 'alertmanager', 'loki'] as const;
export type HttpBackend = (typeof HTTP_BACKENDS)[number];
export type BackendSection = z.output<typeof backend>;
export type GrafanaSection = z.output<typeof grafana>;
export type HubbleSection = z.output<typeof hubble>;
/** What is sent along with a question, and the TLS that it is sent over. */
export type ClientSection = Omit<GrafanaSection, 'url'>;
export type TlsSection = Pick<ClientSection, keyof typeof tls>;
/** Where a secret is. */
export type Secret = z.output<typeof secret>;
