// What goes with each request: headers and TLS material, made anew each time, because tokens and certificates rotate.
import type { Agent, RequestOptions } from 'node:https';
import type { ConnectionOptions } from 'node:tls';
import { oneLine, Unreachable, Usage } from '../../errors.ts';
import { after } from '../../time.ts';
import type { Chosen } from './kubeconfig.ts';

const TLS = ['ca', 'cert', 'key', 'passphrase', 'rejectUnauthorized', 'servername'] as const;

export type Tls = Pick<ConnectionOptions, (typeof TLS)[number]>;

export type Credentials = {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: Tls;
  /** For WebSockets through the kubeconfig's proxy-url; without one each makes a connection of its own. */
  readonly proxy: Agent | null;
};

/**
 * Throws Usage when a file or a login program that the kubeconfig names is not there, Unreachable when that program fails
 * or says nothing for `forMs`.
 */
export const credentials = async (chosen: Chosen, forMs: number): Promise<Credentials> => {
  const options: RequestOptions = {};
  await within(forMs, chosen.config.applyToHTTPSOptions(options)).catch((error: unknown) => {
    throw trouble(error, chosen);
  });
  const basic = options.auth ? { Authorization: `Basic ${Buffer.from(options.auth).toString('base64')}` } : {};
  const given = { ...basic, ...options.headers } as Record<string, string>;
  return {
    // A token file may end with a line break, which no header may have.
    headers: Object.fromEntries(Object.entries(given).map(([name, value]) => [name, value.trim()])),
    tls: Object.fromEntries(TLS.flatMap((name) => (options[name] === undefined ? [] : [[name, options[name]]]))),
    proxy: chosen.config.getCurrentCluster()?.proxyUrl ? (options.agent as Agent) : null,
  };
};

const within = async (ms: number, work: Promise<void>): Promise<void> => {
  const { promise, reject } = Promise.withResolvers<void>();
  const cancel = after(ms, () => reject(new Error(`no credentials within ${ms / 1000} s`)));
  await Promise.race([work, promise]).finally(cancel);
};

const trouble = (error: unknown, { config, source }: Chosen): Error => {
  const { code, syscall, path } = error as NodeJS.ErrnoException;
  const user = `user '${config.getCurrentUser()?.name}' of kubeconfig ${source}`;
  if (syscall?.startsWith('spawn'))
    return new Usage(`${user} logs in with the program '${path}', which can't be started (${code}): install it`);
  if (syscall && path) return new Usage(`${user} needs the file ${path}, which can't be read (${code})`);
  return new Unreachable(`${user} can't log in: ${oneLine(error)}`);
};
