// The connection to one API server: requests over connections that are used again, each with fresh credentials.
import type { Readable } from 'node:stream';
import { Agent, type buildConnector, type Dispatcher, ProxyAgent, request, Socks5ProxyAgent } from 'undici';
import { Unreachable } from '../../errors.ts';
import type { Nanos } from '../../model.ts';
import { systemClock, toMs } from '../../time.ts';
import type { Touch } from './cluster.ts';
import { type Credentials, credentials, type Tls } from './credentials.ts';
import type { Chosen } from './kubeconfig.ts';
import { unanswered } from './unanswered.ts';

/** How long to wait for what, in milliseconds. */
export type Patience = {
  /** A typed call, from its start to the last byte of its answer. */
  readonly callMs: number;
  /** A WebSocket's opening, a stream's headers. */
  readonly openMs: number;
  /** Between pings on a WebSocket; one that leaves three unanswered is dead. */
  readonly pingMs: number;
  /** After a client has ended its side of a forwarded connection, for the pod's next word. */
  readonly lingerMs: number;
};

export const PATIENCE: Patience = { callMs: 15_000, openMs: 15_000, pingMs: 10_000, lingerMs: 10_000 };

export type Sent = {
  readonly method: string;
  /** Path and query, after the server's URL. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Readable | null;
  readonly signal: AbortSignal;
};

export type Wire = AsyncDisposable & {
  readonly server: string;
  readonly patience: Patience;
  readonly audit: (touch: Touch) => void;
  /** `context rig of /home/me/.kube/config`, for messages. */
  readonly who: string;
  /** Aborts when the connection is closed. */
  readonly closed: AbortSignal;
  credentials(): Promise<Credentials>;
  /** For short calls, over few connections. Throws Unreachable when no answer comes, the signal's reason when it aborts. */
  call(sent: Sent): Promise<Dispatcher.ResponseData>;
  /** For answers that may take as long as they like, each over a connection of its own; only their headers are waited for. */
  stream(sent: Sent): Promise<Dispatcher.ResponseData>;
  skewMs(): number | null;
};

/** Calls beyond these wait for one of them to end. */
const CALL_CONNECTIONS = 8;
/** TCP's own probes find out that nobody is there when nothing else is sent. */
const KEEP_ALIVE_MS = 15_000;

export const openWire = (chosen: Chosen, audit: Wire['audit'], patience: Patience): Wire => {
  const closing = new AbortController();
  const pool = pools(chosen);
  let skew: number | null = null;
  const ask = async (kind: keyof Pools, { method, path, headers, body = null, signal }: Sent, limits: Limits) => {
    const asked = systemClock.now();
    const access = await credentials(chosen, patience.callMs);
    const dispatcher = pool.for(access)[kind];
    const answer = await request(`${chosen.server}${path}`, {
      ...limits,
      method: method as Dispatcher.HttpMethod,
      headers: { 'user-agent': 'firedrill', ...headers, ...access.headers },
      body,
      dispatcher,
      signal: AbortSignal.any([signal, closing.signal]),
    }).catch((error: unknown) => {
      throw unanswered(chosen.server, error);
    });
    skew = skewOf(answer.headers.date, asked) ?? skew;
    return answer;
  };
  return {
    server: chosen.server,
    who: `context ${chosen.context} of ${chosen.source}`,
    patience,
    audit,
    closed: closing.signal,
    credentials: () => credentials(chosen, patience.openMs),
    call: (sent) => ask('calls', sent, {}),
    stream: (sent) => ask('streams', sent, { headersTimeout: patience.openMs, bodyTimeout: 0 }),
    skewMs: () => skew,
    [Symbol.asyncDispose]: async () => {
      closing.abort(new Unreachable('the connection to the cluster is closed'));
      await pool.end();
    },
  };
};

type Limits = { readonly headersTimeout?: number; readonly bodyTimeout?: number };
type Pools = { readonly calls: Dispatcher; readonly streams: Dispatcher };

/** Dispatchers for the credentials of the moment; others take their place when a certificate has been renewed. */
const pools = (chosen: Chosen) => {
  let current: { readonly tls: Tls; readonly made: Pools } | null = null;
  const end = async (): Promise<void> => {
    const { calls, streams } = current?.made ?? {};
    current = null;
    await Promise.all([calls?.destroy(), streams?.destroy()]);
  };
  return {
    end,
    for({ tls }: Credentials): Pools {
      if (current && same(current.tls, tls)) return current.made;
      const old = current?.made;
      // What still runs on the old ones may end there.
      for (const dispatcher of Object.values(old ?? {})) void dispatcher.close().catch(() => {});
      current = { tls, made: dispatchers(chosen, tls) };
      return current.made;
    },
  };
};

const same = (a: Tls, b: Tls): boolean =>
  (['ca', 'cert', 'key'] as const).every((name) => String(a[name]) === String(b[name]));

/** Each answer of HTTP/2 would share its connection's fate with all the others', so it is not asked for. */
const dispatchers = ({ config }: Chosen, tls: Tls): Pools => {
  const proxy = config.getCurrentCluster()?.proxyUrl;
  const secured = { ...tls, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS } as buildConnector.BuildOptions;
  const pool = (connections: number | null): Dispatcher => {
    const options = { allowH2: false, connections };
    if (proxy?.startsWith('socks')) return new Socks5ProxyAgent(proxy, { ...options, requestTls: secured });
    return proxy
      ? new ProxyAgent({ ...options, uri: proxy, requestTls: secured })
      : new Agent({ ...options, connect: secured });
  };
  return { calls: pool(CALL_CONNECTIONS), streams: pool(null) };
};

const skewOf = (date: string | string[] | undefined, asked: Nanos): number | null => {
  const server = Date.parse(String(date));
  if (Number.isNaN(server)) return null;
  const middle = (toMs(asked) + toMs(systemClock.now())) / 2;
  // The header cuts off the fraction of the second, half a one on the average.
  return Math.round(server + 500 - middle);
};
