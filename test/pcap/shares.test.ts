import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Usage } from '../../src/errors.ts';
import { createPcapScanner } from '../../src/pcap/reader.ts';
import { surveyFiles, threadsFor } from '../../src/pcap/shares.ts';
import { createSurvey, type Found, resultOf, type SurveyResult } from '../../src/pcap/survey.ts';
import type { Tags } from '../../src/pcap/tags.ts';
import { captureOf, client, EVERYTHING, handshake, OK, request, server, type Told } from './tell.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'shares-'));
});
afterAll(() => rm(folder, { recursive: true }));

const put = async (name: string, bytes: Buffer, size = bytes.length): Promise<string> => {
  const file = join(folder, name);
  await writeFile(file, bytes);
  await truncate(file, size);
  return file;
};

/** A conversation from a port of its own, which may be lost, refused, or asked and answered, with losses and overlaps. */
type Talk = {
  readonly port: number;
  readonly ms: number;
  readonly how: 'lost' | 'refused' | 'asked' | 'answered';
  readonly user: string;
  readonly again: boolean;
};

const talk: fc.Arbitrary<Talk> = fc.record({
  port: fc.integer({ min: 40_000, max: 40_012 }),
  ms: fc.nat(5000),
  how: fc.constantFrom('lost', 'refused', 'asked', 'answered'),
  user: fc.constantFrom('alice', 'bob', 'carol'),
  again: fc.boolean(),
});

const packetsOf = ({ port, ms, how, user, again }: Talk): Told[] => {
  const text = request(`/orders/${port}`, { 'x-user-id': user });
  const asked = client(ms + 10, { seq: 1, flags: 'PA', payload: text });
  const begun = how === 'lost' || how === 'refused' ? [client(ms, { flags: 'S', seq: ms })] : [...handshake(ms), asked];
  const answer = how === 'answered' ? [server(ms + 30, { seq: 1001, flags: 'PA', payload: OK })] : [];
  const reset = how === 'refused' ? [server(ms + 1, { flags: 'RA', seq: 0, ack: 1 })] : [];
  const lost = again && how !== 'lost' ? [{ ...asked, ms: ms + 300 }] : [];
  return [...begun, ...reset, ...answer, ...lost].map((one) =>
    one.sourcePort === 8080 ? { ...one, destinationPort: port } : { ...one, sourcePort: port },
  );
};

const capture = (talks: readonly Talk[]): Buffer => captureOf(talks.flatMap(packetsOf).toSorted((a, b) => a.ms - b.ms));

const foundIn = (file: Buffer, tags: Tags, part: number, of: number): Found => {
  const survey = createSurvey({ ...EVERYTHING, tags, share: { part, of } });
  createPcapScanner(survey.take).push(file);
  return survey.found();
};

const inShares = (file: Buffer, tags: Tags, of: number): SurveyResult => {
  const [first, ...others] = Array.from({ length: of }, (_, part) => foundIn(file, tags, part, of));
  return resultOf([first!, ...others]);
};

describe('a capture in shares', () => {
  const tags = fc.constantFrom<Tags>({}, { user: 'alice' });

  test('shows what it shows as a whole, in the same order', () => {
    fc.assert(
      fc.property(fc.array(talk, { maxLength: 40 }), tags, fc.integer({ min: 2, max: 5 }), (talks, wanted, of) => {
        const file = capture(talks);
        expect(inShares(file, wanted, of)).toEqual(inShares(file, wanted, 1));
      }),
    );
  });

  test('every conversation is in one of them, and they all have some', () => {
    const talks = Array.from({ length: 100 }, (_, n): Talk => {
      return { port: 40_000 + n, ms: 50 * n, how: 'answered', user: 'alice', again: false };
    });
    const accepted = [0, 1, 2, 3].map((part) => foundIn(capture(talks), {}, part, 4).passed.accepted);
    expect(accepted.reduce((a, b) => a + b)).toBe(100 * packetsOf(talks[0]!).length);
    expect(Math.min(...accepted)).toBeGreaterThan(0);
  });
});

const WANTED = { filter: EVERYTHING.filter, tags: {}, http: true };

describe('threads', () => {
  const talks = [40_001, 40_002, 40_003, 40_004, 40_005].map((port, n): Talk => {
    return { port, ms: 100 * n, how: 'answered', user: 'bob', again: true };
  });

  test('two of them show what one shows, file by file, and the first says how far it is', async () => {
    const files = [await put('a.pcap', capture(talks.slice(0, 3))), await put('b.pcap', capture(talks.slice(3)))];
    const shares: number[] = [];
    const two = await surveyFiles(files, WANTED, 2, (_, share) => shares.push(share));
    expect(two).toEqual(await surveyFiles(files, WANTED, 1));
    expect(two.result.users).toMatchObject([{ name: 'bob', requests: 5 }]);
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
    expect(shares.at(-1)).toBe(1);
  });

  test('what is no capture is said once, as the user error it is', async () => {
    const none = await put('none', Buffer.from('no capture at all'));
    await expect(surveyFiles([none], WANTED, 3)).rejects.toThrow(Usage);
  });

  const LARGE = 1024 * 1024 * 1024;
  test.each([
    ['a small capture is for one', 24, true, false, 8, 1],
    ['a large one for several', LARGE, true, false, 8, 3],
    ['no more than there are cores', LARGE, true, false, 2, 2],
    ['one is enough where HTTP is not looked at', LARGE, false, false, 8, 1],
    ['one is enough where unpacking takes the time', LARGE, true, true, 8, 1],
  ])('%s', async (_, size, http, packed, cores, threads) => {
    const bytes = capture([]);
    const file = await put('sized', packed ? gzipSync(bytes) : bytes, size);
    expect(await threadsFor([file], { http }, cores)).toBe(threads);
  });
});
