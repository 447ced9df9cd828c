// A relay that says what a test has it say: nodes with flows, cut streams, lost events, and bytes of its own.
import { Server, ServerCredentials, type ServerWritableStream, type ServiceDefinition, status } from '@grpc/grpc-js';
import {
  fromWireTime,
  observerService,
  toWireTime,
  type WireFlow,
  type WireNode,
  type WireRequest,
  type WireResponse,
} from '../../../src/layers/flows/wire.ts';

type Failure = { readonly code: status; readonly details: string };
type Stream = ServerWritableStream<WireRequest, WireResponse>;

export type RelayOptions = {
  readonly port?: number;
  readonly credentials?: ServerCredentials;
  readonly service?: ServiceDefinition;
  /** Null: no greeting until `send` brings one. */
  readonly greeting?: WireResponse | null;
  readonly status?: () => object | Failure;
  /** Null: it is an agent, which has no GetNodes. */
  readonly nodes?: (() => readonly WireNode[]) | null;
};

export type Relay = AsyncDisposable & {
  readonly address: string;
  readonly server: Server;
  /** What has been asked of GetFlows, in order. */
  readonly requests: readonly WireRequest[];
  /** How many streams are being followed. */
  followers(): number;
  /** Keeps it (a flow), for whoever asks later, and sends it to whoever follows. */
  send(...responses: readonly WireResponse[]): void;
  /** Forgets the flows before `at`. */
  forget(at: bigint): void;
  /** Keeps it, and sends it to nobody. */
  keep(...responses: readonly WireResponse[]): void;
  cut(failure?: Failure): void;
};

export const CONNECTED: WireResponse = { node_status: { state_change: 'NODE_CONNECTED', node_names: ['n1', 'n2'] } };
const DAY_NS = String(24 * 3600 * 1e9);

/** An hour-old flow from one address to another; its uuid and its port are `port`. */
export const flowAt = (at: bigint, port: number, node = 'n1', more: WireFlow = {}): WireResponse => ({
  flow: {
    time: toWireTime(at),
    uuid: `u${port}`,
    verdict: 'FORWARDED',
    IP: { source: '10.0.0.1', destination: '10.0.0.2' },
    l4: { TCP: { source_port: port, destination_port: 80, flags: { SYN: true } } },
    node_name: node,
    ...more,
  },
  node_name: node,
  time: toWireTime(at),
});

export const ring = (name: string, more: Partial<WireNode> = {}): WireNode => ({
  name,
  num_flows: '10',
  max_flows: '4095',
  seen_flows: '10',
  uptime_ns: DAY_NS,
  ...more,
});

export const relay = async (options: RelayOptions = {}): Promise<Relay> => {
  const { greeting = CONNECTED, nodes = () => [ring('n1'), ring('n2')] } = options;
  const statusOf = options.status ?? (() => ({ num_connected_nodes: { value: 2 }, num_unavailable_nodes: {} }));
  let kept: WireResponse[] = [];
  const followers = new Set<Stream>();
  const requests: WireRequest[] = [];
  const server = new Server();
  const getFlows = (call: Stream): void => {
    requests.push(call.request);
    const { first, follow, since } = call.request;
    if (greeting && !first) call.write(greeting);
    const begin = since ? fromWireTime(since) : 0n;
    const wanted = kept.filter(({ time }) => fromWireTime(time) >= begin);
    for (const one of first ? oldestOfEach(wanted) : wanted) call.write(one);
    if (!follow) return void call.end();
    followers.add(call);
    call.on('cancelled', () => followers.delete(call));
  };
  server.addService(options.service ?? observerService(), {
    GetFlows: getFlows,
    ServerStatus: (_: unknown, done: (failure: Failure | null, answer?: object) => void) => {
      const said = statusOf();
      if ('code' in said) done(said);
      else done(null, said);
    },
    ...(nodes && {
      GetNodes: (_: unknown, done: (error: null, answer: object) => void) => done(null, { nodes: nodes() }),
    }),
  });
  const port = await new Promise<number>((resolve, reject) => {
    const credentials = options.credentials ?? ServerCredentials.createInsecure();
    server.bindAsync(`127.0.0.1:${options.port ?? 0}`, credentials, (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  const keep = (...responses: readonly WireResponse[]): void => {
    kept.push(...responses.filter(({ flow }) => flow));
  };
  return {
    address: `127.0.0.1:${port}`,
    server,
    requests,
    followers: () => followers.size,
    keep,
    send: (...responses) => {
      keep(...responses);
      for (const follower of followers) for (const one of responses) follower.write(one);
    },
    forget: (at) => {
      kept = kept.filter(({ time }) => fromWireTime(time) >= at);
    },
    cut: (failure = { code: status.UNAVAILABLE, details: 'the relay goes' }) => {
      for (const follower of followers) follower.emit('error', failure);
      followers.clear();
    },
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  };
};

const oldestOfEach = (responses: readonly WireResponse[]): WireResponse[] =>
  Object.values(Object.groupBy(responses, ({ node_name }) => node_name ?? '')).map(
    (some) => some!.toSorted((a, b) => Number(fromWireTime(a.time) - fromWireTime(b.time)))[0]!,
  );
