// A large capture to measure with: the same bytes for the same seed. Many conversations side by side, tagged HTTP requests,
// segments lost and sent again, overtaken ones, resets, refused and unanswered handshakes.
import { closeSync, openSync, writeSync } from 'node:fs';

const CONNECTIONS = 2000;
const CLIENTS = 200;
const SERVICES = 6;
const USERS = 500;
const MICROSECONDS = 2;

/** Numbers in [0, 1): mulberry32, by Tommy Ettinger (public domain). */
const random = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};

const FIN = 1;
const SYN = 2;
const RST = 4;
const PSH = 8;
const ACK = 16;

/** The next thing that a connection does. */
type Step =
  | 'syn'
  | 'syn+ack'
  | 'established'
  | 'request'
  | 'taken'
  | 'answer'
  | 'more'
  | 'done'
  | 'fin'
  | 'fin+ack'
  | 'end';

type Connection = {
  client: number;
  port: number;
  service: number;
  step: Step;
  left: number;
  /** Next sequence numbers of client and server. */
  c: number;
  s: number;
  fate: number;
  syns: number;
  again: boolean;
};

/** What the capture has, as its maker knows it. */
export type Made = {
  packets: number;
  connections: number;
  requests: number;
  resets: number;
  /** Answers whose second segment would come after the capture's end. */
  halfAnswers: number;
};

/** Writes a classic pcap file (Ethernet, microseconds) of that many packets. */
export const makeCapture = (file: string, packets: number, seed = 1): Made => {
  const rng = random(seed);
  const out = output(file);
  const made = { packets: 0, connections: 0, requests: 0, resets: 0, halfAnswers: 0 };
  let ports = 0;
  let ids = 0;
  let micros = 0;

  const fresh = (): Connection => {
    made.connections += 1;
    ports += 1;
    return {
      ...{ client: ports % CLIENTS, port: 1024 + (Math.floor(ports / CLIENTS) % 60_000), service: below(SERVICES) },
      ...{ step: 'syn' as Step, left: 2 + below(40), c: below(2 ** 32), s: below(2 ** 32) },
      ...{ fate: rng(), syns: 0, again: false },
    };
  };
  const below = (n: number): number => Math.floor(rng() * n);

  const send = (it: Connection, fromClient: boolean, flags: number, payload: Buffer | null, seqBack = 0): void => {
    micros += 1 + below(2 * MICROSECONDS);
    made.packets += 1;
    ids = (ids + 1) & 0xffff;
    out.packet(micros, it, fromClient, flags, payload, seqBack, ids || 1);
  };

  /** Does one step; false when the connection is over. */
  const advance = (it: Connection): boolean => {
    switch (it.step) {
      case 'syn':
        send(it, true, SYN, null);
        it.syns += 1;
        if (it.fate < 0.004) return it.syns < 3;
        it.step = 'syn+ack';
        return true;
      case 'syn+ack':
        if (it.fate < 0.008) {
          made.resets += 1;
          send(it, false, RST | ACK, null);
          return false;
        }
        it.c += 1;
        send(it, false, SYN | ACK, null);
        it.s += 1;
        it.step = 'established';
        return true;
      case 'established':
        send(it, true, ACK, null);
        it.step = 'request';
        return true;
      case 'request':
        return request(it);
      case 'taken':
        send(it, false, ACK, null);
        it.step = 'answer';
        return true;
      case 'answer':
        return answer(it);
      case 'more':
        send(it, false, ACK | PSH, MORE);
        it.s += MORE.length;
        it.step = 'done';
        return true;
      case 'done':
        send(it, true, ACK, null);
        it.left -= 1;
        it.step = it.left > 0 ? 'request' : 'fin';
        return true;
      case 'fin':
        if (it.fate > 0.98) {
          made.resets += 1;
          send(it, false, RST | ACK, null);
          return false;
        }
        send(it, true, FIN | ACK, null);
        it.c += 1;
        it.step = 'fin+ack';
        return true;
      case 'fin+ack':
        send(it, false, FIN | ACK, null);
        it.s += 1;
        it.step = 'end';
        return true;
      case 'end':
        send(it, true, ACK, null);
        return false;
    }
  };

  const request = (it: Connection): boolean => {
    if (it.again) {
      send(it, true, ACK | PSH, LAST_REQUEST, LAST_REQUEST.length);
      it.again = false;
      it.step = 'taken';
      return true;
    }
    made.requests += 1;
    fill(LAST_REQUEST, below(USERS), below(1e6), rng);
    send(it, true, ACK | PSH, LAST_REQUEST);
    it.c += LAST_REQUEST.length;
    it.again = rng() < 0.005;
    it.step = it.again ? 'request' : 'taken';
    return true;
  };

  const answer = (it: Connection): boolean => {
    const how = rng();
    if (how < 0.002) {
      // The second segment overtakes the first.
      it.s += ANSWER.length;
      send(it, false, ACK | PSH, MORE);
      it.s += MORE.length;
      send(it, false, ACK, LONG_ANSWER, ANSWER.length + MORE.length);
      it.step = 'done';
      return true;
    }
    const long = how > 0.7;
    send(it, false, ACK | PSH, long ? LONG_ANSWER : how < 0.01 ? FAILED : ANSWER);
    it.s += ANSWER.length;
    it.step = long ? 'more' : 'done';
    return true;
  };

  const all = Array.from({ length: CONNECTIONS }, fresh);
  while (made.packets < packets) {
    const at = below(CONNECTIONS);
    if (!advance(all[at]!)) all[at] = fresh();
  }
  out.end();
  made.halfAnswers = all.filter(({ step }) => step === 'more').length;
  return made;
};

