// Finds HTTP/1.1 message heads at the beginning of packets and pairs each response with its request.
import type { Nanos } from '../../model.ts';
import type { Packet } from '../../pcap/decode.ts';
import { SECOND } from '../../time.ts';
import type { ObservedHttp } from './flow-observer-wire.ts';

/** Looks at one packet that was let through; the head that it begins with, or null. Call it in the order of capture. */
export type HttpReader = (packet: Packet, at: Nanos, reply: boolean) => ObservedHttp | null;

type Request = { readonly at: Nanos; readonly method: string; readonly url: string };
type Connection = { readonly waiting: Request[]; requestSeq: number; responseSeq: number; touched: Nanos };

const CONNECTIONS = 4096;
const PIPELINED = 16;
const IDLE = 120n * SECOND;

/**
 * Reads message heads as RFC 9112 words them, from packets that begin with one: a head that is split or cut by the capture
 * gives what could be read. Retransmitted heads count once; 1xx responses are interim and are skipped. It remembers at
 * most 4096 connections, the least recently used making room, none idle for longer than two minutes.
 */
export const createHttpReader = (): HttpReader => {
  const connections = new Map<string, Connection>();
  return (packet, at, reply) => {
    const key = reply
      ? pair(packet.destination, packet.destinationPort, packet.source, packet.sourcePort)
      : forward(packet);
    if (packet.flags.syn || packet.flags.rst) connections.delete(key);
    const head = reply ? responseHead(packet.payload) : requestHead(packet.payload);
    if (!head) return null;
    const connection = touch(connections, key, at);
    return 'code' in head ? answered(connection, head, packet, at) : asked(connection, head, packet, at);
  };
};

const pair = (ip: string, port: number, otherIp: string, otherPort: number): string =>
  `${ip} ${port} ${otherIp} ${otherPort}`;
const forward = (packet: Packet): string =>
  pair(packet.source, packet.sourcePort, packet.destination, packet.destinationPort);

const touch = (connections: Map<string, Connection>, key: string, at: Nanos): Connection => {
  const connection = connections.get(key) ?? { waiting: [], requestSeq: -1, responseSeq: -1, touched: at };
  connections.delete(key);
  for (const [oldest, { touched }] of connections) {
    if (connections.size < CONNECTIONS && at - touched < IDLE) break;
    connections.delete(oldest);
  }
  connection.touched = at;
  connections.set(key, connection);
  return connection;
};

type RequestHead = Pick<ObservedHttp, 'method' | 'url' | 'protocol' | 'headers'>;
type ResponseHead = Pick<ObservedHttp, 'code' | 'protocol' | 'headers'>;

const asked = (connection: Connection, head: RequestHead, { seq }: Packet, at: Nanos): ObservedHttp | null => {
  if (connection.requestSeq === seq || connection.waiting.length >= PIPELINED) return null;
  connection.requestSeq = seq;
  connection.waiting.push({ at, method: head.method, url: head.url });
  return { ...head, type: 'REQUEST', code: 0, latency: 0n };
};

const answered = (connection: Connection, head: ResponseHead, { seq }: Packet, at: Nanos): ObservedHttp | null => {
  if (connection.responseSeq === seq || head.code < 200) return null;
  const request = connection.waiting.shift();
  if (!request) return null;
  connection.responseSeq = seq;
  // The two ends of a node's own connections are timed by two clocks, a little apart.
  const latency = at > request.at ? at - request.at : 0n;
  return { ...head, type: 'RESPONSE', method: request.method, url: request.url, latency };
};

const REQUEST = /^([A-Z]{3,10}) (\S{1,2000})(?: (HTTP\/1\.[01]))?(?:\r\n|$)/;
const RESPONSE = /^(HTTP\/1\.[01]) ([1-5]\d\d)(?: |\r\n|$)/;
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT', 'TRACE']);

const requestHead = (payload: Buffer): RequestHead | null => {
  const text = payload.toString('latin1');
  const match = REQUEST.exec(text);
  if (!match || !METHODS.has(match[1]!)) return null;
  return { method: match[1]!, url: match[2]!, protocol: match[3] ?? 'HTTP/1.1', headers: headers(text) };
};

const responseHead = (payload: Buffer): ResponseHead | null => {
  const text = payload.toString('latin1');
  const match = RESPONSE.exec(text);
  return match && { protocol: match[1]!, code: Number(match[2]), headers: headers(text) };
};

/** Headers worth keeping: they say which request this is; none that could hold a secret. */
const KEPT = new Set([
  'host',
  'user-agent',
  'content-type',
  'x-request-id',
  'x-correlation-id',
  'x-firedrill-run',
  'traceparent',
]);

/** The whole header lines that the capture holds. */
const headers = (text: string): ObservedHttp['headers'] =>
  text
    .split('\r\n\r\n', 1)[0]!
    .split('\r\n')
    .slice(1, text.includes('\r\n\r\n') ? undefined : -1)
    .map((line) => /^([\w-]+):\s*(.*)$/.exec(line))
    .filter((match) => match !== null && KEPT.has(match[1]!.toLowerCase()))
    .map((match) => ({ key: match![1]!, value: match![2]! }));
