// From the profile's backends section to what a request carries: headers, a client certificate, the authorities to trust.
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import { Agent, type Dispatcher } from 'undici';
import type { BackendsSection, ClientSection, HttpBackend, Secret, TlsSection } from './access.ts';
import { oneLine, Unreachable, Usage } from './errors.ts';

/** How a backend is asked. */
export type Access = {
  /** The profile's section that says it, such as `backends.loki`. */
  readonly where: string;
  /** What is shown to be let in, in words and without its value, such as `the bearer token from $TOKEN`; null: nothing. */
  readonly credential: string | null;
  /** Speaks the section's TLS; undefined: the usual one. */
  readonly dispatcher: Dispatcher | undefined;
  /** For a request of this moment, as secrets may be renewed. Throws Unreachable when one can't be read. */
  sent(): Promise<Sent>;
};

/** Headers, and the texts in them that nobody is to see. */
export type Sent = { readonly headers: Readonly<Record<string, string>>; readonly secrets: readonly string[] };

type Part = { readonly name: string; readonly value: string; readonly secrets: readonly string[] };

/** Nothing is known of the backend but its URL. */
export const ANYBODY: Access = {
  where: 'backends',
  credential: null,
  dispatcher: undefined,
  sent: async () => ({ headers: {}, secrets: [] }),
};

/** A text without the secrets that were sent. */
export const hiding =
  ({ secrets }: Pick<Sent, 'secrets'>) =>
  (text: string): string =>
    secrets.reduce((shown, one) => shown.replaceAll(one, '…'), text);

/** The same access, with these headers besides. */
export const withHeaders = (access: Access, more: Readonly<Record<string, string>>): Access => ({
  ...access,
  sent: async () => {
    const { headers, secrets } = await access.sent();
    return { headers: { ...headers, ...more }, secrets };
  },
});

const PROXY = '/api/datasources/proxy/uid/';

/** Base URL under which Grafana passes questions on to a datasource (grafana.com/docs, "Data source API", proxy calls). */
export const proxyUrl = (grafanaUrl: string, uid: string): string => `${grafanaUrl}${PROXY}${uid}`;

/**
 * How the backend at base URL `url` is asked: with its own section, or, when the URL leads through Grafana's proxy, with Grafana's
 * credential and TLS and the backend's own tenant and headers. Throws Usage when a certificate or key can't be used.
 */
export const accessTo = (backends: BackendsSection, name: HttpBackend, url: string): Access => {
  const { grafana } = backends;
  const { tenant, ...own } = backends[name] ?? { tenant: undefined, headers: {} };
  const tenants = tenant === undefined ? {} : { [name === 'jaeger' ? 'x-tenant' : 'x-scope-orgid']: tenant };
  const mine = { ...tenants, ...own.headers };
  if (grafana && url.startsWith(`${grafana.url}${PROXY}`))
    return access('backends.grafana', { ...grafana, headers: { ...mine, ...grafana.headers } });
  return access(`backends.${name}`, { ...own, headers: mine });
};

/** Throws Usage when a certificate or key can't be used. */
export const access = (where: string, client: ClientSection): Access => ({
  where,
  credential: inWords(client),
  dispatcher: dispatcherOf(where, client),
  sent: async () => {
    const parts = await Promise.all([authorization(where, client), ...headersOf(where, client)]);
    const there = parts.filter((part) => part !== null);
    return {
      headers: Object.fromEntries(there.map(({ name, value }) => [name, value])),
      secrets: there.flatMap(({ secrets }) => secrets),
    };
  },
});

const inWords = ({ bearerTokenFile, bearerTokenEnv, basicAuth, headers, certFile }: ClientSection): string | null => {
  const secret = Object.entries(headers).filter(([, value]) => typeof value !== 'string');
  const shown = [
    ...(bearerTokenFile !== undefined ? [`the bearer token in ${bearerTokenFile}`] : []),
    ...(bearerTokenEnv !== undefined ? [`the bearer token from $${bearerTokenEnv}`] : []),
    ...(basicAuth ? [`user ${basicAuth.user} and a password`] : []),
    ...secret.map(([name]) => `the header ${name}`),
    ...(certFile !== undefined ? [`the certificate in ${certFile}`] : []),
  ];
  return shown.length > 0 ? shown.join(' and ') : null;
};

