import { appendFile, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type PacketsOptions, packets, readCapture } from '../../../src/layers/packets/adapter.ts';
import type { Answer, PacketItem, Window } from '../../../src/model.ts';
import { naming } from '../../../src/naming.ts';
import { fromMs } from '../../../src/time.ts';
import { classicFile, classicHeader, classicRecord, type Stamped, tcp4 } from '../../pcap/build.ts';
import { A, B, down, type Sent, start, up } from './follow.ts';

const names = naming(['quotes'], () => new Map([[B, { ip: B, service: 'quotes', pod: 'quotes-1' }]]));

const stamped = ({ ms, ...segment }: Sent): Stamped => ({
  seconds: Number(start / 1_000_000_000n) + Math.floor(ms / 1000),
  fraction: (ms % 1000) * 1000,
  data: tcp4(segment),
});
const exchange = (ms: number, seq: number): Stamped[] =>
  [up(ms, 'PA', { seq, payload: 'GET /' }), down(ms + 7, 'PA', { seq, payload: 'HTTP/1.1' })].map(stamped);
const hello = [up(0, 'S', { seq: 0 }), down(1, 'SA', { seq: 0 })].map(stamped);

const span = (fromS: number, untilS: number): Window => ({
  from: start + fromMs(fromS * 1000),
  until: start + fromMs(untilS * 1000),
});

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'packets-'));
  file = join(folder, "it's a capture.pcap");
});
afterEach(() => rm(folder, { recursive: true }));

const layer = (more: Partial<PacketsOptions> = {}) => packets({ file, naming: names, ...more });
const look = (adapter: ReturnType<typeof layer>, window: Window): Promise<Answer<PacketItem>> =>
  adapter.look(window, new AbortController().signal);
const events = ({ items }: Answer<PacketItem>): string[] => items.map(({ event }) => event);

