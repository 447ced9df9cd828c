// Our capture reader against pcap-parser, with the same decode, on the same bytes in the same run: a ratio of times.
import { Readable } from 'node:stream';
import pcapParser from 'pcap-parser';
import { decode } from '../src/pcap/decode.ts';
import { createPcapReader } from '../src/pcap/reader.ts';

const PACKETS = 200_000;
const CHUNK = 64 * 1024;
const ROUNDS = 5;

/** Ethernet, IPv4 and TCP with 40 to 100 bytes of payload, as classic pcap with microseconds. */
const capture = (): Buffer => {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(262_144, 16);
  header.writeUInt32LE(1, 20);
  return Buffer.concat([header, ...Array.from({ length: PACKETS }, (_, n) => record(n))]);
};

const record = (n: number): Buffer => {
  const size = 54 + 40 + (n % 61);
  const bytes = Buffer.alloc(16 + size);
  bytes.writeUInt32LE(1_700_000_000 + Math.floor(n / 1000), 0);
  bytes.writeUInt32LE((n % 1000) * 1000, 4);
  bytes.writeUInt32LE(size, 8);
  bytes.writeUInt32LE(size, 12);
  const frame = bytes.subarray(16);
  frame.writeUInt16BE(0x0800, 12);
  frame[14] = 0x45;
  frame.writeUInt16BE(size - 14, 16);
  frame[23] = 6;
  frame.writeUInt32BE(0x0a000001 + (n % 8), 26);
  frame.writeUInt32BE(0x0a000101, 30);
  frame.writeUInt16BE(40_000 + (n % 8), 34);
  frame.writeUInt16BE(8080, 36);
  frame[46] = 5 << 4;
  frame[47] = 24;
  return bytes;
};

/** Bytes of payload, so that nobody can skip the work. */
type Sum = { packets: number; payload: number };

const add = (sum: Sum, bytes: Buffer): void => {
  sum.packets += 1;
  sum.payload += decode(1, bytes)?.payloadLength ?? 0;
};

const chunks = (file: Buffer): Buffer[] =>
  Array.from({ length: Math.ceil(file.length / CHUNK) }, (_, n) => file.subarray(n * CHUNK, (n + 1) * CHUNK));

const ours = async (file: Buffer): Promise<Sum> => {
  const sum = { packets: 0, payload: 0 };
  const reader = createPcapReader(({ captured }) => add(sum, captured));
  for await (const chunk of Readable.from(chunks(file))) reader.push(chunk);
  return sum;
};

const theirs = (file: Buffer): Promise<Sum> =>
  new Promise((resolve, reject) => {
    const sum = { packets: 0, payload: 0 };
    const parser = pcapParser.parse(Readable.from(chunks(file)));
    parser.on('packet', ({ data }) => add(sum, data));
    parser.on('end', () => resolve(sum));
    parser.on('error', reject);
  });

const timed = async (read: (file: Buffer) => Promise<Sum>, file: Buffer): Promise<{ ms: number; sum: Sum }> => {
  const from = performance.now();
  const sum = await read(file);
  return { ms: performance.now() - from, sum };
};

const middle = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

const file = capture();
const times = { ours: [] as number[], theirs: [] as number[] };
for (let round = -1; round < ROUNDS; round += 1) {
  const one = await timed(ours, file);
  const other = await timed(theirs, file);
  if (JSON.stringify(one.sum) !== JSON.stringify(other.sum)) throw new Error('the two readers disagree');
  // The first round warms both up.
  if (round >= 0) {
    times.ours.push(one.ms);
    times.theirs.push(other.ms);
  }
}
const [mine, other] = [middle(times.ours), middle(times.theirs)];
const speed = (ms: number): string =>
  `${Math.round(ms)} ms, ${(PACKETS / ms / 1000).toFixed(1)} million packets a second`;
console.log(`${PACKETS} packets, ${(file.length / 1e6).toFixed(0)} MB, decoded; median of ${ROUNDS} rounds`);
console.log(`firedrill    ${speed(mine)}`);
console.log(`pcap-parser  ${speed(other)}`);
console.log(`ratio        ${(other / mine).toFixed(1)}`);
