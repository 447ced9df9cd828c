// The servers that the traffic bench sends at. `plain` answers whatever ends in an empty line, as fast as a socket can, and
// `tls KEY CERT` does so behind TLS;
// `pausing AFTER FOR` is a node:http server that answers nobody for a while: from AFTER to AFTER + FOR ms after the first request.
import { readFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"status":"ok"}';

const answering = (socket: Socket): void => {
  let tail = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    const parts = (tail + text).split('\r\n\r\n');
    tail = parts.pop()!;
    if (parts.length > 0) socket.write(ANSWER.repeat(parts.length), 'latin1');
  });
  socket.on('error', () => {});
};

const plain = (): Server => createTcpServer({ noDelay: true }, answering);

const tls = (key: string, cert: string): Server =>
  createTlsServer({ noDelay: true, key: readFileSync(key), cert: readFileSync(cert) }, answering);

const pausing = (after: number, long: number): Server => {
  let first = Number.NaN;
  return createHttpServer((_request, response) => {
    first = Number.isNaN(first) ? performance.now() : first;
    const since = performance.now() - first;
    const held = since >= after && since < after + long ? after + long - since : 0;
    if (held > 0) setTimeout(() => response.end(), held);
    else response.end();
  });
};

const KINDS: Readonly<Record<string, (one: string, other: string) => Server>> = {
  plain,
  tls,
  pausing: (after, long) => pausing(Number(after), Number(long)),
};

const [kind = '', one = '', other = ''] = process.argv.slice(2);
const server = KINDS[kind]!(one, other);
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
process.stdin.resume().once('end', () => process.exit(0));