describe('a growing capture', () => {
  test('is read on from where the last look stopped, inside a record too', async () => {
    const whole = classicFile([...hello, ...exchange(10, 1), ...exchange(50, 20)], { linkType: 101 });
    const cut = whole.length - 30;
    await writeFile(file, whole.subarray(0, cut));
    const adapter = layer();
    const first = await look(adapter, span(0, 1));
    await appendFile(file, whole.subarray(cut));
    const second = await look(adapter, span(0, 1));
    expect(events(first)).toEqual(['handshake', 'exchange']);
    expect(events(second)).toEqual(['handshake', 'exchange', 'exchange']);
    expect(second.items.slice(0, 2)).toEqual(first.items);
    expect([...first.gaps, ...second.gaps]).toEqual([]);
  });

  test('gives each window its own events, with names from addresses', async () => {
    await writeFile(file, classicFile([...hello, ...exchange(10, 1), ...exchange(5000, 20)], { linkType: 101 }));
    const { items } = await look(layer(), span(4, 6));
    expect(items).toMatchObject([
      {
        event: 'exchange',
        ms: 7,
        client: { ip: A, service: null, pod: null },
        server: { ip: B, service: 'quotes', pod: 'quotes-1' },
      },
    ]);
  });

  test('tells what was waited for by the time of asking, but for what may still be in a buffer', async () => {
    await writeFile(
      file,
      classicFile([...hello, stamped(up(10, 'PA', { seq: 1, payload: 'GET /' }))], { linkType: 101 }),
    );
    const adapter = layer();
    expect(events(await look(adapter, span(0, 3)))).toEqual(['handshake']);
    expect(events(await look(adapter, span(0, 4)))).toEqual(['handshake', 'silent']);
  });

  test('that starts anew is read anew', async () => {
    const adapter = layer();
    await writeFile(file, classicFile([...hello, ...exchange(10, 1)], { linkType: 101 }));
    await look(adapter, span(0, 1));
    await writeFile(file, classicFile(hello, { linkType: 101 }));
    expect(events(await look(adapter, span(0, 1)))).toEqual(['handshake']);
  });

  test('two looks at once do not read anything twice', async () => {
    await writeFile(file, classicFile([...hello, ...exchange(10, 1)], { linkType: 101 }));
    const adapter = layer();
    const answers = await Promise.all([look(adapter, span(0, 1)), look(adapter, span(0, 1))]);
    expect(answers.map(events)).toEqual([
      ['handshake', 'exchange'],
      ['handshake', 'exchange'],
    ]);
  });

  test('says how a person could ask the same', async () => {
    const { queries } = await look(layer(), span(0, 1.5));
    expect(queries).toHaveLength(1);
    expect(queries[0]?.text).toContain(
      `it'\\''s a capture.pcap' -Y 'tcp && frame.time_epoch >= 1700000000.000000000 && `,
    );
    expect(queries[0]?.url).toMatch(/^file:.*it's%20a%20capture\.pcap$/);
  });
});

describe('a capture that can not answer is a gap', () => {
  test('no file', async () => {
    const { items, gaps } = await look(layer(), span(0, 1));
    expect(items).toEqual([]);
    expect(gaps).toMatchObject([{ layer: 'packets', window: span(0, 1), why: expect.stringContaining('ENOENT') }]);
  });

  test('nothing in it yet', async () => {
    await writeFile(file, '');
    expect((await look(layer(), span(0, 1))).gaps).toMatchObject([{ why: 'capture: no file header in 0 bytes' }]);
  });

  test('damage, from the last good packet on; what came before is still told', async () => {
    const bad = classicRecord({ seconds: 1, fraction: 7_000_000, data: Buffer.alloc(9) });
    const good = classicFile([...hello, ...exchange(500, 1)], { linkType: 101 });
    await writeFile(file, Buffer.concat([good, bad]));
    const adapter = layer();
    const { items, gaps } = await look(adapter, span(0, 1));
    expect(items).toHaveLength(2);
    expect(gaps).toMatchObject([{ window: { from: start + fromMs(507), until: start + fromMs(1000) } }]);
    expect(gaps[0]?.why).toBe(`capture damaged at byte ${good.length}: a packet's time has 7000000 µs in a second`);
    expect((await look(adapter, span(0, 0.4))).gaps).toEqual([]);
  });

  test('packets that the kernel dropped', async () => {
    await writeFile(file, classicHeader({ linkType: 101 }));
    const { gaps } = await look(layer({ captureLoss: () => 12 }), span(0, 1));
    expect(gaps).toMatchObject([{ why: 'the kernel dropped 12 packets before they were captured' }]);
  });

  test('a link type that we can not decode', async () => {
    await writeFile(file, classicFile(hello, { linkType: 105 }));
    const { gaps } = await look(layer(), span(0, 1));
    expect(gaps).toMatchObject([{ why: 'no packet of link type 105 could be decoded' }]);
  });

  test('an aborted look', async () => {
    await writeFile(file, classicFile(hello, { linkType: 101 }));
    const { gaps } = await layer().look(span(0, 1), AbortSignal.abort(new Error('time is up')));
    expect(gaps).toMatchObject([{ why: expect.stringContaining('time is up') }]);
  });
});

describe('a finished capture', () => {
  test('that is whole says so', async () => {
    await writeFile(file, classicFile([...hello, ...exchange(10, 1)], { linkType: 101 }));
    const { end, items, first, last } = await readCapture(file, names);
    expect(end).toEqual({ format: 'pcap', packets: 4, end: 'complete' });
    expect(items).toHaveLength(2);
    expect([first, last]).toEqual([start, start + fromMs(17)]);
  });

  test('that was cut says at which byte', async () => {
    const whole = classicFile([...hello, ...exchange(10, 1)], { linkType: 101 });
    await writeFile(file, whole.subarray(0, -1));
    const { end, items } = await readCapture(file, names);
    expect(end.end).toEqual({ truncated: whole.length - 16 - 48, why: 'a record stops after 63 bytes' });
    expect(items.map(({ event }) => event)).toEqual(['handshake']);
  });

  test('that is not there is one clear line', async () => {
    await expect(readCapture(file, names)).rejects.toThrow(
      /^capture file can't be read: .*ENOENT.*it's a capture\.pcap/,
    );
  });
});