const authorization = async (
  where: string,
  { bearerTokenFile, bearerTokenEnv, basicAuth }: ClientSection,
): Promise<Part | null> => {
  if (bearerTokenFile !== undefined) return bearer(await secretText({ file: bearerTokenFile }, where));
  if (bearerTokenEnv !== undefined) return bearer(await secretText({ env: bearerTokenEnv }, where));
  if (!basicAuth) return null;
  const { user, passwordFile, passwordEnv } = basicAuth;
  const at = passwordFile !== undefined ? { file: passwordFile } : { env: passwordEnv! };
  const password = await read(at, where);
  const encoded = Buffer.from(`${user}:${password}`).toString('base64');
  return { name: 'authorization', value: `Basic ${encoded}`, secrets: [password, encoded] };
};

const bearer = (token: string): Part => ({ name: 'authorization', value: `Bearer ${token}`, secrets: [token] });

const headersOf = (where: string, { headers }: ClientSection): Promise<Part>[] =>
  Object.entries(headers).map(async ([key, at]) => {
    const name = key.toLowerCase();
    if (typeof at === 'string') return { name, value: at, secrets: [] };
    const value = await secretText(at, `${where}.headers.${key}`);
    return { name, value, secrets: [value] };
  });

/** A secret that stands in a header by itself. */
const secretText = async (at: Secret, where: string): Promise<string> => {
  const value = await read(at, where);
  if (!/^[\x20-\x7e]+$/.test(value))
    throw new Unreachable(`${where}: ${placeOf(at)} has characters that can't be sent in a header`);
  return value;
};

/** What is in the file or the variable, without the line's end. Throws Unreachable. */
const read = async (at: Secret, where: string): Promise<string> => {
  const text = 'file' in at ? await fromFile(at.file, where) : process.env[at.env];
  if (text === undefined) throw new Unreachable(`${where}: the environment has no ${placeOf(at)}`);
  const value = text.trim();
  if (value === '') throw new Unreachable(`${where}: ${placeOf(at)} is empty`);
  return value;
};

const placeOf = (at: Secret): string => ('file' in at ? at.file : `$${at.env}`);

const fromFile = (path: string, where: string): Promise<string> =>
  readFile(path, 'utf8').catch((error: unknown) => {
    throw new Unreachable(`${where}: ${oneLine(error)}`);
  });

// ---- TLS ------------------------------------------------------------------------------------------------------

/** PEM texts. */
export type Pem = {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
};

/** Reads the PEM files that a section names. Throws Usage when one can't be read or they don't make a TLS client. */
export const pemOf = (where: string, { caFile, certFile, keyFile, serverName }: TlsSection): Pem => {
  const pem = {
    ...(caFile === undefined ? {} : { ca: pemFile(`${where}.caFile`, caFile) }),
    ...(certFile === undefined ? {} : { cert: pemFile(`${where}.certFile`, certFile) }),
    ...(keyFile === undefined ? {} : { key: pemFile(`${where}.keyFile`, keyFile) }),
    ...(serverName === undefined ? {} : { serverName }),
  };
  try {
    createSecureContext(pem);
    return pem;
  } catch (error) {
    throw new Usage(`${where}: its certificate and key can't be used: ${reasonOf(error)}`);
  }
};

const pemFile = (where: string, path: string): string => {
  try {
    const text = readFileSync(path, 'utf8');
    if (text.includes('-----BEGIN ')) return text;
  } catch (error) {
    throw new Usage(`${where}: ${oneLine(error)}`);
  }
  throw new Usage(`${where}: ${path} is not a PEM file`);
};

/** OpenSSL's own reason: its message has much besides. */
export const reasonOf = (error: unknown): string => {
  const { reason } = error as { readonly reason?: unknown };
  return typeof reason === 'string' ? reason : oneLine(error);
};

/** Whoever reads an answer may take less. */
const MAX_RESPONSE = 64 * 2 ** 20;

const dispatcherOf = (where: string, section: TlsSection): Dispatcher | undefined => {
  const { serverName, ...pem } = pemOf(where, section);
  if (serverName === undefined && Object.keys(pem).length === 0) return undefined;
  return new Agent({
    allowH2: false,
    maxResponseSize: MAX_RESPONSE,
    connect: { ...pem, ...(serverName ? { servername: serverName } : {}) },
  });
};

/** Throws Usage, with one line for all of them, when a secret or a PEM file that the section names can't be read. */
export const mustBeReadable = async (backends: BackendsSection): Promise<void> => {
  const { hubble, ...rest } = backends;
  if (hubble?.tls) pemOf('backends.hubble.tls', hubble.tls);
  const each = Object.entries(rest).map(async ([name, section]) => {
    try {
      if (section) await access(`backends.${name}`, section).sent();
      return [];
    } catch (error) {
      return [oneLine(error)];
    }
  });
  const wrong = (await Promise.all(each)).flat();
  if (wrong.length > 0) throw new Usage(wrong.join('; '));
};
