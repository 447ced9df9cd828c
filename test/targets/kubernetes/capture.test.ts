import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createPcapReader } from '../../../src/pcap/reader.ts';
import { until } from '../../../src/poll.ts';
import { agentsOf } from '../../../src/targets/kubernetes/agents.ts';
import { startCapture } from '../../../src/targets/kubernetes/capture.ts';
import type { At, Exec, Executed } from '../../../src/targets/kubernetes/cluster.ts';
import type { FoundPod } from '../../../src/targets/kubernetes/ground.ts';
import { fileHeader, packetHeader } from '../../../src/targets/kubernetes/raw-ip.ts';
import { droppedIn } from '../../../src/targets/kubernetes/stream.ts';
import { systemClock } from '../../../src/time.ts';
import { foundPod, shop } from './agents-cluster.ts';

const soon = { forMs: 5000, everyMs: 10 };
const [web, bank] = [foundPod('web-a', 1), foundPod('shop-a', 2)];
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'capture-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** A SYN from web to the Service, as raw IP. */
const syn = (seq: number): Buffer => {
  const bytes = Buffer.alloc(40);
  bytes.set([0x45, 0, 0, 40], 0);
  bytes.set([6], 9);
  bytes.set([198, 18, 1, 1, 198, 18, 128, 9], 12);
  bytes.writeUInt16BE(40_000 + seq, 20);
  bytes.writeUInt16BE(80, 22);
  bytes.writeUInt32BE(seq, 24);
  bytes.set([0x50, 2], 32);
  return Buffer.concat([packetHeader(systemClock.now(), 40, 40), bytes]);
};

type Tcpdump = {
  ended: boolean;
  readonly at: At;
  readonly argv: readonly string[];
  say(bytes: Buffer): void;
  end(result: Executed | Error): void;
};

/** Pods whose tcpdumps are in our hands; told to end, each says that it dropped 2 packets. */
const capturing = (living: FoundPod[], begins: (at: At) => Executed | null = () => null) => {
  const dumps: Tcpdump[] = [];
  const tcpdump = (at: At, argv: readonly string[], options?: Exec): Promise<Executed> => {
    const early = begins(at);
    if (early) return Promise.resolve(early);
    const { promise, resolve, reject } = Promise.withResolvers<Executed>();
    const end = (it: Executed | Error): void => {
      one.ended = true;
      if (it instanceof Error) reject(it);
      else resolve(it);
    };
    options?.signal?.addEventListener('abort', () => end(new Error('cut')));
    const one: Tcpdump = { ended: false, at, argv, say: (bytes) => void options?.onOutput?.(bytes), end };
    dumps.push(one);
    void options?.onOutput?.(fileHeader());
    return promise;
  };
  const it = shop(living, {
    exec: (at, argv, options) => {
      if (argv[0] === 'tcpdump') return tcpdump(at, argv, options);
      if (!argv.includes('end-captures')) return null;
      for (const one of dumps.filter(({ at: where }) => where.pod === at.pod))
        one.end({ code: 0, out: '', err: '5 packets captured\n2 packets dropped by kernel\n' });
      return Promise.resolve({ code: 0, out: '', err: '' });
    },
  });
  return { ...it, dumps, start: () => startCapture(it.ground, agentsOf(it.ground), join(folder, 'capture.pcap')) };
};

const packetsIn = async (file: string): Promise<number> => {
  const reader = createPcapReader(() => undefined);
  reader.push(await readFile(file));
  expect(reader.end().end).toBe('complete');
  return reader.end().packets;
};

describe('a capture', () => {
  test('is of every pod’s TCP but its node’s, in one file; losses are added up', async () => {
    const it = capturing([web, bank, foundPod('node-a', 7, { hostNetwork: true })]);
    const capture = await it.start();
    expect(it.dumps.map(({ at }) => at.pod).sort()).toEqual(['shop-a', 'web-a']);
    expect(it.dumps[0]!.argv.at(-1)).toBe('tcp and not host 198.18.0.1');
    const web_ = it.dumps.find(({ at }) => at.pod === 'web-a')!;
    web_.say(Buffer.concat([syn(1), syn(2)]));
    expect(await capture.stop()).toEqual({ captured: 2, droppedByKernel: 4 });
    expect(await capture.stop()).toEqual({ captured: 2, droppedByKernel: 4 });
    expect(await packetsIn(capture.file)).toBe(2);
  });

  test('takes in pods that come up meanwhile', async () => {
    const it = capturing([web]);
    const capture = await it.start();
    it.living.push(bank);
    await until('the new pod', () => (it.dumps.length === 2 ? true : null), soon);
    await capture.stop();
  });

  test('that breaks off while its pod lives is loss, and begun anew; with its pod gone it is none', async () => {
    const it = capturing([web, bank]);
    const capture = await it.start();
    const of = (pod: string) => it.dumps.filter(({ at }) => at.pod === pod);
    it.living.splice(1, 1);
    of('shop-a')[0]!.end(new Error('connection lost'));
    of('web-a')[0]!.end(new Error('connection lost'));
    await until('the new stream', () => (of('web-a').length === 2 ? true : null), soon);
    expect(await capture.stop()).toEqual({ captured: 0, droppedByKernel: 1 + 2 });
  });

  test('that can’t begin in a pod tells tcpdump’s words, and leaves none running', async () => {
    const begins = ({ pod }: At) =>
      pod === 'shop-a' ? { code: 1, out: '', err: 'tcpdump: eth0: No such device exists\n' } : null;
    const it = capturing([web, bank], begins);
    await expect(it.start()).rejects.toThrow('capture in pod shop/shop-a: tcpdump: eth0: No such device exists');
    expect(it.dumps.map(({ ended }) => ended)).toEqual([true]);
  });

  test('into a folder that is not there is refused before any pod is touched', async () => {
    const it = capturing([web]);
    await expect(startCapture(it.ground, agentsOf(it.ground), join(folder, 'no', 'x.pcap'))).rejects.toThrow('ENOENT');
    expect(it.containers('web-a')).toEqual([]);
  });
});

test('tcpdump’s last words', () => {
  expect(droppedIn('1 packet captured\n1 packet dropped by kernel')).toBe(1);
  expect(droppedIn('command terminated')).toBeNull();
});
