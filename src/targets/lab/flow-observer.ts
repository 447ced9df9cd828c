// Serves the lab's flows over Hubble's own API, so that the adapter that reads the lab is the one that reads a relay.
import {
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import { oneLine, Unreachable } from '../../errors.ts';
import {
  fromWireTime,
  observerService,
  toWireTime,
  type WireRequest,
  type WireResponse,
} from '../../layers/flows/wire.ts';
import type { Nanos } from '../../model.ts';
import { type Clock, systemClock } from '../../time.ts';
import { flowFilter } from './flow-observer-filter.ts';
import { createRing, flowEvent, openCursor, type Reading, type Ring } from './flow-observer-ring.ts';
import { type ObservedFlow, type Place, toWire } from './flow-observer-wire.ts';

export type FlowObserver = AsyncDisposable & {
  /** `host:port`, as a Hubble client takes it. */
  readonly address: string;
  /** Keeps one flow, the oldest one making room, and tells those who follow. */
  observe(flow: ObservedFlow): void;
  /** Says that this many events never reached the observer. */
  lost(count: number): void;
};

export type FlowObserverOptions = Place & {
  readonly host: string;
  /** 0: any free one. */
  readonly port: number;
  /** How many events are kept. */
  readonly capacity: number;
  /** All namespaces that are observed; default: the place's own. */
  readonly namespaces?: readonly string[];
  readonly clock?: Clock;
};

type State = {
  readonly place: Place;
  readonly ring: Ring;
  readonly started: Nanos;
  readonly clock: Clock;
  seen: number;
};
type Stream = ServerWritableStream<WireRequest, WireResponse>;
type Unary = (call: ServerUnaryCall<object, object>, answer: sendUnaryData<object>) => void;

const VERSION = 'firedrill';

/**
 * Starts `observer.Observer` (Hubble's API as a relay serves it: NODE_CONNECTED first, agent and debug events unimplemented).
 * Reads follow the rules told at `openCursor` and `flowFilter`; a request that can't be honoured in full is
 * INVALID_ARGUMENT. Rejects with Unreachable when the address can't be bound.
 */
export const startFlowObserver = async (options: FlowObserverOptions): Promise<FlowObserver> => {
  const clock = options.clock ?? systemClock;
  const state: State = { place: options, ring: createRing(options.capacity), started: clock.now(), clock, seen: 0 };
  const followers = new Set<() => void>();
  const server = new Server({ 'grpc.max_concurrent_streams': 100 });
  server.addService(observerService(), {
    GetFlows: (call: Stream) => getFlows(call, state, followers),
    ServerStatus: unary(() => serverStatus(state)),
    GetNodes: unary(() => ({ nodes: [node(state, address)] })),
    GetNamespaces: unary(() => ({ namespaces: namespacesOf(options) })),
  });
  const address = `${options.host}:${await bind(server, options)}`;
  const keep = (event: Parameters<Ring['push']>[0]): void => {
    state.ring.push(event);
    for (const pump of followers) pump();
  };
  return {
    address,
    observe: (flow) => {
      state.seen += 1;
      keep(flowEvent(toWire(flow, options)));
    },
    lost: (count) => {
      const at = clock.now();
      const lost = { source: 'OBSERVER_EVENTS_QUEUE', num_events_lost: String(count), last: toWireTime(at) };
      if (count > 0) keep({ at, lost });
    },
    [Symbol.asyncDispose]: async () => server.forceShutdown(),
  };
};

const namespacesOf = ({ cluster, namespace, namespaces = [namespace] }: FlowObserverOptions): object[] =>
  namespaces.map((one) => ({ cluster, namespace: one }));

const bind = (server: Server, { host, port }: FlowObserverOptions): Promise<number> =>
  new Promise((resolve, reject) => {
    server.bindAsync(`${host}:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
      if (error) reject(new Unreachable(`flow observer: can't listen on ${host}:${port}: ${oneLine(error)}`));
      else resolve(bound);
    });
  });

const unary =
  (answer: () => object): Unary =>
  (_call, done) =>
    done(null, answer());

const getFlows = (call: Stream, state: State, followers: Set<() => void>): void => {
  let reading: Reading;
  try {
    reading = toReading(call.request);
  } catch (error) {
    call.emit('error', { code: status.INVALID_ARGUMENT, details: oneLine(error) });
    return;
  }
  call.write(connected(state));
  const cursor = openCursor(state.ring, reading);
  const from = (): WireResponse => ({ node_name: nameOf(state.place), time: toWireTime(state.clock.now()) });
  const pump = pumpInto(call, cursor.step, from, () => followers.delete(pump));
  if (reading.follow) followers.add(pump);
  call.on('drain', pump);
  call.on('cancelled', () => followers.delete(pump));
  pump();
};

/** Writes what there is for as long as the client keeps up; the ring, not memory, bounds what a slow client may miss. */
const pumpInto = (
  call: Stream,
  step: () => WireResponse | 'wait' | 'end',
  from: () => WireResponse,
  done: () => void,
): (() => void) => {
  let ended = false;
  return () => {
    while (!ended && !call.cancelled && !call.writableNeedDrain) {
      const next = step();
      if (next === 'wait') return;
      if (next === 'end') {
        ended = true;
        done();
        call.end();
        return;
      }
      call.write({ ...from(), ...next });
    }
  };
};

const nameOf = ({ cluster, node }: Place): string => `${cluster}/${node}`;

const connected = ({ place, clock }: State): WireResponse => ({
  node_status: { state_change: 'NODE_CONNECTED', node_names: [nameOf(place)] },
  node_name: nameOf(place),
  time: toWireTime(clock.now()),
});

const toReading = (request: WireRequest): Reading => {
  if (request.first && request.follow) throw new Error('first and follow exclude each other');
  if (request.field_mask?.paths?.length) throw new Error('field_mask is not supported by this observer');
  return {
    number: Number(request.number ?? 0),
    first: request.first ?? false,
    follow: request.follow ?? false,
    since: request.since ? fromWireTime(request.since) : null,
    until: request.until ? fromWireTime(request.until) : null,
    matches: flowFilter(request.whitelist ?? [], request.blacklist ?? []),
  };
};

const counts = ({ ring, seen, clock, started }: State) => ({
  num_flows: String(ring.next() - ring.oldest()),
  max_flows: String(ring.capacity),
  seen_flows: String(seen),
  uptime_ns: String(clock.now() - started),
});

const serverStatus = (state: State): object => ({
  ...counts(state),
  num_connected_nodes: { value: 1 },
  num_unavailable_nodes: { value: 0 },
  version: VERSION,
  flows_rate: state.seen / Math.max(1e-9, Number(state.clock.now() - state.started) / 1e9),
});

const node = (state: State, address: string): object => ({
  ...counts(state),
  name: nameOf(state.place),
  version: VERSION,
  address,
  state: 'NODE_CONNECTED',
  tls: { enabled: false },
});
