// The servers that the traffic bench sends at. `plain` answers whatever ends in an empty line, as fast as a socket can;
// `pausing AFTER FOR` is a node:http server that answers nobody for a while: from AFTER to AFTER + FOR ms after the first request.
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';

const ANSWER = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"status":"ok"}';

const plain = (): Server =>
  createTcpServer({ noDelay: true }, (socket) => {
    let tail = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      const parts = (tail + text).split('\r\n\r\n');
      tail = parts.pop()!;
      if (parts.length > 0) socket.write(ANSWER.repeat(parts.length), 'latin1');
    });
    socket.on('error', () => {});
  });

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

const [kind, after, long] = process.argv.slice(2);
const server = kind === 'plain' ? plain() : pausing(Number(after), Number(long));
server.listen(0, '127.0.0.1', () => process.stdout.write(`${(server.address() as AddressInfo).port}\n`));
process.stdin.resume().once('end', () => process.exit(0));
