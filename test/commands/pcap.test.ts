import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { type PcapArguments, pcapCommand } from '../../src/commands/pcap.ts';
import { Unreachable, Usage } from '../../src/errors.ts';
import { type CapturedPacket, createPcapReader } from '../../src/pcap/reader.ts';
import { captureOf, client, handshake, OK, request, server, type Told } from '../pcap/tell.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pcap-'));
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(() => {
  jest.restoreAllMocks();
});

const put = async (name: string, bytes: Buffer): Promise<string> => {
  const file = join(folder, name);
  await writeFile(file, bytes);
  return file;
};

const DEFAULTS = { host: [], http: true, top: 10, json: false };

type Ran = { readonly code: number; readonly out: string; readonly err: string };

const run = async (argv: Partial<PcapArguments> & Pick<PcapArguments, 'file'>): Promise<Ran> => {
  let [out, err] = ['', ''];
  jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += text;
    return true;
  });
  jest.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += text;
    return true;
  });
  const code = await pcapCommand({ ...DEFAULTS, ...argv }).finally(() => jest.restoreAllMocks());
  return { code, out, err };
};

const first = request('/orders/1', { 'x-user-id': 'alice', 'x-request-id': 'r1' });
const second = request('/orders/2', { 'x-user-id': 'bob', 'x-request-id': 'r2' });

/** Two requests on one connection, and one without an answer on another. */
const packets: Told[] = [
  ...handshake(0),
  client(10, { seq: 1, flags: 'PA', payload: first }),
  server(30, { seq: 1001, flags: 'PA', payload: OK }),
  client(31, { seq: 1 + first.length, ack: 1001 + OK.length, flags: 'A' }),
  client(40, { seq: 1 + first.length, flags: 'PA', payload: second }),
  server(90, { seq: 1001 + OK.length, flags: 'PA', payload: OK }),
  client(100, { flags: 'S', seq: 5, sourcePort: 40_001 }),
  client(1200, { flags: 'S', seq: 5, sourcePort: 40_001 }),
];
const capture = captureOf(packets);

describe('firedrill pcap', () => {
  test('prints conversations, handshakes without an answer and response times', async () => {
    const { code, out, err } = await run({ file: [await put('a.pcap', capture)] });
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/handshakes: 1 unanswered, 0 refused; packets: 1 retransmitted/);
    expect(out).toMatch(/tcp +10\.0\.0\.1 +10\.0\.0\.2:8080 +2 +10/);
    expect(out).toMatch(/GET \/orders\/\{id\} +10\.0\.0\.2:8080 +2 +2 +0/);
    expect(out).toMatch(/alice +10\.0\.0\.2:8080 +1 +1 +0 +20 +20 +20 +20/);
  });

  test('as JSON: the same, and nothing else on standard output', async () => {
    const { out } = await run({ file: [await put('a.pcap', capture)], json: true });
    expect(JSON.parse(out)).toMatchObject({
      ...{ schema: 1, packets: 10, first: '2023-11-14T22:13:20.000000Z', totals: { conversations: 2, unanswered: 1 } },
      unanswered: [{ at: '2023-11-14T22:13:20.100000Z', client: '10.0.0.1:40001', server: '10.0.0.2:8080', syns: 2 }],
      users: [
        { user: 'alice', ms: { max: 20 } },
        { user: 'bob', ms: { max: 50 } },
      ],
    });
  });

  test('several files are one capture, packed or not', async () => {
    const half = [packets.slice(0, 4), packets.slice(4)].map(captureOf);
    const file = [await put('1.pcap', half[0]!), await put('2.pcap.gz', gzipSync(half[1]!))];
    const { code, out } = await run({ file });
    expect(code).toBe(0);
    expect(out).toMatch(/2\.pcap\.gz: pcap in gzip, 6 packets/);
    expect(out).toMatch(/alice +10\.0\.0\.2:8080 +1 +1/);
  });

  test('one that is cut short says where, prints what was read, and ends with 2', async () => {
    const { code, out, err } = await run({ file: [await put('cut.pcap', capture.subarray(0, capture.length - 3))] });
    expect(code).toBe(2);
    expect(out).toMatch(/alice/);
    expect(err).toMatch(/^firedrill: \S+cut\.pcap: cut short at byte \d+: a record stops after \d+ bytes\n$/);
  });

  test('a request is cut out: its packets, and the handshake of its conversation', async () => {
    const to = join(folder, 'one.pcapng');
    const { code, err } = await run({ file: [await put('a.pcap', capture)], requestId: 'r1', cut: to });
    expect(code).toBe(0);
    expect(err).toBe(`${to}: 5 packets of 1 requests\n`);
    const found: CapturedPacket[] = [];
    const reader = createPcapReader((packet) => found.push(packet));
    reader.push(await readFile(to));
    expect(reader.end()).toEqual({ format: 'pcapng', packets: 5, end: 'complete' });
    const ms = found.map(({ at }) => Number(at - 1_700_000_000_000_000_000n) / 1e6);
    expect(ms).toEqual([0, 1, 10, 30, 31]);
    expect(found.every(({ linkType }) => linkType === 101)).toBe(true);
  });

  test('a last request is cut to the end of the capture', async () => {
    const to = join(folder, 'two.pcapng');
    const { err } = await run({ file: [await put('a.pcap', capture)], user: 'bob', cut: to });
    expect(err).toBe(`${to}: 4 packets of 1 requests\n`);
  });

  test('no such request: nothing is written, and that is said', async () => {
    const to = join(folder, 'none.pcapng');
    const running = run({ file: [await put('a.pcap', capture)], requestId: 'r9', cut: to });
    await expect(running).rejects.toThrow(Unreachable);
    await expect(readFile(to)).rejects.toThrow(/ENOENT/);
  });

  test('what a header says to a terminal is not passed on', async () => {
    const nasty = captureOf([
      ...handshake(0),
      client(5, { seq: 1, flags: 'PA', payload: request('/', { 'x-user-id': 'al\u001b[2Jice' }) }),
    ]);
    const { out } = await run({ file: [await put('nasty.pcap', nasty)] });
    expect(out).toContain('al?[2Jice');
    expect([...out].filter((letter) => letter < ' ' && letter !== '\n')).toEqual([]);
  });
});

describe('refused, in one line', () => {
  test.each([
    ['no such file', { file: ['none.pcap'] }, /none\.pcap: there is no such file/],
    ['a folder', { file: ['.'] }, /is a folder/],
    ['no capture', { file: ['text'] }, /neither pcap nor pcapng/],
    ['an empty file', { file: ['empty'] }, /no file header in 0 bytes/],
    ['--cut without a tag', { file: ['a.pcap'], cut: 'x' }, /--cut needs --request-id/],
    ['--cut onto its input', { file: ['a.pcap'], requestId: 'r1', cut: 'a.pcap' }, /would overwrite/],
    ['a tag without HTTP', { file: ['a.pcap'], user: 'alice', http: false }, /leave --no-http away/],
    ['three ends', { file: ['a.pcap'], host: [':1', ':2', ':3'] }, /two ends/],
  ])('%s', async (_, argv, says) => {
    await Promise.all([
      put('a.pcap', capture),
      put('text', Buffer.from('not a capture')),
      put('empty', Buffer.alloc(0)),
    ]);
    const there = (name: string): string => join(folder, name);
    const cut = 'cut' in argv ? { cut: there(argv.cut) } : {};
    const running = run({ ...argv, file: argv.file.map(there), ...cut });
    await expect(running).rejects.toThrow(Usage);
    await expect(running).rejects.toThrow(says);
  });
});
