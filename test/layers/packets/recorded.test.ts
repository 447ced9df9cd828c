import { describe, expect, test } from '@jest/globals';
import { readCapture } from '../../../src/layers/packets/adapter.ts';
import { naming } from '../../../src/naming.ts';

const file = (name: string): string => new URL(`../../../fixtures/pcap/${name}`, import.meta.url).pathname;

describe('what tcpdump recorded', () => {
  test.each([
    ['ethernet.pcap', 16],
    ['cooked.pcap', 18],
    ['nanoseconds.pcap', 18],
  ])('%s: a handshake, three exchanges of one connection, and a refusal', async (name, packets) => {
    const { end, items, undecoded } = await readCapture(
      file(name),
      naming([], () => new Map()),
    );
    expect(end).toEqual({ format: 'pcap', packets, end: 'complete' });
    expect(undecoded.size).toBe(0);
    const events = items.map(({ event, server }) => `${event} ${server.port}`);
    const exchange = 'exchange 18080';
    expect(events).toEqual(['handshake 18080', exchange, exchange, exchange, 'refused 18081']);
    const times = items.filter(({ event }) => event === 'exchange').map(({ ms }) => ms!);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(12);
  });

  test('the times are those that tcpdump prints, to the nanosecond where the file has them', async () => {
    const at = async (name: string): Promise<bigint | null> =>
      (
        await readCapture(
          file(name),
          naming([], () => new Map()),
        )
      ).first;
    expect(await at('ethernet.pcap')).toBe(1_795_247_221_299_101_000n);
    expect((await at('nanoseconds.pcap'))! / 1000n).toBe(1_795_247_224_582_768n);
  });
});