const USER_AT = 'GET /api/orders/'.length;

const LAST_REQUEST = Buffer.from(
  'GET /api/orders/000000 HTTP/1.1\r\nhost: gateway.trading.svc.cluster.local:8080\r\nconnection: keep-alive\r\n' +
    'user-agent: firedrill/0.1.0 (synthetic; run 0123456789ab)\r\nx-request-id: 00000000-0000-4000-8000-000000000000\r\n' +
    'x-correlation-id: firedrill-0123456789ab-000000000000\r\nx-firedrill-run: 0123456789ab\r\n' +
    'traceparent: 00-00000000000000000000000000000000-0000000000000000-03\r\nbaggage: firedrill.run_id=0123456789ab\r\n' +
    'x-user-id: user-000\r\nx-session-id: user-000-s1\r\n\r\n',
);
const REQUEST_ID_AT = LAST_REQUEST.indexOf('x-request-id: ') + 14;
const USER_ID_AT = LAST_REQUEST.indexOf('x-user-id: user-') + 16;
const SESSION_AT = LAST_REQUEST.indexOf('x-session-id: user-') + 19;

const digits = (bytes: Buffer, at: number, count: number, value: number): void => {
  for (let i = count - 1; i >= 0; i -= 1) {
    bytes[at + i] = 48 + (value % 10);
    value = Math.floor(value / 10);
  }
};

const fill = (request: Buffer, user: number, order: number, rng: () => number): void => {
  digits(request, USER_AT, 6, order);
  digits(request, REQUEST_ID_AT, 8, Math.floor(rng() * 1e8));
  digits(request, REQUEST_ID_AT + 24, 12, Math.floor(rng() * 1e12));
  digits(request, USER_ID_AT, 3, user);
  digits(request, SESSION_AT, 3, user);
};

const MORE = Buffer.alloc(120, 'x');

/** All answers have the same length in their first segment; a long one has `MORE` in a second. */
const response = (status: string, more = 0): Buffer => {
  const order = { id: 4711, state: 'filled', side: 'buy', amount: 10, price: 101.25, venue: 'X' };
  const body = JSON.stringify(order).padEnd(160);
  const head = `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length + more}`;
  return Buffer.from(`${head}\r\n\r\n${body}`);
};
const ANSWER = response('200 OK');
const FAILED = response('500 NO');
const LONG_ANSWER = response('200 OK', MORE.length);

const BUFFER = 1024 * 1024;

const output = (file: string) => {
  const fd = openSync(file, 'w');
  const bytes = Buffer.alloc(BUFFER);
  let at = 24;
  bytes.writeUInt32LE(0xa1b2c3d4, 0);
  bytes.writeUInt16LE(2, 4);
  bytes.writeUInt16LE(4, 6);
  bytes.writeUInt32LE(262_144, 16);
  bytes.writeUInt32LE(1, 20);
  const flush = (): void => {
    writeSync(fd, bytes, 0, at);
    at = 0;
  };
  return {
    packet(
      micros: number,
      it: Connection,
      fromClient: boolean,
      flags: number,
      payload: Buffer | null,
      back: number,
      id: number,
    ) {
      const length = payload?.length ?? 0;
      if (at + 70 + length > BUFFER) flush();
      bytes.writeUInt32LE(1_700_000_000 + Math.floor(micros / 1e6), at);
      bytes.writeUInt32LE(micros % 1e6, at + 4);
      bytes.writeUInt32LE(54 + length, at + 8);
      bytes.writeUInt32LE(54 + length, at + 12);
      bytes.fill(2, at + 16, at + 28);
      frame(bytes, at + 28, it, fromClient, flags, length, back, id);
      payload?.copy(bytes, at + 70);
      at += 70 + length;
    },
    end() {
      flush();
      closeSync(fd);
    },
  };
};

/** Ethernet's type, IPv4 and TCP without options. */
const frame = (
  bytes: Buffer,
  at: number,
  it: Connection,
  fromClient: boolean,
  flags: number,
  length: number,
  back: number,
  id: number,
): void => {
  const [client, server] = [0x0a000001 + it.client, 0x0a010001 + it.service];
  bytes.writeUInt16BE(0x0800, at);
  bytes.writeUInt32BE((0x4500 << 16) | (40 + length), at + 2);
  bytes.writeUInt32BE(((id << 16) | 0x4000) >>> 0, at + 6);
  bytes.writeUInt32BE(0x40060000, at + 10);
  bytes.writeUInt32BE(fromClient ? client : server, at + 14);
  bytes.writeUInt32BE(fromClient ? server : client, at + 18);
  bytes.writeUInt16BE(fromClient ? it.port : 8080, at + 22);
  bytes.writeUInt16BE(fromClient ? 8080 : it.port, at + 24);
  bytes.writeUInt32BE(((fromClient ? it.c : it.s) - back) >>> 0, at + 26);
  bytes.writeUInt32BE(flags & ACK ? (fromClient ? it.s : it.c) >>> 0 : 0, at + 30);
  bytes.writeUInt32BE((0x5000 << 16) + (flags << 16) + 0xfaf0, at + 34);
  bytes.writeUInt32BE(0, at + 38);
};
