// The few calls of Hubble's gRPC API that the flows layer makes.
import { type ClientReadableStream, credentials, makeClientConstructor, type ServiceError } from '@grpc/grpc-js';
import { Unreachable } from '../../errors.ts';
import type { Nanos } from '../../model.ts';
import { systemClock, toMs } from '../../time.ts';
import { observerService, toWireTime, type WireRequest, type WireResponse, type WireStatus } from './wire.ts';

/** PEM texts. `serverName` is the name in the server's certificate when the address has another one. */
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
  /** When the oldest flow that is still kept was seen; null when there is none. Rejects with Unreachable. */
  oldest(): Promise<WireResponse['time'] | null>;
  /** Rejects with Unreachable. */
  status(): Promise<WireStatus>;
};

const DEADLINE_MS = 5000;

/** A client for `host:port`. Nothing is connected before the first call. */
export const hubbleClient = (address: string, tls: Tls | undefined): HubbleClient => {
  const Observer = makeClientConstructor(observerService(), 'Observer');
  const client = new Observer(address, tls ? secure(tls) : credentials.createInsecure(), channelOptions(tls));
  const call = client as unknown as {
    GetFlows(request: WireRequest, options?: object): FlowStream;
    ServerStatus(
      request: object,
      options: object,
      done: (error: ServiceError | null, answer: WireStatus) => void,
    ): void;
  };
  const deadline = () => ({ deadline: toMs(systemClock.now()) + DEADLINE_MS });
  return {
    follow: (since) => call.GetFlows({ follow: true, since: toWireTime(since) }),
    oldest: () =>
      new Promise((resolve, reject) => {
        const stream = call.GetFlows({ first: true, number: '1' }, deadline());
        stream.on('data', ({ flow }: WireResponse) => flow && resolve(flow.time));
        stream.on('error', (error: ServiceError) => reject(unreachable(address, error)));
        stream.on('end', () => resolve(null));
      }),
    status: () =>
      new Promise((resolve, reject) => {
        call.ServerStatus({}, deadline(), (error, answer) =>
          error ? reject(unreachable(address, error)) : resolve(answer),
        );
      }),
    [Symbol.dispose]: () => client.close(),
  };
};

const secure = ({ ca, cert, key }: Tls) =>
  credentials.createSsl(Buffer.from(ca), key ? Buffer.from(key) : null, cert ? Buffer.from(cert) : null);

/** A connection of its own: a shared one that failed for an earlier client waits before it tries again. */
const channelOptions = (tls: Tls | undefined) => ({
  'grpc.use_local_subchannel_pool': 1,
  ...(tls?.serverName ? { 'grpc.ssl_target_name_override': tls.serverName } : {}),
});

const unreachable = (address: string, error: ServiceError): Unreachable =>
  new Unreachable(`Hubble at ${address}: ${error.details || error.message}`);
