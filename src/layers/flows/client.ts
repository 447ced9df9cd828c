// The few calls of Hubble's gRPC API that the flows layer makes.
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import {
  type ClientReadableStream,
  type ClientUnaryCall,
  credentials,
  makeClientConstructor,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { oneLine, Unreachable } from '../../errors.ts';
import type { Nanos } from '../../model.ts';
import { systemClock, toMs } from '../../time.ts';
import {
  fromWireTime,
  observerService,
  toWireTime,
  type WireNode,
  type WireRequest,
  type WireResponse,
  type WireStatus,
} from './wire.ts';

/**
 * PEM texts: `ca` is whom the server's certificate must come from, `cert` and `key` are the client's own, where the server asks
 * for one. `serverName` is the name in the server's certificate when the address has another one, as it has with a Hubble
 * relay, whose certificate is for `*.hubble-relay.cilium.io`, behind a port-forward.
 */
export type Tls = {
  readonly ca: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName?: string;
};

export type FlowStream = ClientReadableStream<WireResponse>;

export type HubbleClient = Disposable & {
  /** Streams what came at or after `since`, and goes on. */
  follow(since: Nanos): FlowStream;
  /** When the oldest flow that each node still keeps was seen, by the node's name. Rejects with Unreachable. */
  oldest(signal: AbortSignal): Promise<ReadonlyMap<string, Nanos>>;
  /** Every node's ring; null where the server is no relay and has only its own. Rejects with Unreachable. */
  nodes(signal: AbortSignal): Promise<readonly WireNode[] | null>;
  /** Rejects with Unreachable. */
  status(signal: AbortSignal): Promise<WireStatus>;
};

type Done<T> = (error: ServiceError | null, answer: T) => void;
type Calls = {
  GetFlows(request: WireRequest, options?: object): FlowStream;
  GetNodes(request: object, options: object, done: Done<{ nodes?: readonly WireNode[] }>): ClientUnaryCall;
  ServerStatus(request: object, options: object, done: Done<WireStatus>): ClientUnaryCall;
};

const DEADLINE_MS = 5000;

/** A client for `host:port`. Nothing is connected before the first call. Throws Unreachable when `tls` can't be used. */
export const hubbleClient = (address: string, tls: Tls | undefined): HubbleClient => {
  const Observer = makeClientConstructor(observerService(), 'Observer');
  const client = new Observer(address, tls ? secure(tls) : credentials.createInsecure(), channelOptions(tls));
  const calls = client as unknown as Calls;
  const options = () => ({ deadline: toMs(systemClock.now()) + DEADLINE_MS });
  const ask = <T>(signal: AbortSignal, call: (done: Done<T>) => ClientUnaryCall): Promise<T> =>
    new Promise((resolve, reject) => {
      const sent = call((error, answer) => (error ? reject(error) : resolve(answer)));
      cancelOn(signal, sent);
    });
  return {
    follow: (since) => calls.GetFlows({ follow: true, since: toWireTime(since) }),
    oldest: (signal) => {
      const stream = calls.GetFlows({ first: true, number: '1' }, options());
      cancelOn(signal, stream);
      return oldestOf(stream);
    },
    nodes: (signal) =>
      ask<{ nodes?: readonly WireNode[] }>(signal, (done) => calls.GetNodes({}, options(), done)).then(
        ({ nodes = [] }) => nodes,
        (error: ServiceError) => {
          if (error.code === status.UNIMPLEMENTED) return null;
          throw new Unreachable(explained(error));
        },
      ),
    status: (signal) =>
      ask<WireStatus>(signal, (done) => calls.ServerStatus({}, options(), done)).catch((error: ServiceError) => {
        throw new Unreachable(explained(error));
      }),
    [Symbol.dispose]: () => client.close(),
  };
};

const cancelOn = (signal: AbortSignal, call: { cancel(): void }): void => {
  if (signal.aborted) call.cancel();
  else signal.addEventListener('abort', () => call.cancel(), { once: true });
};

const oldestOf = (stream: FlowStream): Promise<ReadonlyMap<string, Nanos>> =>
  new Promise((resolve, reject) => {
    const oldest = new Map<string, Nanos>();
    stream.on('data', ({ flow, node_name, time }: WireResponse) => {
      const at = fromWireTime(flow?.time ?? time);
      const node = node_name ?? flow?.node_name ?? '';
      const known = oldest.get(node);
      if (flow && (known === undefined || at < known)) oldest.set(node, at);
    });
    stream.on('error', (error: ServiceError) => reject(new Unreachable(explained(error))));
    stream.on('end', () => resolve(oldest));
  });

const secure = ({ ca, cert, key }: Tls) => {
  readable('the CA certificate', () => new X509Certificate(ca));
  const own = cert ? readable('the client certificate', () => new X509Certificate(cert)) : null;
  const secret = key ? readable('the client key', () => createPrivateKey(key)) : null;
  if (!own !== !secret) throw new Unreachable('TLS: a client certificate needs its key, and a key its certificate');
  if (own && secret && !own.checkPrivateKey(secret)) throw new Unreachable("TLS: the key is not the certificate's");
  const [keyPem, certPem] = [key, cert].map((pem) => (pem ? Buffer.from(pem) : null));
  return credentials.createSsl(Buffer.from(ca), keyPem, certPem, { checkServerIdentity: identity });
};

const readable = <T>(what: string, read: () => T): T => {
  try {
    return read();
  } catch (error) {
    throw new Unreachable(`TLS: ${what} can't be read as PEM: ${oneLine(error)}`);
  }
};

/** Says for whom the certificate is. */
const identity = (host: string, certificate: PeerCertificate): Error | undefined => {
  const names = certificate.subjectaltname ?? `CN:${certificate.subject?.CN}`;
  return (
    checkServerIdentity(host, certificate) && new Error(`the server's certificate is for ${names}, not for ${host}`)
  );
};

/** HTTP/2's own 64 KiB are a few hundred flows: a history of ten thousands would wait for the round trip that often. */
const FLOW_CONTROL_WINDOW = 4 * 1024 * 1024;

/** A connection of its own: a shared one that failed for an earlier client waits before it tries again. */
const channelOptions = (tls: Tls | undefined) => ({
  'grpc.use_local_subchannel_pool': 1,
  'grpc-node.flow_control_window': FLOW_CONTROL_WINDOW,
  ...(tls?.serverName ? { 'grpc.ssl_target_name_override': tls.serverName } : {}),
});

/** What went wrong, in one line: gRPC's status, what the server or the connection said, and what that means where it is known. */
export const explained = (error: Partial<ServiceError>): string => {
  const said = NOISE.reduce(
    (text, [noise, kept]) => text.replace(noise, kept),
    oneLine(error.details || error.message || 'no reason given'),
  );
  const meaning = MEANINGS.find(([symptom]) => symptom.test(said))?.[1];
  const code = error.code === undefined ? '' : `${status[error.code] ?? error.code}: `;
  return `${code}${said}${meaning ? ` (${meaning})` : ''}`;
};

/** What grpc-js and OpenSSL wrap around the reason. */
const NOISE: readonly (readonly [RegExp, string])[] = [
  [/^No connection established\. Last error: /, ''],
  [/\.? Resolution note:$/, ''],
  [/ \(\d{4}-\d\d-\d\dT[\d:.]+Z\)$/, ''],
  [/^Error(?: \[\w+\])?: /, ''],
  [/^[0-9A-F]+:error:[0-9A-F]+:[\w ]+:\w*:([^:]+):.*$/, '$1'],
];

const MEANINGS: readonly (readonly [RegExp, string])[] = [
  [/alert certificate required|alert handshake failure/, 'it wants a client certificate'],
  [/alert (?:unknown ca|bad certificate)/, 'it does not take the client certificate'],
  [/self-signed certificate|unable to (?:get|verify)/, 'its certificate does not come from the CA that was given'],
  [/^the server's certificate is for/, 'give the name that it is for as the server name'],
  [/wrong version number/, 'it does not speak TLS'],
  [/^Protocol error|Received HTTP status|message larger than max/, 'it may be a web server: this is not Hubble’s gRPC'],
  [/^Failed to connect$/, 'it hung up: it may want TLS, or speak no gRPC'],
];
