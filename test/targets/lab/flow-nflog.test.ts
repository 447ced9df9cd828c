import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Packet } from '../../../src/pcap/decode.ts';
import { createPcapReader } from '../../../src/pcap/reader.ts';
import { createHttpReader } from '../../../src/targets/lab/flow-observer-http.ts';
import type { ObservedFlow } from '../../../src/targets/lab/flow-observer-wire.ts';
import { createFlowReader, droppedByKernel, startNflog } from '../../../src/targets/lab/nflog.ts';

const recorded = (): ObservedFlow[] => {
  const flows: ObservedFlow[] = [];
  createPcapReader(createFlowReader((flow) => flows.push(flow))).push(
    readFileSync(new URL('../../../fixtures/hubble/nflog.pcap', import.meta.url)),
  );
  return flows;
};

describe("the kernel's packet log, as recorded", () => {
  const flows = recorded();
  const to = (port: number) => flows.filter(({ destination }) => destination.port === port);

  test('a connection: handshake, request, response, end; acknowledgements are left out', () => {
    const client = to(8080)[0]!.source.port;
    const one = flows.filter(({ source, destination }) => source.port === client || destination.port === client);
    expect(one.map(({ flags, reply, http }) => `${reply ? '<' : '>'} ${http?.type ?? flags.join(' ')}`)).toEqual([
      '> SYN',
      '< SYN ACK',
      '> ACK PSH',
      '> REQUEST',
      '< ACK PSH',
      '< RESPONSE',
      '> ACK FIN',
      '< ACK FIN',
    ]);
  });

  test('the response has its request, its code and its latency', () => {
    const [response] = flows.filter(({ http }) => http?.type === 'RESPONSE');
    expect(response!.http).toMatchObject({ method: 'GET', url: '/orders/7?x=1', code: 200 });
    expect(Number(response!.http!.latency) / 1e6).toBeGreaterThan(29);
    expect(flows.find(({ http }) => http?.type === 'REQUEST')!.http!.headers).toContainEqual({
      key: 'x-request-id',
      value: 'r1',
    });
  });

  test('a silent drop and a rejection differ by their reason', () => {
    expect(to(9999)[0]).toMatchObject({ verdict: 'DROPPED', dropReason: 'POLICY_DENIED', flags: ['SYN'] });
    expect(to(9998)[0]).toMatchObject({ verdict: 'DROPPED', dropReason: 'POLICY_DENY', flags: ['SYN'] });
    expect(to(9999).length).toBeGreaterThan(1);
  });
});

describe('HTTP heads', () => {
  const packet = (text: string, seq: number, reply = false): Packet => {
    const [source, destination] = reply ? ['b', 'a'] : ['a', 'b'];
    const [sourcePort, destinationPort] = reply ? [80, 5000] : [5000, 80];
    const flags = { syn: false, ack: true, fin: false, rst: false, psh: true };
    const payload = Buffer.from(text, 'latin1');
    const rest = { ack: 0, payloadLength: payload.length, ipId: 0, prefix: null, cooked: null, received: null };
    return { source, destination, sourcePort, destinationPort, protocol: 'TCP', flags, seq, payload, ...rest };
  };

  test('a request sent again, an interim response and a second response are not counted', () => {
    const read = createHttpReader();
    const request = 'POST /a HTTP/1.1\r\nHost: b\r\nAuthorization: secret\r\n\r\n';
    expect(read(packet(request, 1), 0n, false)).toMatchObject({
      type: 'REQUEST',
      headers: [{ key: 'Host', value: 'b' }],
    });
    expect(read(packet(request, 1), 1n, false)).toBeNull();
    expect(read(packet('HTTP/1.1 100 Continue\r\n\r\n', 5, true), 2n, true)).toBeNull();
    expect(read(packet('HTTP/1.1 201 Created\r\n\r\n', 6, true), 9n, true)).toMatchObject({
      code: 201,
      latency: 9n,
      url: '/a',
    });
    expect(read(packet('HTTP/1.1 201 Created\r\n\r\n', 6, true), 10n, true)).toBeNull();
  });

  test('pipelined requests are answered in their order', () => {
    const read = createHttpReader();
    read(packet('GET /1 HTTP/1.1\r\n\r\n', 1), 0n, false);
    read(packet('GET /2 HTTP/1.1\r\n\r\n', 20), 5n, false);
    expect(read(packet('HTTP/1.1 200 OK\r\n\r\n', 1, true), 7n, true)).toMatchObject({ url: '/1', latency: 7n });
    expect(read(packet('HTTP/1.1 500 No\r\n\r\n', 20, true), 8n, true)).toMatchObject({
      url: '/2',
      latency: 3n,
      code: 500,
    });
  });

  test('bytes of any kind are no head, and never an error', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, reply) => {
        const text = Buffer.from(bytes).toString('latin1');
        fc.pre(!/^([A-Z]{3,10} |HTTP\/)/.test(text));
        expect(createHttpReader()(packet(text, 1, reply), 0n, reply)).toBeNull();
      }),
    );
  });
});

test('log records of any kind never make the reader throw', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      createFlowReader(() => {})({ at: 0n, linkType: 239, captured: Buffer.from(bytes), length: bytes.length });
    }),
  );
});

test("tcpdump's closing words tell what the kernel dropped", () => {
  expect(droppedByKernel('9 packets captured\n12 packets dropped by kernel')).toBe(12);
  expect(droppedByKernel('1 packet dropped by kernel')).toBe(1);
  expect(droppedByKernel('')).toBe(0);
});

test('a tcpdump that ends at once is one clear line with its last words', async () => {
  const options = { group: 1, onFlow: () => {}, onLost: () => {} };
  await expect(startNflog({ tcpdump: { path: '/bin/false' }, ...options })).rejects.toThrow(
    /tcpdump ended with 1: no message/,
  );
  await expect(startNflog({ tcpdump: { path: '/nonexistent' }, ...options })).rejects.toThrow(/can't start/);
});
